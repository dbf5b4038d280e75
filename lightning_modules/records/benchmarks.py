"""Runs that were measured on the same sequences: only these compare."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from lightning_modules.declarations import Family
from lightning_modules.names import in_words, setting_in_words
from lightning_modules.records.run import Run
from lightning_modules.records.settings import differing, short_names, told_apart

#: Settings of the data that leave the sequences as they are, or decide how many there are.
INCIDENTAL = {
    f"data.{name}"
    for name in (
        *("batch_size", "eval_batch_size", "num_workers", "data_dir"),
        *("train_size", "val_size", "test_size"),
    )
}


class BenchmarkRuns(NamedTuple):
    """All runs on one benchmark."""

    key: str  #: in the page: "b0", "b1", ...
    label: str
    runs: list[Run]

    @property
    def family(self) -> Family:
        """Declaration of its runs' family, joined where versions of this code differ."""
        declared = dict.fromkeys(run.family for run in self.runs)
        # The longest first: a measure that came later then stands at its place.
        first, *others = sorted(declared, key=lambda family: -len(family.measures))
        return first.joined(others)

    @property
    def details(self) -> str:
        """Test set, if any run was tested; else a note that none was."""
        tested = next((run.tested for run in self.runs if run.tested), None)
        return "No run has been tested yet" if tested is None else str(tested.benchmark)


def by_benchmark(runs: Iterable[Run]) -> list[BenchmarkRuns]:
    """Group runs that compare.

    Tested runs of a family compare if their test sets have the same hash. A run without a test goes
    with the tested runs whose data have the same settings.
    """
    groups: dict[Hashable, list[Run]] = {}
    keys: dict[Hashable, Hashable] = {}
    # Tested runs first: they tell which settings of the data belong to which test set.
    for run in sorted(runs, key=lambda run: run.tested is None):
        settings = _identity(run)
        tested = run.tested and (run.family.name, run.tested.benchmark)
        key = tested or keys.get(settings, settings)
        keys.setdefault(settings, key)
        groups.setdefault(key, []).append(run)
    found = list(groups.values())
    labelled = sorted(zip(_labels(found), found, strict=True), key=lambda pair: pair[0])
    return [BenchmarkRuns(f"b{i}", label, group) for i, (label, group) in enumerate(labelled)]


def _identity(run: Run) -> Hashable:
    settings = sorted(run.part("data").items())
    return run.family.name, *((k, repr(v)) for k, v in settings if k not in INCIDENTAL)


def _labels(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Label groups in words, with the settings that tell apart those of one class."""
    first = [group[0] for group in groups]
    short, full = (
        [_label(run, [other.part("data") for other in first], rule) for run in first]
        for rule in (told_apart, differing)
    )
    labels = [s if short.count(s) == 1 else f for s, f in zip(short, full, strict=True)]
    return [
        label if labels.count(label) == 1 else f"{label}, {_test_set(run, i)}"
        for i, (label, run) in enumerate(zip(labels, first, strict=True))
    ]


def _label(
    run: Run,
    others: Sequence[dict[str, object]],
    rule: Callable[[Sequence[Mapping[str, object]]], Sequence[str]],
) -> str:
    own = run.part("data")
    alike = [other for other in others if other["data"] == own["data"]]
    named = short_names([key for key in rule(alike) if key not in INCIDENTAL]).items()
    details = [f"{setting_in_words(short)} {own[key]}" for key, short in named if key in own]
    return ", ".join([in_words(str(own["data"])), *details])


def _test_set(run: Run, number: int) -> str:
    if run.tested is None:
        return f"data {number}"
    used = run.tested.benchmark
    return f"test set {used.sha256[:8]} of {used.sequences:,}"
