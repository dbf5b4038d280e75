"""Names of classes and settings, as shown in headings and legends."""

import re

#: Second parts of compound words, joined to the first by a hyphen.
HYPHENATED = ("cued", "shot")


def in_words(name: str) -> str:
    """Write a class name as words: "MNIST maze", "One-shot recall"."""
    first, *rest = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+", name)
    return first + "".join(f"{'-' if w in HYPHENATED else ' '}{w}" for w in map(str.lower, rest))


def setting_in_words(name: str) -> str:
    """Write a setting's name as words: "pre-recall length" for pre_recall_length."""
    return name.replace("_", " ").replace("pre ", "pre-")


#: Characters of a short revision.
REVISION = 7


def short_revision(revision: str) -> str:
    """Shorten the commit hashes in "a and b"; a plus, which marks changed files, stays."""
    hashes = revision.split(" and ")
    return " and ".join(f"{each[:REVISION]}{'+' * each.endswith('+')}" for each in hashes)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun, such as "1 run" or "2 runs".

    Args:
        number: how many.
        noun: the singular.
        plural: the plural; default: the noun with an s.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def model_label(model: str, *details: str | None) -> str:
    """Name a model with its choices, such as "GTMM (DNC, read_heads=1)".

    Args:
        model: its class.
        *details: its core and settings; None for anything that is not a choice.
    """
    choices = ", ".join(filter(None, details))
    return f"{model} ({choices})" if choices else model
