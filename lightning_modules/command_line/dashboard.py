"""``dashboard``: a W&B workspace in which runs are grouped by model and memory core."""

from inspect import isabstract
from typing import TYPE_CHECKING, Any

import datamodules
import lightning_modules
import memory_cores
from lightning_modules.callbacks.logged_curves import TESTED, VALIDATED, step_of
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.usage_error import UsageError, nearest
from lightning_modules.sequence_model import SequenceModel

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import BarPlot, LinePlot
    from wandb_workspaces.workspaces import Section, Workspace

DESCRIPTION = """\
Make a workspace in W&B: test metrics and curves over steps by memory core, learning
curves against steps and seconds, samples, and what training costs.

Runs are in W&B when they were logged in, or after `wandb sync`."""
NAME = "Memory cores"
GROUP = "config.model"
#: Metrics in docs/metrics.md, with their headings.
RESULTS = {
    "test/bound": "Bound, nats per sequence (higher is better)",
    "test/recall_ratio": "KL of recalled steps over new ones (lower is better)",
    "test/read_correctness_best_head": "Best head's reads of the right step (higher is better)",
    "test/nll": "Target-NLL, nats per target (lower is better)",
    "test/nll_without_context": "The same, of steps without context (lower is better)",
    "test/gap_nll": "Gap to the optimum, nats per target (lower is better)",
    "test/gap_inferred_nll": "Gap to inferred kernels, nats per target (lower is better)",
}
#: Agents of a sweep do not test, so that only validations have all runs.
CURVES = {
    f"{TESTED}/kl": "KL at each step of a sequence in tests, nats",
    f"{VALIDATED}/kl": "KL at each step of a sequence in the last validation, nats",
    f"{TESTED}/nll": "Target-NLL at each step of a sequence in tests, nats",
    f"{VALIDATED}/nll": "Target-NLL at each step of a sequence in the last validation, nats",
    f"{TESTED}/optimal_nll": "Optimal target-NLL at each step of a test, nats",
}
LEARNING = {
    "val/bound": "Bound in validation, nats per sequence",
    "val/recall_ratio": "KL of recalled steps over new ones in validation",
    "val/nll": "Target-NLL in validation, nats per target",
}
PICTURES = ("generations", "memory_film", "kl_curve", "functions", "completion", "nll_curve")
#: W&B's own count of steps is of what was logged.
STEPS = "trainer/global_step"
AXES = {STEPS: "training steps", "seconds": "seconds of training"}


def dashboard(args: list[str]) -> None:
    """Make a W&B workspace that compares memory cores.

    Args:
        args: options.
    """
    parser = CommandParser("dashboard", DESCRIPTION)
    parser.add_argument("--wandb", metavar="ENTITY/PROJECT", required=True, help="where runs are")
    parser.add_argument(
        "--benchmark",
        metavar="DATA",
        help="class of the data, such as MNISTMaze; metrics of several are averaged without it",
    )
    given = parser.parse(args)
    entity, slash, project = given.wandb.partition("/")
    if not (entity and slash and project) or "/" in project:
        raise UsageError("--wandb: must be ENTITY/PROJECT, such as me/memory-cores")
    known = benchmarks()
    if given.benchmark not in (None, *known):
        other = nearest(given.benchmark, known)
        raise UsageError(f"--benchmark: there is no {given.benchmark}{other}")
    made = workspace(entity, project, given.benchmark)
    try:
        print(f"The workspace is {made.save().url}")
    except Exception as failure:  # W&B's client raises many kinds: no login, no such project, ...
        raise UsageError(f"--wandb: W&B refused the workspace: {failure}") from failure


def workspace(entity: str, project: str, benchmark: str | None) -> "Workspace":
    """Build the workspace of one benchmark's runs, or of all; nothing is sent.

    Raises:
        UsageError: the package that builds it is not installed.
    """
    try:
        import wandb_workspaces.workspaces as ws
    except ImportError as failure:
        raise UsageError(
            "dashboard needs the package wandb-workspaces: pip install --editable '.[dashboard]'"
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


def benchmarks() -> list[str]:
    """Names of the data modules that are no base classes."""
    named = ((name, getattr(datamodules, name)) for name in datamodules.__all__)
    kind = datamodules.BenchmarkDataModule
    return [name for name, found in named if issubclass(found, kind) and not isabstract(found)]


def colours() -> dict[object, object]:
    """Of every model with every core: the core's, as everywhere."""
    named = (getattr(lightning_modules, name) for name in lightning_modules.__all__)
    families = [found.__name__ for found in named if issubclass(found, SequenceModel)]
    cores = {core.__name__: core.look.colour for core in memory_cores.CORES}
    return {f"{family} {core}": cores[core] for family in families for core in cores}


def sections() -> list["Section"]:
    """Results, curves, learning, samples and costs."""
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    learning = [
        line(name, f"{heading}, against {axis}", x)
        for name, heading in LEARNING.items()
        for x, axis in AXES.items()
    ]
    costs = [
        line("train/sequences_per_second", "Speed, sequences per second", STEPS),
        bar("parameters", "Parameters"),
        wr.RunComparer(diff_only="split"),
    ]
    curves = [
        line(name, heading, step_of(name.partition("/")[0])) for name, heading in CURVES.items()
    ]
    pictures = [wr.MediaBrowser(media_keys=[f"pictures/{name}"]) for name in PICTURES]
    parts: dict[str, list[Any]] = {
        "Tests": [bar(name, heading) for name, heading in RESULTS.items()],
        "Over the steps of a sequence": curves,
        "Learning": learning,
        "Samples": pictures,
        "Costs and settings": costs,
    }
    return [ws.Section(name=name, panels=panels, is_open=True) for name, panels in parts.items()]


def line(metric: str, heading: str, x: str) -> "LinePlot":
    """Means over the runs of a core, with their standard errors."""
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
    """Likewise, of a single number."""
    import wandb_workspaces.reports.v2 as wr

    return wr.BarPlot(
        title=heading,
        metrics=[wr.Config(metric) if metric == "parameters" else metric],
        groupby=GROUP,
        groupby_aggfunc="mean",
        groupby_rangefunc="stderr",
    )
