"""The rules: the files are fresh, Prometheus takes them, each fires when it should, and each has its page."""

import re
from pathlib import Path

import pytest
from click import Command

from alerts.promql import check_expressions, promtool
from penstock.deploy.cli import cli
from prometheus.alerting.catalogue import UnknownMetric
from prometheus.alerting.files import ALERTS, RULES, operator_rule, rule_file
from prometheus.alerting.page import page
from prometheus.alerting.rule import Recording

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
UNIT_TESTS = sorted((PROMETHEUS / "tests").glob("*.yaml"))
NAMES = [alert.name for alert in ALERTS]


def test_the_files_are_fresh() -> None:
    """Run `python -m prometheus.alerting` after changing a rule."""
    assert (PROMETHEUS / "rules" / "penstock.yaml").read_text() == rule_file()
    assert (PROMETHEUS / "operator" / "prometheus-rule.yaml").read_text() == operator_rule()
    assert (ROOT / "docs" / "alerts.md").read_text() == page()


def test_both_kinds_of_files_hold_the_same_rules() -> None:
    """The operator's is the rule file, two columns to the right below its `spec`."""
    plain, operators = (text[text.index("groups:") :] for text in (rule_file(), operator_rule()))
    assert [line.strip() for line in plain.splitlines()] == [line.strip() for line in operators.splitlines()]


def test_links_lead_to_where_the_pages_are_kept() -> None:
    """Whoever keeps them elsewhere makes the files again with that address."""
    assert 'runbook_url: "https://wiki.example/penstock/PenstockNoWorkers.md"' in rule_file(
        "https://wiki.example/penstock"
    )


def test_prometheus_takes_the_rules() -> None:
    """All of them, templates included."""
    assert f"{len(RULES)} rules found" in promtool("check", "rules", PROMETHEUS / "rules" / "penstock.yaml")


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    """What `promtool test rules` computes for the series of each case."""
    assert "SUCCESS" in promtool("test", "rules", file)


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_is_tried_firing_and_silent(name: str) -> None:
    """In the unit tests there is a moment at which it fires, and one at which there is nothing of it."""
    text = "\n".join(file.read_text() for file in UNIT_TESTS)
    assert f'{{alertname="{name}", alertstate="firing"' in text or f"alertname: {name}\n" in text
    asked = rf'ALERTS\{{alertname="{name}"(,alertstate="firing")?\}}\'?, eval_time: \d+m, exp_samples: \[\]'
    assert re.search(asked, text)


def test_each_alert_has_its_page_and_each_page_its_alert() -> None:
    """Whoever is woken finds what to do; and no page is of an alert that was renamed."""
    assert sorted(NAMES) == [path.stem for path in PAGES]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_page_says_what_it_means_where_to_look_and_what_to_do(path: Path) -> None:
    """In this order, and shortly: it is three in the morning."""
    text = path.read_text()
    assert text.startswith(f"# {path.stem}\n\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Look", "Do", "Prevent"]
    assert len(text.splitlines()) <= 60
    for target in re.findall(r"\]\((\w+)\.md\)", text):
        assert target in NAMES


def test_what_pages_ask_prometheus_can_be_asked(tmp_path: Path) -> None:
    """Every line of every `promql` block: of metrics that there are, and in Prometheus' language."""
    asked = [line for path in PAGES for line in blocks(path, "promql")]
    assert len(asked) > len(PAGES)
    check_expressions(asked, tmp_path)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_on_pages_exist(path: Path) -> None:
    """`penstock failures --queue media`: the command, and each of its options."""
    for line in blocks(path, "sh"):
        words = line.split("|")[0].split()
        if words[0] == "penstock":
            command = cli.commands[words[1]]
            assert isinstance(command, Command)
            known = {name for parameter in command.params for name in parameter.opts}
            assert {word for word in words[2:] if word.startswith("--")} <= known


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("rate(penstock_jobs_begun_total[5m])", "penstock_jobs_begun_total is a metric of no process"),
        ('penstock_queue_jobs{status="ready"}', "penstock_queue_jobs has no label status"),
    ],
)
def test_a_rule_about_what_nobody_shows_cannot_be_made(expression: str, words: str) -> None:
    """So a metric or label that is renamed is noticed before an alert goes silent."""
    with pytest.raises(UnknownMetric, match=words):
        Recording("x", expression).as_yaml()


def blocks(path: Path, language: str) -> list[str]:
    """The lines of a page's blocks in that language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines() if line.strip()]
