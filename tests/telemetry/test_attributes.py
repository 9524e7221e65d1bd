"""Our copies of the semantic conventions' names, held against the package."""

import importlib

import pytest

from penstock.telemetry.traces import attributes

OURS = {
    name: value
    for name, value in vars(attributes).items()
    if name.isupper() and not name.startswith("PENSTOCK_") and name not in ("SCHEMA_URL", "ERROR_TYPE_OTHER")
}
MODULES = ("messaging", "http", "url", "network", "error")


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_name_is_the_conventions_name(name: str) -> None:
    """The string is what the conventions' package has under the same name."""
    area = name.partition("_")[0].lower()
    assert area in MODULES
    stable = (
        importlib.import_module(f"opentelemetry.semconv.attributes.{area}_attributes")
        if (area != "messaging")
        else None
    )
    incubating = importlib.import_module(f"opentelemetry.semconv._incubating.attributes.{area}_attributes")

    assert OURS[name] == getattr(stable, name, None) or OURS[name] == getattr(incubating, name)


def test_the_other_error_is_the_conventions_word() -> None:
    """`_OTHER` is defined by the conventions."""
    from opentelemetry.semconv.attributes.error_attributes import ErrorTypeValues

    assert ErrorTypeValues.OTHER.value == attributes.ERROR_TYPE_OTHER


def test_our_own_names_live_under_our_system() -> None:
    """The conventions ask it of everything that is one system's own."""
    ours = {value for name, value in vars(attributes).items() if name.startswith("PENSTOCK_")}

    assert {"penstock.kept"} == {name for name in ours if not name.startswith("messaging.penstock.")}
