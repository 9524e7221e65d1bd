"""Secrets that nobody may read: known by the name of a field, or by their value."""

import dataclasses
import io
import json
import logging
from typing import Any

import msgspec
import pytest
import structlog

from penstock.telemetry.logs.known_secrets import otlp_secrets, secrets_of_header, secrets_of_url
from penstock.telemetry.logs.redaction import NAMES, Redaction
from penstock.telemetry.logs.setup import LogFormat, configure_logs
from penstock.telemetry.logs.values import arguments

SECRET = "correct horse/battery"


class Account(msgspec.Struct):
    name: str
    password: str


@dataclasses.dataclass
class Key:
    owner: str
    private_key: str


def logged(redaction: Redaction, format: LogFormat = "json", **fields: Any) -> str:  # noqa: A002
    """The line with these fields, as it is written."""
    stream = io.StringIO()
    logs = configure_logs(format=format, stream=stream, redaction=redaction)
    structlog.get_logger().info("here", **fields)
    assert logs.close(5.0)
    return stream.getvalue()


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "db_password", "dbPassword", "X-Api-Key", "apiKey", "APIKey", "Set-Cookie"),
        *("refresh_token", "accessToken", "client-secret", "http.authorization", "pin"),
    ],
)
def test_a_declared_name_hides_its_value(name: str) -> None:
    """Whatever the case and the way of joining words, also as the last words of a longer name."""
    redaction = Redaction(["pin"])
    fields: dict[str, Any] = {name: "hunter2", "kept": 1}
    line = json.loads(logged(redaction, "json", **fields))

    assert redaction.hides(name)
    assert (line[name], line["kept"]) == ("[redacted]", 1)


@pytest.mark.parametrize(
    "name", ["passwords_changed", "tokens", "secretary", "pinned", "opinion", "keyboard", ""]
)
def test_other_names_hide_nothing(name: str) -> None:
    """A name that only contains a declared one is another name."""
    assert not Redaction(["pin"]).hides(name)


def test_every_name_of_the_list_is_hidden() -> None:
    """In lower and in upper case, and the list is in order so that nothing stands in it twice."""
    assert list(NAMES) == sorted(set(NAMES))
    assert all(Redaction().hides(name) and Redaction().hides(name.upper()) for name in NAMES)


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize(
    "value",
    [
        {"password": "hunter2"},
        {"deep": {"er": [{"password": "hunter2"}]}},
        Account("ann", "hunter2"),
        [Key("ann", "hunter2")],
        ({"Authorization": "hunter2"},),
    ],
    ids=["mapping", "deep", "struct", "dataclass", "tuple"],
)
def test_names_hide_in_any_depth(value: object, format: LogFormat) -> None:  # noqa: A002
    """Mappings, and what is written as one."""
    line = logged(Redaction(), format, value=value)

    assert "hunter2" not in line
    assert "[redacted]" in line


def test_an_object_that_contains_itself_is_cut_off() -> None:
    """The depth is bounded."""
    endless: dict[str, Any] = {}
    endless["self"] = endless

    assert "here" in logged(Redaction(), value=endless)


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"redis://:correct%20horse%2Fbattery@host and {SECRET}",
        repr({"a": SECRET}),
        json.dumps({"a": SECRET}),
        "prefix" + SECRET + "suffix",
    ],
)
@pytest.mark.parametrize("format", ["json", "console"])
def test_a_known_secret_stands_nowhere(text: str, format: LogFormat) -> None:  # noqa: A002
    """In values, messages, tracebacks and lines of other libraries, in all the forms it may take."""
    stream = io.StringIO()
    logs = configure_logs(format=format, stream=stream, redaction=Redaction(secrets={"test": SECRET}))
    structlog.get_logger().info(text, value=text, deep=[{"er": text}])
    logging.getLogger("library").warning("trying %s", text)
    try:
        raise ValueError(text)
    except ValueError:
        structlog.get_logger().exception("failed")
    assert logs.close(5.0)

    written = stream.getvalue()
    assert "battery" not in written
    assert written.count("[redacted]") >= 5


@pytest.mark.parametrize("secret", ['quo"te-and\\slash', "line\nfeed-é", "tab\there-'x'"])
def test_a_secret_with_odd_characters_is_known_in_json_too(secret: str) -> None:
    """JSON, `repr` and URLs write them differently; JSON inside JSON escapes twice."""
    redaction = Redaction(secrets={"test": secret})
    line = json.loads(logged(redaction, plain=secret, shown=repr(secret), inner=json.dumps([secret])))

    assert line["plain"] == "[redacted]"
    assert line["shown"][1:-1] == "[redacted]"
    assert line["inner"] == '["[redacted]"]'
    assert redaction.text(f"<{secret}> {secret!r}").count("[redacted]") == 2


def test_a_secret_is_found_before_a_text_is_cut() -> None:
    """Half a secret at the edge would be recognised by nobody."""
    secret = "s3cret-" * 10
    redaction = Redaction(secrets={"test": secret})
    message = secret + "." * 7_960
    try:
        raise ValueError(message)
    except ValueError as error:
        line = logged(redaction, exc_info=error)

    assert "cret-" not in line
    kept = arguments({"text": "." * 190 + secret}, redaction)
    assert kept == {"text": "." * 190 + "[redacted]"}


def test_the_longer_of_two_secrets_is_replaced_as_a_whole() -> None:
    """Or what it has more than the shorter one would be left."""
    assert Redaction(secrets={"a": "secret-1", "b": "secret-1-more"}).text("secret-1-more") == "[redacted]"


def test_short_secrets_are_named_not_hidden() -> None:
    """They would be cut out of innocent words; whoever declared them is told."""
    redaction = Redaction(secrets={"DB_PASSWORD": "dev", "UNSET": "", "OTHER": "long enough"})

    assert redaction.ignored == ["DB_PASSWORD", "UNSET"]
    assert redaction.text("developers") == "developers"


def test_sqlalchemy_errors_keep_their_parameters_to_themselves() -> None:
    """Values bound to a statement are arguments; SQLAlchemy writes them behind its errors' messages."""

    class IntegrityError(Exception):
        def __str__(self) -> str:
            return (
                "(sqlite3.IntegrityError) UNIQUE constraint failed: user.name\n"
                "[SQL: INSERT INTO user (name, tags) VALUES (?, ?)]\n"
                "[parameters: ('ann@example.org', ['a]', \"b\"])]\n"
                "(Background on this error at: https://sqlalche.me/e/20/gkpj)"
            )

    line = json.loads(logged(Redaction(), exc_info=IntegrityError(), note=str(IntegrityError())))

    for text in (line["exception"], line["error"], line["note"]):
        assert "ann@example.org" not in text
        assert '"b"' not in text
        assert "[parameters: hidden]" in text
        assert "(Background on this error" in text


def test_a_line_is_looked_through_only_where_there_may_be_something() -> None:
    """Names are judged once; values that have names inside are looked into each time."""
    redaction = Redaction()
    fields = {"event": "x", "total": 1, "ratio": 0.5, "none": None}

    assert not redaction.spotless(fields, fields)
    assert redaction.named(fields) == fields
    assert redaction.spotless(fields, fields)
    assert not redaction.spotless(fields, {"event": {"deep": 1}})
    redaction.named({"password": "x"})
    assert not redaction.spotless(["password"], {})


def test_however_many_names_there_are_memory_is_bounded() -> None:
    """Names that somebody makes up from data are judged each time."""
    redaction = Redaction()
    for number in range(10_000):
        assert not redaction.hides(f"key{number}")

    assert redaction.hides("key10001_password")
    assert len(redaction._harmless) <= 4_096


def test_a_mapping_for_others_has_both_kinds_taken_out() -> None:
    """As error reports and spans use it; the given one stays as it is."""
    given = {"token": "x", "note": f"with {SECRET}", "deep": {"note": SECRET}, "n": 1}

    assert Redaction(secrets={"test": SECRET}).mapping(given) == {
        "token": "[redacted]",
        "note": "with [redacted]",
        "deep": {"note": "[redacted]"},
        "n": 1,
    }
    assert given["token"] == "x"


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("redis://:s3cret%2Fword@host:6379/0", ["s3cret/word"]),
        ("redis://ann:first@host?password=second", ["first", "second"]),
        ("redis+sentinel://:one@a:1,b:2/main?sentinel_password=two%20words", ["one", "two words"]),
        ("redis://host", []),
        ("unix:///run/redis.sock?db=0", []),
        ("http://[broken", []),
    ],
)
def test_passwords_in_urls(url: str, secrets: list[str]) -> None:
    """As they are, not as the URL has to write them."""
    assert secrets_of_url(url) == secrets


def test_credentials_in_headers() -> None:
    """With their scheme and without it, and every header of the exporter but those that are none."""
    assert secrets_of_header("Bearer abc123") == ["Bearer abc123", "abc123"]
    assert secrets_of_header("abc123") == ["abc123"]
    found = otlp_secrets(
        "https://ann:endpoint-word@collector",
        {
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20YWJjZGVm,x-scope-orgid=acme",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-honeycomb-team=hny-key",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://:environ-word@collector",
        },
    )
    assert set(found.values()) == {"Basic YWJjZGVm", "YWJjZGVm", "hny-key", "endpoint-word", "environ-word"}
