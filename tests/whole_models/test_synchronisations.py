"""Training steps on CUDA do not wait for the device; this runs where there is one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch

from datamodules import DriftingFunctions, MNISTMaze, MovingDigits, RenderedFaces
from lightning_modules import ANP, ASNP, ATGQN, GTMM, SNP, VRNN
from lightning_modules.sequence_model import SequenceModel
from memory_cores import CORES, DNC, RMR, ContextWindow

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
LENGTHS = {"sequence_length": 6, "test_length": 6}
SMALL = {"batch_size": 4, "num_workers": 0, "train_size": 16}
SETS = {"sequence_length": 6, "context_steps": 3, **SMALL}
FUNCTIONS = {**LENGTHS, "x_size": 1, "x_range": 4.0, "y_size": 1, "hidden_size": 16}
PICTURES = {**FUNCTIONS, "x_size": 2, "x_range": 1.0}
PATCHES = {**PICTURES, "y_size": 192, "patch_shape": (3, 8, 8)}
FRAMES = {"sequence_length": 6, "prefix_length": 3, "action_size": 5, "frame_shape": (1, 28, 28)}

drifting = partial(DriftingFunctions, regime="transfer", **SETS)
digits = partial(MovingDigits, source="mnist5k", **SETS)
faces = partial(RenderedFaces, source="faces", contexts=(2, 4), most_points=6, **SETS)
maze = partial(MNISTMaze, source="mnist5k", sequence_length=6, **SMALL)
rmr = partial(ASNP, memory=RMR, pool_memory=True)
patches = partial(ATGQN, memory=RMR, pool_memory=True)
window = partial(ASNP, memory=ContextWindow, step_in_x=True, recurrent_path=True)
Build = Callable[..., Any]
CASES: dict[str, tuple[Build, Build]] = {
    "ASNP-RMR on functions": (partial(rmr, **FUNCTIONS), drifting),
    "ASNP-RMR on functions, as graphs": (partial(rmr, **FUNCTIONS, compile=True), drifting),
    "ASNP-W on functions": (partial(window, **FUNCTIONS), drifting),
    "SNP on functions": (partial(SNP, **FUNCTIONS), drifting),
    "ANP on functions": (partial(ANP, **FUNCTIONS), drifting),
    "ASNP-RMR on digits": (partial(rmr, **PICTURES), digits),
    "ATGQN-RMR on patches": (partial(patches, **PATCHES), faces),
    "ATGQN-RMR on patches, as graphs": (partial(patches, **PATCHES, compile=True), faces),
    "VRNN in the maze": (partial(VRNN, **FRAMES), maze),
    "DNC in the maze, as graphs": (partial(GTMM, memory=DNC, **FRAMES, compile=True), maze),
    **{
        f"{core.__name__} in the maze": (partial(GTMM, memory=core, **FRAMES), maze)
        for core in CORES
    },
}


@contextmanager
def no_waiting() -> Iterator[None]:
    """Raise where the host would wait for the device."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def on_gpu(batch: Any) -> Any:
    moved = type(batch)(*(None if part is None else part.cuda() for part in batch))
    return moved._replace(episode=batch.episode)


def step(model: SequenceModel, optimizer: torch.optim.Optimizer, batch: Any) -> None:
    optimizer.zero_grad(set_to_none=True)
    model.training_step(batch, 0).backward()
    optimizer.step()


def trainee(case: str) -> tuple[SequenceModel, Iterator[Any]]:
    """The model of a case, and its training batches."""
    build, data = CASES[case]
    model, module = build(), data()
    module.prepare_data()
    module.setup()
    # Only a trainer can log.
    for name in ("log", "log_dict"):
        object.__setattr__(model, name, lambda *args, **kwargs: None)
    return model, iter(module.train_dataloader())


@needs_gpu
@pytest.mark.parametrize("case", CASES)
def test_a_training_step_does_not_wait(case: str) -> None:
    model, batches = trainee(case)
    optimizer = torch.optim.Adam(model.cuda().parameters(), lr=1e-3, fused=True)
    first, second = on_gpu(next(batches)), on_gpu(next(batches))
    step(model, optimizer, first)  # captures and allocates
    with no_waiting():
        step(model, optimizer, second)


@pytest.mark.parametrize("case", [case for case in CASES if "graphs" not in case])
def test_the_same_step_trains_without_a_gpu(case: str) -> None:
    """This shows that what the test above asks of a GPU is a step."""
    model, batches = trainee(case)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    step(model, torch.optim.Adam(model.parameters(), lr=1e-3, fused=True), next(batches))
    changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert any(changed)
