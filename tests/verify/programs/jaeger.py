"""Jaeger v2: OTLP over HTTP in, its memory for storage, its query API."""

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from verify.asking import ask
from verify.ports import new_port
from verify.programs.keeper import Keeper
from verify.programs.program import Program


class Span(msgspec.Struct, frozen=True):
    """A span as Jaeger has it."""

    name: str
    id: str
    trace: str
    parent: str | None
    service: str
    tags: dict[str, Any]
    links: tuple[str, ...]
    """Trace ids of what it is linked to."""

    @property
    def failed(self) -> bool:
        """Whether its status is an error."""
        return self.tags.get("error") is True


DEPLOYED = Path(__file__).parents[3] / "deploy" / "k8s" / "monitoring" / "jaeger" / "config.yaml"


def validate(binary: Path, config: Path) -> None:
    """Raises `AssertionError` with what Jaeger says of a configuration that it would not start with."""
    command = [str(binary), "validate", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-500:]


class Jaeger(Program):
    """Listens on loopback, on ports of its own."""

    def __init__(self, binary: Path, folder: Path, keeper: Keeper) -> None:
        otlp, http, grpc, health = (new_port() for _ in range(4))
        self.otlp = f"http://127.0.0.1:{otlp}"
        self.url = f"http://127.0.0.1:{http}"
        self._health = f"http://127.0.0.1:{health}/status"
        config = folder / "jaeger.yaml"
        config.write_text(json.dumps(_config(otlp, http, grpc, health)))  # JSON is YAML
        command = [str(binary), "--config", str(config)]
        own = {"OTEL_TRACES_SAMPLER": "always_off"}  # of its own requests
        super().__init__("jaeger", command, folder=folder, keeper=keeper, ready=self._is_ready, env=own)

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace that have arrived; none for an unknown one."""
        answer = ask(f"{self.url}/api/traces/{trace_id}")
        if answer.status == 404:
            return []
        assert answer.status == 200, answer.body.decode()
        return [span for trace in answer.json()["data"] for span in _spans(trace)]

    def find(self, service: str, operation: str) -> list[Span]:
        """The spans of that name in the traces of a service."""
        answer = ask(
            f"{self.url}/api/traces?service={service}&operation={operation.replace(' ', '%20')}&limit=100"
        )
        assert answer.status == 200, answer.body.decode()
        found = [span for trace in answer.json()["data"] for span in _spans(trace)]
        return [span for span in found if span.name == operation]

    def _is_ready(self) -> bool:
        return ask(self._health).status == 200


def _spans(trace: dict[str, Any]) -> list[Span]:
    services = {name: one["serviceName"] for name, one in trace["processes"].items()}
    return [_span(one, services[one["processID"]]) for one in trace["spans"]]


def _span(one: dict[str, Any], service: str) -> Span:
    references = one.get("references") or []
    parents = [
        ref["spanID"]
        for ref in references
        if ref["refType"] == "CHILD_OF" and ref["traceID"] == one["traceID"]
    ]
    return Span(
        name=one["operationName"],
        id=one["spanID"],
        trace=one["traceID"],
        parent=parents[0] if parents else None,
        service=service,
        tags={tag["key"]: tag["value"] for tag in one["tags"]},
        links=tuple(ref["traceID"] for ref in references if ref["spanID"] not in parents),
    )


def _config(otlp: int, http: int, grpc: int, health: int) -> dict[str, Any]:
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 100_000}}}},
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": {"endpoint": f"127.0.0.1:{http}"},
                "grpc": {"endpoint": f"127.0.0.1:{grpc}"},
            },
            "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"127.0.0.1:{health}"}},
        },
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    }
