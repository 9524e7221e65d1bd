"""The library behind the shim: in a fresh process, missing, and with values that it cannot write."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Link

from penstock.engine.errors import ConfigurationError
from penstock.telemetry.export.jaeger import jaeger_exporter
from penstock.telemetry.export.jaeger_shim import Encoding
from telemetry_jaeger.rig import agent, collector, context, exporter, span

FRESH = """
import sys
from penstock.telemetry.export.jaeger import jaeger_exporter

for theirs in ("opentelemetry.exporter.jaeger", "thrift", "deprecated"):
    assert theirs not in sys.modules, theirs

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(jaeger_exporter("fresh")))
provider.get_tracer("fresh").start_span("made by the SDK").end()
"""
MISSING = """
import sys
sys.modules[sys.argv[1]] = None  # cannot be imported
from penstock.engine.errors import ConfigurationError
from penstock.telemetry.export.jaeger import jaeger_exporter
try:
    jaeger_exporter("fresh")
except ConfigurationError as error:
    print(error)
"""


def run(program: str, *arguments: str, **environ: str) -> str:
    """What a Python that has imported nothing, and takes warnings for errors, prints."""
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60).stdout


def test_it_works_in_a_process_that_has_imported_nothing() -> None:
    """The names that the SDK dropped are put back before the first import; none happens unless asked."""
    with agent() as receiver:
        run(
            FRESH,
            OTEL_EXPORTER_JAEGER_AGENT_HOST="127.0.0.1",
            OTEL_EXPORTER_JAEGER_AGENT_PORT=str(receiver.port),
            OTEL_SERVICE_NAME="of the environment",
        )
        (batch,) = receiver.batches()

    assert (batch.service, [one.name for one in batch.spans]) == ("of the environment", ["made by the SDK"])


@pytest.mark.parametrize("missing", ["opentelemetry.exporter.jaeger.thrift", "deprecated", "thrift"])
def test_what_is_missing_is_named_with_its_remedy(missing: str) -> None:
    """The extra, the package that the library forgets to ask for, or what it needs itself."""
    told = run(MISSING, missing)

    assert 'pip install "penstock[jaeger]"' in told
    assert missing in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AGENT_PORT", "6831/udp"),
        ("AGENT_PORT", "70000"),
        ("TIMEOUT", "ten"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "nan"),
        ("ENDPOINT", "collector:14268"),
        ("ENDPOINT", "http:///api/traces"),
        ("ENDPOINT", "http://collector:port/"),
        ("ENDPOINT", "http://collector/api traces"),
    ],
)
def test_a_variable_that_cannot_be_is_named(name: str, value: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match=f"OTEL_EXPORTER_JAEGER_{name}"):
        jaeger_exporter("demo", {f"OTEL_EXPORTER_JAEGER_{name}": value})


def test_credentials_in_the_address_are_refused_and_not_shown() -> None:
    """They have variables of their own."""
    with pytest.raises(ConfigurationError) as caught:
        exporter(ENDPOINT="http://anna:secret@collector:14268/api/traces")

    assert "OTEL_EXPORTER_JAEGER_PASSWORD" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_environment_of_the_process_is_read_only_where_none_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library would read it; what it does not know of stays out of its reach."""
    with agent() as receiver, collector() as other:
        monkeypatch.setenv("OTEL_EXPORTER_JAEGER_ENDPOINT", other.endpoint)
        sending = exporter(AGENT_HOST="127.0.0.1", AGENT_PORT=receiver.port)
        assert sending.export([span()]) is SpanExportResult.SUCCESS
        receiver.datagrams(1)
        assert jaeger_exporter("demo").export([span()]) is SpanExportResult.SUCCESS
        assert len(other.batches) == 1


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, "half a pair: \ud83d"])
@pytest.mark.parametrize("protocol", ["udp", "http"])
def test_a_value_that_cannot_be_written_costs_its_own_span(value: Any, protocol: str) -> None:
    """Not its batch, and not the next one."""
    with agent() as receiver, collector() as other:
        udp = {"AGENT_HOST": "127.0.0.1", "AGENT_PORT": receiver.port}
        sending = exporter(**(udp if protocol == "udp" else {"ENDPOINT": other.endpoint}))
        bad = span(2, attributes={"value": value})
        assert sending.export([span(1), bad, span(3)]) is SpanExportResult.SUCCESS
        assert sending.export([span(4)]) is SpanExportResult.SUCCESS
        assert sending.export([bad]) is SpanExportResult.FAILURE
        batches = receiver.batches(2) if protocol == "udp" else other.batches

    assert [[one.span_id for one in batch.spans] for batch in batches] == [[1, 3], [4]]
    assert (sending.malformed, sending.oversized, sending.left_out) == (1, 0, 1)


def test_nothing_to_send_is_a_success() -> None:
    """And no datagram."""
    with agent() as receiver:
        sending = exporter(AGENT_HOST="127.0.0.1", AGENT_PORT=receiver.port)
        assert sending.export([]) is SpanExportResult.SUCCESS
        assert sending.force_flush()
        assert receiver.left() == b""


@pytest.mark.parametrize("name", ["Compact", "Binary"])
def test_the_encoder_in_c_writes_what_the_one_in_python_does(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the tables rewritten; and without it the one in Python is used."""
    pytest.importorskip("thrift.protocol.fastbinary")
    translate = import_module("opentelemetry.exporter.jaeger.thrift.translate")
    rich = span(
        attributes={"a": 1, "b": -0.5, "c": True, "d": "text", "e": ("x", "y")},
        events=[Event("event", BoundedAttributes(None, {"k": 2**62}), 1)],
        links=[Link(context(3))],
    )
    model = translate.ThriftTranslator()._translate_span(rich)
    fast = Encoding(name)
    monkeypatch.setitem(sys.modules, "thrift.protocol.fastbinary", None)
    slow = Encoding(name)

    assert fast.encode_span != fast._written
    assert slow.encode_span == slow._written
    assert fast.encode_span(model) == slow.encode_span(model)
