"""`penstock check`: is this Redis one to trust jobs to, and does the application load?"""

import click
import trio
from rich.console import Console
from rich.table import Table

from penstock.deploy.application import load_application
from penstock.deploy.examination import DEFAULT_QUEUES, examine
from penstock.deploy.findings import Finding
from penstock.deploy.options import app_argument, bus_option, redis_option, takes
from penstock.deploy.settings import Settings
from penstock.engine.errors import PenstockError
from penstock.engine.registry import Registry
from penstock.engine.transport import open_link


class CheckFailed(PenstockError):
    """Something is not as it has to be; the table says what."""


@click.command(short_help="Check Redis and, if named, an application.")
@takes(app_argument(required=False), redis_option, bus_option)
def check(settings: Settings) -> None:
    """Check that Redis is reachable and set up so that no job gets lost, and that APP loads.

    Exit code 1 if something fails; warnings do not count.

    \b
    Examples:
      penstock check
      penstock check shop.jobs:images --redis rediss://user:password@redis.internal:6380/0
    """
    registry = load_application(settings.app, settings.modules or ()) if settings.app else None
    findings = trio.run(_examine, settings, registry)
    if registry is not None:
        findings.append(_application(registry))
    _show(findings)
    if failed := [finding.subject for finding in findings if finding.verdict == "failed"]:
        raise CheckFailed(f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}")


async def _examine(settings: Settings, registry: Registry | None) -> list[Finding]:
    from penstock.deploy.part_permissions import examine_parts  # the command line is to be quick with --help

    queues = (registry.queues() if registry is not None else ()) or DEFAULT_QUEUES
    topics = {handler.topic for handler in registry.handlers} if registry is not None else ()
    link = open_link(settings.redis)
    try:
        rows = await examine(link, queues)
        if any(row.subject == "scripting" and row.verdict == "failed" for row in rows):
            return rows  # and nobody can be asked
        bus_here = not settings.bus.startswith("kafka")
        return rows + await examine_parts(link, queues, topics, bus_here=bus_here)
    finally:
        await link.aclose()


def _application(registry: Registry) -> Finding:
    jobs = len(list(registry))
    return Finding(
        "application", "ok", f"{jobs} job{'s' * (jobs != 1)} on {', '.join(registry.queues()) or 'no queue'}"
    )


def _show(findings: list[Finding]) -> None:
    colour = {"ok": "green", "warning": "yellow", "failed": "bold red"}
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("check", "verdict", "what was found"):
        table.add_column(column)
    for finding in findings:
        table.add_row(finding.subject, f"[{colour[finding.verdict]}]{finding.verdict}", finding.detail)
    Console().print(table)
