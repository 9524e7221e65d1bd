"""Fingerprints: what makes two failures equal, and what does not."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.engine import fingerprint as rule
from penstock.engine.fingerprint import fingerprint


def raised(act: Callable[..., object], *args: object) -> BaseException:
    """What `act` raises."""
    try:
        act(*args)
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def of(act: Callable[..., object], *args: object, job: str = "shop.charge", home: str = "shop") -> str:
    """The fingerprint of what `act` raises."""
    return fingerprint(job, raised(act, *args), home)


def program(source: str, name: str = "shop", file: str = "/srv/shop/jobs.py") -> Callable[..., object]:
    """The function `run` of a module that stands in `file`."""
    names: dict[str, Callable[..., object]] = {"__name__": name}  # type: ignore[dict-item]
    exec(compile(source, file, "exec"), names)
    return names["run"]


CHARGE = """
def run(value):
    return look_up(value)
def look_up(value):
    raise KeyError(value)
"""


def test_it_is_sixteen_hex_digits() -> None:
    """Short enough to read out, long enough that 500 of them never meet."""
    assert len(of(divmod, 1, 0)) == 16
    int(of(divmod, 1, 0), 16)


def test_values_lines_and_folders_change_nothing() -> None:
    """The same defect with another value, after an edit elsewhere in the file, installed elsewhere."""
    first = program(CHARGE)
    moved = program("# an edit\n\n\n" + CHARGE, file="/home/ann/checkout/shop/jobs.py")
    assert of(first, "width") == of(moved, "height")


def test_another_process_says_the_same() -> None:
    """Nothing of it comes from hashing with a seed, from addresses or from the order of a set."""
    source = f"""
import sys
sys.path[:0] = {sys.path!r}
from engine.test_fingerprint import CHARGE, of, program, members
print(of(program(CHARGE), object()), of(members))
"""
    run = subprocess.run(
        [sys.executable, "-c", source],
        cwd=Path(__file__).parents[1],
        env={"PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.stdout.split() == [
        of(program(CHARGE), object()),
        of(members),
    ]


def members() -> None:
    """A nursery whose children failed side by side."""
    raise ExceptionGroup("two", [KeyError("a"), ValueError("b")])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CHARGE, CHARGE.replace("KeyError", "IndexError")),
        (CHARGE, CHARGE.replace("look_up", "find")),
        (CHARGE, CHARGE.replace("raise KeyError(value)", "raise KeyError from ValueError()")),
        (
            CHARGE.replace("raise KeyError(value)", "raise KeyError from ValueError()"),
            CHARGE.replace("raise KeyError(value)", "raise KeyError from OSError()"),
        ),
    ],
    ids=["type", "function", "cause", "type of the cause"],
)
def test_another_defect_is_another_failure(one: str, other: str) -> None:
    """Type, function and the types along the chain of causes tell failures apart."""
    first, second = program(one), program(other)
    assert of(first, 1) != of(second, 1)


def test_another_job_is_another_failure() -> None:
    """Whoever looks for what a job suffers from finds it under that job."""
    act = program(CHARGE)
    assert of(act, 1, job="shop.charge") != of(act, 1, job="shop.refund")


def test_how_deep_a_recursion_was_changes_nothing() -> None:
    """Two functions that call each other, left from either of them, after few calls or many."""
    source = """
def run(depth, limit=0):
    return even(depth)
def even(depth):
    return odd(depth - 1) if depth else fail()
def odd(depth):
    return even(depth - 1) if depth else fail()
def fail():
    raise ValueError
"""
    act = program(source)
    assert len({of(act, depth) for depth in (4, 5, 40, 401, 800)}) == 1


def test_a_stack_that_overflows_is_one_failure() -> None:
    """Wherever the recursion stands when Python puts an end to it."""
    act = program("def run(n):\n    return other(n + 1)\ndef other(n):\n    return run(n + 1)")

    inside = program("def run(act):\n    act(0)", "lib", "/venv/site-packages/lib.py")
    assert of(act, 0) == of(inside, act)


def test_what_happens_inside_a_library_changes_nothing() -> None:
    """It changes with its version; where the application called it from is what has to be mended."""

    def through(library: str) -> BaseException:
        inside = program(library, "httpx._client", "/venv/lib/python3.11/site-packages/httpx/_client.py")
        calling = program("def run(ask):\n    ask()")
        return raised(calling, inside)

    old = through("def run():\n    raise OSError")
    new = through("def run():\n    send()\ndef send():\n    raise OSError")
    assert fingerprint("a.b", old, "shop") == fingerprint("a.b", new, "shop")


def test_an_application_that_is_installed_is_not_a_library() -> None:
    """The job's own package counts wherever it lies: a wheel in a container, a checkout at home."""
    wheel = program(CHARGE, "shop.jobs", "/venv/lib/python3.11/site-packages/shop/jobs.py")
    checkout = program(CHARGE, "shop.jobs", "/home/ann/shop/jobs.py")
    nothing = fingerprint("shop.charge", KeyError(1), "shop")
    assert of(wheel, 1) == of(checkout, 1) != nothing


def test_generated_code_is_left_out() -> None:
    """Templates and generated methods have names with numbers in them, new ones each time."""
    calling = program("def run(act):\n    act()")
    one, other = (
        program(
            f"def run():\n    block_{number}()\ndef block_{number}():\n    raise KeyError", file="<template>"
        )
        for number in (1, 2)
    )
    assert of(calling, one) == of(calling, other)


def test_a_module_that_was_run_is_the_module_that_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """`__main__` is whatever it was started from."""
    imported = program(CHARGE, "jobs", "/srv/jobs.py")
    run = program(CHARGE, "__main__", "/srv/jobs.py")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    rule._module_of_ours.cache_clear()
    assert of(imported, 1, home="jobs") == of(run, 1, home="__main__")
    rule._module_of_ours.cache_clear()


def test_a_nursery_of_one_is_what_it_holds_and_one_of_several_has_no_order() -> None:
    """Which child fails first is chance."""
    key, value = raised({}.pop, "a"), raised(int, "b")
    alone = fingerprint("a.b", key)
    assert fingerprint("a.b", BaseExceptionGroup("one", [key])) == alone

    together = fingerprint("a.b", BaseExceptionGroup("two", [key, value]))
    assert together == fingerprint("a.b", BaseExceptionGroup("two", [value, key]))
    assert together == fingerprint("a.b", BaseExceptionGroup("three", [value, key, key])) != alone


def test_a_chain_without_end_has_one() -> None:
    """Exceptions that lead back to themselves, and loops that chain a thousand."""
    first, second = KeyError(), ValueError()
    first.__context__, second.__context__ = second, first
    assert fingerprint("a.b", first) != fingerprint("a.b", second)

    def chained(length: int) -> BaseException:
        error = KeyError()
        for _ in range(length):
            error.__context__, error = error.__context__, KeyError()
            error.__cause__ = first
        return error

    assert fingerprint("a.b", chained(3)) == fingerprint("a.b", chained(1000))
