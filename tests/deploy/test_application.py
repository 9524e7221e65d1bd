"""An APP that loads, and what is said of one that does not."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.deploy.application import load_application
from penstock.engine import Registry
from penstock.engine.errors import ConfigurationError

Write = Callable[[str, str], Path]

GOOD = """
from penstock.engine import JobContext, Module, Registry
shop = Module("shop")
mail = Module("mail")
@shop.job
async def sell(ctx: JobContext, item: str) -> None: ...
@mail.job
async def send(ctx: JobContext, to: str) -> None: ...
both = [shop, mail]
registry = Registry(both)
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a module into the current directory, under a name that nobody has imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(name: str, source: str) -> Path:
        monkeypatch.delitem(sys.modules, name, raising=False)
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        return path

    return write


@pytest.mark.parametrize(
    ("attribute", "jobs"),
    [("shop", ["shop.sell"]), ("both", ["shop.sell", "mail.send"]), ("registry", ["shop.sell", "mail.send"])],
)
def test_module_list_and_registry(write: Write, attribute: str, jobs: list[str]) -> None:
    """APP may name a Module, a list of Modules or a Registry, found in the current directory."""
    write("app_good", GOOD)

    registry = load_application(f"app_good:{attribute}")

    assert isinstance(registry, Registry)
    assert [definition.name for definition in registry] == jobs


@pytest.mark.parametrize("name", ["", "app_good", "app_good:", ":shop"])
def test_no_colon(name: str) -> None:
    """Without a module, a colon and an attribute the message shows the form."""
    with pytest.raises(ConfigurationError, match=r"expected package\.module:attribute, like examples\."):
        load_application(name)


def test_no_such_module(write: Write, tmp_path: Path) -> None:
    """A module that does not exist is named, with the folder that was searched."""
    write("app_good", GOOD)

    with pytest.raises(ConfigurationError, match=f"no module 'app_goood' in {tmp_path}"):
        load_application("app_goood:shop")


def test_package_without_that_module(write: Write) -> None:
    """The part of a dotted name that is missing is the one that is named."""
    with pytest.raises(ConfigurationError, match=r"no module 'penstock\.nothing' in"):
        load_application("penstock.nothing:app")


def test_import_that_fails_inside(write: Write) -> None:
    """A module that fails to import is blamed with its own error, file and line."""
    path = write("app_failing", "import json\n\njson.loads('{')\n")

    with pytest.raises(ConfigurationError) as caught:
        load_application("app_failing:app")

    assert "module app_failing cannot be imported: json.decoder.JSONDecodeError: " in str(caught.value)
    path = write("app_zero", "x = 1\ny = x / 0\n")
    with pytest.raises(ConfigurationError) as caught:
        load_application("app_zero:app")
    assert str(caught.value).endswith(f"ZeroDivisionError: division by zero ({path}:2)")


def test_import_of_something_missing_inside(write: Write) -> None:
    """A module that imports what is not installed is not itself called missing."""
    path = write("app_needy", "\nimport no_such_library\n")

    with pytest.raises(ConfigurationError) as caught:
        load_application("app_needy:app")

    assert str(caught.value) == (
        "module app_needy cannot be imported: ModuleNotFoundError: No module named 'no_such_library' "
        f"({path}:2)"
    )


def test_syntax_error(write: Write) -> None:
    """A syntax error is told with the line it is on."""
    path = write("app_syntax", "x = 1\ndef :\n")

    with pytest.raises(ConfigurationError) as caught:
        load_application("app_syntax:app")

    assert (
        str(caught.value) == f"module app_syntax cannot be imported: SyntaxError: invalid syntax ({path}:2)"
    )


def test_module_that_exits(write: Write) -> None:
    """A script that calls `sys.exit` at import does not take us with it."""
    write("app_exits", "import sys\nsys.exit(3)\n")

    with pytest.raises(ConfigurationError, match="SystemExit: 3"):
        load_application("app_exits:app")


def test_missing_attribute(write: Write) -> None:
    """A misspelt attribute brings the near names; a far one those that would do."""
    write("app_good", GOOD)

    with pytest.raises(ConfigurationError, match="module app_good has no 'shopp'; did you mean shop"):
        load_application("app_good:shopp")
    with pytest.raises(ConfigurationError, match="has no 'xyz'; did you mean shop or mail or registry"):
        load_application("app_good:xyz")


@pytest.mark.parametrize(
    ("value", "kind"), [("7", "of type int"), ("[]", "empty"), ("'shop'", "of type str")]
)
def test_wrong_type(write: Write, value: str, kind: str) -> None:
    """What is neither Module nor list nor Registry is named by its type."""
    write("app_wrong", f"app = {value}\n")

    with pytest.raises(ConfigurationError, match=f"app_wrong:app is {kind}: expected a Module, a list"):
        load_application("app_wrong:app")


def test_job_declared_twice(write: Write) -> None:
    """Two modules of one name with one job are refused."""
    write(
        "app_twice",
        GOOD + "\nother = Module('shop')\nother.job(name='sell')(sell.function)\nall_ = [shop, other]\n",
    )

    with pytest.raises(ConfigurationError, match=r"job shop\.sell is declared by two modules"):
        load_application("app_twice:all_")


@pytest.fixture
def offered(tmp_path: Path, write: Write) -> None:
    """An installed package that offers the module `mail`."""
    write("app_offered", GOOD)
    package = tmp_path / "acme_mail-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mail\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[penstock.modules]\nmail = app_offered:mail\n")
    sys.path.insert(0, str(tmp_path))


@pytest.mark.usefixtures("offered")
def test_a_module_that_a_package_offers_is_found_by_its_name() -> None:
    """As APP, or beside it; one that comes twice counts once."""
    assert [job.name for job in load_application("mail")] == ["mail.send"]
    both = load_application("app_offered:shop", ("mail", "app_offered:both"))
    assert sorted(job.name for job in both) == ["mail.send", "shop.sell"]


@pytest.mark.usefixtures("offered")
def test_a_name_that_nobody_offers_is_told_with_those_that_are() -> None:
    """Beside the other form that it could have."""
    with pytest.raises(ConfigurationError, match=r"expected package\.module:attribute.*offer .*mail"):
        load_application("maul")
