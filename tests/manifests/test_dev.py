"""The overlay for development: its Redis keeps what it is given, and its token opens the API."""

import re
from base64 import b64decode

from manifests.kustomized import DEPLOY, ROOT, build, named
from penstock.http.token_book import TokenBook, read_tokens
from penstock.http.tokens import SCOPES
from support.processes import Start
from support.redis_server import valkey_server

DEV = "k8s/overlays/dev"
REDIS = (DEPLOY / DEV / "redis.conf").read_text()


def test_its_redis_passes_our_own_check(start: Start) -> None:
    """`penstock check` finds nothing to complain of in a server that runs with redis.conf."""
    settings = re.findall(r"^(?!dir)([a-z-]+) (.*)$", REDIS, re.MULTILINE)
    options = [word for name, value in settings for word in (f"--{name}", value.strip('"'))]
    with valkey_server(*options) as server:
        check = start("check", "--redis", server.url)
        assert check.wait() == 0, str(check)

    assert all(" ok " in line for line in check.out[1:]), str(check)


def test_redis_has_room_to_rewrite_its_log() -> None:
    """The pod may hold twice what Redis may: while it rewrites its log, what changes is there twice."""
    [container] = named(build(DEV), "StatefulSet", "redis")["spec"]["template"]["spec"]["containers"]
    [limit] = re.findall(r"^maxmemory (\d+)mb$", REDIS, re.MULTILINE)

    assert container["resources"]["limits"]["memory"] == "512Mi"
    assert int(limit) * 2 < 512


def test_its_token_opens_the_api() -> None:
    """The line is one that the API reads, and the secret of docs/kubernetes.md is its secret."""
    text = b64decode(named(build(DEV), "Secret", "penstock-tokens")["data"]["tokens.jsonl"])
    [secret] = re.findall(r"Bearer (\S+)'", (ROOT / "docs" / "kubernetes.md").read_text())

    [token] = read_tokens(text)

    assert TokenBook([token]).find(secret.encode()) is token
    assert token.scopes == SCOPES
