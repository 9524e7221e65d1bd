"""OpenTelemetry's variables, as it specifies them; what cannot be is said in one line without secrets."""

from pathlib import Path

import pytest

from penstock.engine.errors import ConfigurationError
from penstock.telemetry.export.otlp_settings import OtlpSettings, read_otlp_settings
from support.otlp_receiver import CERTIFICATE

BASE = "http://collector:4318"
KEY = str(CERTIFICATE.with_suffix(".key"))


def read(base: str | None = BASE, **variables: str) -> OtlpSettings:
    """The settings with these variables, named without their common beginning."""
    settings = read_otlp_settings(
        base, {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in variables.items()}
    )
    assert settings is not None
    return settings


@pytest.mark.parametrize(
    ("base", "variables", "endpoint"),
    [
        (BASE, {}, f"{BASE}/v1/traces"),
        (f"{BASE}/", {}, f"{BASE}/v1/traces"),
        (f" {BASE}/otlp ", {}, f"{BASE}/otlp/v1/traces"),
        (None, {"ENDPOINT": BASE}, f"{BASE}/v1/traces"),
        (None, {"ENDPOINT": f"{BASE}/a/"}, f"{BASE}/a/v1/traces"),
        (None, {"TRACES_ENDPOINT": f"{BASE}/whole"}, f"{BASE}/whole"),
        (None, {"TRACES_ENDPOINT": f"{BASE}/whole/", "ENDPOINT": "http://other"}, f"{BASE}/whole/"),
        (None, {"TRACES_ENDPOINT": " ", "ENDPOINT": BASE}, f"{BASE}/v1/traces"),
        (BASE, {"TRACES_ENDPOINT": "http://other/x", "ENDPOINT": "http://other"}, f"{BASE}/v1/traces"),
        ("https://[::1]:4318", {}, "https://[::1]:4318/v1/traces"),
    ],
)
def test_the_endpoint(base: str | None, variables: dict[str, str], endpoint: str) -> None:
    """`/v1/traces` is added to a base, not to the address of traces; what a command says wins."""
    assert read(base, **variables).endpoint == endpoint


@pytest.mark.parametrize(
    ("host", "compressed"),
    [("collector", True), ("10.0.0.5", True), ("localhost", False), ("127.0.0.3", False), ("[::1]", False)],
)
def test_what_stays_on_this_machine_is_not_compressed(host: str, compressed: bool) -> None:
    """Unless a variable asks for it."""
    base = f"http://{host}:4318"
    assert read(base).compress is compressed
    assert read(base, COMPRESSION="gzip").compress
    assert not read(base, COMPRESSION="none").compress


@pytest.mark.parametrize("base", [None, "", "  "])
def test_without_an_endpoint_there_are_no_settings(base: str | None) -> None:
    """Nor are the other variables looked at."""
    assert read_otlp_settings(base, {"OTEL_EXPORTER_OTLP_TIMEOUT": "wrong"}) is None


@pytest.mark.parametrize(
    ("given", "headers"),
    [
        ("", {}),
        ("api-key=secret", {"api-key": "secret"}),
        ("Authorization=Basic%20dTpw,x=1", {"authorization": "Basic dTpw", "x": "1"}),
        (" a = b , c=d=e ,, ", {"a": "b", "c": "d=e"}),
        ("authorization=Bearer not encoded", {"authorization": "Bearer not encoded"}),
        ("a=%C3%A4", {"a": "ä".encode().decode("latin-1")}),
    ],
)
def test_headers_are_percent_encoded(given: str, headers: dict[str, str]) -> None:
    """Names in any case; a space is taken as it is, as other languages' exporters do; UTF-8 beyond ASCII."""
    assert read(HEADERS=given).headers == headers


@pytest.mark.parametrize("name", ["HEADERS", "TIMEOUT", "COMPRESSION", "CERTIFICATE", "CLIENT_CERTIFICATE"])
def test_the_variable_of_traces_wins(name: str) -> None:
    """As a whole: headers are not merged."""
    values = {
        "HEADERS": ("a=general", "b=traces", {"b": "traces"}),
        "TIMEOUT": ("1", "2.5", 2.5),
        "COMPRESSION": ("gzip", "none", False),
        "CERTIFICATE": ("/nowhere", str(CERTIFICATE), str(CERTIFICATE)),
        "CLIENT_CERTIFICATE": ("/nowhere", str(CERTIFICATE), str(CERTIFICATE)),
    }
    general, traces, expected = values[name]
    settings = read(
        **{
            name: general,
            f"TRACES_{name}": traces,
            "CLIENT_KEY": KEY,
            "TRACES_CLIENT_CERTIFICATE": str(CERTIFICATE),
        }
    )
    assert getattr(settings, "compress" if name == "COMPRESSION" else name.lower()) == expected


def test_standards() -> None:
    """Ten seconds, compressed, the system's authorities."""
    assert read() == OtlpSettings(endpoint=f"{BASE}/v1/traces", timeout=10.0, compress=True)
    assert read(PROTOCOL="http/protobuf", COMPRESSION="", TIMEOUT=" ") == read()


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({"TRACES_PROTOCOL": "http/json"}, "http/protobuf only"),
        ({"COMPRESSION": "deflate"}, "OTEL_EXPORTER_OTLP_COMPRESSION"),
        ({"TIMEOUT": "0"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ({"TIMEOUT": "-1"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ({"TIMEOUT": "nan"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ({"TIMEOUT": "inf"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ({"TRACES_TIMEOUT": "soon"}, "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ({"HEADERS": "a=1,s3cret"}, "header 2"),
        ({"HEADERS": "=s3cret"}, "header 1"),
        ({"HEADERS": "a b=s3cret"}, "header 1"),
        ({"HEADERS": "a=s3cret%0d%0ax: y"}, "header 1"),
        ({"CERTIFICATE": "/nowhere.pem"}, "/nowhere.pem: No such file"),
        ({"CERTIFICATE": __file__}, "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        ({"CLIENT_CERTIFICATE": "/nowhere.pem"}, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
        ({"CLIENT_CERTIFICATE": str(CERTIFICATE)}, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
        ({"CLIENT_KEY": KEY}, "needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
    ],
)
def test_what_cannot_be_is_said(variables: dict[str, str], named: str) -> None:
    """At the start, in one line that names the variable, and repeats no header."""
    with pytest.raises(ConfigurationError) as raised:
        read(**variables)

    assert named in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "collector:4318",
        "ftp://user:s3cret@host",
        "http://",
        "http://[::1",
        "http://host:port",
        "http://host:99999",
        "http://user:s3cret@host:port",
        "http://user:s3cret/@host:port",
    ],
)
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    """Without the password that may stand in it."""
    with pytest.raises(ConfigurationError, match="OTLP endpoint") as raised:
        read(endpoint)

    assert "s3cret" not in str(raised.value)


def test_secrets_are_not_shown() -> None:
    """Where settings are logged or stand in a traceback."""
    settings = read("http://user:s3cret@host", HEADERS="api-key=s3cret")

    assert "host" in repr(settings)
    assert "s3cret" not in f"{settings!r} {settings}"


def test_a_certificate_and_its_key_may_be_one_file(tmp_path: Path) -> None:
    """As requests takes them."""
    both = tmp_path / "both.pem"
    both.write_bytes(CERTIFICATE.read_bytes() + Path(KEY).read_bytes())

    assert read(CLIENT_CERTIFICATE=str(both)).client_key is None
