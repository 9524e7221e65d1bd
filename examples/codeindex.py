"""An application as you would write one: index the standard library of the Python that runs it.

    python examples/codeindex.py

runs the demo: Valkey, an API and a worker as processes of their own, one job per file, submitted over HTTP.
Its story is told in demo.py.
"""

import ast
import sys
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

import structlog

from penstock.engine import Dead, JobContext, Module

index = Module("codeindex")
log = structlog.get_logger("codeindex")


@index.job(queue="codeindex", timeout=60)
def parse(ctx: JobContext, path: str) -> dict[str, int]:
    """Count what one file holds. A file that is no Python becomes a dead letter: trying again is no use."""
    warnings.filterwarnings("ignore", category=SyntaxWarning)  # those are for the file's authors
    try:
        with tokenize.open(path) as file:
            source = file.read()
        statements = list(nested(ast.parse(source)))
    except (SyntaxError, UnicodeDecodeError, RecursionError, MemoryError) as error:
        raise Dead(reason(error, path)) from error
    facts = {
        "lines": len(source.splitlines()),
        "functions": sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node, _ in statements),
        "classes": sum(isinstance(node, ast.ClassDef) for node, _ in statements),
        "depth": max((depth for _, depth in statements), default=0),
    }
    log.info("parsed", file=Path(path).name, **facts)
    return facts


def nested(tree: ast.AST) -> Iterator[tuple[ast.stmt, int]]:
    """Every statement, with the number of statements it stands in; an `elif` is as deep as its `if`."""
    todo = [(tree, 0)]
    while todo:
        node, depth = todo.pop()
        if isinstance(node, ast.stmt):
            yield node, depth
        for field in ("body", "handlers", "cases", "orelse", "finalbody"):
            todo += [
                (child, depth + (isinstance(node, ast.stmt) and not is_elif(node, child)))
                for child in getattr(node, field, ())
            ]


def is_elif(node: ast.AST, child: ast.AST) -> bool:
    """Whether `child` is an `elif` of `node`: Python's tree has it as an `if` inside the `else`."""
    return isinstance(node, ast.If) and isinstance(child, ast.If) and child.col_offset == node.col_offset


def reason(error: BaseException, path: str) -> str:
    """What is wrong with a file, without its path, which stands in the job's arguments."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text.replace(f' for {path!r}', '')}"


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script's path begins with its own folder
    from examples.demo import main

    sys.exit(main())
