"""Palette of the cores in every plot: a colour and a marker for each of twenty."""

from typing import NamedTuple


class Look(NamedTuple):
    """Look of a core or model."""

    colour: str  #: "#RRGGBB"
    marker: str  #: as Matplotlib names it, so that lines differ in grey print, too


#: Of a core that is not in the list, and of one that is gone.
NEUTRAL = Look("#1A1A1A", ".")
#: The first seven are Okabe and Ito's, safe for colour-blind readers. None is grey, the colour of
#: baselines. All but black are neither too light for paper nor too dark for a dark page.
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
