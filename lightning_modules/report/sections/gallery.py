"""What runs make of the same sequence, side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import Variant, by_variant, seed_name
from lightning_modules.records.run import RunRecord
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.report.embedding import Embedded, left_out_of
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import Section, panel

#: Names in a run's ``pictures/``, the most telling first.
PICTURES = {
    "generations": "Reconstructed, and generated after a prefix",
    "visit_overlay": "A maze as it is generated",
    "functions": "Functions and their predictions",
    "completion": "Completed images",
    "imaginary_keys": "Imaginary keys of the memory",
}
LEAD = (
    "The same first sequences of the test set, with the same noise; of the validation set for runs "
    "that were only fitted."
)


def gallery(benchmarks: Sequence[BenchmarkRuns], embedded: Embedded) -> Section:
    """A panel for each benchmark and kind of picture."""
    kinds = [(benchmark, name) for name in PICTURES for benchmark in benchmarks]
    found = [p for kind in kinds for p in _panels(*kind, embedded)]
    return Section("gallery", "Samples", LEAD + left_out_of(embedded.budget), found)


def _panels(benchmark: BenchmarkRuns, name: str, embedded: Embedded) -> Iterator[Markup]:
    figures = [
        figure(run, variant, uri)
        for variant, run in first_seeds_first(benchmark)
        if (path := picture_of(run, name)) is not None and (uri := embedded.uri(path)) is not None
    ]
    if figures:
        row = tag("div", *figures, class_="row", tabindex="0")
        yield panel(benchmark.label, PICTURES[name], row, benchmark=benchmark.key)


def picture_of(run: RunRecord, name: str) -> Path | None:
    """That of the test set if there is one, else the newest of the validation set."""
    folder = RunFolder(run.folder).pictures
    kinds = folder / f"{name}_test.png", folder / f"{name}.png"
    return next(filter(Path.is_file, kinds), None)


def first_seeds_first(benchmark: BenchmarkRuns) -> list[tuple[Variant, RunRecord]]:
    """One run of each variant, then another of each: what has no room is repetition."""
    runs = [
        (place, variant, run)
        for variant in by_variant(benchmark.runs)
        for place, run in enumerate(sorted(variant.runs, key=seed_name))
    ]
    return [(variant, run) for _, variant, run in sorted(runs, key=lambda each: each[0])]


def figure(run: RunRecord, variant: Variant, uri: str) -> Markup:
    """A picture with what it is of."""
    caption = f"{variant.label}, seed {seed_name(run)}"
    picture = tag("img", src=uri, alt=caption, decoding="async")
    marks = Marks(run.core, [seed_name(run)])
    return tag("figure", tag("figcaption", caption), picture, **marks.attributes())
