"""An interrupted run sees the sequences that it would have seen, and no others."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import lightning as L
import pytest
import torch

from datamodules import MNISTMaze
from datamodules.loading.loader import ahead


class Witness(L.LightningModule):
    """Remembers the sequences that it was given, by the sum of their pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[float] = []

    def training_step(self, batch, batch_idx):
        self.seen += batch.frames.sum((1, 2, 3, 4)).tolist()
        return self.weight * 0

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


def train(steps: int, folder: Path, workers: int, resume: Path | None = None) -> list[float]:
    model = Witness()
    trainer = L.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        default_root_dir=folder,
    )
    sizes = {"batch_size": 2, "train_size": 8, "val_size": 2, "test_size": 2}
    data = MNISTMaze(source="mnist5k", sequence_length=3, num_workers=workers, **sizes)
    trainer.fit(model, datamodule=data, ckpt_path=resume)
    trainer.save_checkpoint(folder / "stopped.ckpt")
    return model.seen


# Four batches an epoch: stopped in the first epoch, at its end, and in the second.
@pytest.mark.parametrize(("stop", "workers"), [(1, 0), (4, 0), (6, 0), (6, 2)])
def test_a_resumed_run_sees_what_an_uninterrupted_one_does(
    stop: int, workers: int, tmp_path: Path
) -> None:
    uninterrupted = train(11, tmp_path, 0)
    assert len(set(uninterrupted)) == 22
    before = train(stop, tmp_path, workers)
    after = train(11, tmp_path, workers, resume=tmp_path / "stopped.ckpt")
    assert before + after == uninterrupted


def test_other_processes_hand_a_batch_over_in_one_piece() -> None:
    settings = {"source": "mnist5k", "sequence_length": 3, "batch_size": 2, "train_size": 4}
    batches = {}
    for workers in (0, 1):
        data = MNISTMaze(num_workers=workers, val_size=2, test_size=2, **settings)
        data.setup()
        batches[workers] = [*data.train_dataloader(), *data.val_dataloader()]
    for alone, handed in zip(*batches.values(), strict=True):
        assert type(handed) is type(alone)
        assert all(torch.equal(a, b) for a, b in zip(alone, handed, strict=True))
        assert len({field.untyped_storage().data_ptr() for field in handed}) == 1
        assert len({field.untyped_storage().data_ptr() for field in alone}) > 1


def test_the_next_batch_is_fetched_while_one_is_trained_on() -> None:
    fetched = [threading.Event() for _ in range(3)]

    def batches() -> Iterator[int]:
        for number, event in enumerate(fetched):
            event.set()
            yield number
        raise ValueError("no more")

    coming = ahead(batches())
    assert next(coming) == 0
    assert fetched[1].wait(timeout=10) and not fetched[2].is_set()
    assert [next(coming), next(coming)] == [1, 2]
    with pytest.raises(ValueError, match="no more"):
        next(coming)


def test_a_loader_that_is_iterated_again_has_all_batches() -> None:
    """The iterator before need not have come to its end."""
    settings = {"source": "mnist5k", "sequence_length": 3, "batch_size": 2, "train_size": 12}
    data = MNISTMaze(num_workers=1, val_size=2, test_size=2, **settings)
    data.setup()
    loader = data.train_dataloader()
    first = iter(loader)
    next(first)
    assert len(list(loader)) == 6


def test_an_interrupted_wait_does_not_wait_for_a_batch() -> None:
    never = threading.Event()

    def batches() -> Iterator[int]:
        yield 0
        never.wait(timeout=30)
        yield 1

    coming = ahead(batches())
    assert next(coming) == 0
    ctrl_c = (threading.main_thread().ident, signal.SIGINT)
    threading.Timer(0.2, signal.pthread_kill, ctrl_c).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(coming)
    assert time.monotonic() - started < 10
    never.set()


#: Leaves an iterator with its worker, as scripts and notebooks do.
SCRIPT = """
from datamodules import PerfectRecall

if __name__ == "__main__":
    data = PerfectRecall(3, 2, source="mnist5k", batch_size=4, num_workers=1)
    data.setup()
    batches = iter(data.train_dataloader())
    print(len(next(batches).episode))
"""


def test_a_script_ends_although_its_workers_hear_no_signal(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    words = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(words, env=environment, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
    assert done.stderr == ""


#: Waits with a worker whose pipe is full, so that it would wait for ever for somebody to empty it.
TRAINER = """
import multiprocessing, time
from datamodules import MNISTMaze

if __name__ == "__main__":
    data = MNISTMaze(source="mnist5k", num_workers=1, batch_size=64)
    data.setup()
    batches = iter(data.train_dataloader())
    next(batches)
    print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyTorch's own check has to do")
def test_workers_die_with_their_trainer(tmp_path: Path) -> None:
    (tmp_path / "trainer.py").write_text(TRAINER, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    words = [sys.executable, str(tmp_path / "trainer.py")]
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE) as trainer:
        try:
            (worker,) = map(int, trainer.stdout.readline().split())
        finally:
            trainer.kill()
    until = time.monotonic() + 10
    while is_alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(worker)


def is_alive(number: int) -> bool:
    """Whether a process is there, and not only its entry that nobody has read."""
    try:
        status = Path(f"/proc/{number}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    return "(zombie)" not in status
