"""Which traces are recorded: the SDK's sampler decides, and is not asked where its answer is known.

OTEL_TRACES_SAMPLER chooses it. The default, `parentbased_always_on`, follows whoever began the trace; asking
it costs 6 µs a span, looking at the flag a tenth of one. Of a sampler's answer the decision counts; what else
it may say, attributes and trace state, is not taken over, and RECORD_ONLY is as good as DROP.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from penstock.engine.errors import ConfigurationError
from penstock.telemetry.traces.sort import Sort
from penstock.telemetry.traces.span import RANDOM, SAMPLED

_BY_NAME: Mapping[str, Sampler] = {
    "always_on": ALWAYS_ON,
    "always_off": ALWAYS_OFF,
    "parentbased_always_on": DEFAULT_ON,
    "parentbased_always_off": DEFAULT_OFF,
}


def read_sampler(environ: Mapping[str, str]) -> Sampler:
    """The sampler that OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG name.

    A standard one, or one that an installed package offers. Raises `ConfigurationError` for what cannot be.
    """
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip() or "parentbased_always_on"
    argument = environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if name in _BY_NAME:
        return _BY_NAME[name]
    if name in ("traceidratio", "parentbased_traceidratio"):
        ratio = TraceIdRatioBased(_ratio(argument))
        return ParentBased(ratio) if name.startswith("parentbased") else ratio
    found = entry_points(group="opentelemetry_traces_sampler", name=name)
    if not found:
        raise ConfigurationError(
            f"OTEL_TRACES_SAMPLER is {name!r}, expected one of {', '.join(_BY_NAME)}, traceidratio, "
            "parentbased_traceidratio, or a sampler that an installed package offers"
        )
    try:
        return cast(Sampler, next(iter(found)).load()(argument))
    except Exception as error:  # the sampler is somebody else's: anything may happen
        raise ConfigurationError(f"OTEL_TRACES_SAMPLER={name}: {error}") from error


def _ratio(argument: str) -> float:
    try:
        ratio = float(argument or 1.0)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        raise ConfigurationError(f"OTEL_TRACES_SAMPLER_ARG is {argument!r}, expected a number from 0 to 1")
    return ratio


def _describe(sampler: Any) -> str:  # the SDK has not typed it
    return str(sampler.get_description())


_ROOT, _, _FOLLOWS = _describe(DEFAULT_ON).partition(_describe(ALWAYS_ON))
_KNOWN = {_describe(ALWAYS_ON): SAMPLED, _describe(ALWAYS_OFF): 0}


class Sampling:
    """Asks one sampler; what it does is read from its description, which the specification defines."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        description = _describe(sampler)
        self.follows = description.startswith(_ROOT) and description.endswith(_FOLLOWS)
        root = description.removeprefix(_ROOT).removesuffix(_FOLLOWS) if self.follows else description
        self._at_root = _KNOWN.get(root)

    def root(self, trace_id: str, sort: Sort) -> int:
        """The flags of a span that begins a trace."""
        sampled = self._ask(Context(), trace_id, sort) if self._at_root is None else self._at_root
        return sampled | RANDOM

    def child(self, trace_id: str, parent_id: str, flags: int, remote: bool, sort: Sort) -> int:
        """The flags of a span below another, whose flags are given; those that nobody knows are not handed
        on (W3C Trace Context level 2, §3.2.2.5.3)."""
        if self.follows:
            return flags & (SAMPLED | RANDOM)
        sampled = self._at_root
        if sampled is None:
            parent = SpanContext(int(trace_id, 16), int(parent_id, 16), remote, TraceFlags(flags))
            sampled = self._ask(set_span_in_context(NonRecordingSpan(parent), Context()), trace_id, sort)
        return flags & RANDOM | sampled

    def _ask(self, parent: Context, trace_id: str, sort: Sort) -> int:
        result = self._sampler.should_sample(
            parent, int(trace_id, 16), sort.name, sort.kind, dict(sort.attributes)
        )
        return SAMPLED if result.decision is Decision.RECORD_AND_SAMPLE else 0
