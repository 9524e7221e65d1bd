"""A declared job: its function, its name, its types and its policy."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

import msgspec

from penstock.engine.context import JobContext
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.engine.names import JOB_NAME
from penstock.engine.options import Options, Policy
from penstock.engine.request import Request
from penstock.engine.signature import Signature

P = ParamSpec("P")
R = TypeVar("R")


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


class ScheduleDecorator(Protocol):
    """What `@module.cron(...)` gives: it declares a function as a job, or takes one that is declared."""

    @overload
    def __call__(self, definition: "JobDefinition[P, R]", /) -> "JobDefinition[P, R]": ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[JobContext, P], Awaitable[R]], /
    ) -> "JobDefinition[P, R]": ...
    @overload
    def __call__(self, function: Callable[Concatenate[JobContext, P], R], /) -> "JobDefinition[P, R]": ...
    def __call__(self, function: Any, /) -> Any:
        """Schedule it."""
        ...


def define(name: str, function: Callable[..., Any], options: dict[str, Any]) -> JobDefinition[..., Any]:
    """Make a definition of what was written behind a decorator; raises `ConfigurationError`."""
    if JOB_NAME.fullmatch(name) is None:
        raise ConfigurationError(f"{name!r} cannot name a job: expected module.job, like images.thumbnail")
    try:
        policy = msgspec.convert(options, Policy)
    except msgspec.ValidationError as error:
        known = ", ".join(Policy.__struct_fields__)
        raise ConfigurationError(f"job {name}: {error}; its options are name, {known}") from error
    try:
        policy.check()
    except InvalidRequest as error:
        raise ConfigurationError(f"job {name}: {error}") from error
    definition: JobDefinition[..., Any] = JobDefinition(name, function, policy)
    if not definition.signature.takes_context:
        raise ConfigurationError(f"job {name}: its first parameter must be `ctx: JobContext`")
    return definition
