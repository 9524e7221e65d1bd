"""Lines of a real worker through a real Fluent Bit, as Elasticsearch and CloudWatch Logs would get them.

Where it is not installed these are skipped.
"""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from e2e.system import connected, ends, start_worker
from manifests.container import as_a_runtime_writes
from manifests.fluent_bit import NAME, fluent_bit, installed
from support.application import add
from support.http_receiver import Answer, HttpReceiver, http_receiver
from support.processes import Start
from support.redis_server import ValkeyServer

pytestmark = pytest.mark.slow
WITHIN = 60.0
CRASH = "Segmentation fault"
Documents = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _here() -> None:
    """Before anything is started."""
    installed()


async def written(start: Start, valkey: ValkeyServer, schema: str) -> list[str]:
    """The lines of a worker that has run one job, and one of somebody else's."""
    worker = start_worker(start, valkey.url, "--log-format", "json", "--log-schema", schema)
    async with connected(valkey.url) as client:
        await ends(client, [await client.submit(add, 1)])
    assert worker.terminate() == 0
    return [*worker.err, CRASH]


async def sent(receiver: HttpReceiver, read: Callable[[HttpReceiver], Documents], count: int) -> Documents:
    """What has come, once there is so much of it."""
    with trio.fail_after(WITHIN):
        while len(found := read(receiver)) < count:  # noqa: ASYNC110 - nobody says when all has been sent
            await trio.sleep(0.05)
    return found


def bulks(receiver: HttpReceiver) -> Documents:
    """Documents of Elasticsearch's bulk API, each with what is to be done with it under `action`."""
    bodies = [asked.body.splitlines() for asked in receiver.asked if asked.target.startswith("/_bulk")]
    return [
        {**json.loads(document), "action": json.loads(action)}
        for lines in bodies
        for action, document in zip(lines[::2], lines[1::2], strict=True)
    ]


def events(receiver: HttpReceiver) -> Documents:
    """Log events as CloudWatch's PutLogEvents takes them."""
    puts = [
        asked.json()
        for asked in receiver.asked
        if asked.headers["x-amz-target"] == "Logs_20140328.PutLogEvents"
    ]
    return [event for put in puts for event in put["logEvents"]]


async def test_elasticsearch_gets_ecs_with_its_trace(
    start: Start, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """elasticsearch.yaml makes documents of the data stream with the fields and the time of the line."""
    lines = await written(start, valkey, "ecs")
    async with http_receiver(tls=True) as receiver:
        receiver.answer = Answer(body=b'{"took":1,"errors":false,"items":[]}')
        port = int(receiver.url.rpartition(":")[2])
        names = {"HOST": "localhost", "USER": "penstock", "PASSWORD": "secret"}
        env = {f"ELASTICSEARCH_{name}": value for name, value in names.items()}
        env["DATA_STREAM"] = "logs-penstock-test"
        async with fluent_bit("elasticsearch.yaml", tmp_path, {"port": port}, **env) as log:
            log.write_text("".join(map(as_a_runtime_writes, lines)))
            found = await sent(receiver, bulks, len(lines))

    assert len(found) == len(lines)
    assert found[-1].keys() == {"@timestamp", "log", "kubernetes", "action"}
    assert found[-1]["log"] == CRASH
    for line, document in zip(map(json.loads, lines[:-1]), found, strict=False):
        assert document.pop("action") == {"create": {"_index": "logs-penstock-test"}}
        assert document.pop("kubernetes")["pod_name"] == NAME
        assert document.pop("@timestamp").startswith(line.pop("@timestamp")[:-1])
        assert document == line


async def test_cloudwatch_gets_lines_with_the_trace_that_x_ray_knows(
    start: Start, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """cloudwatch.yaml sends the line as it is, with its own time, into the group that it names."""
    lines = await written(start, valkey, "cloudwatch")
    # Named as what the runtime says of a line.
    authors = {**json.loads(lines[0]), "message": "shown", "stream": "video", "time": "noon"}
    lines.insert(0, json.dumps(authors))
    async with http_receiver(tls=True) as receiver:
        receiver.answer = Answer(headers={"x-amzn-RequestId": "0af7"})
        port = int(receiver.url.rpartition(":")[2])
        env = {"AWS_REGION": "eu-west-1", "LOG_GROUP": "/penstock/test", "NODE_NAME": "node-1"}
        env |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        output = {"endpoint": "localhost", "port": port}
        async with fluent_bit("cloudwatch.yaml", tmp_path, output, **env) as log:
            log.write_text("".join(map(as_a_runtime_writes, lines)))
            found = await sent(receiver, events, len(lines))

    targets = {asked.headers["x-amz-target"].partition(".")[2] for asked in receiver.asked}
    assert targets <= {"CreateLogStream", "PutLogEvents"}
    assert all(asked.json()["logGroupName"] == "/penstock/test" for asked in receiver.asked)
    assert all(asked.json()["logStreamName"].startswith("node-1.") for asked in receiver.asked)
    messages = [json.loads(event["message"]) for event in found]
    assert messages[-1].keys() == {"log", "kubernetes"}
    assert messages[-1]["log"] == CRASH
    for line, event, message in zip(lines[:-1], found, messages, strict=False):
        said = json.loads(line)
        assert message == {**said, "kubernetes": message["kubernetes"]}
        assert event["timestamp"] == int(datetime.fromisoformat(said["timestamp"]).timestamp() * 1000)
    [finished] = [one for one in messages if one.get("message") == "job finished"]
    assert finished["kubernetes"]["pod_name"] == NAME
    assert finished["xray_trace_id"] == f"1-{finished['trace_id'][:8]}-{finished['trace_id'][8:]}"
