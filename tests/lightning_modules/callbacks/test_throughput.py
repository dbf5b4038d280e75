"""Speed of training and its memory, without first steps and validations."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch

from lightning_modules.callbacks.throughput import Throughput


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


def start(throughput: Throughput, step: int = 0) -> None:
    model = SimpleNamespace(device=torch.device("cpu"))
    throughput.on_train_start(SimpleNamespace(global_step=step), model)


def train(
    throughput: Throughput, clock: Clock, seconds: list[float], first: int = 0, accumulated: int = 1
) -> MagicMock:
    """Batches of 4 on 2 devices that end after so many seconds each."""
    model = MagicMock()
    batch = (torch.zeros(4, 1),)
    for number, duration in enumerate(seconds, 1):
        clock.now += duration
        step = first + number // accumulated
        trainer = SimpleNamespace(world_size=2, global_step=step, log_every_n_steps=2)
        throughput.on_train_batch_end(trainer, model, None, batch, 0)
    return model


def test_the_first_step_and_validations_do_not_count(clock: Clock):
    throughput = Throughput()
    start(throughput)
    model = train(throughput, clock, [100.0, 0.5, 0.5, 1.5])
    throughput.on_validation_end(MagicMock(), MagicMock())
    clock.now += 50.0  # pictures and checkpoints
    train(throughput, clock, [9.0, 0.5, 1.0], first=4)
    record = throughput.record()
    assert record["seconds_per_step"] == pytest.approx(4.0 / 5)
    assert record["sequences_per_second"] == pytest.approx(5 * 8 / 4.0)
    logged = [(call.args[0], call.args[1]) for call in model.log.call_args_list]
    name = "train/sequences_per_second"
    # At step 2 of one step of 0.5 s, at step 4 of those of 0.5 and 1.5 s.
    assert logged == [(name, pytest.approx(16.0)), (name, pytest.approx(8.0))]
    assert model.log.call_args.kwargs["prog_bar"]


def test_accumulated_batches_are_one_step(clock: Clock):
    throughput = Throughput()
    start(throughput)
    model = train(throughput, clock, [1.0] * 12, accumulated=3)
    # Four steps of three batches, without the first.
    assert throughput.record()["seconds_per_step"] == pytest.approx(3.0)
    assert throughput.record()["sequences_per_second"] == pytest.approx(8.0)
    assert model.log.call_count == 2, "at steps 2 and 4"


def test_a_validation_before_training_starts_no_clock(clock: Clock):
    throughput = Throughput()
    throughput.on_validation_end(MagicMock(), MagicMock())
    train(throughput, clock, [3.0])
    assert throughput.record()["seconds_per_step"] is None


def test_a_checkpoint_carries_the_sums_on(clock: Clock):
    before = Throughput()
    train(before, clock, [1.0, 2.0])
    after = Throughput()
    after.load_state_dict(before.state_dict())
    # The time between two processes does not count.
    start(after, step=2)
    train(after, clock, [1000.0, 4.0], first=2)
    assert after.record()["seconds_per_step"] == pytest.approx(3.0)
    assert after.record()["peak_memory_mib"] >= before.record()["peak_memory_mib"] > 0


def test_memory_is_that_of_the_process():
    throughput = Throughput()
    throughput.on_train_end(MagicMock(), MagicMock())
    before = throughput.record()["peak_memory_mib"]
    block = torch.ones(2**28 // 4)  # 256 MiB
    throughput.on_train_end(MagicMock(), MagicMock())
    # An earlier peak may have been higher than the allocation before.
    assert before <= throughput.record()["peak_memory_mib"]
    assert throughput.record()["peak_memory_mib"] > 256 and len(block)
