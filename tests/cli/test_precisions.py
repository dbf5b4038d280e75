"""Every family trains in every precision, with measures and figures in single precision."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from cli import ExperimentCLI, main

EXPERIMENTS = ("dnc_gtmm_maze", "vrnn_maze", "np_gp_sparse", "asnp_rmr_gp_sparse")
PRECISIONS = {
    "bf16-true": torch.bfloat16,
    "16-true": torch.float16,
    "64-true": torch.float64,
    "bf16-mixed": torch.float32,
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_family_trains_in_every_precision(
    tiny: Callable[..., list[str]], experiment: str, precision: str
):
    options = f"--trainer.precision={precision}", "--trainer.fast_dev_run=2"
    cli = ExperimentCLI(tiny("fit", f"--config=conf/{experiment}.yaml", *options))
    assert cli.trainer.global_step == 2
    assert {p.dtype for p in cli.model.parameters()} == {PRECISIONS[precision]}
    assert cli.model.validation_metrics.totals.dtype == torch.float32


@pytest.mark.pictures
def test_a_run_in_half_precision_is_measured_drawn_and_generated(fit: Callable[..., Path]):
    run = fit("--trainer.precision=bf16-true", "--trainer.val_check_interval=500")
    last = f"--ckpt_path={run / 'checkpoints/last.ckpt'}"
    main(["test", last])
    results = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert np.isfinite(results["scalars"]["bound"])
    assert {p.name for p in run.glob("pictures/*_test.png")} >= {"memory_film_test.png"}
    main(["predict", last])
    assert np.isfinite(np.load(run / "predictions.npz")["frames"]).all()
