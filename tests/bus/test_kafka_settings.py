"""What an address of brokers says, and what of it is never shown."""

import pytest
import trio
from confluent_kafka import Consumer

from penstock.engine.bus.kafka import KafkaBus, KafkaSettings
from penstock.engine.errors import ConfigurationError

SECRET = "sw:rd/f@sh"
ADDRESS = "kafka+ssl://me:sw%3Ard%2Ff%40sh@one:9093,two:9093?ca_file=/ca.pem&sasl_mechanism=SCRAM-SHA-512"


def test_a_plain_address_names_brokers_alone() -> None:
    """Nothing is encrypted, and nobody is told who comes."""
    settings = KafkaSettings.of_url("kafka://one:9092,two:9092")
    assert (settings.servers, settings.security_protocol) == ("one:9092,two:9092", "PLAINTEXT")
    assert settings == KafkaSettings(servers="one:9092,two:9092")


@pytest.mark.parametrize("made", ["producer", "consumer"])
def test_tls_user_and_password_reach_producers_and_consumers(made: str) -> None:
    """Under librdkafka's names, decoded."""
    settings = KafkaSettings.of_url(ADDRESS)
    options = settings.of_producer() if made == "producer" else settings.of_consumer("g")
    assert {name: value for name, value in options.items() if name.startswith(("sasl", "ssl", "secur"))} == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": SECRET,
        "ssl.ca.location": "/ca.pem",
    }
    assert options["bootstrap.servers"] == "one:9093,two:9093"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("scheme", ["kafka", "kafka+ssl"])
async def test_librdkafka_knows_the_mechanisms_that_an_address_may_name(scheme: str, mechanism: str) -> None:
    """It judges them when a producer or a consumer is made, before any broker is asked."""
    address = f"{scheme}://me:hunter2@127.0.0.1:1?sasl_mechanism={mechanism}"
    settings = KafkaSettings.of_url(address)
    with trio.fail_after(30):
        async with KafkaBus.open(settings):
            pass
    Consumer(settings.of_consumer("g")).close()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1024", "scram-sha-512", "hunter3"])
async def test_a_mechanism_that_it_does_not_know_is_a_mistake_of_the_address(mechanism: str) -> None:
    """Said at the start, with its name, and without the password."""
    settings = KafkaSettings.of_url(f"kafka://me:hunter2@127.0.0.1:1?sasl_mechanism={mechanism}")
    with pytest.raises(ConfigurationError, match=mechanism) as raised:
        async with KafkaBus.open(settings):
            pass
    assert "hunter2" not in str(raised.value)


def test_options_of_librdkafka_win_over_the_fields() -> None:
    """Whoever names them knows what they mean."""
    settings = KafkaSettings(servers="one:9093", options={"security.protocol": "SASL_SSL"})
    assert settings.of_producer()["security.protocol"] == "SASL_SSL"


def test_the_password_is_not_shown() -> None:
    """Neither by `repr` nor by `str`, which end up in logs."""
    settings = KafkaSettings.of_url(ADDRESS)
    assert f"{settings!r}" == f"{settings}" == "KafkaSettings(SASL_SSL me:***@one:9093,two:9093)"


@pytest.mark.parametrize(
    "url",
    [
        "kafka://me:hunter2@",
        "kafka://me:hunter2@[one",
        "kafka://me:hunter2@one:9092/topic",
        "kafka+tls://me:hunter2@one:9092",
        "kafka://me:hunter2@one:9092?sasl_mechanism",
        "kafka://me:hunter2@one:9092?password=hunter2",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    """The message says what was expected."""
    with pytest.raises(ConfigurationError, match=r"expected kafka://|it has ca_file") as raised:
        KafkaSettings.of_url(url)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
