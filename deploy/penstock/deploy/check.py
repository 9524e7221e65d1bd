"""`penstock check`: is this Redis one to trust jobs to, and does the application load?"""

import click
import trio
from rich.console import Console
from rich.table import Table

from penstock.deploy.application import load_application
from penstock.deploy.examination import DEFAULT_QUEUES, examine
from penstock.deploy.findings import Finding
from penstock.deploy.options import app_argument, redis_option, takes
from penstock.deploy.settings import Settings
from penstock.engine.errors import PenstockError
from penstock.engine.registry import Registry
from penstock.engine.transport import open_link


class CheckFailed(PenstockError):
    """Something is not as it has to be; the table says what."""


@click.command(short_help="Check Redis and, if named, an application.")
@takes(app_argument(required=False), redis_option)
def check(settings: Settings) -> None:
    """Check that Redis is reachable and set up so that no job gets lost, and that APP loads.

    Exit code 1 if something fails; warnings do not count.

    \b
    Examples:
      penstock check
      penstock check shop.jobs:images --redis rediss://user:password@redis.internal:6380/0
    """
    registry = load_application(settings.app, settings.modules or ()) if settings.app else None
    findings = trio.run(_examine, settings.redis, registry)
    if registry is not None:
        findings.append(_application(registry))
    _show(findings)
    if failed := [finding.subject for finding in findings if finding.verdict == "failed"]:
        raise CheckFailed(f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}")


async def _examine(url: str, registry: Registry | None) -> list[Finding]:
    queues = registry.queues() if registry is not None else ()
    link = open_link(url)
    try:
        return await examine(link, queues or DEFAULT_QUEUES)
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
