"""Runs that were measured on the same sequences, which alone compare."""

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from lightning_modules.declarations import Family
from lightning_modules.names import in_words
from lightning_modules.records.run import Run
from lightning_modules.records.settings import differing, short_names

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
        """What its runs declare, those of several versions together."""
        first, *others = dict.fromkeys(run.family for run in self.runs)
        return first.joined(others)

    @property
    def details(self) -> str:
        """The test set, if any run was tested; else where the numbers come from."""
        tested = next((run.tested for run in self.runs if run.tested), None)
        return "No run was tested yet" if tested is None else str(tested.benchmark)


def by_benchmark(runs: Iterable[Run]) -> list[BenchmarkRuns]:
    """Put runs together that compare.

    Tested runs of a family do if their test sets are the same, by the hash. A run without a test is
    put to the tested runs whose data have the same settings.
    """
    groups: dict[Hashable, list[Run]] = {}
    keys: dict[Hashable, Hashable] = {}
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
    """In words, with what tells each from others of its class."""
    first = [group[0] for group in groups]
    labels = [_label(run, [other.part("data") for other in first]) for run in first]
    return [
        label if labels.count(label) == 1 else f"{label}, {_test_set(run, i)}"
        for i, (label, run) in enumerate(zip(labels, first, strict=True))
    ]


def _label(run: Run, others: Sequence[dict[str, object]]) -> str:
    own = run.part("data")
    alike = [other for other in others if other["data"] == own["data"]]
    told_apart = [key for key in differing(alike) if key not in INCIDENTAL]
    named = short_names(told_apart).items()
    details = [f"{short}={own[key]}" for key, short in named if key in own]
    return ", ".join([in_words(str(own["data"])), *details])


def _test_set(run: Run, number: int) -> str:
    if run.tested is None:
        return f"data {number}"
    used = run.tested.benchmark
    return f"test set {used.sha256[:8]} of {used.sequences:,}"
