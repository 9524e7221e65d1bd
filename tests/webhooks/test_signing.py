"""The standard-webhooks scheme: what is signed, and what is refused."""

import base64
import hashlib
import hmac

import pytest

from penstock.engine.errors import ConfigurationError
from penstock.engine.webhooks import VerificationFailed, sign, verify
from penstock.engine.webhooks.signing import key_of
from webhooks.rig import OLD_SECRET, SECRET

NOW = 1_700_000_000
BODY = b'{"test": 2432232314}'


def _signed(*secrets: str, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    return sign("msg_1", at, body, [key_of(secret) for secret in secrets])


def test_it_signs_as_the_schemes_own_test_vector_says() -> None:
    """The one that the specification's libraries are tested with."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, BODY, [key])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_is_the_hmac_of_id_time_and_body() -> None:
    """Said once more, with nothing of ours."""
    digest = hmac.new(b"k" * 32, b"msg_1.1700000000." + BODY, hashlib.sha256).digest()
    assert _signed(SECRET) == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


@pytest.mark.parametrize("known", [(SECRET,), (OLD_SECRET,), (OLD_SECRET, SECRET)])
def test_whoever_knows_one_of_the_secrets_accepts(known: tuple[str, ...]) -> None:
    """Which is how a secret is changed: both sign for a while."""
    headers = _signed(SECRET, OLD_SECRET)
    assert len(headers["webhook-signature"].split()) == 2
    assert verify(headers, BODY, known, now=NOW) == "msg_1"


def test_headers_are_found_in_any_case() -> None:
    """As servers give them."""
    assert verify({k.title(): v for k, v in _signed(SECRET).items()}, BODY, [SECRET], now=NOW) == "msg_1"


@pytest.mark.parametrize(
    ("name", "value"),
    [("webhook-id", "msg_2"), ("webhook-timestamp", str(NOW + 1)), ("webhook-signature", "v1,AAAA"),
     ("webhook-signature", "v2,"), ("webhook-signature", "é"), ("webhook-signature", ""), ("webhook-id", ""),
     ("webhook-timestamp", "now"), ("webhook-timestamp", "-1"), ("webhook-timestamp", "9" * 5000)],
)  # fmt: skip
def test_a_header_that_was_changed_is_refused(name: str, value: str) -> None:
    """Whatever it holds, the answer is the same error."""
    with pytest.raises(VerificationFailed):
        verify({**_signed(SECRET), name: value}, BODY, [SECRET], now=NOW)


def test_a_body_that_was_changed_or_a_secret_that_is_not_known_is_refused() -> None:
    """No secret at all refuses everything."""
    for body, secrets in ((BODY + b" ", [SECRET]), (BODY, [OLD_SECRET]), (BODY, [])):
        with pytest.raises(VerificationFailed, match="no signature"):
            verify(_signed(SECRET), body, secrets, now=NOW)


@pytest.mark.parametrize("late", [-301, 301])
def test_a_message_of_another_time_is_refused(late: int) -> None:
    """Five minutes are tolerated, either way: a copy that somebody kept is of no use later."""
    verify(_signed(SECRET), BODY, [SECRET], now=NOW + late - late // abs(late))
    with pytest.raises(VerificationFailed, match="300 s are tolerated"):
        verify(_signed(SECRET), BODY, [SECRET], now=NOW + late)


def test_an_id_with_a_full_stop_is_not_signed() -> None:
    """It would read as another id with another time."""
    with pytest.raises(ValueError, match="full stop"):
        sign("a.1", 2, BODY, [])


@pytest.mark.parametrize(
    "secret", ["", "c2VjcmV0", "whsec_", "whsec_c2VjcmV0", "whsec_???", "whsec_" + "A" * 200, "whsec_é"]
)
def test_a_malformed_secret_is_refused_and_not_quoted(secret: str) -> None:
    """24 to 64 bytes, in base64, behind the scheme's prefix."""
    with pytest.raises(ConfigurationError) as caught:
        key_of(secret)
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__suppress_context__
