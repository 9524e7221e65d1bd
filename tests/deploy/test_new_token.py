"""`penstock token`: what it prints, what it adds to the file, and what it refuses."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from penstock.deploy.new_token import token
from penstock.engine.errors import ConfigurationError
from penstock.http.token_book import TokenBook, read_tokens
from penstock.http.tokens import Token
from support.processes import Start


def made(*options: str) -> Result:
    return CliRunner().invoke(token, options, catch_exceptions=False)


def found(path: Path, secret: str) -> Token | None:
    return TokenBook(read_tokens(path.read_bytes())).find(secret.encode())


def test_it_is_added_to_the_file_and_its_secret_printed_alone(tmp_path: Path) -> None:
    """The file, which only its owner may read, has what was asked for and never the secret."""
    path = tmp_path / "tokens"
    result = made(
        *("shop", "--scope", "submit", "--scope", "read", "--tenant", "acme", "--user", "ann"),
        *("--max-priority", "3", "--days", "30", "--tokens-file", str(path)),
    )
    secret = result.stdout.strip()
    one = found(path, secret)
    assert one is not None
    assert (one.name, one.scopes, one.tenant, one.user, one.max_priority) == (
        "shop",
        ("submit", "read"),
        "acme",
        "ann",
        3,
    )
    assert one.expires is not None
    assert abs(one.expires - datetime.now(UTC) - timedelta(days=30)) < timedelta(hours=1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in path.read_text()
    assert secret not in result.stderr


def test_lines_are_added_behind_what_is_there(tmp_path: Path) -> None:
    """Also where the last line has no end; comments and rights of the file stay."""
    path = tmp_path / "tokens"
    path.write_text("# ours")
    path.chmod(0o640)
    secrets = [
        made(name, "--scope", "read", "--tokens-file", str(path)).stdout.strip() for name in ("a", "b")
    ]
    assert path.read_text().startswith("# ours\n{")
    assert [getattr(found(path, secret), "name", None) for secret in secrets] == ["a", "b"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_without_a_file_the_line_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the secret, so that a shell can take that alone."""
    monkeypatch.delenv("PENSTOCK_TOKENS_FILE", raising=False)
    result = made("shop", "--scope", "read")
    line = result.stderr.splitlines()[-1]
    assert json.loads(line).keys() == {"name", "sha256", "scopes"}
    assert TokenBook(read_tokens(line.encode())).find(result.stdout.strip().encode()) is not None


@pytest.mark.parametrize(
    ("there", "said"), [('{"name"', "line 1: "), (None, "stands on a line before")], ids=["broken", "twice"]
)
def test_nothing_is_added_to_a_file_that_the_api_would_refuse(
    tmp_path: Path, there: str | None, said: str
) -> None:
    """It is as it was, and the reason is said."""
    path = tmp_path / "tokens"
    if there is None:
        made("shop", "--scope", "read", "--tokens-file", str(path))
    else:
        path.write_text(there)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match=said) as raised:
        made("shop", "--scope", "read", "--tokens-file", str(path))
    assert str(path) in str(raised.value)
    assert path.read_bytes() == before


def test_misuse_is_one_line(start: Start) -> None:
    """Exit code 2, for a scope that there is not, for none, and for days that cannot be."""
    for options, said in (
        (("--scope", "admin"), "'admin' is not one of"),
        ((), "Missing option '--scope'"),
        (("--scope", "read", "--days", "0"), "--days"),
        (("--scope", "read", "--days", "1e300"), "--days"),
        (("--scope", "read", "--tenant", ""), "tenant"),
        (("--scope", "read", "--tokens-file", "no/such/folder"), "No such file"),
    ):
        process = start("token", "shop", *options)
        assert process.wait() in (1, 2)
        assert (process.out, len(process.err)) == ([], 1), str(process)
        assert said in process.err[0]
