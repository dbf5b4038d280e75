"""How models look: a core has its colour and marker everywhere, whatever model it is in."""

from typing import NamedTuple

from lightning_modules.pictures.style import INK
from memory_cores import CORES

#: One for each core, in the order of ``CORES``, so that lines differ in grey print, too.
MARKERS = "oDs^vXP*<>"


class Look(NamedTuple):
    """Colour and marker of one model."""

    colour: str
    marker: str


#: Baselines that are no bearers of a memory core, though one does their sums: shades of grey.
BASELINES = {"NP": Look("#A3A3A3", "p"), "ANP": Look("#7A7A7A", "h"), "SNP": Look("#4D4D4D", "d")}


def look_of(model: str, core: str | None) -> Look:
    """Return the look of a model's class and its core's; an unknown one has the ink's and a dot."""
    if model in BASELINES:
        return BASELINES[model]
    for known, marker in zip(CORES, MARKERS, strict=False):
        if known.__name__ == core:
            return Look(known.look.colour, marker)
    return Look(INK, ".")
