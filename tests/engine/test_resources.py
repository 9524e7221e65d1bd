"""What is there for jobs: found by type, or by what it is, and of each module its own."""

import pytest

from penstock.engine.resources import Resources


class Shelf:
    """There is one for each module."""

    def __init__(self, module: str = "") -> None:
        self.module = module

    def for_module(self, name: str) -> "Shelf":
        return Shelf(name)


class Drawer(Shelf):
    """Declared as what it is, found as a shelf."""


def test_a_module_is_always_given_the_same() -> None:
    """It is made once, whichever way it is asked for, and no other module is given it."""
    resources = Resources({Shelf: Shelf()})
    shop = resources.get(Shelf, "shop")
    assert shop.module == "shop"
    assert resources.get(Shelf, "shop") is shop
    assert resources.find(Shelf, "shop") is shop
    assert resources.pick({"shelf": Shelf}, "till")["shelf"].module == "till"


def test_what_is_added_later_takes_the_place_of_what_was_there() -> None:
    """Also for modules that were given the earlier one."""
    resources = Resources({int: 1})
    assert resources.get(int, "shop") == 1
    resources.add(int, 2)
    assert resources.get(int, "shop") == 2


def test_what_is_not_there_is_not_found() -> None:
    """By its type it is an error, by what it is there may be none."""
    resources = Resources({Drawer: Drawer()})
    with pytest.raises(LookupError):
        resources.get(Shelf, "shop")
    found = resources.find(Shelf, "shop")
    assert found is not None
    assert found.module == "shop"
    assert resources.find(int, "shop") is None
