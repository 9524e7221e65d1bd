"""The script of an installation that has the library only."""

import sys

import pytest

from penstock.deploy.entry import main


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the missing package and the command; no traceback."""
    monkeypatch.delitem(sys.modules, "penstock.deploy.cli", raising=False)
    monkeypatch.setitem(sys.modules, "click", None)  # as if it were not installed

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == (
        "penstock: the command line needs the package click; pip install 'penstock[server]'"
    )
