"""How models look: a core has its colour and marker everywhere, whatever model it is in."""

from typing import NamedTuple

from lightning_modules.pictures.style import INK
from lightning_modules.sequence_model import SequenceModel
from memory_cores import CORES


class Look(NamedTuple):
    """Of one model."""

    colour: str
    marker: str


#: Baselines that are no bearers of a memory core, though one does their sums: shades of grey.
BASELINES = {"NP": Look("#A3A3A3", "p"), "ANP": Look("#7A7A7A", "h"), "SNP": Look("#4D4D4D", "d")}


def look_of(model: str, core: str | None) -> Look:
    """Of a model's class and its core's; what is not ours (any more) gets the ink's and a dot."""
    if model in BASELINES:
        return BASELINES[model]
    for known in CORES:
        if known.__name__ == core:
            return Look(known.look.colour, known.look.marker)
    return Look(INK, ".")


def colour_of(model: SequenceModel) -> str:
    """Of a model."""
    return look_of(type(model).__name__, type(model.core).__name__).colour
