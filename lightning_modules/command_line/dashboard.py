"""``dashboard``: a W&B workspace that groups runs by model and memory core."""

from collections.abc import Sequence
from inspect import isabstract
from typing import TYPE_CHECKING, Any

import datamodules
import lightning_modules
import memory_cores
from lightning_modules.callbacks.logged_curves import TESTED, VALIDATED, step_of
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.expendable_logger import in_a_line
from lightning_modules.command_line.usage_error import UsageError, nearest
from lightning_modules.command_line.wandb_server import objection
from lightning_modules.declarations import Family
from lightning_modules.records.sizes import SIZES

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import BarPlot, LinePlot
    from wandb_workspaces.workspaces import Section, Workspace

DESCRIPTION = """\
Create a W&B workspace: test metrics and curves over steps by memory core, learning
curves against steps and seconds, samples, and training costs.

Runs are in W&B if they were trained while logged in, or after `wandb sync`."""
NAME = "Memory cores"
GROUP = "config.model"
#: W&B's own step counts log calls, not training steps.
STEPS = "trainer/global_step"
AXES = {STEPS: "training steps", "seconds": "seconds of training"}
#: Sweep agents do not test, so only validations cover all runs.
STAGES = {TESTED: "tests", VALIDATED: "last validation"}
DIRECTIONS = {"lower": ", lower is better", "higher": ", higher is better", "neither": ""}


def dashboard(args: list[str]) -> None:
    """Create a W&B workspace that compares memory cores.

    Args:
        args: options.
    """
    parser = CommandParser("dashboard", DESCRIPTION)
    parser.add_argument(
        "--wandb",
        metavar="ENTITY/PROJECT",
        help="the runs' project; without it, print the workspace as JSON (needs no account)",
    )
    parser.add_argument(
        "--benchmark",
        metavar="DATA",
        help="data class, such as MNISTMaze; default: average metrics over all",
    )
    options = parser.parse(args)
    valid = benchmarks()
    if options.benchmark not in (None, *valid):
        other = nearest(options.benchmark, valid)
        wrong = f"--benchmark: there is no {options.benchmark}{other}"
        raise UsageError(f"{wrong}\nvalid: {', '.join(valid)}")
    if options.wandb is None:
        print(as_json(workspace("ENTITY", "PROJECT", options.benchmark)))
        return
    entity, slash, project = options.wandb.partition("/")
    if not (entity and slash and project) or "/" in project:
        must = "--wandb: must be ENTITY/PROJECT, such as me/memory-cores"
        raise UsageError(f"{must}, got {options.wandb}")
    new = workspace(entity, project, options.benchmark)
    try:
        if problem := objection():
            raise UsageError(f"--wandb: {problem}")
        print(f"The workspace is {new.save().url}")
    except UsageError:
        raise
    except Exception as failure:  # W&B's client raises many kinds: no login, no such project, ...
        raise UsageError(f"--wandb: W&B refused the workspace: {in_a_line(failure)}") from failure


def workspace(entity: str, project: str, benchmark: str | None) -> "Workspace":
    """Build the workspace for one benchmark's runs, or for all, without sending it.

    Raises:
        UsageError: the package wandb-workspaces is not installed.
    """
    try:
        import wandb_workspaces.workspaces as ws
    except ImportError as failure:
        raise UsageError(
            "dashboard needs the package wandb-workspaces: pip install wandb-workspaces"
        ) from failure
    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=sections(),
        settings=ws.WorkspaceSettings(x_axis=STEPS, group_by_prefix="first"),
        runset_settings=ws.RunsetSettings(
            filters=[] if benchmark is None else [ws.Config("benchmark") == benchmark],
            groupby=[ws.Config("model")],
            group_colors=colours(),
        ),
    )


def as_json(new: "Workspace") -> str:
    """Return a workspace as JSON, as it would be sent."""
    # The client has no public way to inspect a workspace before it is saved.
    return new._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=2)


def benchmarks() -> list[str]:
    """Return the names of the concrete data modules."""
    named = ((name, getattr(datamodules, name)) for name in datamodules.__all__)
    kind = datamodules.BenchmarkDataModule
    return [name for name, found in named if issubclass(found, kind) and not isabstract(found)]


def colours() -> dict[object, object]:
    """Return the usual colour of every model with every core."""
    return {
        f"{model.__name__} {core.__name__}": (model.baseline_look or core.look).colour
        for model in lightning_modules.MODELS
        for core in memory_cores.CORES
    }


def sections() -> list["Section"]:
    """Return sections for the measures and pictures that the families declare."""
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    families = lightning_modules.families()
    learning = [
        line(f"val/{name}", f"{label} in validation, against {axis}", x)
        for name, label in headlines(families).items()
        for x, axis in AXES.items()
    ]
    costs = [
        line("train/sequences_per_second", "Speed, sequences per second", STEPS),
        bar("parameters", "Parameters"),
        bar("state_size", "Numbers carried from step to step"),
        wr.RunComparer(diff_only="split"),
    ]
    drawn = dict.fromkeys(p.name for family in families for p in family.pictures)
    parts: dict[str, list[Any]] = {
        "Tests": [bar(f"test/{name}", heading) for name, heading in results(families).items()],
        "Over the steps of a sequence": [
            line(f"{stage}/{name}", f"{label} at each step of a sequence, {found}", step_of(stage))
            for name, label in curves(families).items()
            for stage, found in STAGES.items()
        ],
        "Learning": learning,
        "Samples": [wr.MediaBrowser(media_keys=[f"pictures/{name}"]) for name in drawn],
        "Costs and settings": costs,
    }
    return [ws.Section(name=name, panels=panels, is_open=True) for name, panels in parts.items()]


def results(families: Sequence[Family]) -> dict[str, str]:
    """Return the headings of the measures in tables, by name."""
    return {
        measure.name: f"{measure.label}{DIRECTIONS[measure.better]}"
        for family in families
        for measure in family.columns
    }


def headlines(families: Sequence[Family]) -> dict[str, str]:
    """Return the labels of the measures that rank models, by name."""
    return {each.name: each.label for family in families for each in family.headlines}


def curves(families: Sequence[Family]) -> dict[str, str]:
    """Return the labels of the curves over steps and of their optima, by name."""
    found = {curve.name: curve.label for family in families for curve in family.curves}
    optima = {f.optimum: f"{f.curves[0].label}, {f.optimum_label}," for f in families if f.optimum}
    return found | optima


def line(metric: str, heading: str, x: str) -> "LinePlot":
    """Plot means over the runs of each core, with standard errors."""
    import wandb_workspaces.reports.v2 as wr

    return wr.LinePlot(
        title=heading,
        x=x,
        y=[metric],
        groupby=GROUP,
        groupby_aggfunc="mean",
        groupby_rangefunc="stderr",
        title_x=AXES.get(x, "step of the sequence"),
    )


def bar(metric: str, heading: str) -> "BarPlot":
    """Draw bars of a metric's mean over the runs of each core, with standard errors."""
    import wandb_workspaces.reports.v2 as wr

    return wr.BarPlot(
        title=heading,
        metrics=[wr.Config(metric) if metric in SIZES else metric],
        groupby=GROUP,
        groupby_aggfunc="mean",
        groupby_rangefunc="stderr",
    )
