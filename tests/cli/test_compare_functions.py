"""Comparing neural processes: the NLL, its optimum, memory cores and settings, other families."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli import main
from tests.cli.commands import cells

NLL = {0: [1.5, -0.5, 0.25], 1: [1.25, -0.75, 0.5]}
OPTIMUM = [-1.0, -1.25, -1.25]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes what `test` would of a neural process, and returns the run's folder."""

    def written(model: str, core: str, seed: int, nll: list[float | None], **memory: Any) -> Path:
        chosen = {"memory": {"class_path": f"memory_cores.{core}", "init_args": memory}}
        settings = {"hidden_size": 8} | (chosen if model == "ASNP" else {})
        scalars = {"nll": 0.5, "nll_with_context": -0.25, "nll_without_context": 1.5}
        same = {"gap_nll": 1.75, "mse": 0.01234}
        content = {
            "model": model,
            "memory": core,
            "scalars": {k: v + seed for k, v in scalars.items()} | same,
            "curves": {"nll": nll, "kl": [9.0] * 3, "context_share": [1, 1, 0]},
            "settings": {
                "model": {"class_path": f"lightning_modules.{model}", "init_args": settings},
                "data": {
                    "class_path": "datamodules.DriftingFunctions",
                    "init_args": {"test_size": 512},
                },
            },
            "data": {"source": "generated", "test_sha256": "c" * 64},
            "sequences": 512,
            "seed": seed,
            "global_step": 3000,
        }
        content["curves"] |= {"optimal_nll": OPTIMUM} if model == "ASNP" else {}
        details = "-".join(str(value) for value in memory.values())
        folder = tmp_path / "runs" / f"{model}-{core}{details}" / f"seed{seed}"
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
        return folder

    return written


def test_nll_is_averaged_over_seeds_beside_its_optimum(write, drawn, out, tmp_path: Path, capsys):
    for seed, nll in NLL.items():
        write("ASNP", "RMR", seed, nll)
    write("SNP", "ContextWindow", 0, [2.0, 2.0, None])
    main(["compare", f"{tmp_path}/runs", out])
    said = capsys.readouterr().out
    header = re.split(r"\s{2,}", said.splitlines()[0].strip())
    known = ["NLL", "with context", "without context", "gap to optimum", "MSE"]
    assert header == ["model", "core", "seeds", *known, "NLL from the reference"]
    rows = cells(said)
    mean = ["1.000 [-5.353, 7.353]", "0.250 [-6.103, 6.603]", "2.000 [-4.353, 8.353]"]
    alike = ["1.750 [1.750, 1.750]", "0.0123 [0.0123, 0.0123]"]
    assert rows["RMR"] == ["ASNP", "RMR", "2", *mean, *alike, "+0.000, no conclusion"]
    assert rows["ContextWindow"][:4] == ["SNP", "ContextWindow", "1", "0.500"]
    ((curves, backdrop, title, subtitle),) = drawn
    rmr, snp = curves
    values = np.array(list(NLL.values()))
    np.testing.assert_allclose(rmr.mean, values.mean(0), rtol=1e-6)
    np.testing.assert_allclose(rmr.margin, 12.706205 * values.std(0, ddof=1) / 2**0.5, rtol=1e-5)
    assert snp.mean.isnan().tolist() == [False, False, True]
    assert (rmr.name, snp.name) == ("ASNP (RMR), 2 seeds", "SNP, 1 seed")
    assert (rmr.colour, rmr.marker, snp.colour, snp.marker) == ("#D55E00", "P", "#4D4D4D", "d")
    assert backdrop.optimum.tolist() == OPTIMUM and "kernels" in backdrop.optimum_name
    assert backdrop.share.tolist() == [1, 1, 0] and "context" in backdrop.share_name
    assert "NLL" in backdrop.label and not backdrop.from_zero
    assert title == "Drifting functions, 3 steps, generated"
    assert subtitle.startswith("512 test sequences; 3,000 training steps; mean")
    assert (tmp_path / "pictures/kl.png").read_bytes().startswith(b"\x89PNG")


def test_sizes_of_memory_have_lines_of_their_own(write, drawn, out: str, tmp_path: Path):
    for slots in (9, 25):
        write("ASNP", "RMR", 0, NLL[0], slots=slots)
        write("ASNP", "ContextWindow", 0, NLL[1], slots=slots)
    main(["compare", f"{tmp_path}/runs", out])
    assert [curve.name for curve in drawn[0][0]] == [
        "ASNP (ContextWindow, slots=9), 1 seed",
        "ASNP (ContextWindow, slots=25), 1 seed",
        "ASNP (RMR, slots=9), 1 seed",
        "ASNP (RMR, slots=25), 1 seed",
    ]


def test_where_no_run_knows_the_optimum_there_is_none(write, drawn, out: str, tmp_path: Path):
    write("NP", "ContextWindow", 0, NLL[0])
    main(["compare", f"{tmp_path}/runs", out])
    assert drawn[0][1].optimum is None


def test_a_run_that_diverged_is_skipped(write, out: str, tmp_path: Path, complaint):
    write("NP", "ContextWindow", 0, [None] * 3)
    said = complaint("compare", f"{tmp_path}/runs", out)
    assert "has no finite NLL: training diverged" in said


def test_families_are_refused_together_in_one_line(write, out: str, tmp_path: Path, complaint):
    write("NP", "ContextWindow", 0, NLL[0])
    other = write("ASNP", "RMR", 0, NLL[0]) / "results.json"
    other.write_text(
        other.read_text(encoding="utf-8").replace('"ASNP"', '"GTMM"'), encoding="utf-8"
    )
    (said,) = complaint("compare", f"{tmp_path}/runs", out).splitlines()
    assert "neural processes" in said and "generative temporal models" in said
    assert not (tmp_path / "pictures").exists()


def write_metrics(run: Path, *rows: str) -> None:
    (run / "metrics.csv").write_text(
        "\n".join(("step,seconds,train/kl,val/nll", *rows)) + "\n", encoding="utf-8"
    )


def test_validations_are_drawn_against_seconds(write, drawn, out: str, tmp_path: Path):
    first, second = (write("ASNP", "RMR", seed, NLL[seed]) for seed in (0, 1))
    # A step of training, a validation that was repeated after a resume, one outside training.
    write_metrics(first, "4,,0.5,", "9,10,,2.0", "19,20,,9.0", "19,24,,1.0", "29,30,,0.5", "29,,,7")
    write_metrics(second, "9,12,,3.0", "19,22,,2.0")
    main(["compare", f"{tmp_path}/runs", out, "--against", "seconds"])
    (((curve,), backdrop, _, subtitle),) = drawn
    assert curve.places.tolist() == [11, 23], "at the steps that both runs have"
    assert curve.mean.tolist() == [2.5, 1.5]
    np.testing.assert_allclose(curve.margin, [12.706205 / 2] * 2)
    assert backdrop.share is None and backdrop.optimum is None and "NLL" in backdrop.label
    assert subtitle.startswith("Validation set; 3,000 training steps; mean over seeds")


def test_runs_without_seconds_are_named(write, out: str, tmp_path: Path, complaint):
    run = write("NP", "ContextWindow", 0, NLL[0])
    seconds = ("compare", str(run), out, "--against", "seconds")
    assert f"cannot read {run}/metrics.csv" in complaint(*seconds)
    (run / "metrics.csv").write_text("step,val/nll\n9,2.0\n", encoding="utf-8")
    assert f"{run}/metrics.csv has no val/nll with its training seconds" in complaint(*seconds)
    write_metrics(run, "9,10,,2.0")
    other = write("NP", "ContextWindow", 1, NLL[1])
    write_metrics(other, "8,10,,2.0")
    assert "no validation at the same training step" in complaint(*seconds, str(other))
    assert "--against" in complaint(*seconds[:3], "--against", "hours")
