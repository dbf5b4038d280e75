"""Colours and markers of up to twenty cores in every plot."""

from typing import NamedTuple


class Look(NamedTuple):
    """Colour and marker of a core or model."""

    colour: str  #: "#RRGGBB"
    marker: str  #: Matplotlib's name; distinguishes lines in greyscale


#: For cores outside ``CORES``, including removed ones.
NEUTRAL = Look("#1A1A1A", ".")
#: The first seven are Okabe and Ito's, safe for colour-blind readers. None is grey, the colour of
#: baselines. All but black are legible on white paper and on a dark page.
PALETTE: tuple[Look, ...] = (
    Look("#0072B2", "o"),
    Look("#56B4E9", "D"),
    Look("#E69F00", "s"),
    Look("#009E73", "^"),
    Look("#CC79A7", "v"),
    Look("#000000", "X"),
    Look("#D55E00", "P"),
    Look("#7A5C00", "*"),
    Look("#999933", "<"),
    Look("#4C5BD4", ">"),
    Look("#8C564B", "p"),
    Look("#44AA99", "h"),
    Look("#9467BD", "d"),
    Look("#C51B1B", "8"),
    Look("#117733", "H"),
    Look("#B03A8C", "o"),
    Look("#FF8FA3", "D"),
    Look("#2F7F8C", "s"),
    Look("#7FBC41", "^"),
    Look("#D0A7FF", "v"),
)
