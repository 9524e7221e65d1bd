"""Where jobs and metrics are declared: a `Module` and the typed definitions it makes."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

import msgspec

from penstock.engine.context import JobContext
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.events import FailureHook
from penstock.engine.limits import MAX_DELAY, MAX_REPLICAS, RESULT_TTL
from penstock.engine.metric import DEFAULT_BUCKETS, Counter, Gauge, Histogram, Metric
from penstock.engine.module_hooks import (
    EventHandler,
    HealthCheck,
    Lifespan,
    declare_check,
    declare_lifespan,
)
from penstock.engine.names import JOB_NAME, check_priority, check_queue
from penstock.engine.options import Options, Policy
from penstock.engine.request import Request
from penstock.engine.retry import Backoff
from penstock.engine.signature import Signature

P = ParamSpec("P")
R = TypeVar("R")
Hook = TypeVar("Hook", bound=FailureHook)
M = TypeVar("M", bound=Metric)
Start = TypeVar("Start", bound=Callable[..., Any])
Check = TypeVar("Check", bound=Callable[..., Any])


class JobDecorator(Protocol):
    """What `@module.job(...)` gives: it keeps the types of arguments and result."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[JobContext, P], Awaitable[R]], /
    ) -> "JobDefinition[P, R]": ...
    @overload
    def __call__(self, function: Callable[Concatenate[JobContext, P], R], /) -> "JobDefinition[P, R]": ...
    def __call__(self, function: Callable[..., Any], /) -> Any:
        """Declare `function` as a job."""
        ...


class JobDefinition(Generic[P, R]):
    """A job function with its name, its types and its policy. Calling it calls the function itself."""

    def __init__(self, name: str, function: Callable[..., Any], policy: Policy) -> None:
        self.name = name
        self.module = name.rsplit(".", 1)[0]
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function)
        self.policy = policy
        self.signature = Signature(name, function)
        self._options = Options()

    def __repr__(self) -> str:
        return f"<job {self.name} on {self.policy.queue}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as written, context first; for tests."""
        return self.function(*args, **kwargs)

    def using(self, options: Options | None = None, /, **fields: Any) -> "JobDefinition[P, R]":
        """The same job, to be submitted with other options: `thumbnail.using(delay=60, priority=9)`.

        Raises `InvalidRequest` where an option is out of its range.
        """
        try:
            chosen = options or msgspec.convert(msgspec.structs.asdict(self._options) | fields, Options)
        except msgspec.ValidationError as error:
            known = ", ".join(Options.__struct_fields__)
            raise InvalidRequest(f"{self.name}: {error}; its options are {known}") from error
        chosen.check()
        variant: JobDefinition[P, R] = object.__new__(JobDefinition)
        variant.__dict__.update(self.__dict__, _options=chosen)
        return variant

    def request(self, *args: P.args, **kwargs: P.kwargs) -> Request:
        """Check and encode one call; nothing is stored. Raises `InvalidArguments`."""
        return self.request_raw(self.signature.bind(args, kwargs))

    def request_raw(self, args: msgspec.Raw) -> Request:
        """Make a request from arguments that `signature` has encoded."""
        options, policy = self._options, self.policy
        return Request(
            job=self.name,
            queue=options.queue or policy.queue,
            args=args,
            priority=policy.priority if options.priority is None else options.priority,
            delay=options.delay,
            run_at=options.run_at,
            expires_in=options.expires_in,
            unique_key=options.unique_key,
            idempotency_key=options.idempotency_key,
            tenant=options.tenant,
            user=options.user,
            durable=policy.durable if options.durable is None else options.durable,
            wait_replicas=policy.wait_replicas if options.wait_replicas is None else options.wait_replicas,
        )


class Module:
    """A group of jobs and metrics; its name is the `module` field of every line, label and span inside it."""

    def __init__(self, name: str, *, settings: type[msgspec.Struct] | None = None) -> None:
        """`settings` are read from `PENSTOCK_MODULE_<NAME>_<FIELD>`, and provided by their type."""
        self.name = name
        self.settings = settings
        self.jobs: dict[str, JobDefinition[..., Any]] = {}
        self.metrics: dict[str, Metric] = {}
        self.failure_hooks: list[FailureHook] = []
        self.lifespans: list[Lifespan] = []
        self.health_checks: list[HealthCheck] = []
        self.handlers: list[EventHandler] = []
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
        try:
            policy = msgspec.convert(options, Policy)
        except msgspec.ValidationError as error:
            known = ", ".join(Policy.__struct_fields__)
            raise ConfigurationError(f"job {name}: {error}; its options are name, {known}") from error
        if JOB_NAME.fullmatch(name) is None:
            raise ConfigurationError(
                f"{name!r} cannot name a job: expected module.job, like images.thumbnail"
            )
        if name in self.jobs:
            raise ConfigurationError(f"job {name} is declared twice")
        try:
            check_queue(policy.queue)
            check_priority(policy.priority)
        except InvalidRequest as error:
            raise ConfigurationError(f"job {name}: {error}") from error
        if not (policy.timeout > 0 and policy.retries >= 0 and 0.001 <= policy.result_ttl <= MAX_DELAY):
            raise ConfigurationError(
                f"job {name}: expected a positive timeout, no negative retries, and a result_ttl of 0.001 to "
                f"{MAX_DELAY:.0f} seconds"
            )
        if not 0 <= policy.wait_replicas <= MAX_REPLICAS:
            raise ConfigurationError(f"job {name}: expected wait_replicas of 0 to {MAX_REPLICAS}")
        definition: JobDefinition[..., Any] = JobDefinition(name, function, policy)
        if not definition.signature.takes_context:
            raise ConfigurationError(f"job {name}: its first parameter must be `ctx: JobContext`")
        self.jobs[name] = definition
        return definition
