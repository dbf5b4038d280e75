"""Groups of runs that can be compared: those measured on the same sequences."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from lightning_modules.declarations import Family
from lightning_modules.names import in_words, setting_in_words
from lightning_modules.records.run import Run
from lightning_modules.records.settings import conflicting, differing, short_names

#: Data settings that do not change the sequences, or only their number.
INCIDENTAL = {
    f"data.{name}"
    for name in (
        *("batch_size", "eval_batch_size", "num_workers", "data_dir"),
        *("train_size", "val_size", "test_size"),
    )
}


class BenchmarkRuns(NamedTuple):
    """All runs on one benchmark."""

    key: str  #: identifier in the page: "b0", "b1", ...
    label: str
    runs: list[Run]

    @property
    def family(self) -> Family:
        """Family of its runs; declarations by different versions of the code are merged."""
        declared = dict.fromkeys(run.family for run in self.runs)
        # The longest first, so that measures added later keep their position.
        first, *others = sorted(declared, key=lambda family: -len(family.measures))
        return first.joined(others)

    @property
    def details(self) -> str:
        """Description of the test set, or a note that no run was tested."""
        tested = next((run.tested for run in self.runs if run.tested), None)
        return "No run has been tested yet" if tested is None else str(tested.benchmark)


def by_benchmark(runs: Iterable[Run]) -> list[BenchmarkRuns]:
    """Group runs that can be compared.

    Tested runs of a family are comparable if their test sets have the same hash. An untested run
    joins the tested runs with the same data settings.
    """
    groups: dict[Hashable, list[Run]] = {}
    keys: dict[Hashable, Hashable] = {}
    # Tested runs first: they map data settings to test sets.
    for run in sorted(runs, key=lambda run: run.tested is None):
        settings = _identity(run)
        tested = run.tested and (run.family.name, run.tested.benchmark)
        key = tested or keys.get(settings, settings)
        keys.setdefault(settings, key)
        groups.setdefault(key, []).append(run)
    runs_of = list(groups.values())
    labelled = sorted(zip(_labels(runs_of), runs_of, strict=True), key=lambda pair: pair[0])
    return [BenchmarkRuns(f"b{i}", label, group) for i, (label, group) in enumerate(labelled)]


def _identity(run: Run) -> Hashable:
    settings = sorted(run.part("data").items())
    return run.family.name, *((k, repr(v)) for k, v in settings if k not in INCIDENTAL)


def _labels(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Return a label for each group, with the settings that differ within its class."""
    first = [group[0] for group in groups]
    short, full = (
        [_label(run, [other.part("data") for other in first], rule) for run in first]
        for rule in (conflicting, differing)
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
    names = short_names([key for key in rule(alike) if key not in INCIDENTAL]).items()
    details = [f"{setting_in_words(short)} {own[key]}" for key, short in names if key in own]
    return ", ".join([in_words(str(own["data"])), *details])


def _test_set(run: Run, number: int) -> str:
    if run.tested is None:
        return f"data {number}"
    benchmark = run.tested.benchmark
    return f"test set {benchmark.sha256[:8]} of {benchmark.sequences:,}"
