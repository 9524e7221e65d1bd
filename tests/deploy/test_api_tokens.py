"""`penstock api` with tokens, and with its metrics on a port of their own, as whole processes."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from penstock.deploy.http_client import HttpClient
from penstock.engine.errors import ConfigurationError, InvalidRequest
from penstock.http.token_book import digest_of
from support.http_receiver import Answer, http_receiver
from support.processes import WITHIN, Process, Start
from support.redis_server import ValkeyServer

APP = "support.application:trial"
LISTENS = r"Running on (http://[\d.]+:\d+)"
ALL = {"scopes": ["submit", "read", "operate"]}
SECRET = "penstock_secret-that-is-known"
WRONG = "penstock_secret-that-is-not"


def line(secret: str, **fields: Any) -> str:
    return json.dumps({"name": secret[-8:], "sha256": digest_of(secret), **ALL, **fields}) + "\n"


def urls(process: Process, count: int) -> list[str]:
    """Where it listens, in the order in which it says so."""
    found: list[str] = []
    while len(found) < count:
        others = "".join(rf"(?!.*{re.escape(url)}\b)" for url in found)
        found.append(process.wait_for_line(rf"^{others}.*{LISTENS}")[1])
    return [url.replace("0.0.0.0", "127.0.0.1") for url in found]


def get(url: str, secret: str | None = None) -> httpx.Response:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return httpx.get(url, headers=headers, timeout=WITHIN)


def test_a_token_is_needed_and_with_it_the_api_may_listen_anywhere(
    start: Start, valkey: ValkeyServer, tmp_path: Path
) -> None:
    """The command line sends it; without one, or with a wrong one, it says what to do. No secret is told."""
    (tmp_path / "tokens").write_text(line(SECRET))
    common = ("--redis", valkey.url, "--log-level", "debug")
    files = ("--tokens-file", "tokens", "--spans-file", "spans")
    api = start("api", APP, *common, "--bind", "0.0.0.0:0", *files)
    [url] = urls(api, 1)

    def submit(**env: str) -> Process:
        process = start("submit", "trial.add", "left=1", "--api", url, **env)
        process.wait()
        return process

    known, unknown, none = submit(PENSTOCK_TOKEN=SECRET), submit(PENSTOCK_TOKEN=WRONG), submit()
    failures = start("failures", "--api", url, "--token", SECRET)
    past = start("history", "--api", url, PENSTOCK_TOKEN=SECRET)

    assert [process.wait() for process in (known, unknown, none, failures, past)] == [0, 2, 2, 0, 2]
    assert "this token is not known here. Set PENSTOCK_TOKEN, or give --token" in unknown.err[0]
    assert "a token is needed" in none.err[0]
    assert failures.out == ["no failures"]
    assert "without --history-url" in past.err[0]
    metrics = get(f"{url}/metrics", SECRET).text
    assert "penstock_api_tokens 1" in metrics
    assert 'penstock_api_refusals_total{reason="unknown"} 1' in metrics
    assert api.terminate() == 0, str(api)
    told = [*api.out, *api.err, *unknown.err, *none.err, metrics, (tmp_path / "spans").read_text()]
    assert "POST /v1/jobs" in told[-1]
    for word in (SECRET, WRONG, digest_of(SECRET), digest_of(WRONG)):
        assert word not in "\n".join(told)


def test_tokens_come_and_go_without_a_restart(start: Start, valkey: ValkeyServer, tmp_path: Path) -> None:
    """`penstock token` adds one; a broken file takes none away; a line removed is a token removed."""
    file = tmp_path / "tokens"
    file.write_text(line(SECRET))
    api = start(
        *("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0", "--log-format", "json"),
        PENSTOCK_TOKENS_FILE="tokens",
    )
    [url] = urls(api, 1)
    maker = start("token", "later", "--scope", "read", PENSTOCK_TOKENS_FILE="tokens")
    assert maker.wait() == 0, str(maker)
    [later] = maker.out

    api.wait_for_line('"event":"tokens read again".*"count":2')
    assert get(url, later).status_code == 200
    file.write_text(line(SECRET) + "{")
    api.wait_for_line('"event":"tokens cannot be read, the old ones stay valid".*line 2')
    assert [get(url, secret).status_code for secret in (SECRET, later)] == [200, 200]
    file.write_text(line(SECRET))
    api.wait_for_line('"event":"tokens read again".*"count":1')
    assert [get(url, secret).status_code for secret in (SECRET, later)] == [200, 401]
    assert api.terminate() == 0


def test_without_tokens_it_listens_to_this_machine_alone(start: Start, valkey: ValkeyServer) -> None:
    """Exit code 2 says what would be needed; a file of tokens that is broken is refused, too."""
    api = start("api", APP, "--redis", valkey.url, "--bind", "0.0.0.0:0")
    assert api.wait() == 2
    assert "tokens_file" in api.err[-1]
    broken = start("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0", "--tokens-file", "nowhere")
    assert broken.wait() == 2
    assert broken.err == ["penstock: tokens file nowhere: No such file or directory"]


@pytest.mark.parametrize("tokens", [False, True], ids=["open", "with tokens"])
def test_metrics_and_health_on_a_port_of_their_own(
    start: Start, valkey: ValkeyServer, tmp_path: Path, tokens: bool
) -> None:
    """No token is asked for there, and the API's own port has no metrics any more; its health it keeps."""
    (tmp_path / "tokens").write_text(line(SECRET))
    more = ("--tokens-file", "tokens") if tokens else ()
    api = start(
        *("api", APP, "--redis", valkey.url, "--bind", "127.0.0.1:0", "--metrics-bind", "0.0.0.0:0", *more)
    )
    probes, url = urls(api, 2)

    metrics = get(f"{probes}/metrics")
    assert metrics.status_code == 200
    assert "penstock_store_up 1" in metrics.text
    assert [
        get(f"{base}{path}").status_code for base in (probes, url) for path in ("/healthz", "/readyz")
    ] == [200] * 4
    assert get(f"{probes}/v1/queues").status_code == 404
    refused = get(f"{url}/metrics", SECRET)
    assert (refused.status_code, refused.json()["detail"]) == (404, "metrics are not served here")
    assert get(f"{url}/v1/queues", SECRET).json() == {"queues": []}
    assert get(f"{url}/v1/queues").status_code == (401 if tokens else 200)
    kept = get(f"{url}/v1/queues", SECRET).headers["Cache-Control"]
    assert kept == "private, max-age=1"
    # In the other format, because the first answer is given again for a second.
    open_metrics = httpx.get(f"{probes}/metrics", headers={"Accept": "application/openmetrics-text"})
    assert 'penstock_cache_reads_total{module="api",result="' in open_metrics.text
    assert api.terminate() == 0, str(api)


async def test_a_token_goes_to_the_api_alone() -> None:
    """Wherever that redirects to, nobody else hears it; one that cannot be is refused, and not quoted."""
    async with http_receiver() as elsewhere, http_receiver() as api:
        api.answers.append(Answer(302, {"Location": f"{elsewhere.url}/v1/jobs"}))
        elsewhere.answer = Answer(422, body=b'{"detail": "no"}')
        client = HttpClient(api.url, SECRET)
        with pytest.raises(InvalidRequest, match="no"):
            await trio.to_thread.run_sync(client.call, "GET", "/v1/jobs", Mapping)
    assert api.asked[0].headers["authorization"] == f"Bearer {SECRET}"
    assert "authorization" not in elsewhere.asked[0].headers
    with pytest.raises(ConfigurationError) as raised:
        HttpClient(api.url, f"{SECRET}\r\nHost: other")
    assert SECRET not in str(raised.value)
