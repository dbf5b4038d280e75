"""Settings that differ between runs."""

from collections.abc import Iterator, Sequence

from lightning_modules.names import counted, short_revision
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.run import Run
from lightning_modules.records.settings import differing
from lightning_modules.records.sizes import SIZES, size_in_words
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, join, tag
from lightning_modules.report.section import Section, name_cell, panel, scrolling

#: Settings of the machine, not of the experiment.
OF_THE_MACHINE = {
    "data.data_dir",
    "data.num_workers",
    "trainer.default_root_dir",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
}
LEAD = "One run per row, with the settings that differ between runs of the benchmark."
FACTS = {
    **SIZES,
    "wall_clock_seconds": "seconds of training",
    "revision": "revision",
}


def configuration(benchmarks: Sequence[BenchmarkRuns]) -> Section:
    """Return the section, with a table for each benchmark."""
    panels = [_panel(benchmark) for benchmark in benchmarks]
    return Section("configuration", "Runs and their settings", LEAD, panels)


def _panel(benchmark: BenchmarkRuns) -> Markup:
    keys = differing_settings(benchmark.runs)
    titles = ["run", "core", "seed", "training steps", *FACTS.values(), *keys]
    head = tag("thead", tag("tr", *(tag("th", title) for title in titles)))
    body = tag("tbody", *(_row(run, keys) for run in benchmark.runs))
    differ = counted(len(keys), "setting that differs", "settings that differ")
    subtitle = f"{counted(len(benchmark.runs), 'run')}, {differ}"
    table = scrolling(tag("table", head, body, class_="settings"))
    return panel(benchmark.label, subtitle, table, benchmark=benchmark.key)


def differing_settings(runs: Sequence[Run]) -> list[str]:
    """List the command-line keys whose values differ between runs."""
    keys = differing([run.settings for run in runs])
    return [key for key in keys if key not in OF_THE_MACHINE]


def _row(run: Run, keys: Sequence[str]) -> Markup:
    cells = join(tag("td", text) for text in _cells(run, keys))
    marks = Marks(run.contestant, [run.seed_name])
    return tag("tr", name_cell(run.name), cells, **marks.attributes())


def _cells(run: Run, keys: Sequence[str]) -> Iterator[str]:
    yield run.contestant
    yield run.seed_name
    yield f"{run.training_steps:,}"
    for fact in FACTS:
        yield size_in_words([run], fact) if fact in SIZES else _shown(run.facts.get(fact))
    for key in keys:
        yield str(run.settings[key]) if key in run.settings else ""


def _shown(fact: object) -> str:
    """Format a number without decimals, or a short revision."""
    return f"{fact:,.0f}" if isinstance(fact, int | float) else short_revision(str(fact or ""))
