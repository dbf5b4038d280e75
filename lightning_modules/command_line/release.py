"""``release``: writes a tested run as a small folder to publish, with a model card."""

import shlex
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from lightning_modules.callbacks.checkpoint_io import CheckpointFiles
from lightning_modules.command_line.checkpoint_check import read_checkpoint
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.names import short_revision
from lightning_modules.records.groups import by_group
from lightning_modules.records.kept import record_of
from lightning_modules.records.problems import NoRuns, Unreadable
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run import Run
from lightning_modules.records.run_folder import RunFolder, shown, write_text
from lightning_modules.table import markdown

DESCRIPTION = """\
Write a tested run as a folder to publish: its weights without the training state,
its settings, its test results, and a model card (README.md). `test`, `predict` and
`probe` accept the folder's checkpoint like a run's."""
#: Parts of a checkpoint that only training needs, or that reveal where it was trained.
OF_TRAINING = ("optimizer_states", "lr_schedulers", "loops", "callbacks")
CARD = "README.md"
#: The test's results; a repeated test writes results.json beside it.
RECORD = "record.json"


def release(args: list[str]) -> None:
    """Write a tested run as a small folder to publish.

    Args:
        args: the run's folder and the new one.
    """
    parser = CommandParser("release", DESCRIPTION)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a tested run")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="new folder to write to")
    options = parser.parse(args)
    folder = RunFolder(options.folder)
    if folder.path.exists():
        raise UsageError(f"{shown(folder.path)} exists; name a new folder")
    run = run_with_weights(options.run)
    own = RunFolder(run.folder)
    try:
        record = record_of(run)
    except Unreadable as reason:
        raise UsageError(f"{shown(run.folder)} {reason}") from reason
    checkpoint = read_checkpoint(own.best_checkpoint)
    files = CheckpointFiles()
    files.save_checkpoint(weights_of(checkpoint), folder.best_checkpoint)
    if files.failed is not None:
        raise UsageError(f"{shown(folder.path)} is not complete")
    write_text(folder.config, own.config.read_text(encoding="utf-8"))
    write_text(folder.path / RECORD, record)
    write_text(folder.path / CARD, card(run, folder))
    print(f"Released {shown(folder.path)}")


def run_with_weights(path: Path) -> Run:
    """Read a run that has weights.

    Raises:
        UsageError: the path is not one run, or the run has no weights.
    """
    try:
        found = read_runs([path])
    except NoRuns as reason:
        raise UsageError(str(reason)) from reason
    if len(found.runs) != 1:
        raise UsageError(f"{shown(path)} has {len(found.runs)} runs; name one run's folder")
    (run,) = found.runs
    if not RunFolder(run.folder).best_checkpoint.is_file():
        raise UsageError(f"{shown(path)} has no checkpoints/best.ckpt")
    return run


def weights_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return a checkpoint without the parts that only training needs."""
    return {name: value for name, value in checkpoint.items() if name not in OF_TRAINING}


def card(run: Run, folder: RunFolder) -> str:
    """Return the model card: what was trained, its test results, and how to use it."""
    tested = run.tested
    assert tested is not None, "record_of has required a test"
    (group,) = by_group([run])
    table = markdown(["measure", "test", "what"], list(measured(run)))
    path = Path(shown(folder.path))
    # The card is read on other machines, so it does not show an absolute path.
    published = RunFolder(Path(folder.run) if path.is_absolute() else path)
    checkpoint, config = (
        shlex.quote(str(file)) for file in (published.best_checkpoint, published.config)
    )
    trained = f"{tested.training_steps:,} steps, seed {run.seed_name}"
    facts = [f"{tested.facts['parameters']:,} parameters" if "parameters" in tested.facts else ""]
    facts += [str(tested.facts.get("hardware", ""))]
    if revision := tested.facts.get("revision"):
        facts.append(f"revision {short_revision(revision)}")
    return "\n".join(
        [
            f"# {group.label} on {tested.benchmark.name}",
            "",
            f"Trained for {trained}. {'; '.join(filter(None, facts))}.",
            "",
            f"Test results on {tested.benchmark}:",
            "",
            table,
            "",
            "```sh",
            f"python cli.py test --ckpt_path {checkpoint}",
            f"python cli.py predict --ckpt_path {checkpoint}",
            f"python cli.py fit --config {config}",
            "```",
            "",
            "The first line repeats the test, the second generates, the third trains such a model "
            "from scratch.",
            "",
        ]
    )


def measured(run: Run) -> Iterator[list[str]]:
    """Yield a row for each measure that tables show."""
    for measure in run.family.columns:
        value = run.scalar(measure.name)
        if isfinite(value):
            yield [measure.heading, f"{value:.{measure.digits}f}", measure.sentence]
