"""`penstock submit`: one job, over HTTP or straight into Redis."""

import json
import sys
from functools import partial
from typing import Any

import click
import msgspec
import trio
from click.core import ParameterSource

from penstock.deploy.application import load_application
from penstock.deploy.http_client import HttpClient
from penstock.deploy.listing import api_option, token_option
from penstock.deploy.options import debug_option, redis_option
from penstock.deploy.settings import Settings
from penstock.engine.job import Job, JobState
from penstock.engine.options import Options


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for, before anybody has checked it."""

    job: str
    args: dict[str, Any]
    queue: str | None = None
    priority: int | None = None
    delay: float = 0.0
    durable: bool | None = None
    wait_replicas: int | None = None
    idempotency_key: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    id: str
    state: str
    trace_id: str | None = None


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended, as the API tells it and as `Job` does."""

    state: JobState
    result: Any = None
    error: Any = None


@click.command(short_help="Submit one job.")
@click.argument("job", help="The job's full name, like images.thumbnail.")
@click.argument(
    "arguments",
    nargs=-1,
    metavar="[KEY=VALUE]...",
    help="Its arguments; a VALUE is read as JSON where it is JSON, else as text.",
)
@api_option("Submit over HTTP to this API.")
@token_option()
@click.option(
    "--app",
    envvar="PENSTOCK_APP",
    show_envvar=True,
    metavar="APP",
    help="Submit straight into Redis, arguments checked against this application.",
)
@redis_option
@click.option("--queue", metavar="NAME", help="Another queue than the job's own.")
@click.option("--priority", type=click.IntRange(0, 9), help="0 (last) to 9 (first).")
@click.option("--delay", type=float, default=0.0, metavar="SECONDS", help="Start it that much later.")
@click.option("--durable", is_flag=True, default=None, help="Return only once it is on the server's disk.")
@click.option(
    "--wait-replicas", type=int, metavar="N", help="Return only once N replicas of the server have it."
)
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Submit once, however often this is called with the same KEY and queue.",
)
@click.option(
    "--wait", is_flag=True, help="Wait for its end and show the result; exit 1 unless it succeeded."
)
@debug_option
def submit(
    arguments: tuple[str, ...],
    api: str,
    token: str | None,
    app: str | None,
    redis: str,
    wait: bool,
    **options: Any,
) -> None:
    """Submit one job and print its id, state and trace id.

    \b
    Examples:
      penstock submit images.thumbnail path=cat.png width=320
      penstock submit images.thumbnail path=cat.png --wait
      penstock submit reports.build 'filters={"year": 2026}' --delay 60
      penstock submit images.thumbnail path=cat.png --app shop.jobs:images --redis redis://10.0.0.5
    """
    submission = Submission(args=dict(map(_argument, arguments)), **options)
    named = click.get_current_context().get_parameter_source("api") is ParameterSource.COMMANDLINE
    if app is None or named:  # an --api on the line wins over an application from the environment
        ended = _over_http(HttpClient(api, token), submission, wait=wait)
    else:
        ended = trio.run(partial(_directly, Settings(app=app, redis=redis), submission, wait=wait))
    if ended is not None:
        _show_end(ended)


def _argument(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise click.UsageError(f"{text!r} is no argument for a job: expected key=value.")
    try:
        return key, msgspec.json.decode(value.encode())
    except msgspec.DecodeError:
        return key, value


def _over_http(api: HttpClient, submission: Submission, *, wait: bool) -> End | None:
    asked = {name: value for name, value in msgspec.to_builtins(submission).items() if value is not None}
    key = asked.pop("idempotency_key", None)
    answer = api.call("POST", "/v1/jobs", Answer, asked, {} if key is None else {"Idempotency-Key": key})
    _show(answer, wait=wait)
    ended = None
    while wait and not (ended and ended.state.final):  # the API answers each wait after a minute at most
        ended = api.call("GET", f"/v1/jobs/{answer.id}/wait?timeout=30", End)
    return ended


async def _directly(settings: Settings, submission: Submission, *, wait: bool) -> End | None:
    from penstock.deploy.composition import compose

    options = Options(
        queue=submission.queue,
        priority=submission.priority,
        delay=submission.delay,
        durable=submission.durable,
        wait_replicas=submission.wait_replicas,
        idempotency_key=submission.idempotency_key,
    )
    registry = load_application(settings.app, settings.modules or ())
    request = registry.request(submission.job, msgspec.json.encode(submission.args), options)
    async with compose(settings, registry, role="submit") as parts:
        receipt = await parts.client.submit_request(request)
        _show(Answer(id=receipt.id, state=receipt.state, trace_id=receipt.trace_id), wait=wait)
        return _end(await parts.client.wait(receipt.id)) if wait else None


def _end(job: Job) -> End:
    error = job.error and {"type": job.error.type, "message": job.error.message}
    return End(state=job.state, result=job.result, error=error)


def _show(answer: Answer, *, wait: bool) -> None:
    """At once, before any waiting: whoever stops waiting still knows the job."""
    click.echo(f"id        {answer.id}")
    click.echo(f"trace id  {answer.trace_id or '-'}")
    if not wait:
        click.echo(f"state     {answer.state}")
    sys.stdout.flush()


def _show_end(ended: End) -> None:
    click.echo(f"state     {ended.state}")
    if ended.state is JobState.SUCCEEDED:
        click.echo(f"result    {json.dumps(ended.result)}")
        return
    error = ended.error or {}
    click.echo(f"error     {error.get('type', '-')}: {error.get('message', '-')}")
    sys.exit(1)
