"""OpenTelemetry's current context, without the two layers of functions above it, which take a job 2 µs.

It is one context variable that holds a dictionary. Penstock keeps there, beside the current span, the scope
of the job or request that runs (`scope.py`): so both are set and undone at once.
"""

from collections.abc import Callable
from contextvars import ContextVar, Token

from opentelemetry import context
from opentelemetry.context import Context, create_key
from opentelemetry.trace import INVALID_SPAN, set_span_in_context

[SPAN_KEY] = set_span_in_context(INVALID_SPAN, Context())
"""Where the current span stands: the function that knows it copies the context first."""
SCOPE_KEY = create_key("penstock-scope")
"""Where the scope stands."""

current: Callable[[], Context] = context.get_current
"""The context of what runs here."""
attach: Callable[[Context], Token[Context]] = context.attach
"""Make a context the current one, until the token is given to `detach`."""
detach: Callable[[Token[Context]], None] = context.detach

# No public part of OpenTelemetry's: where it is not there, or another is configured, the functions stay.
_variable = getattr(getattr(context, "_RUNTIME_CONTEXT", None), "_current_context", None)
if isinstance(_variable, ContextVar):
    current = _variable.get
    attach = _variable.set
    detach = _variable.reset
