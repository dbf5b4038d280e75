"""Lightning's tuners: their results are trained with, recorded, and restored on resume."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from cli import main

FINDERS: dict[str, dict[str, Any]] = {
    "LearningRateFinder": {"num_training_steps": 40, "min_lr": 1e-4, "max_lr": 0.3},
    "BatchSizeFinder": {"max_trials": 2, "steps_per_trial": 1},
}


def last(runs: Path, run: str) -> dict[str, Any]:
    return torch.load(runs / f"snp/{run}/checkpoints/last.ckpt", weights_only=True)


def test_what_is_tuned_is_recorded_and_goes_on_exactly(
    tiny: Callable[..., list[str]], runs: Path, tmp_path: Path
) -> None:
    path = "lightning.pytorch.callbacks."
    callbacks = [{"class_path": path + name, "init_args": FINDERS[name]} for name in FINDERS]
    file = tmp_path / "tuned.yaml"
    file.write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}), encoding="utf-8")
    words = ["--config=conf/snp_gp_sparse.yaml", f"--config={file}", "--experiment=snp"]
    words.append("--model.decay=false")  # else the rate follows the length of the training
    main(tiny("fit", *words, "--run=whole", "--trainer.max_steps=7"))
    main(tiny("fit", *words, "--run=parts", "--trainer.max_steps=3"))
    config = runs / "snp/parts/config.yaml"
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    rate = settings["model"]["init_args"]["learning_rate"]
    assert rate not in (0.002, 0.004) and settings["data"]["init_args"]["batch_size"] == 4
    main(["fit", f"--ckpt_path={runs}/snp/parts/checkpoints/last.ckpt", "--trainer.max_steps=5"])
    # As a scheduler repeats the first command: nothing is tuned again.
    main([*tiny("fit", *words, "--run=parts", "--trainer.max_steps=7"), "--ckpt_path=last"])
    whole, parts = (last(runs, name) for name in ("whole", "parts"))
    for each in (whole, parts):
        (group,) = each["optimizer_states"][0]["param_groups"]
        assert group["initial_lr"] == each["hyper_parameters"]["learning_rate"] == rate
        assert each["DriftingFunctions"]["next_episode"] == 7 * 4
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    assert settings["model"]["init_args"]["learning_rate"] == rate
    # The command line overrides tuned values.
    words = [f"--ckpt_path={runs}/snp/parts/checkpoints/last.ckpt", "--model.learning_rate=0.003"]
    main(["fit", *words, "--trainer.max_steps=8"])
    named = last(runs, "parts")
    assert named["optimizer_states"][0]["param_groups"][0]["initial_lr"] == 0.003
    assert named["DriftingFunctions"]["next_episode"] == 8 * 4
    for name, value in whole["state_dict"].items():
        assert torch.equal(parts["state_dict"][name], value), name
