"""One trace leads from the request whose transaction submitted a job to what its handler did."""

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from penstock.engine.sql_outbox import OutboxSettings, SqlOutbox
from sql_outbox.rig import ship
from support.otlp_receiver import otlp_receiver
from support.processes import Start
from support.redis_server import ValkeyServer
from telemetry.rig import Rig

APP = "sql_outbox.rig:shop"


def test_the_trace_of_a_request_goes_on_in_its_job(
    start: Start, valkey: ValkeyServer, settings: OutboxSettings, database: Engine
) -> None:
    """Request, submission into the table, the relay's sending, waiting and running: three processes."""
    rig = Rig()
    with otlp_receiver() as receiver:
        options = ("--redis", valkey.url, "--otlp-endpoint", receiver.endpoint)
        worker = start("worker", APP, *options)
        outbox = SqlOutbox(rig.telemetry.seams())
        with (
            rig.telemetry.tracing.step("checkout"),
            Session(database) as session,
            session.begin(),
        ):
            receipt = outbox.submit(session, ship, 1)
        relay = start("relay", APP, "--outbox-url", settings.url, *options)
        worker.wait_for_line("job finished")
        assert [relay.terminate(), worker.terminate()] == [0, 0]  # both have handed over all they had

    made = rig.spans()
    request, enqueue = made["checkout"].context, made["enqueue orders"].context
    assert request is not None
    assert enqueue is not None
    assert receipt.trace_id == f"{request.trace_id:032x}" == f"{enqueue.trace_id:032x}"
    spans = {span.name: span for span in receiver.spans if span.trace_id.hex() == receipt.trace_id}
    assert set(spans) == {"send orders", "wait orders", "process orders"}
    for span in spans.values():
        assert span.parent_span_id.hex() == f"{enqueue.span_id:016x}"
    order = [spans[name].start_time_unix_nano for name in ("send orders", "process orders")]
    assert order == sorted(order)

    batches = [span for span in receiver.spans if span.name == "move penstock_outbox"]
    assert len(batches) == 1  # looking in vain is no trace
    [batch] = batches
    below = {span.name for span in receiver.spans if span.parent_span_id == batch.span_id}
    assert {"SELECT penstock_outbox", "UPDATE penstock_outbox", "DELETE penstock_outbox"} <= below
    assert not any(span.name.endswith("penstock_outbox") for span in spans.values())
