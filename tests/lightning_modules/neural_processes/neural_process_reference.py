"""Neural processes in plain float64 NumPy: one sequence, one step and one point at a time.

Written from section 3 and appendix A of "Robustifying Sequential Neural Processes" and section A of
the project's notes on it. It shares nothing with the implementation: no batch, no masks (a set is a
list of the points that are there), no running sums, no product that is split over calls. Attention
and RMR are those of the cores' own references.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.memory_cores import context_window_reference, rmr_reference
from tests.memory_cores.rmr_reference import lstm, mlp

Array = NDArray[np.float64]
Point = tuple[Array, Array]  # x, y; in the memory: key, value
Gaussian = tuple[Array, Array]  # mean, log sigma
Layers = list[tuple[Array, Array]]  # weight, bias


class Step(NamedTuple):
    """Points that one step of one sequence shows and asks for."""

    context: list[Point]
    targets: list[Point]


class Process(NamedTuple):
    """A model's structure, and its parameters under the names of the equations."""

    # Structure
    independent: bool  #: each latent from all sets so far, and no latent LSTM
    cells: bool  #: RMR, else a window
    stochastic: bool  #: RMR's keys are drawn
    window: int | None  #: earlier points that are seen beside the step's own; None: all
    pool_memory: bool
    pooling: str
    steps: int | None  #: T by which the step in x is scaled; None: x is only the place
    scale: float  #: of places
    # Parameters
    latent_encoder: Layers
    deterministic_encoder: Layers
    head: Layers
    decoder: Layers
    latent_rnn: tuple[Array, Array] | None
    deterministic_rnn: tuple[Array, Array] | None
    memory: dict[str, Any]  #: of RMR, or only its "attention"

    @property
    def size(self) -> int:
        return len(self.head[0][1])


class Read(NamedTuple):
    """Quantities of one step of a sequence."""

    prior: Gaussian
    posterior: Gaussian  #: the prior where the targets are not told
    latent: Array
    targets: list[Point]  #: mean and sigma of each
    kl: float  #: of the latent and of what the memory drew
    log_likelihood: float  #: of all targets


def run(
    process: Process,
    sequence: list[Step],
    noise: Array,
    told: bool,
    key_noise: Array | None = None,
) -> list[Read]:
    """Read a sequence with standard normal noise [T, h] for latents and [T, K, Dk] for keys."""
    sequence = [with_step(process, step, t) for t, step in enumerate(sequence)]
    remembered = remember(process, sequence, told, key_noise)
    hidden = cell = latent = recurrent = recurrent_cell = so_far = np.zeros(process.size)
    result = []
    for t, step in enumerate(sequence):
        # z_t
        evidence = sequence[: t + 1] if process.independent else [step]
        contexts = [point for one in evidence for point in one.context]
        targets = [point for one in evidence for point in one.targets]
        if not process.independent:
            seen = pooled(process, encoded(step.context, process.latent_encoder))
            hidden, cell = lstm(latent + seen, hidden, cell, *process.latent_rnn)
        held = remembered[t].held if process.pool_memory else []
        prior = gaussian(process, contexts, held, hidden)
        posterior = gaussian(process, targets, held, hidden) if told else prior
        latent = posterior[0] + np.exp(posterior[1]) * noise[t]
        # r_t(x)
        if process.deterministic_rnn is not None:
            now = encoded(step.context, process.deterministic_encoder)
            so_far = so_far + pooled(process, now)
            recurrent, recurrent_cell = lstm(
                so_far, recurrent, recurrent_cell, *process.deterministic_rnn
            )
        # y
        predicted = [
            observed(process, remembered[t].read(x) + recurrent, x, latent) for x, _ in step.targets
        ]
        result.append(
            Read(
                prior,
                posterior,
                latent,
                predicted,
                divergence(posterior, prior) + remembered[t].kl,
                sum(
                    log_density(y, *normal)
                    for (_, y), normal in zip(step.targets, predicted, strict=True)
                ),
            )
        )
    return result


def with_step(process: Process, step: Step, t: int) -> Step:
    """NP, ANP and ASNP-W tell the steps apart by a coordinate, as wide as the places are."""
    time = [] if process.steps is None else [0.25 + 0.5 * t / process.steps]
    return Step(*([(process.scale * np.append(x, time), y) for x, y in points] for points in step))


# Sets -------------------------------------------------------------------------------------------


def encoded(points: list[Point], encoder: Layers) -> list[Array]:
    return [mlp(np.concatenate([x, y]), encoder) for x, y in points]


def pooled(process: Process, encodings: list[Array]) -> Array:
    """The mean or sum; zero for an empty set."""
    total = np.zeros(process.size)
    for encoding in encodings:
        total = total + encoding
    return total / len(encodings) if process.pooling == "mean" and encodings else total


# Latents ----------------------------------------------------------------------------------------


def gaussian(process: Process, points: list[Point], held: list[Array], hidden: Array) -> Gaussian:
    """The head on what points and memory pool to, plus the LSTM's output."""
    seen = pooled(process, encoded(points, process.latent_encoder) + held)
    mean, log_variance = np.split(mlp(seen + hidden, process.head), 2)
    return mean, np.log(np.sqrt(np.exp(log_variance)))


def divergence(q: Gaussian, p: Gaussian) -> float:
    """KL[q || p] in nats."""
    result = 0.0
    for q_mean, q_log_sigma, p_mean, p_log_sigma in zip(*q, *p, strict=True):
        q_variance, p_variance = math.exp(q_log_sigma) ** 2, math.exp(p_log_sigma) ** 2
        result += p_log_sigma - q_log_sigma - 0.5
        result += (q_variance + (q_mean - p_mean) ** 2) / (2 * p_variance)
    return result


# Memory -----------------------------------------------------------------------------------------


class Remembered(NamedTuple):
    """The memory after one step."""

    points: list[Point]  #: key and value of all that a look-up attends to
    held: list[Array]  #: values that are not of this step's points
    attention: dict[str, Any]
    kl: float  #: of what was drawn

    def read(self, query: Array) -> Array:
        """Return what a target reads."""
        return rmr_reference.attend(query, self.points, self.attention)


def remember(
    process: Process, sequence: list[Step], told: bool, key_noise: Array | None
) -> list[Remembered]:
    """The memory after each of the steps."""
    shown, asked = (
        [
            [(x, mlp(np.concatenate([x, y]), process.deterministic_encoder)) for x, y in points]
            for points in sets
        ]
        for sets in zip(*sequence, strict=True)
    )
    if process.cells:
        return reconstruct(process, shown, asked if told else None, key_noise)
    result = []
    for t in range(len(sequence)):
        points = context_window_reference.seen(shown[: t + 1], process.window)
        held = [value for _, value in points[len(shown[t]) :]]
        result.append(Remembered(points, held, process.memory["attention"], 0.0))
    return result


def reconstruct(
    process: Process,
    shown: list[list[Point]],
    asked: list[list[Point]] | None,
    key_noise: Array | None,
) -> list[Remembered]:
    """RMR's cells; where their keys are drawn, the targets tell the posterior."""
    memory, result = rmr_reference.start(process.memory), []
    for t, points in enumerate(shown):
        control = pooled(process, [value for _, value in points])
        parameters, kl = process.memory, 0.0
        if process.stochastic:
            prior = drawn = keys_from(memory, control, parameters)
            if asked is not None:
                told = pooled(process, [value for _, value in asked[t]])
                drawn = keys_from(memory, told, parameters)
            kl = sum(map(divergence, drawn, prior))
            keys = [
                mean + np.exp(log_sigma) * e
                for (mean, log_sigma), e in zip(drawn, key_noise[t], strict=True)
            ]
            # An f_X that says these keys whatever its input is.
            constant = (np.zeros((sum(map(len, keys)), process.size)), np.concatenate(keys))
            parameters = {**parameters, "f_X": [constant]}
        memory = rmr_reference.step(memory, points, control, parameters)
        together = memory.real + list(zip(memory.keys, memory.values, strict=True))
        result.append(Remembered(together, memory.values, parameters["attention"], kl))
    return result


def keys_from(
    memory: rmr_reference.Memory, control: Array, parameters: dict[str, Any]
) -> list[Gaussian]:
    """The Gaussians of new keys, given a pooled encoding."""
    seen = np.concatenate([*memory.keys, control])
    hidden, _ = lstm(seen, *memory.key_state, *parameters["key_rnn"])
    by_cell = rmr_reference.imagined_keys(hidden, parameters, len(memory.keys))
    return [tuple(np.split(cell, 2)) for cell in by_cell]


# Observations -----------------------------------------------------------------------------------


def observed(process: Process, read: Array, x: Array, latent: Array) -> Point:
    """Mean and sigma of the function's value at x."""
    mean, raw = np.split(mlp(np.concatenate([read, x, latent]), process.decoder), 2)
    return mean, 0.1 + 0.9 * np.logaddexp(0, raw)


def log_density(y: Array, mean: Array, sigma: Array) -> float:
    """Log-density of a Gaussian with independent dimensions, in nats."""
    result = 0.0
    for value, centre, spread in zip(y, mean, sigma, strict=True):
        result -= math.log(spread * math.sqrt(2 * math.pi)) + 0.5 * ((value - centre) / spread) ** 2
    return result
