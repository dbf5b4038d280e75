"""The README's tables have the numbers of docs/records, and bold those that it says."""

import re
from functools import cache
from pathlib import Path
from statistics import fmean

import pytest
from scipy.stats import sem, ttest_rel
from scipy.stats import t as student

from lightning_modules.records.groups import Group
from lightning_modules.records.groups import tested_groups as groups_tested
from lightning_modules.records.reader import read_runs

ROOT = Path(__file__).parents[1]
#: Column of the README: folder of records, and measure.
RECALL = {
    "perfect recall": ("perfect_recall_l10", "recall_ratio"),
    "one-shot recall": ("one_shot_recall", "recall_ratio_late"),
    "maze": ("maze", "recall_ratio_late"),
}
STATE = "state size, perfect recall"


def rows_of(section: str) -> list[dict[str, str]]:
    """Cells of the first table below a heading, by column."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n## {section}\n")[2]
    lines = re.findall(r"^\|(.*)\|$", text.partition("\n## ")[0], flags=re.M)
    header, _, *rows = ([cell.strip() for cell in line.split("|")] for line in lines)
    return [dict(zip(header, row, strict=True)) for row in rows]


@cache
def groups_of(benchmark: str) -> dict[str, Group]:
    """Groups of the seeds that tables report, by core, or by model where there is none."""
    runs = read_runs([ROOT / "docs/records" / benchmark]).runs
    found = groups_tested([run for run in runs if run.seed in (31, 32, 33)])
    return {re.findall(r"\w+", group.label)[-1]: group for group in found}


def number_of(group: Group, measure: str) -> str:
    """A mean with its interval, as the README writes it."""
    return group.number(group.runs[0].family[measure], 2)


def contestant(cell: str) -> str:
    """Class that a row begins with."""
    return re.findall(r"\w+", cell)[0]


def of_three_seeds(folder: str) -> dict[str, Group]:
    """Groups of a benchmark that are complete; others are in docs/results.md until then."""
    return {name: group for name, group in groups_of(folder).items() if group.size == "3 seeds"}


@pytest.mark.parametrize("column", RECALL)
def test_recall(column: str) -> None:
    """Rows are in the order of the first column; a dash stands for what is not trained yet."""
    (first, ranked), (folder, measure) = RECALL["perfect recall"], RECALL[column]
    means = {name: group.by_seed(ranked) for name, group in of_three_seeds(first).items()}
    rows = {contestant(row["memory"]): row for row in rows_of("What recalls?")}
    assert [*rows] == sorted(means, key=lambda name: sum(means[name].values()))
    groups = of_three_seeds(folder)
    for name, row in rows.items():
        number = number_of(groups[name], measure) if name in groups else "-"
        bold = name in groups and max(groups[name].by_seed(measure).values()) < 0.5
        expected = re.sub(r"^(\S+)", r"**\1**", number) if bold else number
        assert row[column] == expected, name


def separated(groups: dict[str, Group], measure: str) -> tuple[str, dict[str, float]]:
    """The best group, and p of the others: a t-test paired by seed, corrected as by Holm (1979)."""
    values = {
        name: [group.by_seed(measure)[seed] for seed in (31, 32, 33)]
        for name, group in groups.items()
    }
    best = min(values, key=lambda name: sum(values[name]))
    others = values.keys() - {best}
    plain = {name: float(ttest_rel(values[name], values[best]).pvalue) for name in others}
    corrected, least = {}, 0.0
    for rank, name in enumerate(sorted(plain, key=plain.__getitem__)):
        corrected[name] = least = max(least, (len(plain) - rank) * plain[name])
    return best, corrected


#: Those that the text says are not separated from the best, by column.
LEVEL = {
    "one-shot recall": {"NTM", "Introspection", "DNC"},
    "maze": {"Hybrid", "DNC", "ContextWindow", "NTM", "LRU"},
}


@pytest.mark.parametrize("column", LEVEL)
def test_who_is_not_separated_from_the_best(column: str) -> None:
    folder, measure = RECALL[column]
    best, p = separated(of_three_seeds(folder), measure)
    assert {best, *(name for name in p if p[name] >= 0.05)} == LEVEL[column]


def test_who_is_separated_from_the_best_in_perfect_recall() -> None:
    best, p = separated(of_three_seeds("perfect_recall_l10"), "recall_ratio")
    behind = {name for name in p if p[name] < 0.05}
    assert best == "NTM"
    cores = {"DNC", "Hybrid", "TransformerCache", "BayesianRegression", "DKM", "RMR"}
    assert behind == {*cores, "VRNN", "NoMemory"}


#: In the order of the text.
ROOMS = ("NTM", "DNC", "LRU", "Introspection", "VRNN")


def test_rooms() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## What remembers")[2]
    groups = [groups_of("rotation")[name] for name in ROOMS]
    written = [number_of(group, "recall_ratio") for group in groups]
    found = re.findall(r"[\d.]+ \[[\d.]+, [\d.]+\]", " ".join(text.partition("\n## ")[0].split()))
    assert found == written and {group.size for group in groups} == {"3 seeds"}


def test_state_sizes() -> None:
    groups = groups_of("perfect_recall_l10")
    for row in rows_of("What recalls?"):
        sizes = {run.facts["state_size"] for run in groups[contestant(row["memory"])].runs}
        assert row[STATE] == " to ".join(f"{size:,}" for size in sorted(sizes))


def processes() -> dict[str, Group]:
    """Groups of neural processes, by the names of the README's rows."""
    runs = read_runs([ROOT / "docs/records/gp_transfer"]).runs
    named = {}
    for group in groups_tested(runs):
        # The paper's own ASNP with a window has its recurrent path, too.
        paths = group.runs[0].settings.get("model.recurrent_path")
        chosen = "ASNP-W" if paths else group.core if group.model == "ASNP" else group.model
        named[chosen] = group
    return named


#: Column of the README, and measure.
FUNCTIONS = {
    "while there are points": "nll_with_context",
    "after the last points": "nll_without_context",
}


def test_functions() -> None:
    """Bold is the best mean."""
    groups = processes()
    rows = {
        re.findall(r"[\w-]+", row["model"])[0]: row
        for row in rows_of("What predicts functions that drift?")
    }
    assert {*rows} == {*groups}
    for column, measure in FUNCTIONS.items():
        numbers = {name: number_of(group, measure) for name, group in groups.items()}
        best = min(numbers, key=lambda name: float(numbers[name].partition(" ")[0]))
        numbers[best] = re.sub(r"^(\S+)", r"**\1**", numbers[best])
        assert {name: row[column] for name, row in rows.items()} == numbers
    for name, group in groups.items():
        assert group.size == "3 seeds"
        (size,) = {run.facts["state_size"] for run in group.runs}
        assert rows[name]["state size"] == ("all points" if size is None else f"{size:,}")


def test_the_lead_of_rmr() -> None:
    """The text has the next best model's difference, and the largest corrected p."""
    groups = processes()
    best, p = separated(groups, "nll")
    assert best == "RMR"
    own = groups[best].by_seed("nll")
    others = [group.by_seed("nll") for name, group in groups.items() if name != best]
    leads = [[values[seed] - own[seed] for seed in own] for values in others]
    least = min(leads, key=fmean)
    low, high = student.interval(0.95, 2, fmean(least), sem(least))
    lead = f"{fmean(least):.2f} [{low:.2f}, {high:.2f}] nats (p = {max(p.values()):.3f} at most"
    assert lead in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
