"""Where jobs, schedules, event handlers and metrics are declared: a `Module`."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, cast, overload

import msgspec

from penstock.engine.context import JobContext
from penstock.engine.cron import Cron, Every, Moments
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.events import FailureHook
from penstock.engine.job_definition import JobDecorator, JobDefinition, ScheduleDecorator, define
from penstock.engine.limits import RESULT_TTL
from penstock.engine.metric import DEFAULT_BUCKETS, Counter, Gauge, Histogram, Metric
from penstock.engine.module_hooks import (
    EventHandler,
    HealthCheck,
    Lifespan,
    declare_check,
    declare_lifespan,
)
from penstock.engine.objective import Objectives, check_objectives
from penstock.engine.periodic_schedule import Missed, Schedule, scheduled
from penstock.engine.retry import Backoff

P = ParamSpec("P")
R = TypeVar("R")
Hook = TypeVar("Hook", bound=FailureHook)
M = TypeVar("M", bound=Metric)
Start = TypeVar("Start", bound=Callable[..., Any])
Check = TypeVar("Check", bound=Callable[..., Any])


class Module:
    """A group of jobs and metrics; its name is the `module` field of every line, label and span inside it."""

    def __init__(
        self, name: str, *, settings: type[msgspec.Struct] | None = None, objectives: Objectives | None = None
    ) -> None:
        """`settings` are read from `PENSTOCK_MODULE_<NAME>_<FIELD>`, and provided by their type.

        `objectives` say what queues promise: `objectives={"media": Objective(wait=30)}`. Raises
        `ConfigurationError` where one is out of its range.
        """
        self.name = name
        self.settings = settings
        self.objectives = check_objectives(name, objectives or {})
        self.jobs: dict[str, JobDefinition[..., Any]] = {}
        self.metrics: dict[str, Metric] = {}
        self.failure_hooks: list[FailureHook] = []
        self.lifespans: list[Lifespan] = []
        self.health_checks: list[HealthCheck] = []
        self.handlers: list[EventHandler] = []
        self.schedules: dict[str, Schedule] = {}
        self.asgi: Any = None

    @overload
    def job(self, function: Callable[Concatenate[JobContext, P], Awaitable[R]], /) -> JobDefinition[P, R]: ...
    @overload
    def job(self, function: Callable[Concatenate[JobContext, P], R], /) -> JobDefinition[P, R]: ...
    @overload
    def job(
        self,
        /,
        *,
        name: str | None = None,
        queue: str = "default",
        priority: int = 0,
        timeout: float = 300.0,
        retries: int = 3,
        backoff: Backoff = ...,
        result_ttl: float = RESULT_TTL,
        durable: bool = False,
        wait_replicas: int = 0,
    ) -> JobDecorator: ...
    def job(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        **policy: Any,
    ) -> Any:
        """Declare a job: `@images.job` or `@images.job(queue="media", timeout=30, retries=5)`.

        The function takes a `JobContext` first, then named, typed arguments. An `async def` runs on the
        worker's loop and may not block it; a plain `def` runs in a thread.

        Raises:
            ConfigurationError: the name is taken or malformed, a type is missing, a policy is out of range.
        """

        def declare(function: Callable[..., Any]) -> JobDefinition[..., Any]:
            return self._declare(name or function.__name__, function, policy)

        return declare if function is None else declare(function)

    def on(self, topic: str, /, *, name: str | None = None, **policy: Any) -> JobDecorator:
        """Declare a job that is submitted for each event of `topic`: `@images.on("orders.paid", retries=9)`.

        The function takes a `JobContext` and the event, typed: what does not decode into that type is set
        aside and counted. At least once for each event; twice handed over it is one job while the record of
        the first is kept. The options are those of `job`. Tenant and user are those of the publisher.

        Raises `ConfigurationError` as `job` does, and where it takes something else than one event.
        """

        def declare(function: Callable[..., Any]) -> JobDefinition[..., Any]:
            definition = self._declare(name or function.__name__, function, policy)
            if len(definition.signature.names) != 1:
                raise ConfigurationError(f"{definition!r} handles events: it takes one argument, the event")
            [kind] = definition.signature.types.values()
            self.handlers.append(EventHandler(topic, definition.name, kind))
            return definition

        return cast(JobDecorator, declare)

    def cron(
        self,
        expression: str,
        /,
        *,
        timezone: str = "UTC",
        name: str | None = None,
        args: Mapping[str, Any] | None = None,
        missed: Missed = "latest",
        overlap: bool = True,
        **policy: Any,
    ) -> ScheduleDecorator:
        """Have a job come by itself: `@images.cron("0 3 * * mon-fri", timezone="Europe/Berlin")`.

        Cron's five fields, or `@hourly` and the like, by the clocks of `timezone` (docs/periodic.md). It
        decorates a function, declared as a job with `policy` as in `job`, or a job, which may have any number
        of schedules, each with a `name` of its own. `args` are the same each time.

        Each moment has one job, however many workers there are. `missed` says what becomes of moments at
        which there was none: one job for the `latest`, one for each (`all`, of the last 24 hours), or none
        (`skip`). Without `overlap` a moment is passed over while the job of an earlier one has not ended.

        Raises `ConfigurationError` as `job` does, and for what is no expression, zone, or argument.
        """
        return self._periodic(Cron(expression, timezone), name, args, missed, overlap, policy)

    def every(
        self,
        seconds: float,
        /,
        *,
        name: str | None = None,
        args: Mapping[str, Any] | None = None,
        missed: Missed = "latest",
        overlap: bool = True,
        **policy: Any,
    ) -> ScheduleDecorator:
        """Have a job come every so many seconds, 1 to 366 days: `@images.every(30)`; the rest as `cron`.

        Counted from the epoch: every 3600 s is at each full hour UTC, whenever workers were started.
        """
        return self._periodic(Every(seconds), name, args, missed, overlap, policy)

    def _periodic(
        self,
        moments: Moments,
        name: str | None,
        args: Mapping[str, Any] | None,
        missed: Missed,
        overlap: bool,
        policy: dict[str, Any],
    ) -> ScheduleDecorator:
        def declare(function: Any) -> JobDefinition[..., Any]:
            definition: JobDefinition[..., Any] = (
                cast(Any, function)
                if isinstance(function, JobDefinition)
                else self._declare(name or function.__name__, function, policy)
            )
            if definition is function and policy:
                raise ConfigurationError(
                    f"{definition!r} has its options: {', '.join(policy)} go where it is"
                )
            full = f"{self.name}.{name}" if name else definition.name
            if full in self.schedules:
                raise ConfigurationError(f"schedule {full} is declared twice; give each a name of its own")
            try:
                request = definition.request(**args or {})
            except InvalidRequest as error:
                raise ConfigurationError(f"schedule {full}: {error}") from error
            self.schedules[full] = scheduled(full, self.name, moments, missed, overlap, request)
            return definition

        return cast(ScheduleDecorator, declare)

    def lifespan(self, function: Start, /) -> Start:
        """Have what this module needs opened when a worker starts, and closed when it stops.

        An async generator function that yields once. Its parameters are found by their types among what
        other lifespans yield, what it yields is provided to whoever asks for its type (`PROVIDED`):

            @images.lifespan
            async def storage(settings: ImagesSettings) -> AsyncIterator[Bucket]:
                async with connect(settings.url) as bucket:
                    yield bucket

        It runs in the worker's task. One that raises, or takes longer than 30 seconds to start or 10 to stop,
        ends the worker. Raises `ConfigurationError` where annotations are missing.
        """
        self.lifespans.append(declare_lifespan(self.name, function))
        return function

    def health(self, function: Check, /) -> Check:
        """Have `function` asked whether this module is well: None if it is, else what is wrong.

        An async function whose parameters are found as those of a lifespan are. A worker with a module that
        is not well, that raises or takes longer than two seconds is not ready, and its `/readyz` says why.
        """
        self.health_checks.append(declare_check(self.name, function))
        return function

    def mount(self, app: Any) -> None:
        """Have an ASGI application answer in the API below `/modules/<name>/`.

        It gets the scope with that prefix as `root_path`, and runs in the API's process on its loop. Raises
        `ConfigurationError` where there is one already.
        """
        if self.asgi is not None:
            raise ConfigurationError(f"module {self.name} mounts two applications; let one of them route")
        self.asgi = app

    def on_failure(self, hook: Hook, /) -> Hook:
        """Have `hook` called with `AttemptFailed` for each failed attempt at a job of this module.

        It is called in the worker, in the handler's task and its context, once the attempt has ended, and may
        not block. One that raises is dropped until the worker starts again, and reported as `ObserverFailed`.
        Declared as jobs are: before the worker is made.

        Raises:
            ConfigurationError: it is an `async def`, which nobody would await.
        """
        if inspect.iscoroutinefunction(hook):
            raise ConfigurationError(f"{self.name}: on_failure takes a plain function, not an async def")
        self.failure_hooks.append(hook)
        return hook

    def counter(self, name: str, help: str, *, labels: Sequence[str] = ()) -> Counter:  # noqa: A002
        """Declare a counter: `made = images.counter("thumbnails", "Thumbnails made.", labels=("format",))`.

        Then `made.inc(format="png")`, in a handler or anywhere else, from any thread. Telemetry shows it as
        `penstock_module_thumbnails_total{module="images",format="png"}`.

        Raises `ConfigurationError` where the name is taken, or it or a label is malformed.
        """
        return self._measure(Counter(self.name, name, help, labels))

    def gauge(self, name: str, help: str, *, labels: Sequence[str] = ()) -> Gauge:  # noqa: A002
        """Declare a gauge, to `set` or `inc`; raises `ConfigurationError` as `counter` does."""
        return self._measure(Gauge(self.name, name, help, labels))

    def histogram(
        self,
        name: str,
        help: str,  # noqa: A002 - Prometheus' own word
        *,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = DEFAULT_BUCKETS,
    ) -> Histogram:
        """Declare a histogram, to `observe`; `buckets` are inclusive upper bounds, by default of seconds.

        Name the unit, a base unit: `resize_seconds`, `thumbnail_bytes`. What is observed in a job carries the
        job's trace as an exemplar. Raises `ConfigurationError` as `counter` does.
        """
        return self._measure(Histogram(self.name, name, help, labels, buckets=buckets))

    def _measure(self, metric: M) -> M:
        if metric.name in self.metrics:
            raise ConfigurationError(f"{metric!r} is declared twice")
        self.metrics[metric.name] = metric
        return metric

    def _declare(
        self, short: str, function: Callable[..., Any], options: dict[str, Any]
    ) -> JobDefinition[..., Any]:
        name = f"{self.name}.{short}"
        if name in self.jobs:
            raise ConfigurationError(f"job {name} is declared twice")
        self.jobs[name] = definition = define(name, function, options)
        return definition
