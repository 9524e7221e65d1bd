"""A module with everything a module may have, in real processes."""

from pathlib import Path

import httpx
import trio

from e2e.system import connected
from support.gallery import hang
from support.otlp_receiver import otlp_receiver
from support.processes import Start, free_port
from support.redis_server import ValkeyServer

APP = "support.gallery:gallery"
FOLDER = "PENSTOCK_MODULE_GALLERY_FOLDER"


async def test_a_module_lives_with_its_worker(start: Start, valkey: ValkeyServer, tmp_path: Path) -> None:
    """It is given settings, starts and stops as spans, hands things to jobs, and says whether it is well."""
    at = f"127.0.0.1:{free_port()}"
    with otlp_receiver() as receiver:
        options = ("--redis", valkey.url, "--otlp-endpoint", receiver.endpoint)
        worker = start("worker", APP, *options, "--metrics-bind", at, **{FOLDER: str(tmp_path)})
        worker.wait_for_line("worker started")
        with trio.fail_after(60):
            async with connected(valkey.url) as client, httpx.AsyncClient(timeout=30) as http:
                receipt = await client.submit(hang, "cat.png")
                assert (await client.wait(receipt.id)).result == str(tmp_path / "cat.png")
                assert (await http.get(f"http://{at}/readyz")).status_code == 200
                (tmp_path / "full").touch()
                answer = await http.get(f"http://{at}/readyz")
        assert worker.terminate() == 0
        names = [span.name for span in receiver.spans]

    assert (answer.status_code, answer.json()["detail"]) == (503, "gallery: the folder is full")
    assert {"start gallery", "stop gallery"} <= set(names)


async def test_an_event_is_part_of_the_story_that_it_comes_from(
    start: Start, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """From the job that published it to the job that handles it: one trace, one tenant."""
    with otlp_receiver() as receiver:
        options = ("--redis", valkey.url, "--otlp-endpoint", receiver.endpoint)
        worker = start("worker", APP, *options, **{FOLDER: str(tmp_path)})
        worker.wait_for_line("worker started")
        note = tmp_path / "cat.png.note"
        with trio.fail_after(60):
            async with connected(valkey.url) as client:
                await client.submit(hang.using(tenant="acme"), "cat.png")
                worker.wait_for_line(r'"job finished".*gallery\.praise')
        assert worker.terminate() == 0
        spans = receiver.spans

    assert note.read_text() == "acme has hung cat.png"
    [publish] = [span for span in spans if span.name == "publish pictures.hung"]
    names = sorted(span.name for span in spans if span.trace_id == publish.trace_id)
    assert names == [
        "attempt default",  # its submitter had no telemetry, so that the job began the trace
        "dispatch pictures.hung",
        "enqueue default",
        "process default",
        "process default",
        "publish pictures.hung",
        "wait default",
        "wait default",
    ]


async def test_a_module_that_cannot_start_ends_its_worker(start: Start, valkey: ValkeyServer) -> None:
    """With one line that names it, and with the variable where one is missing."""
    worker = start("worker", APP, "--redis", valkey.url, **{FOLDER: "/nowhere"})
    assert await trio.to_thread.run_sync(worker.wait) == 1
    assert "penstock: module gallery failed to start: FileNotFoundError: /nowhere is no folder" in worker.err

    worker = start("worker", APP, "--redis", valkey.url)
    assert await trio.to_thread.run_sync(worker.wait) == 2
    assert f"penstock: module gallery needs {FOLDER}; see GallerySettings" in worker.err


async def test_a_modules_application_answers_beside_the_api(start: Start, valkey: ValkeyServer) -> None:
    """On its port, as a span of its own route; the API needs no settings of the worker's."""
    with otlp_receiver() as receiver:
        options = ("--redis", valkey.url, "--otlp-endpoint", receiver.endpoint, "--bind", "127.0.0.1:0")
        api = start("api", APP, *options)
        url = api.wait_for_line(r"Running on (\S+)")[1]
        async with httpx.AsyncClient(timeout=30) as http:
            answer = await http.get(f"{url}/modules/gallery/pictures")
        assert api.terminate() == 0
        names = {span.name for span in receiver.spans}

    assert (answer.status_code, answer.text) == (200, "hello from /modules/gallery")
    assert "GET /modules/gallery/{path}" in names
