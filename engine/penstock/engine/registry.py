"""Every job this process knows, by name; turns untyped submissions into checked requests."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from penstock.engine.errors import ConfigurationError, UnknownJob
from penstock.engine.events import FailureHook
from penstock.engine.job_definition import JobDefinition
from penstock.engine.metric import Metric, collect
from penstock.engine.module import Module
from penstock.engine.module_hooks import in_order
from penstock.engine.objective import collect_objectives
from penstock.engine.options import Options
from penstock.engine.periodic_schedule import Schedule, collect_schedules
from penstock.engine.request import Request


class Registry:
    """The jobs of some modules."""

    def __init__(self, modules: Iterable[Module]) -> None:
        """Collect jobs and metrics.

        Raises `ConfigurationError` where two modules declare the same job, metrics that cannot be one, or
        different objectives of one queue.
        """
        self._jobs: dict[str, JobDefinition[..., Any]] = {}
        self.failure_hooks: dict[str, list[FailureHook]] = {}
        """Those that hear of failures, by the name of their module."""
        modules = list(modules)
        self.metrics: list[Metric] = collect(
            metric for module in modules for metric in module.metrics.values()
        )
        self.objectives = collect_objectives((module.name, module.objectives) for module in modules)
        """What queues promise, by queue."""
        self.modules = modules
        self.lifespans = [lifespan for module in modules for lifespan in module.lifespans]
        self.handlers = [handler for module in modules for handler in module.handlers]
        self.health_checks = [check for module in modules for check in module.health_checks]
        self.schedules: list[Schedule] = collect_schedules(
            schedule for module in modules for schedule in module.schedules.values()
        )
        for module in modules:
            if module.failure_hooks:
                self.failure_hooks.setdefault(module.name, []).extend(module.failure_hooks)
            for name, definition in module.jobs.items():
                if name in self._jobs:
                    raise ConfigurationError(f"job {name} is declared by two modules")
                self._jobs[name] = definition

    def __iter__(self) -> Iterator[JobDefinition[..., Any]]:
        return iter(self._jobs.values())

    def __contains__(self, name: str) -> bool:
        return name in self._jobs

    def defaults(self) -> dict[type[Any], object]:
        """The settings of modules that need not be given: every field has a default."""
        kinds = [module.settings for module in self.modules if module.settings is not None]
        return {kind: kind() for kind in kinds if not any(f.required for f in msgspec.structs.fields(kind))}

    def check_needs(self, given: Iterable[type[Any]]) -> None:
        """Raise `ConfigurationError` if a job, lifespan or health check needs what nothing provides."""
        in_order(self.lifespans, given)
        there = {*given, *self.yielded()}
        for who, kind in self._needs():
            if kind not in there:
                raise ConfigurationError(f"{who} needs {kind.__qualname__}, which nothing provides")

    def needed(self) -> set[type[Any]]:
        """The types that jobs, lifespans and health checks ask for."""
        return {kind for _, kind in self._needs()} | {
            kind for lifespan in self.lifespans for kind in lifespan.needs.values()
        }

    def yielded(self) -> set[type[Any]]:
        """The types that lifespans provide."""
        return {lifespan.provides for lifespan in self.lifespans if lifespan.provides is not None}

    def _needs(self) -> Iterator[tuple[str, type[Any]]]:
        for job in self:
            for kind in job.signature.needs.values():
                yield f"job {job.name}", kind
        for check in self.health_checks:
            for kind in check.needs.values():
                yield f"the health check of {check.module}", kind

    def get(self, name: str) -> JobDefinition[..., Any] | None:
        """The definition of a job, None where nobody declares it."""
        return self._jobs.get(name)

    def queues(self) -> list[str]:
        """The queues that these jobs name, sorted."""
        return sorted({definition.policy.queue for definition in self})

    def request(self, job: str, args: bytes, options: Options) -> Request:
        """Check a submission by name, its arguments a JSON object.

        Raises:
            UnknownJob: nobody declares it; the message lists the names that come near.
            InvalidArguments, InvalidRequest: as `Signature.bind_json` and `Options.check` say.
        """
        definition = self._jobs.get(job)
        if definition is None:
            raise UnknownJob(self._unknown(job), field="job")
        return definition.using(options).request_raw(definition.signature.bind_json(args))

    def _unknown(self, job: str) -> str:
        import difflib

        near = difflib.get_close_matches(job, self._jobs, n=3) or sorted(self._jobs)[:5]
        known = f"did you mean {', '.join(near)}?" if near else "this application declares no jobs"
        return f"no job is named {job[:200]!r}; {known}"
