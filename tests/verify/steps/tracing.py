"""The traces of the journeys, by Jaeger's query API."""

from collections import Counter

from verify.asking import until
from verify.programs.jaeger import Span
from verify.stage import Stage

EXPECTED = Counter(
    {
        "POST /v1/jobs": 1,
        "parse": 1,
        "validate": 1,
        "enqueue default": 2,  # the journey, and the job that hears of its end
        "wait default": 2,
        "process default": 2,
        "publish journeys.ended": 1,
        "dispatch journeys.ended": 1,
        "GET": 1,  # the service; the cache's commands are counted below
    }
)


def check(stage: Stage) -> str:
    """Every step is there, below one root, from the API to a worker, and the service was told the trace."""
    traces = {trace_id: wait_for(stage, trace_id) for trace_id in stage.journeys.values()}
    for trace_id, spans in traces.items():
        check_tree(spans)
        assert {span.service for span in spans} == {"penstock-api", "penstock-worker"}, spans
        assert "kafka" in systems(spans), f"{trace_id} has {systems(spans)}"
    first = next(iter(traces.values()))
    assert "redis" in systems(first), systems(first)  # the others' answers may be in the worker's memory
    selects = [span for span in first if span.tags.get("db.system.name") == "postgresql"]
    assert selects, f"no statement in {sorted(span.name for span in first)}"
    assert all(span.tags["db.query.text"] for span in selects), selects
    for spans in traces.values():
        [call] = [span for span in spans if is_call(span)]
        told = [one for one in stage.service.told if one.startswith(f"00-{call.trace}-{call.id}-")]
        assert len(told) == 1, f"the service was told {told} of {call}"
    return f"{len(traces)} traces, {sum(map(len, traces.values()))} spans, each with every step"


def wait_for(stage: Stage, trace_id: str) -> list[Span]:
    """The trace, once it is whole."""
    spans: list[Span] = []

    def is_whole() -> bool:
        spans[:] = stage.jaeger.trace(trace_id)
        return not EXPECTED - names(spans)

    until(is_whole, lambda: f"{trace_id} has {dict(EXPECTED - names(spans))}; it has {sorted(names(spans))}")
    return spans


def names(spans: list[Span]) -> Counter[str]:
    """Of the spans that are no commands of Redis."""
    return Counter(span.name for span in spans if span.tags.get("db.system.name") != "redis")


def systems(spans: list[Span]) -> set[str]:
    """The systems that were spoken to."""
    found = {span.tags.get(key) for span in spans for key in ("db.system.name", "messaging.system")}
    return {str(system) for system in found if system}


def is_call(span: Span) -> bool:
    """Whether it is the journey's call of the service."""
    return span.name == "GET" and "http.request.method" in span.tags


def check_tree(spans: list[Span]) -> None:
    """One root, and every other span's parent is in the trace."""
    known = {span.id for span in spans}
    roots = [span.name for span in spans if span.parent is None]
    orphans = [span.name for span in spans if span.parent is not None and span.parent not in known]
    assert roots == ["POST /v1/jobs"], f"roots: {roots}"
    assert not orphans, f"without their parents: {orphans}"
