"""Which traces are recorded: as the SDK's own tracer would decide, for the same ids."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any
from unittest.mock import Mock

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from penstock.engine.errors import ConfigurationError
from penstock.telemetry.traces import sampling
from penstock.telemetry.traces.sampling import Sampling, read_sampler
from penstock.telemetry.traces.sort import Sort
from penstock.telemetry.traces.span import RANDOM, SAMPLED

SORT = Sort("process media", SpanKind.CONSUMER, {"messaging.system": "penstock"})
IDS = [f"{0xABC:016x}{number << 58:016x}" for number in range(1, 64, 7)]  # evenly through a ratio's range


class Fixed(IdGenerator):
    """Gives one trace id."""

    def __init__(self, trace_id: str) -> None:
        self.trace_id = int(trace_id, 16)

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return 1

    def is_trace_id_random(self) -> bool:
        return True


def by_the_sdk(sampler: Sampler, trace_id: str, parent: SpanContext | None) -> int:
    """The flags of a span that the SDK makes."""
    tracer = TracerProvider(sampler, id_generator=Fixed(trace_id)).get_tracer("theirs")
    context = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())
    return int(tracer.start_span(SORT.name, context, SORT.kind).get_span_context().trace_flags)


def flags_of(sampler: Sampler, trace_id: str, parent: SpanContext | None) -> int:
    """The flags of a span of ours."""
    ours = Sampling(sampler)
    if parent is None:
        return ours.root(trace_id, SORT)
    return ours.child(trace_id, f"{parent.span_id:016x}", parent.trace_flags, parent.is_remote, SORT)


class OnlyNamed(Sampler):
    """A sampler of somebody's own; keeps what it was asked."""

    def __init__(self, decision: Decision = Decision.RECORD_AND_SAMPLE) -> None:
        self.decision = decision
        self.asked: list[tuple[Any, ...]] = []

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Any = None,
        links: Sequence[Link] | None = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        self.asked.append((trace_id, name, kind, dict(attributes or {})))
        return SamplingResult(self.decision)

    def get_description(self) -> str:
        return "OnlyNamed"


SAMPLERS = [
    read_sampler({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument})
    for name, argument in [
        ("", ""),
        ("always_on", ""),
        ("always_off", ""),
        ("parentbased_always_on", ""),
        ("parentbased_always_off", ""),
        ("traceidratio", "0.3"),
        ("traceidratio", ""),
        ("traceidratio", "0"),
        ("parentbased_traceidratio", "0.3"),
    ]
] + [
    ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF),
    ParentBased(ALWAYS_OFF, local_parent_not_sampled=ALWAYS_ON),
    ParentBased(TraceIdRatioBased(0.5), remote_parent_not_sampled=TraceIdRatioBased(0.5)),
    ParentBased(ParentBased(ALWAYS_ON)),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description()[:60])
def test_a_sampler_decides_as_in_the_sdk(sampler: Sampler) -> None:
    """For roots and for children of remote and local spans, sampled or not, with random ids or not; flags
    that nobody knows are not handed on."""
    for trace_id in IDS:
        parents = [
            SpanContext(int(trace_id, 16), 5, remote, TraceFlags(flags))
            for remote in (True, False)
            for flags in (0, 1, 2, 3, 0xFC, 0xFF)
        ]
        for parent in (None, *parents):
            assert flags_of(sampler, trace_id, parent) == by_the_sdk(sampler, trace_id, parent), parent


def test_a_ratio_takes_its_share() -> None:
    """Both answers come: else the test above would say little."""
    flags = {flags_of(TraceIdRatioBased(0.3), trace_id, None) for trace_id in IDS}

    assert flags == {RANDOM, SAMPLED | RANDOM}


def test_a_custom_sampler_is_asked() -> None:
    """About each span, with what a sampler may decide by."""
    sampler = OnlyNamed()
    [trace_id, *_] = IDS
    assert flags_of(sampler, trace_id, None) == SAMPLED | RANDOM
    assert flags_of(sampler, trace_id, SpanContext(int(trace_id, 16), 5, True)) == SAMPLED

    assert sampler.asked == [(int(trace_id, 16), SORT.name, SORT.kind, dict(SORT.attributes))] * 2


@pytest.mark.parametrize("decision", [Decision.DROP, Decision.RECORD_ONLY])
def test_what_is_not_to_leave_is_not_recorded(decision: Decision) -> None:
    """Recording for nobody would cost what sampling saves."""
    assert flags_of(OnlyNamed(decision), IDS[0], None) == RANDOM


def test_a_known_sampler_is_not_asked() -> None:
    """Following the flag takes a tenth of a microsecond, asking takes six."""

    class Loud(ParentBased):
        def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
            raise AssertionError("asked")

    assert flags_of(Loud(ALWAYS_ON), IDS[0], SpanContext(1, 5, True, TraceFlags(1))) == SAMPLED
    assert flags_of(Loud(ALWAYS_ON), IDS[0], None) == SAMPLED | RANDOM


@pytest.mark.parametrize(
    ("name", "argument", "said"),
    [
        ("sometimes", "", "OTEL_TRACES_SAMPLER is 'sometimes'"),
        ("traceidratio", "much", "OTEL_TRACES_SAMPLER_ARG is 'much'"),
        ("parentbased_traceidratio", "1.1", "OTEL_TRACES_SAMPLER_ARG is '1.1'"),
        ("traceidratio", "nan", "OTEL_TRACES_SAMPLER_ARG is 'nan'"),
    ],
)
def test_a_sampler_that_cannot_be_is_said(name: str, argument: str, said: str) -> None:
    """In one line, at the start."""
    with pytest.raises(ConfigurationError, match=said) as raised:
        read_sampler({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument})
    assert "\n" not in str(raised.value)


def offered(argument: str) -> Sampler:
    """A factory as an installed package would have it."""
    return TraceIdRatioBased(float(argument))


def test_an_installed_package_may_offer_a_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    """By OpenTelemetry's entry point; what it raises is a wrong setting."""

    def entry_points(*, group: str, name: str) -> list[EntryPoint]:
        point = EntryPoint("ours", "telemetry.test_sampling:offered", group)
        return [point] if (group, name) == ("opentelemetry_traces_sampler", "ours") else []

    monkeypatch.setattr(EntryPoint, "load", Mock(return_value=offered))
    monkeypatch.setattr(sampling, "entry_points", entry_points)
    environ = {"OTEL_TRACES_SAMPLER": "ours", "OTEL_TRACES_SAMPLER_ARG": "0.25"}

    assert read_sampler(environ).get_description() == "TraceIdRatioBased{0.25}"
    with pytest.raises(ConfigurationError, match="OTEL_TRACES_SAMPLER=ours"):
        read_sampler(environ | {"OTEL_TRACES_SAMPLER_ARG": "x"})
