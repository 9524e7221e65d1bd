"""What ships logs reads the fields that Penstock writes, by the schema that it names."""

import re
from typing import Any

import pytest
import yaml

from manifests.kustomized import DEPLOY, ROOT
from penstock.telemetry.logs.schema import ECS_NAMES

LOGS = DEPLOY / "logs"
ALLOY = (LOGS / "alloy" / "lines.alloy").read_text()
IDS = {"trace_id", "span_id", "submitted_trace_id", "job_id"}


def _documented() -> set[str]:
    """Fields of lines as the schema `otel` names them; a row has one or several."""
    rows = re.findall(r"^\|((?: `\w+`,?)+) \|", (ROOT / "docs" / "logs.md").read_text(), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def _stage(name: str) -> dict[str, str]:
    """The pairs of an Alloy stage: a name, and the field it is read from, or nothing."""
    [body] = re.findall(rf"stage\.{name} {{(.*?)\n    }}", ALLOY, re.DOTALL)
    return dict(re.findall(r"(\w+) += \"(\w*)\"", body))


def _fluent_bit(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((LOGS / "fluent-bit" / f"{name}.yaml").read_text())
    return loaded


def _collector(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((LOGS / "collector" / f"{name}.yaml").read_text())
    return loaded


def test_alloy_reads_fields_that_are_written() -> None:
    """Each field that Alloy takes from a line stands on lines of the schema otel."""
    assert set(_stage("json").values()) <= _documented()
    assert set(_stage("json").values()) >= IDS | {"level", "timestamp"}


def test_ids_are_structured_metadata_and_no_labels() -> None:
    """Labels are few and bounded; ids, of which there is no end, are kept beside the line."""
    assert set(_stage("labels")) == {"level"}
    assert set(_stage("structured_metadata")) >= IDS
    assert set(_stage("structured_metadata")) <= set(_stage("json")) | {"pod"}
    assert 'values = ["instance", "job"]' in ALLOY  # which loki.source.kubernetes adds


@pytest.mark.parametrize("name", ["kubernetes", "compose"])
def test_alloy_never_gives_lines_up(name: str) -> None:
    """It asks Loki again without end; by default it would drop what it holds after ten times."""
    assert "max_backoff_retries = 0\n" in (LOGS / "alloy" / f"{name}.alloy").read_text()


def test_loki_can_keep_structured_metadata() -> None:
    """Schema v13 on tsdb; without both Loki refuses what Alloy sends."""
    loki = yaml.safe_load((LOGS / "loki" / "loki.yaml").read_text())
    [period] = loki["schema_config"]["configs"]

    assert (period["store"], period["schema"]) == ("tsdb", "v13")
    assert loki["limits_config"]["allow_structured_metadata"] is True


@pytest.mark.parametrize(("name", "schema"), [("cloudwatch", "cloudwatch"), ("elasticsearch", "ecs")])
def test_each_way_names_its_schema(name: str, schema: str) -> None:
    """The file says which `--log-schema` it is for."""
    assert f"`--log-schema {schema}`" in (LOGS / "fluent-bit" / f"{name}.yaml").read_text()


def test_the_time_of_a_record_is_that_of_its_line() -> None:
    """Fluent Bit reads the time where each schema has it; Elasticsearch would refuse it twice."""
    [cloudwatch] = _fluent_bit("cloudwatch")["parsers"]
    [elastic] = _fluent_bit("elasticsearch")["parsers"]

    assert cloudwatch["time_key"] == "timestamp"
    assert elastic["time_key"] == ECS_NAMES["timestamp"]
    assert elastic["time_keep"] is False
    [output] = _fluent_bit("elasticsearch")["pipeline"]["outputs"]
    assert output["time_key"] == ECS_NAMES["timestamp"]


def test_agents_may_not_make_what_is_paid_for() -> None:
    """No log group is made by an agent, and each buffer is on disk and bounded."""
    for name in ("cloudwatch", "elasticsearch"):
        config = _fluent_bit(name)
        [read] = config["pipeline"]["inputs"]
        assert read["storage.type"] == "filesystem"
        assert read["mem_buf_limit"]
        assert config["service"]["storage.backlog.mem_limit"]
    assert _fluent_bit("cloudwatch")["pipeline"]["outputs"][0]["auto_create_group"] is False


@pytest.mark.parametrize("name", ["filelog", "gateway"])
def test_the_collector_waits_on_disk(name: str) -> None:
    """What the other side does not take stays on disk, and memory is bounded first of all."""
    config = _collector(name)
    [pipeline] = config["service"]["pipelines"].values()

    assert pipeline["processors"][0] == "memory_limiter"
    assert config["exporters"]["otlp_http"]["sending_queue"]["storage"] == "file_storage"
    assert {"file_storage", "health_check"} == set(config["service"]["extensions"])


def test_the_distribution_has_what_the_files_name() -> None:
    """Every part that filelog.yaml and gateway.yaml use is in the Collector that the tests build."""
    text = (LOGS / "collector" / "distribution.yaml").read_text()
    for name in ("filelog", "gateway"):
        config = _collector(name)
        for kind in ("receivers", "processors", "exporters", "extensions"):
            for part in config[kind]:
                assert part.replace("_", "") in text, part
