"""The example of the page runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy import create_engine, select

from penstock.engine.sql_outbox import TABLE

PAGE = Path(__file__).parents[2] / "docs/sql-outbox.md"


def test_the_example_of_the_page_submits_a_job(tmp_path: Path) -> None:
    """In a folder of its own, with what the page says has to be installed."""
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    module = tmp_path / "example.py"  # annotations of jobs are read from a module
    module.write_text(example)
    subprocess.run([sys.executable, module.name], check=True, timeout=60, cwd=tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    with engine.connect() as connection:
        [row] = connection.execute(select(TABLE))
    engine.dispose()
    assert (row.job, row.queue, row.args) == ("shop.ship", "orders", b"\x81\xa5order\x07")
