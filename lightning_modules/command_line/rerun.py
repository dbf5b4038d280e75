"""``rerun``: repeats the step at which training diverged."""

import sys
import tempfile
from pathlib import Path
from typing import Any, get_type_hints

import lightning as L
import torch
import yaml
from torch.utils._pytree import tree_map_only

from lightning_modules.command_line.blueprint import Blueprint
from lightning_modules.command_line.command_parser import CommandParser
from lightning_modules.command_line.exit_status import DIVERGED
from lightning_modules.command_line.experiment_parser import ExperimentParser
from lightning_modules.command_line.usage_error import UsageError, nearest_file
from lightning_modules.diagnosis import Diagnosis, diagnose
from lightning_modules.noise import Moment
from lightning_modules.records.bundle import read_bundle
from lightning_modules.records.problems import Unreadable
from lightning_modules.records.run_folder import shown
from lightning_modules.speed.preparation import prepare
from lightning_modules.table import columns

DESCRIPTION = """\
Repeat the step at which training diverged, from the record in its run's
folder, diverged/step_N.pt. Print the first tensor and the first module that are
not finite, the sequences, and the largest values of each module.

Exit status 3: it diverges again. 0: it is finite this time."""


class Rebuilt(Blueprint):
    """Builds an experiment's model with weights, but reads no data."""

    def instantiate_classes(self) -> None:
        """Build on the CPU."""
        ExperimentParser.instantiate_classes(self)


def rerun(args: list[str]) -> None:
    """Repeat the step at which training diverged, and locate the divergence.

    Args:
        args: the record's path.
    """
    parser = CommandParser("rerun", DESCRIPTION)
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the record of the step")
    path: Path = parser.parse(args).bundle
    if not path.is_file():
        raise UsageError(f"there is no file {path}{nearest_file(str(path))}")
    try:
        bundle = read_bundle(path)
    except Unreadable as reason:
        raise UsageError(f"{shown(path)} {reason}") from reason
    diagnosis = repeat(bundle)
    print("\n".join(diagnosis.lines()))
    recorded = ", ".join(f"{loss:g}" for loss in bundle["losses"])
    if list(map(repr, diagnosis.losses)) != list(map(repr, bundle["losses"])):
        print(f"  recorded loss: {recorded}")
    print(f"\n{largest(diagnosis)}", flush=True)
    if diagnosis.tensor is not None:
        sys.exit(DIVERGED)


def repeat(bundle: dict[str, Any]) -> Diagnosis:
    """Rebuild the model of a bundle, and repeat its step.

    Raises:
        UsageError: this code cannot build the model.
    """
    device = "cuda" if bundle["device"] == "cuda" and torch.cuda.is_available() else "cpu"
    if device == "cpu":
        prepare()
    experiment = rebuilt(bundle["settings"])
    model = experiment.model
    try:
        model.load_state_dict(bundle["weights"])
    except RuntimeError as failure:
        raise UsageError(
            f"the record is from another version of {type(model).__name__}"
        ) from failure
    precision = L.Trainer(
        accelerator="gpu" if device == "cuda" else "cpu",
        devices=1,
        precision=experiment.settings.trainer.precision,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    ).precision_plugin
    precision.convert_module(model).to(device).train()
    kind = get_type_hints(type(model).training_step)["batch"]
    batches = [
        kind(*tree_map_only(torch.Tensor, lambda part: part.to(device), batch))
        for batch in bundle["batches"]
    ]
    # As in training, ids stay on the host.
    batches = [batch._replace(episode=batch.episode.cpu()) for batch in batches]
    moments = [Moment(*moment) for moment in bundle["moments"]]
    return diagnose(model, batches, moments, precision.train_step_context)


def rebuilt(settings: str) -> Rebuilt:
    """Build a run's model from its config.yaml, uncompiled, so that modules can be inspected."""
    content = yaml.safe_load(settings)
    if "compile" in content["model"]["init_args"]:
        content["model"]["init_args"]["compile"] = False
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return Rebuilt([f"--config={file}"], run=False)


def largest(diagnosis: Diagnosis) -> str:
    """Return a table of each module's largest absolute output and weight gradient."""
    modules = dict.fromkeys([*diagnosis.outputs, *diagnosis.gradients])
    parts = diagnosis.outputs, diagnosis.gradients
    rows = [[name, *(f"{p[name]:.3g}" if name in p else "-" for p in parts)] for name in modules]
    header = "module", "largest output", "largest gradient"
    return columns(header, rows, texts=1)
