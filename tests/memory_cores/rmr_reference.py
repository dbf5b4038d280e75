"""One step of recurrent memory reconstruction in plain float64 NumPy, one sequence at a time.

Written from algorithm 1 of "Robustifying Sequential Neural Processes" and section A of the
project's notes on it. Independent of the implementation: no batch, no masks (a set is a list of its
real points), no products shared by cells or heads, explicit exponentials. Parameters are a
dictionary of arrays named as in the equations.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Point = tuple[Array, Array]  # key, value


class Memory(NamedTuple):
    """State carried from one step of one sequence to the next."""

    keys: list[Array]  #: K of [Dk]
    values: list[Array]  #: K of [Dv]
    key_state: Point  #: hidden and cell state of the key tracker
    value_states: list[Point]  #: K hidden and cell states
    real: list[Point]  #: points of this step


def start(parameters: dict[str, Any]) -> Memory:
    """Return the learned keys and values, and trackers at zero."""
    keys, values = list(parameters["X0"]), list(parameters["V0"])
    zeros = np.zeros_like(values[0])
    return Memory(keys, values, (zeros, zeros), [(zeros, zeros) for _ in keys], [])


def step(
    memory: Memory,
    context: list[Point],
    encoding: Array,
    parameters: dict[str, Any],
    tracking: bool = True,
    interaction: bool = True,
) -> Memory:
    """Algorithm 1's loop body; ``encoding`` is r_t^c, the pooled context."""
    cells = range(len(memory.keys))
    inputs = np.concatenate([*memory.keys, encoding])
    key_state = lstm(inputs, *memory.key_state, *parameters["key_rnn"])
    keys = imagined_keys(key_state[0], parameters, len(memory.keys))
    states = memory.value_states
    proposals = memory.values
    if tracking:
        states = []
        for k in cells:
            inputs = [keys[k], memory.values[k]] + ([] if interaction else [encoding])
            weights, before = parameters["value_rnn"][k], memory.value_states[k]
            if "area" in parameters:  # all inputs but the key are maps
                states.append(conv_lstm(*inputs, *before, *weights, area=parameters["area"]))
            else:
                states.append(lstm(np.concatenate(inputs), *before, *weights))
        proposals = [hidden for hidden, _ in states]
    values = proposals
    if interaction:
        together = context + [(keys[k], proposals[k]) for k in cells]
        values = [attend(keys[k], together, parameters["attention"]) for k in cells]
    return Memory(keys, values, key_state, states, context)


def read(memory: Memory, query: Array, parameters: dict[str, Any]) -> Array:
    """Section 3.1.3: attention over real and imaginary context."""
    together = memory.real + list(zip(memory.keys, memory.values, strict=True))
    return attend(query, together, parameters["attention"])


def read_weights(memory: Memory, query: Array, parameters: dict[str, Any]) -> list[float]:
    """Return the weights on each cell, then their sum on the real points, as means over heads."""
    together = memory.real + list(zip(memory.keys, memory.values, strict=True))
    by_head = weightings(query, [key for key, _ in together], parameters["attention"])
    mean = [sum(head[i] for head in by_head) / len(by_head) for i in range(len(together))]
    return [*mean[len(memory.real) :], sum(mean[: len(memory.real)])]


def lstm(inputs: Array, hidden: Array, cell: Array, weight: Array, bias: Array) -> Point:
    """Gates input, forget, output, candidate of [inputs; hidden]; weight [4 H, I + H]."""
    raw = weight @ np.concatenate([inputs, hidden]) + bias
    i, f, o, g = np.split(raw, 4)
    cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def conv_lstm(key: Array, *maps: Array, area: tuple[int, int]) -> Point:
    """LSTM whose gates are a convolution; the key is broadcast over the maps.

    Args:
        key: [Dk].
        *maps: flattened inputs, the hidden and the cell state; then the weight [4 H, I, 3, 3] and
            the bias [4 H].
        area: height and width of a map.
    """
    *inputs, cell, weight, bias = maps
    planes = [np.full(area, number) for number in key]
    planes += [image for part in inputs for image in part.reshape(-1, *area)]
    raw = np.zeros((len(bias), *area))
    for gate, row, column in np.ndindex(raw.shape):
        raw[gate, row, column] = bias[gate]
        for channel, down, right in np.ndindex(weight.shape[1:]):
            y, x = row + down - 1, column + right - 1
            if 0 <= y < area[0] and 0 <= x < area[1]:
                raw[gate, row, column] += weight[gate, channel, down, right] * planes[channel][y, x]
    i, f, o, g = np.split(raw, 4)
    cell = sigmoid(f) * cell.reshape(g.shape) + sigmoid(i) * np.tanh(g)
    return (sigmoid(o) * np.tanh(cell)).ravel(), cell.ravel()


def imagined_keys(hidden: Array, parameters: dict[str, Any], cells: int) -> list[Array]:
    """f_X: one hidden layer of rectifiers, then linear."""
    return np.split(mlp(hidden, parameters["f_X"]), cells)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def mlp(x: Array, layers: list[tuple[Array, Array]]) -> Array:
    """Rectifiers between the layers (weight, bias), none after the last."""
    for i, (weight, bias) in enumerate(layers):
        x = weight @ (np.maximum(x, 0) if i else x) + bias
    return x


# Attention --------------------------------------------------------------------------------------


def attend(query: Array, points: list[Point], attention: dict[str, Any]) -> Array:
    """Attention of any kind to a list of points; zeros if there are none."""
    if not points:
        return np.zeros(attention["value_size"])
    result = np.zeros(attention["value_size"])
    for head, weights in enumerate(weightings(query, [key for key, _ in points], attention)):
        for weight, (_, value) in zip(weights, points, strict=True):
            if attention["kind"] == "multihead":
                value = attention["output"][head] @ (attention["values"][head] @ value)
            result = result + weight * value
    return result


def weightings(query: Array, keys: list[Array], attention: dict[str, Any]) -> list[list[float]]:
    """Return the weights of each head, one per key."""
    kind = attention["kind"]
    if kind == "uniform":
        return [[1 / len(keys)] * len(keys)]
    if kind == "laplace":
        return [softmax([-float(np.abs(query - key).sum()) for key in keys])]
    query, keys = mlp(query, attention["mlp"]), [mlp(key, attention["mlp"]) for key in keys]
    if kind == "encoded_laplace":
        return [softmax([-float(np.abs(query - key).sum()) for key in keys])]
    if kind == "dot_product":
        return [softmax([float(query @ key) / math.sqrt(len(query)) for key in keys])]
    result = []
    for to_query, to_key in zip(attention["queries"], attention["keys"], strict=True):
        q = to_query @ query
        scores = [float(q @ (to_key @ key)) / math.sqrt(len(q)) for key in keys]
        result.append(softmax(scores))
    return result


def softmax(scores: list[float]) -> list[float]:
    exponentials = [math.exp(score - max(scores)) for score in scores]
    return [exponential / math.fsum(exponentials) for exponential in exponentials]
