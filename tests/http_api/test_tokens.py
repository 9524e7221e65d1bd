"""Tokens as they stand in a file, and how they are found."""

import json
from typing import Any

import pytest

from penstock.engine.errors import ConfigurationError
from penstock.http.token_book import TokenBook, digest_of, new_secret, read_tokens
from penstock.http.tokens import SCOPES

SECRET = "penstock_secret-of-shop"
SHOP: dict[str, Any] = {"name": "shop", "sha256": digest_of(SECRET), "scopes": ["submit"]}


def lines(*values: Any) -> bytes:
    return b"\n".join(v if isinstance(v, bytes) else json.dumps(v).encode() for v in values)


def test_a_file_has_a_token_on_each_line_and_comments_between() -> None:
    """What a line leaves out is the widest: any tenant, any user, any priority, for ever."""
    whole = {
        "name": "mail",
        "sha256": digest_of("other"),
        "scopes": ["read", "operate"],
        "tenant": "acme",
        "user": "ann",
        "max_priority": 3,
        "expires": "2027-01-31T12:00:00Z",
    }
    shop, mail = read_tokens(lines(b"# ours", SHOP, b"  ", whole, b""))
    assert (shop.name, shop.scopes, shop.max_priority) == ("shop", ("submit",), 9)
    assert (shop.tenant, shop.user, shop.expires) == (None, None, None)
    assert (mail.tenant, mail.user, mail.max_priority) == ("acme", "ann", 3)
    assert mail.expires is not None
    assert mail.expires.isoformat() == "2027-01-31T12:00:00+00:00"
    assert read_tokens(b"") == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "truncated"),
        (b"shop " + SECRET.encode(), "malformed"),
        (b"\xff", "malformed"),
        (b"[{}]", "object"),
        (SHOP | {"secret": SECRET}, "`secret`"),
        (SHOP | {"sha256": SECRET}, "64 of 0-9"),
        (SHOP | {"sha256": digest_of(SECRET).upper()}, "64 of 0-9"),
        (SHOP | {"scopes": ["submit", "admin"]}, "admin"),
        (SHOP | {"scopes": "submit"}, "scopes"),
        ({"name": "shop", "scopes": []}, "sha256"),
        (SHOP | {"name": ""}, "name"),
        (SHOP | {"tenant": ""}, "tenant"),
        (SHOP | {"user": "u" * 201}, "user"),
        (SHOP | {"max_priority": 10}, "max_priority"),
        (SHOP | {"expires": "2027-01-31T12:00:00"}, "expires"),
        (SHOP | {"name": "other"}, "stands on a line before"),
        (SHOP | {"sha256": digest_of("other")}, "stands on a line before"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_line_that_cannot_be_is_named_and_no_secret_quoted(line: Any, said: str) -> None:
    """Also where somebody put the secret itself into the file."""
    with pytest.raises(ConfigurationError) as raised:
        read_tokens(lines(SHOP, b"# and", line))
    assert str(raised.value).startswith("line 3: ")
    assert said in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_token_is_found_by_its_secret_alone() -> None:
    """Not by its digest, its name, or a part of it."""
    book = TokenBook(read_tokens(lines(SHOP)))
    found = book.find(SECRET.encode())
    assert found is not None
    assert found.name == "shop"
    for wrong in (b"", b"shop", SECRET[:-1].encode(), f"{SECRET} ".encode(), digest_of(SECRET).encode()):
        assert book.find(wrong) is None
    assert TokenBook().find(SECRET.encode()) is None


def test_secrets_are_long_and_never_the_same() -> None:
    """32 random bytes: 43 characters behind the prefix, and none that a header or a shell minds."""
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        assert len(secret) == len("penstock_") + 43
        assert secret.replace("-", "").replace("_", "").isalnum()


def test_scopes_are_those_of_the_command_line() -> None:
    """Said twice, so that --help is quick."""
    from penstock.deploy import new_token

    assert new_token.SCOPES == SCOPES
