"""Models as the reference sees them, and their batches as lists of real points.

What each name of the family stands for is repeated here, not taken from the model.
"""

from typing import Any

from torch import Tensor, nn

from datamodules import FunctionSequences
from lightning_modules.neural_processes import NeuralProcess
from tests.lightning_modules.neural_processes.neural_process_reference import (
    Array,
    Layers,
    Point,
    Process,
    Step,
)
from tests.memory_cores.rmr_parameters import array, of_attention, of_core

#: Slots of the window, kind of attention, and whether latents are independent, the step is part of
#: x, and there is a deterministic LSTM.
WINDOWS: dict[str, tuple[int | None, str, bool, bool, bool]] = {
    "NP": (None, "uniform", True, True, False),
    "ANP": (None, "multihead", True, True, False),
    "SNP": (0, "uniform", False, False, True),
    "ASNP-W": (3, "multihead", False, True, True),
}


def process_of(name: str, model: NeuralProcess, steps: int, **settings: Any) -> Process:
    """The reference's view of a named model; ``settings`` are those it was built with."""
    window, kind, independent, step_in_x, recurrent = WINDOWS.get(
        name, (None, "multihead", False, False, False)
    )
    cells = name not in WINDOWS
    memory = of_core(model.memory, kind) if cells else {}
    recurrent = settings.get("recurrent_path", recurrent)
    return Process(
        independent=independent,
        cells=cells,
        stochastic="stochastic" in name,
        window=window,
        pool_memory=settings.get("pool_memory", cells),
        pooling=settings.get("pooling", "mean"),
        steps=steps if settings.get("step_in_x", step_in_x) else None,
        scale=settings.get("place_range", 4.0) / model.hparams["x_range"],
        latent_encoder=layers(model.latent_encoder),
        deterministic_encoder=layers(model.deterministic_encoder),
        head=layers(model.latent_path.head),
        decoder=layers(model.decoder),
        latent_rnn=None if independent else layers(model.latent_path.lstm)[0],
        deterministic_rnn=layers(model.recurrent_path)[0] if recurrent else None,
        memory=memory or {"attention": of_attention(kind, model.memory.attention)},
    )


def layers(network: nn.Module) -> Layers:
    """Weights and biases of linear layers, from first to last."""
    linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [(array(layer.weight), array(layer.bias)) for layer in linears]


def sequences_of(batch: FunctionSequences) -> list[list[Step]]:
    """Each sequence's steps, without padding."""
    return [
        [
            Step(
                points(batch.context_x[b, t], batch.context_y[b, t], batch.context_mask[b, t]),
                points(batch.target_x[b, t], batch.target_y[b, t], batch.target_mask[b, t]),
            )
            for t in range(batch.context_mask.shape[1])
        ]
        for b in range(len(batch.context_mask))
    ]


def points(x: Tensor, y: Tensor, mask: Tensor) -> list[Point]:
    return [(x[i].numpy(), y[i].numpy()) for i in range(len(mask)) if mask[i]]


def noise_of_keys(model: NeuralProcess, noise: Array) -> Array | None:
    """Return the part [..., K, Dk] of noise [..., D] with which an RMR draws its keys."""
    if not model.memory.noise_size:
        return None
    keys: Any = model.memory.initial_keys
    assert model.noise_size == model.units + keys.numel()
    return noise[..., model.units :].reshape(*noise.shape[:-1], *keys.shape)
