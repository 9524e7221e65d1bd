"""From settings to lines: schema, service and secrets reach what is written."""

import io
import json
import logging
from typing import Any

import pytest
import structlog

from penstock.telemetry import Telemetry, TelemetrySettings

pytestmark = pytest.mark.usefixtures("no_otel")


@pytest.fixture
def no_otel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment says where spans go or who this is."""
    for name in ("OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


async def lines_of(settings: TelemetrySettings, *, say: str = "here") -> list[dict[str, Any]]:
    """What is written at the start, and what the application and a library say."""
    stream = io.StringIO()
    telemetry = Telemetry.start(settings, stream=stream)
    structlog.get_logger("app").info(say, pin="1234")
    logging.getLogger("library").warning("%s", say)
    assert telemetry.seams().redact(f"<{say}>") == f"<{telemetry.logs.redaction.text(say)}>"
    await telemetry.aclose()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("variable", [None, "shop"])
async def test_ecs_lines_name_the_service(variable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As its spans do: OTEL_SERVICE_NAME wins over what the command calls itself."""
    if variable is not None:
        monkeypatch.setenv("OTEL_SERVICE_NAME", variable)
    lines = await lines_of(
        TelemetrySettings(service_name="penstock-api", log_format="json", log_schema="ecs")
    )

    assert {line["service.name"] for line in lines} == {variable or "penstock-api"}
    assert [line["message"] for line in lines] == ["here", "here"]


async def test_declared_secrets_reach_no_line_and_no_error_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, values, and what the exporter is told by the environment."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector-word")
    settings = TelemetrySettings(log_format="json", redact=("pin",), secrets={"DB": "hunter2-hunter2"})
    lines = await lines_of(settings, say="hunter2-hunter2 collector-word")

    assert [line["event"] for line in lines] == ["[redacted] [redacted]"] * 2
    assert lines[0]["pin"] == "[redacted]"


async def test_a_secret_that_cannot_be_hidden_is_told_at_the_start() -> None:
    """By where it comes from, not by what it is."""
    told, *_ = await lines_of(TelemetrySettings(log_format="json", secrets={"DB_PASSWORD": "dev"}))

    assert (told["level"], told["source"]) == ("warning", "DB_PASSWORD")
    assert "dev" not in told.values()
