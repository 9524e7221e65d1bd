"""What only the bus on Kafka does: partitions that move, commits that come too late, threads that end."""

import subprocess
import sys
import uuid
from urllib.parse import urlsplit

import msgspec
import pytest
import trio
from confluent_kafka import KafkaError, TopicPartition

from bus.mock_kafka import MockKafka
from bus.real_kafka import RealKafka
from bus.rig import QUICK, WITHIN, ids, receive
from penstock.engine.bus import BusRefused, BusUnavailable, Event, UnknownTopic
from penstock.engine.bus.kafka import KafkaBus, KafkaSettings
from penstock.engine.bus.kafka_commit import Commit
from penstock.engine.bus.kafka_errors import exception
from penstock.engine.bus.kafka_partition import MOST, Partition
from penstock.engine.bus.kafka_statistics import read_lag
from penstock.engine.errors import ConfigurationError
from support.otlp_receiver import otlp_receiver


def test_a_second_sending_is_passed_over_and_committed_with_what_is_before_it() -> None:
    """The same message received again is no second sending."""
    partition = Partition(1)
    assert partition.is_new("a", 5)
    assert partition.is_new("b", 6)
    assert not partition.is_new("a", 7)
    assert partition.is_new("a", 5)
    assert (partition.next_after(5), partition.next_after(6)) == (6, 8)


def test_what_is_remembered_of_a_partition_is_bounded() -> None:
    """Ids past the bound are forgotten, and so many second sendings are passed over, no more."""
    partition = Partition(1)
    for offset in range(MOST + 1):
        assert partition.is_new(f"e{offset}", offset)
    assert partition.is_new("e0", MOST + 1)
    passed = [partition.is_new("e5", MOST + 2 + number) for number in range(MOST + 1)]
    assert passed == [False] * MOST + [True]


def test_a_commit_is_answered_by_a_later_one_too() -> None:
    """Answers come in order, but may be to several commits."""
    commit = Commit({("t", 0): 5, ("t", 1): 7})
    commit.answered(None, [TopicPartition("t", 0, 4)])
    commit.answered(None, [TopicPartition("t", 0, 6)])
    assert not commit.done.is_set()
    commit.answered(None, [TopicPartition("t", 1, 7)])
    assert commit.done.is_set()
    assert commit.error is None


@pytest.mark.parametrize("code", [KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID])
def test_a_commit_that_comes_too_late_is_no_error(code: int) -> None:
    """The partition is another member's, where the events come again."""
    commit = Commit({("t", 0): 5})
    commit.answered(KafkaError(code), [TopicPartition("t", 0, 5)])
    assert commit.done.is_set()
    assert commit.error is None
    commit = Commit({("t", 0): 5})
    commit.give_up([("t", 0)])
    assert commit.done.is_set()


def test_a_commit_that_fails_says_so() -> None:
    """Sending it again may help."""
    commit = Commit({("t", 0): 5})
    commit.answered(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS), [TopicPartition("t", 0, 5)])
    assert isinstance(commit.error, BusUnavailable)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.UNKNOWN_TOPIC_OR_PART, UnknownTopic),
        (KafkaError._UNKNOWN_TOPIC, UnknownTopic),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, BusRefused),
        (KafkaError.MSG_SIZE_TOO_LARGE, BusRefused),
        (KafkaError._ALL_BROKERS_DOWN, BusUnavailable),
        (KafkaError._MSG_TIMED_OUT, BusUnavailable),
    ],
)
def test_errors_say_whether_waiting_helps(code: int, kind: type[Exception]) -> None:
    """Nobody has to know librdkafka's numbers."""
    assert type(exception(KafkaError(code))) is kind


def test_the_lag_is_read_from_the_statistics() -> None:
    """Where nothing was committed it depends on where the group begins."""
    partitions = {
        "0": {"lo_offset": 0, "hi_offset": 10, "committed_offset": 4},
        "1": {"lo_offset": 2, "hi_offset": 10, "committed_offset": -1001},
        "2": {"lo_offset": -1001, "hi_offset": -1001, "committed_offset": -1001},
        "-1": {"lo_offset": 0, "hi_offset": 5},
    }
    text = msgspec.json.encode({"topics": {"t": {"partitions": partitions}}}).decode()
    assert read_lag(text, "oldest") == {("t", 0): 6, ("t", 1): 8}
    assert read_lag(text, "newest") == {("t", 0): 6, ("t", 1): 0}


async def test_options_that_librdkafka_does_not_know_are_a_mistake_of_configuration() -> None:
    """Told before anything is published."""
    settings = KafkaSettings(servers="localhost:1", options={"no.such.option": 1})
    with pytest.raises(ConfigurationError, match=r"no\.such\.option"):
        async with KafkaBus.open(settings):
            pass


def test_without_the_library_the_extra_is_named() -> None:
    """In a process that cannot import it."""
    program = (
        "import sys; sys.modules['confluent_kafka'] = None\n"
        "import penstock.engine.bus\n"
        "from penstock.engine.errors import ConfigurationError\n"
        "try: import penstock.engine.bus.kafka\n"
        "except ConfigurationError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "penstock[kafka]" in done.stdout


async def test_brokers_that_stay_away_are_told_to_the_publisher_and_closing_is_bounded() -> None:
    """After its patience; nothing is left behind, no thread either."""
    settings = KafkaSettings(servers="localhost:1", give_up_after=0.5, close_within=0.5)
    with trio.fail_after(WITHIN):
        async with KafkaBus.open(settings) as bus:
            with pytest.raises(BusUnavailable):
                await bus.publish([Event(topic="t", id="e", data=b"")])
        thread = bus._publisher._thread
        await trio.to_thread.run_sync(thread.join, WITHIN)
    assert not thread.is_alive()


async def test_publishers_wait_while_too_much_is_on_its_way() -> None:
    """What does not fit waits outside, and can be cancelled there."""
    settings = KafkaSettings(servers="localhost:1", most_on_the_way=2, give_up_after=0.5, close_within=0.2)
    events = [Event(topic="t", id=f"e{number}", data=b"") for number in range(3)]
    async with KafkaBus.open(settings) as bus:
        with trio.move_on_after(0.1) as scope:
            await bus.publish(events)
        assert scope.cancelled_caught
        assert len(bus._publisher._producer) == 2


async def test_partitions_move_to_a_member_that_comes_and_nothing_is_lost(
    brokers: MockKafka | RealKafka,
) -> None:
    """What was not committed by the old owner comes to the new one."""
    settings = msgspec.structs.replace(brokers.settings, options=QUICK)
    async with KafkaBus.open(settings) as bus:
        topic = f"moving-{uuid.uuid4().hex}"
        await trio.to_thread.run_sync(brokers.make_topic, topic)
        events = [Event(topic=topic, id=f"e{number}", data=b"") for number in range(24)]
        with trio.fail_after(WITHIN):
            await bus.publish(events)
        async with bus.subscribe("movers", [topic]) as first:
            held = await receive(first, 24)
            heard: set[str] = set()
            async with bus.subscribe("movers", [topic]) as second, trio.open_nursery() as nursery:
                heard.update(ids(await receive(second, 1)))
                # The first one's commit names partitions that are the second's by now: passed over.
                with trio.fail_after(WITHIN):
                    await first.commit(held)
                nursery.cancel_scope.cancel()
            assert heard <= {event.id for event in events}
            assert len(heard) < 24


async def test_a_topic_that_does_not_exist_is_told_to_the_subscriber(brokers: MockKafka | RealKafka) -> None:
    """Waiting would be in vain where nobody makes it."""
    settings = msgspec.structs.replace(brokers.settings, options=QUICK)
    async with KafkaBus.open(settings) as bus, bus.subscribe("g-nowhere", ["nowhere"]) as member:
        with trio.fail_after(WITHIN), pytest.raises(UnknownTopic, match="nowhere"):
            await member.receive()


async def test_brokers_that_refuse_the_connection_are_told_to_both_sides() -> None:
    """A password or a certificate is not waited for: whoever publishes or receives hears what is wrong.

    Something whose certificate nobody vouches for stands for all of that.
    """
    with otlp_receiver(tls=True) as stranger:
        settings = KafkaSettings(
            servers=urlsplit(stranger.endpoint).netloc,
            tls=True,
            give_up_after=2.0,
            close_within=0.5,
            options=QUICK,
        )
        with trio.fail_after(WITHIN):
            async with KafkaBus.open(settings) as bus, bus.subscribe("g", ["t"]) as member:
                with pytest.raises(BusRefused, match="certificate"):
                    await member.receive()
                with pytest.raises(BusRefused, match="certificate"):
                    await bus.publish([Event(topic="t", id="e", data=b"")])
