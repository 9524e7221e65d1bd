"""Penstock's engine: jobs, the broker, the worker and the client."""

from penstock.engine.client import Client
from penstock.engine.context import JobContext
from penstock.engine.events import Observers
from penstock.engine.job import Job, JobError, JobState
from penstock.engine.job_definition import JobDefinition
from penstock.engine.metric import Counter, Gauge, Histogram
from penstock.engine.module import Module
from penstock.engine.objective import Objective
from penstock.engine.options import Options
from penstock.engine.outcome import Dead, Retry
from penstock.engine.provided import PROVIDED
from penstock.engine.registry import Registry
from penstock.engine.request import Receipt, Request
from penstock.engine.retry import Backoff
from penstock.engine.seams import Seams
from penstock.engine.signature import Logged
from penstock.engine.worker import Worker
from penstock.engine.worker_settings import WorkerSettings

__all__ = [
    "PROVIDED",
    "Backoff",
    "Client",
    "Counter",
    "Dead",
    "Gauge",
    "Histogram",
    "Job",
    "JobContext",
    "JobDefinition",
    "JobError",
    "JobState",
    "Logged",
    "Module",
    "Objective",
    "Observers",
    "Options",
    "Receipt",
    "Registry",
    "Request",
    "Retry",
    "Seams",
    "Worker",
    "WorkerSettings",
]
