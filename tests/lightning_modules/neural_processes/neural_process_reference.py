"""Neural processes in plain float64 NumPy: one sequence, one step and one point at a time.

Written from section 3 and appendix A of "Robustifying Sequential Neural Processes" and section A of
the project's notes on it. It shares nothing with the implementation: no batches, no masks (a set is
a list of its points), no running sums, no products split over calls. Attention and RMR come from
the cores' own references.
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
    """Context points and targets of one step of one sequence."""

    context: list[Point]
    targets: list[Point]


class Process(NamedTuple):
    """A model's structure, and its parameters under the names of the equations."""

    # Structure
    independent: bool  #: each latent from all sets so far, and no latent LSTM
    cells: bool  #: RMR, else a window
    stochastic: bool  #: RMR's keys are sampled
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
    """Results of one step of a sequence."""

    prior: Gaussian
    posterior: Gaussian  #: the prior again without targets
    latent: Array
    targets: list[Point]  #: mean and sigma of each
    kl: float  #: of the latent and the memory's samples
    log_likelihood: float  #: of all targets


def run(
    process: Process,
    sequence: list[Step],
    noise: Array,
    with_targets: bool,
    key_noise: Array | None = None,
) -> list[Read]:
    """Run a sequence with standard normal noise [T, h] for latents and [T, K, Dk] for keys."""
    sequence = [with_step(process, step, t) for t, step in enumerate(sequence)]
    remembered = remember(process, sequence, with_targets, key_noise)
    hidden = cell = latent = recurrent = recurrent_cell = so_far = np.zeros(process.size)
    result = []
    for t, step in enumerate(sequence):
        # z_t
        evidence = sequence[: t + 1] if process.independent else [step]
        contexts = [point for one in evidence for point in one.context]
        targets = [point for one in evidence for point in one.targets]
        if not process.independent:
            context = pooled(process, encoded(step.context, process.latent_encoder))
            hidden, cell = lstm(latent + context, hidden, cell, *process.latent_rnn)
        stored = remembered[t].stored if process.pool_memory else []
        prior = gaussian(process, contexts, stored, hidden)
        posterior = gaussian(process, targets, stored, hidden) if with_targets else prior
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
    """NP, ANP and ASNP-W append the step as a coordinate, scaled like the places."""
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


def gaussian(process: Process, points: list[Point], stored: list[Array], hidden: Array) -> Gaussian:
    """The head on the pooled points and memory, plus the LSTM's output."""
    evidence = pooled(process, encoded(points, process.latent_encoder) + stored)
    mean, log_variance = np.split(mlp(evidence + hidden, process.head), 2)
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

    points: list[Point]  #: keys and values that a look-up attends to
    stored: list[Array]  #: values that are not of this step's points
    attention: dict[str, Any]
    kl: float  #: of the sampled keys

    def read(self, query: Array) -> Array:
        """Return the read of a target."""
        return rmr_reference.attend(query, self.points, self.attention)


def remember(
    process: Process, sequence: list[Step], with_targets: bool, key_noise: Array | None
) -> list[Remembered]:
    """The memory after each of the steps."""
    contexts, targets = (
        [
            [(x, mlp(np.concatenate([x, y]), process.deterministic_encoder)) for x, y in points]
            for points in sets
        ]
        for sets in zip(*sequence, strict=True)
    )
    if process.cells:
        return reconstruct(process, contexts, targets if with_targets else None, key_noise)
    result = []
    for t in range(len(sequence)):
        points = context_window_reference.seen(contexts[: t + 1], process.window)
        stored = [value for _, value in points[len(contexts[t]) :]]
        result.append(Remembered(points, stored, process.memory["attention"], 0.0))
    return result


def reconstruct(
    process: Process,
    contexts: list[list[Point]],
    targets: list[list[Point]] | None,
    key_noise: Array | None,
) -> list[Remembered]:
    """RMR's cells; if their keys are sampled, targets determine the posterior."""
    memory, result = rmr_reference.start(process.memory), []
    for t, points in enumerate(contexts):
        control = pooled(process, [value for _, value in points])
        parameters, kl = process.memory, 0.0
        if process.stochastic:
            prior = drawn = keys_from(memory, control, parameters)
            if targets is not None:
                observed_control = pooled(process, [value for _, value in targets[t]])
                drawn = keys_from(memory, observed_control, parameters)
            kl = sum(map(divergence, drawn, prior))
            keys = [
                mean + np.exp(log_sigma) * e
                for (mean, log_sigma), e in zip(drawn, key_noise[t], strict=True)
            ]
            # An f_X that returns these keys for any input.
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
    inputs = np.concatenate([*memory.keys, control])
    hidden, _ = lstm(inputs, *memory.key_state, *parameters["key_rnn"])
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
