"""Filter form: checkboxes for benchmarks, cores and seeds."""

from collections.abc import Iterable, Sequence

from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import sample_line


def filters(benchmarks: Sequence[BenchmarkRuns]) -> Markup:
    """Return the form, with everything ticked."""
    runs = [run for benchmark in benchmarks for run in benchmark.runs]
    colours = {run.contestant: run.declared.colour for run in runs}
    seeds = sorted({run.seed_name for run in runs}, key=lambda name: (len(name), name))
    groups = [
        _group("benchmark", ((b.key, b.label, None) for b in benchmarks)),
        _group("core", ((core, core, colours[core]) for core in sorted(colours))),
        _group("seed", ((seed, seed, None) for seed in seeds)),
    ]
    form = tag("form", *groups, id="filters")
    return tag("details", tag("summary", "Filter"), form, class_="filters")


def _group(name: str, boxes: Iterable[tuple[str, str, str | None]]) -> Markup:
    labels = [
        tag(
            "label",
            tag("input", type="checkbox", name=name, value=value, checked=True),
            *([sample_line(colour)] if colour else []),
            label,
        )
        for value, label, colour in boxes
    ]
    return tag("fieldset", tag("legend", name.capitalize()), *labels)
