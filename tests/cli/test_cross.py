"""Every core trains in every family that takes one, on every benchmark of the family."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cli import ExperimentCLI
from memory_cores import CORES
from tests.cli.commands import ROOT, benchmark_of

#: Of each benchmark one experiment, by its stem.
EXPERIMENTS = {
    benchmark_of(path): path.stem
    for family in ("dnc_gtmm_*", "asnp_rmr_*", "atgqn_rmr_*")
    for path in sorted((ROOT / "conf").glob(f"{family}.yaml"))
    if "_without_" not in path.stem
}.values()
#: What the suite trains; the rest is for `-m cross`.
ALWAYS = "dnc_gtmm_maze", "dnc_gtmm_perfect_recall_l50", "asnp_rmr_gp_transfer"


def test_what_is_always_trained_is_there() -> None:
    assert len(EXPERIMENTS) == 12 and {*ALWAYS} <= {*EXPERIMENTS}


@pytest.mark.parametrize("core", [core.__name__ for core in CORES])
@pytest.mark.parametrize(
    "experiment",
    [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.cross) for name in EXPERIMENTS],
)
def test_every_core_trains(core: str, experiment: str, tiny: Callable[..., list[str]]) -> None:
    config = f"--config={Path('conf') / experiment}.yaml"
    cli = ExperimentCLI(tiny("fit", config, f"--model.memory={core}", "--trainer.fast_dev_run=2"))
    assert cli.trainer.global_step == 2
