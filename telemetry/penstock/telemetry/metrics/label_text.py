"""Label values as they are kept and as they are written."""

from collections.abc import Sequence


def format_labels(names: Sequence[str], values: Sequence[str]) -> str:
    """Write `name="value"` pairs as both exposition formats want them, escaped."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))


def escape(value: str) -> str:
    """Escape a label value: backslash, line feed and double quote (text format 0.0.4, OpenMetrics 1.0)."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def as_text(value: object) -> str:
    """The label value as text that UTF-8 can carry; normalised before it becomes a key, so that no two
    series are written alike."""
    return str(value).encode("utf-8", "replace").decode()
