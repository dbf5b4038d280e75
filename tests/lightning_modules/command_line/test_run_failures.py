"""What ended a run, in a line, if it is the user's to mend."""

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lightning_modules.command_line.run_failures import explain_run


@pytest.mark.parametrize(
    ("failure", "explanation"),
    [
        (MisconfigurationException("no `x`\n here"), "trainer: no x here"),
        (OSError(28, "No space left on device", "runs/metrics.csv"), "runs/metrics.csv: No space"),
        (OSError(13, "Permission denied"), "Permission denied"),
        (torch.OutOfMemoryError("Tried to allocate 20.00 GiB. GPU"), "20.00 GiB more were"),
        (MemoryError(), "out of memory; reduce data.batch_size"),
        (
            RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "),
            "is killed by signal: Killed: memory (or /dev/shm)",
        ),
        (
            RuntimeError("DataLoader worker (pid(s) 7, 8) exited unexpectedly"),
            "a data worker exited unexpectedly",
        ),
    ],
)
def test_what_the_user_can_mend(failure: Exception, explanation: str) -> None:
    said = explain_run(failure)
    assert said is not None and explanation in said


@pytest.mark.parametrize(
    "failure", [RuntimeError("shapes differ"), OSError(2, "No such file"), KeyError("x")]
)
def test_bugs_keep_their_traceback(failure: Exception) -> None:
    assert explain_run(failure) is None


def test_a_callback_is_named() -> None:
    stopping = EarlyStopping("val/nothing")
    with pytest.raises(RuntimeError) as raised:
        stopping._run_early_stopping_check(L.Trainer(logger=False, accelerator="cpu"))
    said = explain_run(raised.value)
    assert said is not None
    assert said.startswith("trainer.callbacks: EarlyStopping: Early stopping conditioned on")
