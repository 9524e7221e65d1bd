"""What is sent to an endpoint, and what becomes of each answer."""

import logging

import msgspec
import pytest
import trio

from penstock.engine import Dead, Retry
from penstock.engine.errors import ConfigurationError
from penstock.engine.webhooks import Endpoint, WebhookSettings, verify
from penstock.engine.webhooks.verdict import BACKOFF
from support.http_receiver import Answer
from webhooks.rig import MESSAGE, OLD_SECRET, PAYLOAD, SECRET, sending


async def test_a_payload_arrives_signed_so_that_the_receiver_can_tell() -> None:
    """By every secret of the endpoint, with the id that is the same each time."""
    async with sending(secrets=(SECRET, OLD_SECRET)) as rig:
        assert await rig.send() == 200
        assert await rig.send(attempt=2) == 200
    first, second = rig.receiver.asked
    assert (first.method, first.target, first.json()) == ("POST", "/hook/hush", PAYLOAD)
    assert first.headers["content-type"] == "application/json"
    for secret in (SECRET, OLD_SECRET):
        assert verify(first.headers, first.body, [secret]) == MESSAGE
    assert second.headers["webhook-id"] == MESSAGE


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_a_2xx_is_a_success(status: int) -> None:
    """Whatever its body says."""
    async with sending() as rig:
        rig.receiver.answer = Answer(status, body=b"" if status == 204 else b"thanks")
        assert await rig.send() == status


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (410, "is gone"),
        (400, "refuses"),
        (401, "refuses"),
        (404, "refuses"),
        (422, "refuses"),
        (304, "answered 304"),
    ],
)
async def test_an_answer_that_stays_what_it_is_ends_the_delivery(status: int, reason: str) -> None:
    """410 says that the endpoint is gone; the reason is the dead letter's."""
    async with sending() as rig:
        rig.receiver.answer = Answer(status, body=b"" if status == 304 else b"no")
        with pytest.raises(Dead, match=rf"{reason}.*|{status}.*{reason}"):
            await rig.send()
        assert len(rig.receiver.asked) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_an_answer_that_may_change_is_asked_for_again_by_the_job(status: int) -> None:
    """Not within this attempt: the job's attempts are the retries."""
    async with sending() as rig:
        rig.receiver.answer = Answer(status)
        with pytest.raises(Retry, match=f"answered {status}") as caught:
            await rig.send()
        assert (caught.value.delay, len(rig.receiver.asked)) == (None, 1)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [("120", 120.0, 132.0), ("0", 0.0, BACKOFF.ceiling(1)), ("9999999", 86_400.0, 95_040.0)],
)
async def test_retry_after_is_honoured(value: str, least: float, most: float) -> None:
    """Spread a little, at most a day, and no sooner than backoff would."""
    async with sending() as rig:
        rig.receiver.answer = Answer(503, {"Retry-After": value})
        with pytest.raises(Retry) as caught:
            await rig.send()
    assert caught.value.delay is not None
    assert least <= caught.value.delay <= most


async def test_a_garbled_retry_after_leaves_it_to_backoff() -> None:
    """None is what the job's policy fills in."""
    async with sending() as rig:
        rig.receiver.answer = Answer(503, {"Retry-After": "tomorrow"})
        with pytest.raises(Retry) as caught:
            await rig.send()
    assert caught.value.delay is None


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("http://169.254.169.254/latest/meta-data?hush", "private address .link-local"),
        ("http://[::1]/hush", "private address .loopback"),
        ("http://localhost:6379/", "private address .loopback"),
        ("https://elsewhere.example/hush", "configure the address"),
        ("/hush", "configure the address"),
        ("http://[hush", "configure the address"),
    ],
)
async def test_a_redirect_is_not_followed_and_says_where_it_may_not_lead(location: str, says: str) -> None:
    """Nothing more is sent, and what the receiver wrote is not quoted."""
    async with sending() as rig:
        rig.receiver.answer = Answer(307, {"Location": location})
        with pytest.raises(Dead, match=says) as caught:
            await rig.send()
        assert len(rig.receiver.asked) == 1
        assert "hush" not in str(caught.value)


async def test_an_endpoint_at_a_private_address_is_refused_unless_configured() -> None:
    """Nothing is sent to it."""
    async with sending() as rig:
        with pytest.raises(Dead, match=r"may not be delivered to: 127\.0\.0\.1 is at .*loopback"):
            await rig.send("guarded")
        assert rig.receiver.connections == 0


async def test_urls_are_delivered_to_where_they_are_allowed_and_never_to_private_addresses() -> None:
    """By default nowhere."""
    async with sending() as rig:
        with pytest.raises(Dead, match="none of `url_hosts`"):
            await rig.send("https://example.org/hook")
    async with sending(url_hosts=("*",)) as rig:
        with pytest.raises(Dead, match="loopback"):
            await rig.send(rig.receiver.url)
        with pytest.raises(Dead, match="no URL"):
            await rig.send("http://127.0.0.1:port/hush")
        assert rig.receiver.connections == 0


async def test_an_endpoint_that_is_not_known_here_may_be_known_to_another_worker() -> None:
    """So it is no dead letter yet: during a rollout half of the workers know it."""
    async with sending() as rig:
        with pytest.raises(ConfigurationError, match="knows no endpoint 'there'"):
            await rig.send("there")


async def test_a_payload_that_is_too_large_or_no_json_is_not_sent() -> None:
    """No attempt would end otherwise."""
    async with sending(max_payload=1_000) as rig:
        with pytest.raises(Dead, match="takes 1002 bytes as JSON, at most 1000"):
            await rig.send(payload="x" * 1_000)
        with pytest.raises(Dead, match="cannot be written as JSON"):
            await rig.send(payload={(1, 2): object()})
        assert await rig.send(payload="x" * 998) == 200


async def test_a_long_answer_counts_by_its_status() -> None:
    """Nobody reads it, so it is not read to its end."""
    async with sending() as rig:
        rig.receiver.answer = Answer(body=b"x" * 10_000, endless=True)
        assert await rig.send() == 200
        rig.receiver.answer = Answer(410, body=b"x" * 10_000, endless=True)
        with pytest.raises(Dead, match="gone"):
            await rig.send()


async def test_a_receiver_that_answers_slowly_is_tried_again() -> None:
    """A byte and then nothing is bounded by the time of an attempt."""
    async with sending(timeout=0.5) as rig:
        rig.receiver.answer = Answer(body=b"x", stuck=True)
        with trio.fail_after(30), pytest.raises(Retry, match=r"no whole answer within 0\.5 s"):
            await rig.send()


async def test_a_certificate_that_nobody_vouches_for_is_tried_again_and_says_so() -> None:
    """It may be mended, and nothing was sent."""
    async with sending(tls=True, trusted=False) as rig:
        with pytest.raises(Retry, match="CERTIFICATE_VERIFY_FAILED"):
            await rig.send()
        assert rig.receiver.asked == []
    async with sending(tls=True) as rig:
        assert await rig.send() == 200


async def test_a_receiver_that_is_ill_is_left_alone_for_a_while() -> None:
    """The circuit is open; the job comes back when it may be closed."""
    async with sending() as rig:
        rig.receiver.answer = Answer(503)
        for _ in range(5):
            with pytest.raises(Retry, match="503"):
                await rig.send()
        with pytest.raises(Retry, match="is open since") as caught:
            await rig.send()
        assert len(rig.receiver.asked) == 5
    assert caught.value.delay is not None
    assert BACKOFF.ceiling(1) < caught.value.delay < 33.1


async def test_neither_secrets_nor_paths_are_shown(caplog: pytest.LogCaptureFixture) -> None:
    """In what is logged, raised, or printed of the settings: a chat service's path is a password."""
    caplog.set_level(logging.DEBUG)
    async with sending(tls=True, trusted=False, url_secrets=(OLD_SECRET,)) as rig:
        with pytest.raises(Retry) as caught:
            await rig.send()
        endpoint = rig.settings.endpoints["here"]
        printed = f"{rig.settings} {rig.settings!r} {endpoint!r} {endpoint.__rich_repr__()}"
        said = printed + str(rig.settings.__rich_repr__()) + str(caught.value) + caplog.text
    assert [each for each in (SECRET[6:], OLD_SECRET[6:], "hush") if each in said] == []
    assert rig.settings.all_secrets == (SECRET, SECRET, OLD_SECRET)


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://a.org", ()),
        ("https://a.org", ("hush",)),
        ("a.org/hush", (SECRET,)),
        ("ftp://a.org/hush", (SECRET,)),
        ("https:///hush", (SECRET,)),
    ],
)
def test_a_malformed_endpoint_is_refused_and_not_quoted(url: str, secrets: tuple[str, ...]) -> None:
    """When it is configured."""
    with pytest.raises(ConfigurationError) as caught:
        Endpoint(url, secrets)
    assert "hush" not in str(caught.value)


def test_settings_are_read_from_json_as_variables_hold_them() -> None:
    """And what is wrong in them says so in the same words."""
    text = b'{"endpoints": {"a": {"url": "https://a.org/x", "secrets": ["%s"]}}, "url_hosts": [".b.org"]}'
    settings = msgspec.json.decode(text % SECRET.encode(), type=WebhookSettings)
    assert settings.endpoints["a"].host == "a.org"
    with pytest.raises(ConfigurationError, match="secret is malformed"):
        msgspec.json.decode(text % b"hush", type=WebhookSettings)


def test_an_endpoint_is_not_named_by_a_url() -> None:
    """Or nobody could tell which is meant."""
    with pytest.raises(ConfigurationError, match="choose a word"):
        WebhookSettings(endpoints={"https://a.org": Endpoint("https://a.org", (SECRET,))})
