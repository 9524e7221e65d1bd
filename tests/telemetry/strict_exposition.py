"""A strict reader of Prometheus text 0.0.4 and OpenMetrics 1.0, written from their specifications.

It shares nothing with the renderer it checks. Anything that Prometheus would refuse, and what the
specifications forbid though Prometheus shrugs, raises `Malformed`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]Inf|NaN")
ESCAPES = {"\\": "\\", "n": "\n", '"': '"'}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


class Malformed(ValueError):
    """The text is no exposition."""


@dataclass
class Sample:
    """One line."""

    name: str
    labels: dict[str, str]
    value: float
    exemplar: tuple[dict[str, str], float] | None = None


@dataclass
class ReadFamily:
    """A metric with its samples."""

    kind: str
    help: str
    samples: list[Sample] = field(default_factory=list[Sample])

    def value(self, **labels: str) -> float:
        """The value of the one sample with these labels."""
        (found,) = [sample.value for sample in self.samples if sample.labels == labels]
        return found


class _Reader:
    def __init__(self, text: str, openmetrics: bool) -> None:
        self.text, self.at, self.openmetrics = text, 0, openmetrics

    def take(self, expected: str) -> None:
        if not self.text.startswith(expected, self.at):
            raise Malformed(f"expected {expected!r} at {self.at} of {self.text!r}")
        self.at += len(expected)

    def match(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise Malformed(f"expected {pattern.pattern} at {self.at} of {self.text!r}")
        self.at = match.end()
        return match[0]

    def peek(self, expected: str) -> bool:
        return self.text.startswith(expected, self.at)

    def quoted(self) -> str:
        self.take('"')
        value = ""
        while not self.peek('"'):
            if self.at >= len(self.text):
                raise Malformed(f"unterminated value in {self.text!r}")
            character = self.text[self.at]
            self.at += 1
            if character == "\\":
                if (escaped := self.text[self.at : self.at + 1]) not in ESCAPES or not escaped:
                    raise Malformed(f"invalid escape in {self.text!r}")
                character = ESCAPES[escaped]
                self.at += 1
            value += character
        self.take('"')
        return value

    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = {}
        self.take("{")
        while not self.peek("}"):
            if labels:
                self.take(",")
            name = self.match(LABEL)
            if name in labels:
                raise Malformed(f"label {name} twice in {self.text!r}")
            self.take("=")
            labels[name] = self.quoted()
        self.take("}")
        return labels

    def sample(self) -> Sample:
        name = self.match(NAME)
        labels = self.labels() if self.peek("{") else {}
        self.take(" ")
        value = float(self.match(NUMBER))
        exemplar = None
        if self.openmetrics and self.peek(" # "):
            self.take(" # ")
            exemplar_labels = self.labels()
            self.take(" ")
            exemplar = (exemplar_labels, float(self.match(NUMBER)))
            if self.peek(" "):
                self.take(" ")
                self.match(NUMBER)
        if self.at != len(self.text):
            raise Malformed(f"rubbish after the value in {self.text!r}")
        return Sample(name, labels, value, exemplar)


def read(body: bytes, *, openmetrics: bool) -> dict[str, ReadFamily]:
    """The families of an exposition by name; raises `Malformed`."""
    text = body.decode("utf-8", "strict")
    if not text.endswith("\n"):
        raise Malformed("the last line must end in a line feed")
    lines = text[:-1].split("\n")  # a line feed ends a line; nothing else does
    if openmetrics and lines.pop() != "# EOF":
        raise Malformed("OpenMetrics ends with # EOF")
    families = _gathered(_parsed(lines, openmetrics))
    for name, family in families.items():
        _check(name, family, openmetrics)
    return families


def _gathered(parsed: Iterator[tuple[str, "ReadFamily | Sample"]]) -> dict[str, ReadFamily]:
    families: dict[str, ReadFamily] = {}
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for name, part in parsed:
        if isinstance(part, ReadFamily):
            if name in families:
                raise Malformed(f"{name} is described twice or its samples are torn apart")
            families[name] = part
            continue
        key = (part.name, tuple(sorted(part.labels.items())))
        if key in seen:
            raise Malformed(f"the same series twice: {key}")
        seen.add(key)
        families[name].samples.append(part)
    return families


def _parsed(lines: list[str], openmetrics: bool) -> Iterator[tuple[str, ReadFamily | Sample]]:
    """A family's name with the family for each pair of HELP and TYPE, with the sample for each sample."""
    current, current_kind, described = "", "", ("", "")
    for line in lines:
        if line.startswith("# HELP "):
            name, _, text = line[7:].partition(" ")
            described = (name, _unescape_help(text, openmetrics))
        elif line.startswith("# TYPE "):
            name, _, current_kind = line[7:].partition(" ")
            if name != described[0] or not NAME.fullmatch(name) or current_kind not in _kinds():
                raise Malformed(f"odd description {line!r}")
            current = name
            yield name, ReadFamily(current_kind, described[1])
        else:
            sample = _Reader(line, openmetrics).sample()
            if not current:
                raise Malformed(f"{sample.name} comes before any description")
            suffixes = SUFFIXES.get(current_kind) or (("_total",) if openmetrics else ("",))
            if sample.name not in {current + suffix for suffix in suffixes}:
                raise Malformed(f"{sample.name} does not belong to {current}, a {current_kind}")
            yield current, sample


def _kinds() -> set[str]:
    return {"counter", *SUFFIXES}


def _unescape_help(text: str, openmetrics: bool) -> str:
    known = ESCAPES if openmetrics else {"\\": "\\", "n": "\n"}

    def unescape(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise Malformed(f"invalid escape in help {text!r}")
        return known[match[1]]

    if openmetrics and re.search(r'(?<!\\)(\\\\)*"', text):
        raise Malformed(f"unescaped quotation mark in help {text!r}")
    return re.sub(r"\\(.?)", unescape, text)


def _check(name: str, family: ReadFamily, openmetrics: bool) -> None:
    for sample in family.samples:
        if sample.exemplar is not None:
            if not sample.name.endswith(("_bucket", "_total")):
                raise Malformed(f"{sample.name} may not carry an exemplar")
            if sum(len(key) + len(value) for key, value in sample.exemplar[0].items()) > 128:
                raise Malformed("exemplar labels exceed 128 characters")
        if family.kind == "counter" and sample.value < 0:
            raise Malformed(f"{name} is a counter below zero")
    if family.kind == "histogram":
        _check_histogram(name, family)
    if openmetrics and family.kind == "counter" and name.endswith("_total"):
        raise Malformed(f"the family {name} may not carry the suffix")


def _check_histogram(name: str, family: ReadFamily) -> None:
    series: dict[tuple[tuple[str, str], ...], dict[str, list[Sample]]] = {}
    for sample in family.samples:
        rest = tuple(sorted((key, value) for key, value in sample.labels.items() if key != "le"))
        series.setdefault(rest, {}).setdefault(sample.name.removeprefix(name), []).append(sample)
    for labels, parts in series.items():
        buckets = parts["_bucket"]
        bounds = [float(bucket.labels["le"]) for bucket in buckets]
        counts = [bucket.value for bucket in buckets]
        if bounds != sorted(set(bounds)) or bounds[-1] != float("inf"):
            raise Malformed(f"buckets of {name}{labels} out of order or without +Inf")
        if any(low > high for low, high in pairwise(counts)) or counts[-1] != parts["_count"][0].value:
            raise Malformed(f"buckets of {name}{labels} do not add up")
        for low, bucket in zip([float("-inf"), *bounds], buckets, strict=False):
            if bucket.exemplar and not low < bucket.exemplar[1] <= float(bucket.labels["le"]):
                raise Malformed(f"an exemplar of {name}{labels} lies outside its bucket")
