"""An RMR core's parameters, named as in the reference's equations."""

from typing import Any

import numpy as np

from memory_cores import RMR
from memory_cores.parts.attention import Attention, EncodedAttention, MultiheadAttention
from memory_cores.parts.conv_lstm import ConvLSTMCells
from memory_cores.parts.lstm import LSTMCell


def array(parameter: Any) -> Any:
    return parameter.detach().numpy()


def linears(network: Any) -> list[Any]:
    return [(array(layer.weight), array(layer.bias)) for layer in (network[0], network[2])]


def of_attention(kind: str, attention: Attention) -> dict[str, Any]:
    result: dict[str, Any] = {"kind": kind, "value_size": attention.value_size}
    if isinstance(attention, EncodedAttention):
        result["mlp"] = linears(attention.encoder)
    if isinstance(attention, MultiheadAttention):
        for name in ("queries", "keys", "values"):
            result[name] = np.split(array(getattr(attention, name).weight), attention.heads, 0)
        result["output"] = np.split(array(attention.output.weight), attention.heads, 1)
    return result


def of_core(core: RMR, kind: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "X0": array(core.initial_keys),
        "V0": array(core.initial_values),
        "key_rnn": tuple(map(array, core.key_tracker.gates.parameters())),
        "f_X": linears(core.key_output),
        "attention": of_attention(kind, core.attention),
    }
    if core.tracks and isinstance(core.value_tracker, LSTMCell):
        parameters["value_rnn"] = [tuple(map(array, core.value_tracker.gates.parameters()))]
        parameters["value_rnn"] *= core.slots
    elif core.tracks and isinstance(core.value_tracker, ConvLSTMCells):
        parameters["value_rnn"] = [tuple(map(array, core.value_tracker.cell.gates.parameters()))]
        parameters["value_rnn"] *= core.slots
        parameters["area"] = core.sizes.maps
    elif core.tracks:
        pairs = zip(core.value_tracker.weight, core.value_tracker.bias, strict=True)
        parameters["value_rnn"] = [(array(weight).T, array(bias)[0]) for weight, bias in pairs]
    return parameters
