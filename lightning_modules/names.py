"""Words that headings of all pictures share."""

import inspect
import re

import lightning as L

from lightning_modules.sequence_model import SequenceModel

#: Second halves of words.
CLINGING = ("cued", "shot")


def in_words(name: str) -> str:
    """A class's name as words: MNISTMaze is an MNIST maze, OneShotRecall is one-shot recall."""
    first, *rest = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+", name)
    return first + "".join(f"{'-' if w in CLINGING else ' '}{w}" for w in map(str.lower, rest))


def model_label(model: str, *details: str | None) -> str:
    """A model with what was chosen for it, such as "GTMM (DNC, read_heads=1)".

    Args:
        model: its class.
        *details: core and settings; None for what is no choice.
    """
    chosen = ", ".join(filter(None, details))
    return f"{model} ({chosen})" if chosen else model


def title_of(data: L.LightningDataModule, model: SequenceModel, step: int | None) -> str:
    """Such as "Perfect recall: GTMM (DNC) after 500 training steps", the core if it is a choice."""
    chosen = "memory" in inspect.signature(type(model)).parameters
    core = type(model.core).__name__ if chosen else None
    moment = "" if step is None else f" after {step:,} training steps"
    return f"{in_words(type(data).__name__)}: {model_label(type(model).__name__, core)}{moment}"
