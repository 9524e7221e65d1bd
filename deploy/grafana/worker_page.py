"""The workers: what they have room for, how late their loops are, what befalls them."""

from grafana.ask import quantile, rare
from grafana.dashboard import Dashboard, Row, Variable
from grafana.panel import Query, series, table

_I = 'instance=~"$instance"'

_ROOM = Row(
    "Room",
    (
        series(
            "Slots",
            "short",
            Query(f"sum by (state) (penstock_worker_slots{{{_I}}})", "{{state}}"),
            stacked=True,
        ),
        series(
            "Busy, of all slots",
            "percentunit",
            Query(
                f'sum by (instance) (penstock_worker_slots{{{_I}, state="busy"}}) '
                f"/ sum by (instance) (penstock_worker_slots{{{_I}}})",
                "{{instance}}",
            ),
        ),
        series(
            "Loop lag (99 %)",
            "s",
            Query(quantile(0.99, "penstock_loop_lag_seconds", "instance", f"{{{_I}}}"), "{{instance}}"),
            about="How late the event loop came to what was due. Handlers that block show here.",
        ),
    ),
)
_TROUBLE = Row(
    "What befell them, in 5 minutes",
    (
        series(
            "Leases lost",
            "short",
            Query(f"sum by (instance) (increase(penstock_lease_lost_total{{{_I}}}[5m]))", "{{instance}}"),
        ),
        series(
            "Jobs taken from lost workers",
            "short",
            Query(f"sum by (result) (increase(penstock_jobs_reaped_total{{{_I}}}[5m]))", "{{result}}"),
        ),
        series(
            "Jobs given back",
            "short",
            Query(rare(f"penstock_jobs_released_total{{{_I}}}", "reason"), "{{reason}}"),
        ),
        series(
            "Store out of sight",
            "short",
            Query(rare(f"penstock_store_outages_total{{{_I}}}", "loop"), "{{loop}}"),
        ),
        series(
            "Loops crashed", "short", Query(rare(f"penstock_loop_crashes_total{{{_I}}}", "loop"), "{{loop}}")
        ),
        series(
            "Settlements refused",
            "short",
            Query(rare(f"penstock_settlements_refused_total{{{_I}}}", "queue"), "{{queue}}"),
            about="They came too late: the job was somebody else's by then.",
        ),
    ),
)
_PROCESSES = Row(
    "Processes",
    (
        series(
            "Under a supervisor",
            "short",
            Query(f"sum by (state) (penstock_worker_processes{{{_I}}})", "{{state}}"),
            about="Of workers with --processes.",
        ),
        series(
            "Started again",
            "short",
            Query(
                f"sum by (instance) (increase(penstock_worker_process_restarts_total{{{_I}}}[5m]))",
                "{{instance}}",
            ),
        ),
        table("Versions", {"processes": "count by (version, python) (penstock_build_info)"}, width=8),
    ),
)

DASHBOARD = Dashboard(
    "workers",
    "workers",
    "What workers have room for, how late their loops are, what befalls them.",
    (_ROOM, _TROUBLE, _PROCESSES),
    (Variable("instance", "penstock_worker_slots", everything=True),),
)
