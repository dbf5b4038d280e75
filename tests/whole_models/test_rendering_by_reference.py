"""Encoder, Temporal-ConvDRAW, renderer and recurrent path, against NumPy from the equations.

The reference knows nothing of the models but the names of their weights: convolutions are sums
over pixels, written out.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_modules.neural_processes.latents import Evidence
from lightning_modules.neural_processes.pool import Pool, Pooling
from lightning_modules.neural_processes.rendering.latents import ConvDrawLatents
from lightning_modules.neural_processes.rendering.patch_encoder import PatchEncoder
from lightning_modules.neural_processes.rendering.recurrent_path import ConvRecurrentPath
from lightning_modules.neural_processes.rendering.renderer import RecurrentRenderer
from lightning_modules.neural_processes.rendering.shapes import MapShapes
from memory_cores.parts.real_points import RealPoints

Array = NDArray[np.float64]
SIZE, STEPS, BATCH = 6, 3, 2
SHAPES = MapShapes((3, 8, 8), 5, 2, 3, 4, 2, 3, 0.5)
RNG = np.random.default_rng(0)


def weights(module: nn.Module) -> dict[str, Array]:
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def convolved(maps: Array, weight: Array, bias: Array, padding: int, stride: int = 1) -> Array:
    """[C, H, W] -> [O, H', W']: sum over channels and a window about each pixel."""
    size = weight.shape[2]
    framed = np.pad(maps, ((0, 0), (padding, padding), (padding, padding)))
    rows = (framed.shape[1] - size) // stride + 1
    columns = (framed.shape[2] - size) // stride + 1
    out = np.zeros((len(weight), rows, columns))
    for o in range(len(weight)):
        for i in range(rows):
            for j in range(columns):
                window = framed[:, i * stride : i * stride + size, j * stride : j * stride + size]
                out[o, i, j] = bias[o] + (weight[o] * window).sum()
    return out


def transposed(maps: Array, weight: Array, bias: Array, padding: int, stride: int) -> Array:
    """Each pixel adds its window to the output, [C, H, W] -> [O, H', W']."""
    channels, height, width = maps.shape
    size, outputs = weight.shape[2], weight.shape[1]
    out = np.zeros((outputs, (height - 1) * stride + size, (width - 1) * stride + size))
    for c in range(channels):
        for i in range(height):
            for j in range(width):
                rows = slice(i * stride, i * stride + size)
                columns = slice(j * stride, j * stride + size)
                out[:, rows, columns] += maps[c, i, j] * weight[c]
    inner = out[:, padding : out.shape[1] - padding, padding : out.shape[2] - padding]
    return inner + bias[:, None, None]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def conv_lstm(w: dict[str, Array], name: str, hidden: Array, cell: Array, *inputs: Array):
    """One convolution of [inputs, hidden]; gates input, forget, output, candidate."""
    stack = np.concatenate([*inputs, hidden])
    gates = convolved(stack, w[f"{name}gates.weight"], w[f"{name}gates.bias"], 1)
    write, keep, show, candidate = np.split(gates, 4)
    cell = sigmoid(keep) * cell + sigmoid(write) * np.tanh(candidate)
    return sigmoid(show) * np.tanh(cell), cell


@pytest.fixture
def seeded() -> Callable[[nn.Module], nn.Module]:
    """Gives a module random weights in float64, its code and initial states, too."""

    def prepared(module: nn.Module) -> nn.Module:
        module = module.double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(torch.from_numpy(0.3 * RNG.standard_normal(parameter.shape)))
        return module

    return prepared


def pool() -> tuple[Pool, Array]:
    """Sums of sets, the one in step 1 empty, and the same as maps [B, T, h, 2, 2]."""
    total = RNG.standard_normal((BATCH, STEPS, SIZE * 4))
    total[:, 1] = 0
    number = np.full((BATCH, STEPS, 1), 4.0)
    number[:, 1] = 0
    found = Pool(torch.from_numpy(total), torch.from_numpy(number))
    return found, total.reshape(BATCH, STEPS, SIZE, 2, 2)


def pooled(maps: Array, number: float, pooling: str) -> Array:
    return maps / max(number, 1) if pooling == "mean" else maps


def close(found: Tensor, expected: Array) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
@pytest.mark.parametrize("remembers", [True, False])
@pytest.mark.parametrize("with_targets", [True, False])
def test_latents_are_those_of_temporal_conv_draw(
    seeded: Callable, with_targets: bool, remembers: bool, pooling: Pooling
) -> None:
    """Both the prior and the backward ConvLSTM pool contexts with the memory's values."""
    path = seeded(ConvDrawLatents(SIZE, pooling, SHAPES))
    context, context_maps = pool()
    target, target_maps = pool()
    memory, memory_maps = pool()
    if not remembers:
        memory, memory_maps = Pool(*map(torch.zeros_like, memory)), 0 * memory_maps
    noise = RNG.standard_normal((BATCH, STEPS, path.noise_size))
    evidence = Evidence(context, memory, target if with_targets else None)
    found = path(evidence, torch.from_numpy(noise))
    w = weights(path)
    for b in range(BATCH):
        sizes = [0.0 if t == 1 else 4.0 for t in range(STEPS)]
        c = [
            pooled(context_maps[b, t] + memory_maps[b, t], (1 + remembers) * n, pooling) + w["code"]
            for t, n in enumerate(sizes)
        ]
        hidden = cell = np.zeros((SIZE, 2, 2))
        d: list[Array] = [hidden] * STEPS
        for t in reversed(range(STEPS)):
            both = c[t] + pooled(target_maps[b, t], sizes[t], pooling) + w["code"]
            hidden, cell = conv_lstm(w, "looking_back.", hidden, cell, both)
            d[t] = hidden
        state, memory = w["first_state"]
        z = w["first_latent"]
        for t in range(STEPS):
            state, memory = conv_lstm(w, "transition.", state, memory, c[t], z)
            p = p_cell = q = q_cell = np.zeros((5, 2, 2))
            for i, e in enumerate(noise[b, t].reshape(3, 2, 2, 2)):
                prior = convolved(p, w["prior.convolution.weight"], w["prior.convolution.bias"], 1)
                drawn_from = prior
                if with_targets:
                    q, q_cell = conv_lstm(w, "posterior_cell.", q, q_cell, d[t], p, state)
                    drawn_from = convolved(
                        q, w["posterior.convolution.weight"], w["posterior.convolution.bias"], 1
                    )
                mean, log_variance = np.split(drawn_from, 2)
                z = mean + np.exp(0.5 * log_variance) * e
                p, p_cell = conv_lstm(w, "prior_cell.", p, p_cell, c[t], z, state)
                place = slice(8 * i, 8 * i + 8)
                for gaussian, raw in ((found.prior, prior), (found.posterior, drawn_from)):
                    close(gaussian.mean[b, t, place], raw[:2].ravel())
                    close(gaussian.log_sigma[b, t, place], 0.5 * raw[2:].ravel())
            close(found.sample[b, t], np.concatenate([state.ravel(), z.ravel()]))


def test_the_renderer_refines_its_canvas(seeded: Callable) -> None:
    sample = (SHAPES.state_maps + SHAPES.latent_maps) * 4
    renderer = seeded(RecurrentRenderer(SIZE, 2, sample, SHAPES))
    reads, x = RNG.standard_normal((BATCH, 1, 4, SIZE * 4)), RNG.standard_normal((BATCH, 1, 4, 2))
    latents = RNG.standard_normal((BATCH, 1, sample))
    parts = renderer.of_points(*map(torch.from_numpy, (reads, x)))
    drawn = renderer.of_latents(torch.from_numpy(latents))
    found = renderer(parts, drawn)
    close(renderer.in_parts(parts, drawn).mean, found.mean.detach().numpy())
    assert (found.sigma == 0.5).all()
    w = weights(renderer)
    for b in range(BATCH):
        for m in range(4):
            inputs = [latents[b, 0].reshape(-1, 2, 2), reads[b, 0, m].reshape(-1, 2, 2)]
            inputs.append(np.broadcast_to(x[b, 0, m][:, None, None], (2, 2, 2)))
            hidden = cell = np.zeros((4, 2, 2))
            canvas = np.zeros((3, 8, 8))
            for _ in range(2):
                hidden, cell = conv_lstm(w, "cell.", hidden, cell, *inputs)
                paint = convolved(hidden, w["strokes.0.weight"], w["strokes.0.bias"], 1)
                for layer in ("strokes.2", "colours"):
                    kernel = w[f"{layer}.weight"], w[f"{layer}.bias"]
                    paint = transposed(np.maximum(paint, 0), *kernel, padding=1, stride=2)
                canvas += paint
            close(found.mean[b, 0, m], canvas.ravel())


def test_the_encoder_sees_a_patch_and_then_where_it_is(seeded: Callable) -> None:
    encoder = seeded(PatchEncoder((3, 8, 8), 2, SIZE))
    x, y = RNG.standard_normal((BATCH, 5, 2)), RNG.standard_normal((BATCH, 5, 192))
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    rows = encoder(*map(torch.from_numpy, (x, y)), RealPoints(mask))
    w, expected = weights(encoder), []
    for b, n in mask.nonzero().tolist():
        maps = y[b, n].reshape(3, 8, 8)
        for layer in (0, 2):
            kernel = w[f"see.{layer}.weight"], w[f"see.{layer}.bias"]
            maps = np.maximum(convolved(maps, *kernel, padding=1, stride=2), 0)
        place = np.broadcast_to(x[b, n][:, None, None], (2, 2, 2))
        stack = np.concatenate([maps, place])
        expected.append(convolved(stack, w["locate.weight"], w["locate.bias"], 1).ravel())
    close(rows.flatten(0, -2)[: len(expected)], np.stack(expected))


def test_the_recurrent_path_reads_the_running_sum(seeded: Callable) -> None:
    path = seeded(ConvRecurrentPath(SIZE, SHAPES))
    pooled = RNG.standard_normal((BATCH, STEPS, SIZE * 4))
    found, w = path(torch.from_numpy(pooled)), weights(path)
    for b in range(BATCH):
        hidden = cell = np.zeros((5, 2, 2))
        total = np.zeros((SIZE, 2, 2))
        for t in range(STEPS):
            total = total + pooled[b, t].reshape(SIZE, 2, 2)
            hidden, cell = conv_lstm(w, "cell.", hidden, cell, total)
            close(found[b, t], convolved(hidden, w["output.weight"], w["output.bias"], 1).ravel())
