"""Pictures of the same sequences by different runs, side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from lightning_modules.declarations import Picture
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import Group, by_group
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.report.embedding import Embedded, left_out_of
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import Section, panel

LEAD = (
    "The first sequences of the test set, with the same noise for all runs; of the validation set "
    "for runs that were not tested."
)


def gallery(benchmarks: Sequence[BenchmarkRuns], embedded: Embedded) -> Section:
    """Return the section, with a panel for each benchmark and kind of picture."""
    captioned = [[p for p in b.family.pictures if p.caption] for b in benchmarks]
    most = max(map(len, captioned), default=0)
    kinds = [
        (benchmark, pictures[place])
        for place in range(most)
        for benchmark, pictures in zip(benchmarks, captioned, strict=True)
        if place < len(pictures)
    ]
    panels = [p for kind in kinds for p in _panels(*kind, embedded)]
    return Section("gallery", "Samples", LEAD + left_out_of(embedded.budget), panels)


def _panels(benchmark: BenchmarkRuns, kind: Picture, embedded: Embedded) -> Iterator[Markup]:
    figures = [
        figure(run, group, uri)
        for group, run in first_seeds_first(benchmark)
        if (path := picture_of(run, kind.name)) is not None
        and (uri := embedded.uri(path)) is not None
    ]
    if figures:
        row = tag("div", *figures, class_="row", tabindex="0")
        yield panel(benchmark.label, kind.caption, row, benchmark=benchmark.key)


def picture_of(run: Run, name: str) -> Path | None:
    """Return the path of a run's picture: of the test if there is one, else of validation."""
    folder = RunFolder(run.folder).pictures
    kinds = (folder / f"{name}{end}" for end in ("_test.png", "_test.webp", ".png"))
    return next(filter(Path.is_file, kinds), None)


def first_seeds_first(benchmark: BenchmarkRuns) -> list[tuple[Group, Run]]:
    """List the first run of each group, then the second, ...: repetitions are cut first."""
    runs = [
        (place, group, run)
        for group in by_group(benchmark.runs)
        for place, run in enumerate(sorted(group.runs, key=lambda run: run.seed_name))
    ]
    return [(group, run) for _, group, run in sorted(runs, key=lambda each: each[0])]


def figure(run: Run, group: Group, uri: str) -> Markup:
    """Return a picture with its caption."""
    caption = f"{group.label}, seed {run.seed_name}"
    picture = tag("img", src=uri, alt=caption, decoding="async")
    marks = Marks(run.contestant, [run.seed_name])
    return tag("figure", tag("figcaption", caption), picture, **marks.attributes())
