"""Families' declarations are whole, survive a file, and are what docs/metrics.md says."""

import json
import re
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

import datamodules
import lightning_modules
from lightning_modules.declarations import SHARE, Direction, Family, Measure, Picture, StepCurve
from lightning_modules.records.reader import read_runs

DOCUMENTED = Path(__file__).parents[2] / "docs/metrics.md"
THINGS = Family("things", (Measure("a", "it", "-", headline=1),), "a", (StepCurve("a", "a"),))
every_family = pytest.mark.parametrize(
    "family", lightning_modules.families(), ids=lambda family: family.name
)


def table(family: Family) -> str:
    """The family's table in docs/metrics.md."""
    rows = [
        (f"`{m.name}`", m.header, m.sentence, m.unit, "" if m.better == "neither" else m.better)
        for m in family.measures
    ]
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
    head = ["| name | in tables | what | unit | better |", "|---|---|---|---|---|"]
    return "\n".join([*head, *lines]) + "\n"


@every_family
def test_the_documentation_has_every_measure(family: Family) -> None:
    written = table(family)
    assert written in DOCUMENTED.read_text(encoding="utf-8"), (
        f"docs/metrics.md must have this table:\n{written}"
    )


@every_family
def test_names_are_unique_and_what_is_referred_to_is_there(family: Family) -> None:
    names = [measure.name for measure in family.measures]
    assert len(set(names)) == len(names)
    assert family[family.criterion].better in ("higher", "lower"), "it chooses the best state"
    assert all(each.better in ("higher", "lower") and each.header for each in family.headlines)
    assert [each.headline for each in family.headlines] == [*range(1, len(family.headlines) + 1)]
    assert {curve.name for curve in family.curves} <= set(family.gathered)
    known = set(datamodules.__all__)
    assert {name for measure in family.measures for name in measure.benchmarks} <= known


@every_family
def test_a_declaration_survives_a_file(family: Family) -> None:
    assert Family.from_json(json.loads(json.dumps(family.to_json()))) == family


def test_what_newer_versions_declare_is_left_out() -> None:
    family = THINGS
    content = family.to_json() | {"invented": 1}
    content["measures"][0]["later"] = [2]
    assert Family.from_json(content) == family


@pytest.mark.parametrize(
    ("measure", "limits"),
    [
        (Measure("a", "", SHARE, "higher"), (0, 1)),
        (Measure("a", "", "-", from_zero=True), (0, inf)),
        (Measure("a", "", "-", "lower", perfect=2.0, from_zero=True), (2, inf)),
        (Measure("a", "", "-", "higher", perfect=2.0), (-inf, 2)),
        (Measure("a", "", "-", "higher", perfect=2.0, from_zero=True), (0, 2)),
        (Measure("a", "", "-"), (-inf, inf)),
    ],
)
def test_limits(measure: Measure, limits: tuple[float, float]) -> None:
    assert measure.limits == limits


@every_family
def test_what_is_never_negative_is_not_so_in_any_record(family: Family) -> None:
    """KLs, errors and their ratios are declared so; bounds and likelihoods are not."""
    named = {measure.name for measure in family.measures if measure.from_zero}
    assert named == {
        measure.name
        for measure in family.measures
        if re.match(r"kl|.*error(_|$)|coherence_ratio|returned_ratio|squared_z", measure.name)
        if measure.perfect is None
    }
    runs = read_runs([DOCUMENTED.parent / "records"]).runs
    values = [run.scalar(name) for run in runs if run.family.name == family.name for name in named]
    assert values and not any(value < 0 for value in values)


@pytest.mark.parametrize("missing", ["name", "measures", "criterion"])
def test_half_a_declaration_is_refused(missing: str) -> None:
    content = THINGS.to_json()
    del content[missing]
    with pytest.raises((KeyError, TypeError)):
        Family.from_json(content)


def test_a_criterion_that_nobody_measures_is_refused() -> None:
    content = replace(THINGS, criterion="b").to_json()
    with pytest.raises(KeyError, match="b"):
        Family.from_json(content)


def test_runs_of_several_versions_share_a_table() -> None:
    old = replace(THINGS, pictures=(Picture("x"),))
    new = replace(old, measures=(Measure("b", "new", "-"), *old.measures), pictures=(Picture("y"),))
    joined = old.joined([new])
    assert [measure.name for measure in joined.measures] == ["a", "b"]
    assert [picture.name for picture in joined.pictures] == ["x", "y"]
    assert old.joined([]) == old


def test_the_last_step_is_followed_beside_the_criterion() -> None:
    followed = {family.name: family.followed for family in lightning_modules.families()}
    assert followed == {
        "generative temporal models": ("bound", "kl_last_step"),
        "neural processes": ("nll",),
    }


@pytest.mark.parametrize(
    ("unit", "better", "label", "title"),
    (
        ("dB", "higher", "PSNR (dB)", "PSNR (dB, higher is better)"),
        ("-", "higher", "PSNR", "PSNR (higher is better)"),
        ("dB", "neither", "PSNR (dB)", "PSNR (dB)"),
        ("-", "neither", "PSNR", "PSNR"),
    ),
)
def test_plots_and_axes_name_the_unit(unit: str, better: Direction, label: str, title: str) -> None:
    measure = Measure("psnr", "it", unit, better, header="PSNR")
    assert (measure.label, measure.title) == (label, title)


def test_sentences_name_other_measures_by_their_headers() -> None:
    a = Measure("a", "`b` over `c`, by `cli.py oracle`", "-", header="A", headline=1)
    b, c = Measure("b", "`a` again", "-", header="B"), Measure("c", "of `d`", "-")
    d, e = Measure("d", "it", "-"), Measure("e", "of nothing", "-")
    family = replace(THINGS, measures=(a, b, c, d, e))
    assert family.explained([a]) == [a, b, c, d]
    assert family.in_words(a.sentence) == "B over c, by cli.py oracle"


@every_family
def test_a_sentence_in_a_tooltip_does_not_lean_on_another(family: Family) -> None:
    sentences = [measure.sentence for measure in family.columns]
    leaning = re.compile(r"^the same|that are not$")
    assert not [sentence for sentence in sentences if leaning.search(sentence)]
