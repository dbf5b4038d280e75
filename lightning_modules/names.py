"""Names of classes as readers see them in headings and legends."""

import re

#: Second halves of compound words, which a hyphen joins to the first.
CLINGING = ("cued", "shot")


def in_words(name: str) -> str:
    """Write a class's name as words: MNISTMaze is an MNIST maze, OneShotRecall one-shot recall."""
    first, *rest = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+", name)
    return first + "".join(f"{'-' if w in CLINGING else ' '}{w}" for w in map(str.lower, rest))


def setting_in_words(name: str) -> str:
    """Write a setting's name as words: pre_recall_length is the pre-recall length."""
    return name.replace("_", " ").replace("pre ", "pre-")


#: Letters of a revision.
REVISION = 7


def short_revision(revision: str) -> str:
    """Shorten git's name of a commit; a plus behind it, for changed files, stays."""
    return f"{revision[:REVISION]}{'+' * revision.endswith('+')}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun, such as "1 run" or "2 runs".

    Args:
        number: how many.
        noun: for one of them.
        plural: for several; else the noun with an s.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def model_label(model: str, *details: str | None) -> str:
    """Name a model with what was chosen for it, such as "GTMM (DNC, read_heads=1)".

    Args:
        model: its class.
        *details: its core and settings; None for anything that is not a choice.
    """
    chosen = ", ".join(filter(None, details))
    return f"{model} ({chosen})" if chosen else model
