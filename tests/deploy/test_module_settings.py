"""Settings of modules come from variables, typed, and what is wrong with one names it."""

from pathlib import Path

import msgspec
import pytest

from penstock.deploy.module_settings import read_module_settings, variable
from penstock.engine import Module
from penstock.engine.errors import ConfigurationError


class Inner(msgspec.Struct):
    size: int


class Settings(msgspec.Struct):
    url: str
    most: int = 3
    quick: bool = False
    sizes: list[int] = []
    inner: Inner | None = None
    folder: Path = Path()

    def __post_init__(self) -> None:
        if self.most < 0:
            raise ValueError("most must not be negative")


images = Module("shop.images", settings=Settings)
URL = {"PENSTOCK_MODULE_SHOP_IMAGES_URL": "s3://bucket"}


def read(**more: str) -> object:
    given = {variable("shop.images", name): text for name, text in more.items()}
    return read_module_settings([images, Module("plain")], URL | given)[Settings]


def test_each_field_is_read_as_what_it_is() -> None:
    """Texts, numbers and booleans plainly, what has parts as JSON."""
    assert read() == Settings("s3://bucket")
    given = {"most": "7", "quick": "true", "sizes": "[1, 2]", "inner": '{"size": 3}', "folder": "/a b"}
    assert read(**given) == Settings("s3://bucket", 7, True, [1, 2], Inner(3), Path("/a b"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"most": "many"}, "PENSTOCK_MODULE_SHOP_IMAGES_MOST: Expected `int`"),
        (
            {"sizes": "[1, null]"},
            r"PENSTOCK_MODULE_SHOP_IMAGES_SIZES: Expected `int`, got `null` - at `\$\[1\]`",
        ),
        ({"inner": "{"}, "PENSTOCK_MODULE_SHOP_IMAGES_INNER"),
        ({"most": "-1"}, "settings of module shop.images: most must not be negative"),
    ],
)
def test_what_is_wrong_names_the_variable(given: dict[str, str], why: str) -> None:
    """And what was expected."""
    with pytest.raises(ConfigurationError, match=why):
        read(**given)


def test_what_is_missing_is_named() -> None:
    """With the struct that says what it means."""
    with pytest.raises(ConfigurationError, match="needs PENSTOCK_MODULE_SHOP_IMAGES_URL; see Settings"):
        read_module_settings([images], {})
