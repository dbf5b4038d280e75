"""The figure of ``compare``: a curve for each group of runs on one benchmark."""

from collections.abc import Iterator, Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.names import in_words
from lightning_modules.pictures.curve_comparison import Backdrop, ModelCurve, curve_comparison
from lightning_modules.pictures.size_comparison import size_comparison
from lightning_modules.pictures.training_comparison import MeasureInTraining, training_comparison
from lightning_modules.records.benchmarks import BenchmarkRuns
from lightning_modules.records.groups import DASHES, Group
from lightning_modules.records.learning import learning
from lightning_modules.records.run import Run, Tested
from lightning_modules.records.run_folder import RunFolder, shown
from lightning_modules.records.scaling import scaling_families, slots_of, without_slots

LINE_STYLES = dict(zip(DASHES, ("-", "--", ":", "-."), strict=True))


def comparison_figure(
    benchmark: BenchmarkRuns, groups: Sequence[Group], against: str | None
) -> Figure:
    """Draw tests by step of a sequence, or validations by seconds of training.

    Args:
        benchmark: of the groups.
        groups: tested runs.
        against: "seconds" for validations, else tests.

    Raises:
        UsageError: there is nothing to draw.
    """
    if against == "seconds":
        label = f"validation's {benchmark.family.best_by.label}"
        curves = [by_seconds(group, benchmark.family.criterion) for group in groups]
        return curve_comparison(curves, Backdrop(label, False), *headings(groups, "Validation set"))
    tested = next(tests(groups))
    measured = f"{tested.benchmark.sequences:,} test sequences"
    curves = [curve for group in groups if (curve := by_step(group)) is not None]
    if not curves:
        raise UsageError("these runs have no curve; a page (--out FILE.html) shows the rest")
    return curve_comparison(curves, backdrop(benchmark, groups), *headings(groups, measured))


def training_figure(
    benchmark: BenchmarkRuns, groups: Sequence[Group], in_seconds: bool
) -> Figure | None:
    """Draw the measures that the family follows during training.

    Args:
        benchmark: of the groups.
        groups: tested runs.
        in_seconds: draw over training time if all runs had the same hardware, else over steps.

    Returns:
        None if a group has no validations in common.
    """
    hardware = {run.facts.get("hardware") for group in groups for run in group.runs}
    in_seconds = in_seconds and len(hardware) == 1 and None not in hardware
    panels = []
    for name in benchmark.family.followed:
        measure, curves = benchmark.family[name], []
        for group in groups:
            found = learning(group, name)
            if found is None or not found.values.mean.isfinite().any():
                break
            places = found.seconds if in_seconds else found.steps
            drawn = group._replace(runs=[run for run in group.runs if run.history is not None])
            curves.append(ModelCurve(*look_of(group, drawn), *found.values, places))
        if len(curves) == len(groups):
            main = benchmark.family.curves[0]
            last = name != benchmark.family.criterion
            label = f"{main.name.upper()} at the last step ({measure.unit})"
            label = label if last else measure.label
            panels.append(MeasureInTraining(label, measure.from_zero, curves))
    if not panels:
        return None
    measured = f"Validations; {hardware.pop()}" if in_seconds else "Validations"
    return training_comparison(panels, in_seconds, *headings(groups, measured))


def sizes_figure(benchmark: BenchmarkRuns, groups: Sequence[Group]) -> Figure | None:
    """Draw the criterion over the number of memory slots, and models without slots as levels.

    Args:
        benchmark: of the groups.
        groups: tested runs.

    Returns:
        None if no models differ only in their slots.
    """
    name = benchmark.family.criterion
    families = list(scaling_families(groups))
    if not families:
        return None
    curves = []
    for family in families:
        named, found = without_slots(family[0]), [member.scalar(name) for member in family]
        mean, margin = (torch.stack(parts) for parts in zip(*found, strict=True))
        places = torch.tensor([slots_of(member) for member in family])
        look = named.colour, named.marker, "-"
        curves.append(ModelCurve(f"{named.label}, {named.size}", *look, mean, margin, places))
    levels = [
        ModelCurve(*look_of(group, group), *(part.unsqueeze(0) for part in group.scalar(name)))
        for group in groups
        if slots_of(group) is None
    ]
    measured = f"{next(tests(groups)).benchmark.sequences:,} test sequences"
    label = benchmark.family.best_by.label
    return size_comparison(curves, levels, label, *headings(groups, measured))


def by_step(group: Group) -> ModelCurve | None:
    """Return the family's first curve, averaged over the group's tests; None if none has it."""
    name = group.runs[0].family.curves[0].name
    found = group.curve(name)
    return None if found is None else ModelCurve(*look_of(group, group.with_curve(name)), *found)


def by_seconds(group: Group, name: str) -> ModelCurve:
    """Return the validations' curve over training time.

    Raises:
        UsageError: a run lacks the validations' values or times, or no step is common to all runs.
    """
    for run in group.runs:
        require_validations(run, name)
    found = learning(group, name)
    if found is None:
        raise UsageError(f"{group.label}: its runs have no validation at the same training step")
    return ModelCurve(*look_of(group, group), *found.values, found.seconds)


def require_validations(run: Run, name: str) -> None:
    """Reject a run without the measure's validation values or their times."""
    path = RunFolder(run.folder).metrics if run.folder.is_dir() else run.path
    if run.history is None:
        of_folder = f"cannot read {shown(path)}"
        of_record = f"{shown(path)} is a record from a version that did not keep validations"
        raise UsageError(of_folder if run.folder.is_dir() else of_record)
    values = run.history.values.get(name)
    if values is None or not (values.isfinite() & run.history.seconds.isfinite()).any():
        raise UsageError(f"{shown(path)} has no val/{name} with its training seconds")


def look_of(group: Group, drawn: Group) -> tuple[str, str, str, str]:
    """Return the label, colour, marker and line style of a group.

    Args:
        group: with all of its runs.
        drawn: with only the runs in the curve.
    """
    of = group.size if len(drawn.runs) == len(group.runs) else f"{len(drawn.seeds)} of {group.size}"
    return f"{group.label}, {of}", group.colour, group.marker, LINE_STYLES[group.dash]


def backdrop(benchmark: BenchmarkRuns, groups: Sequence[Group]) -> Backdrop:
    """Return what all runs share, from the first one that has it."""
    family = benchmark.family
    main = family.curves[0]
    return Backdrop(
        main.label,
        main.from_zero,
        first_curve(groups, family.share),
        family.share_label,
        first_curve(groups, family.optimum),
        family.optimum_label,
    )


def first_curve(groups: Sequence[Group], curve: str) -> Tensor | None:
    """Return a curve of the first test that has it."""
    return next((test.curves[curve] for test in tests(groups) if curve in test.curves), None)


def tests(groups: Sequence[Group]) -> Iterator[Tested]:
    """Iterate over all tests of the groups."""
    return (run.tested for group in groups for run in group.runs if run.tested is not None)


def headings(groups: Sequence[Group], measured: str) -> tuple[str, str]:
    """Return the title (benchmark and source) and subtitle (measurement and training steps)."""
    runs = [run for group in groups for run in group.runs]
    benchmark = next(tests(groups)).benchmark
    title = f"{in_words(benchmark.name)}, {benchmark.steps} steps, {benchmark.source}"
    least, most = (f(run.training_steps for run in runs) for f in (min, max))
    trained = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    parts = [measured, f"{trained} training steps"]
    if len(runs) > len(groups):
        parts.append("mean over seeds, band: 95% interval")
    return title, "; ".join(parts)
