"""Orders a command line's arguments: files first, and classes before their settings."""

from collections.abc import Iterator, Sequence

FILES = ("--config", "-c")


def in_order_of_effect(words: Sequence[str]) -> list[str]:
    """Put the subcommand first, then its options in the order of ``options_in_order``.

    Args:
        words: a subcommand and options in any order; unchanged if there is no subcommand.
    """
    joined = list(with_values(words))
    subcommand = next((word for word in joined if not word.startswith("-")), None)
    if subcommand is None:
        return list(words)
    joined.remove(subcommand)
    return [subcommand, *options_in_order(joined)]


def options_in_order(words: Sequence[str]) -> list[str]:
    """Order options so that they override files, and settings of a class follow its name.

    jsonargparse applies arguments in order: a file silently discards the options before it, and so
    does the name of a class. Options of the same rank keep their order, and so do those of a list:
    ``--key+=CLASS`` appends to it, and ``--key.setting`` applies to the last element.

    Returns:
        The same options, each joined with its value.
    """
    joined = list(with_values(words))
    lists = [name_of(word).removesuffix("+") for word in joined if name_of(word).endswith("+")]
    return sorted(joined, key=lambda word: rank(word, lists))


def with_values(words: Sequence[str]) -> Iterator[str]:
    """Write ``--key value`` as ``--key=value``; a flag stays alone."""
    pending: str | None = None
    for word in words:
        if word.startswith("-") and not is_number(word):
            if pending is not None:
                yield pending
            pending = None if "=" in word else word
            if pending is None:
                yield word
        elif pending is not None:
            yield f"{pending}={word}"
            pending = None
        else:
            yield word
    if pending is not None:
        yield pending


def rank(word: str, lists: Sequence[str]) -> int:
    """Return the sort rank: files first, then options by depth, those in a list with the list."""
    name = name_of(word)
    if name in FILES:
        return 0
    owner = next((each for each in lists if name.startswith(f"{each}.")), name)
    return 1 + owner.count(".")


def name_of(word: str) -> str:
    """Return an option without its value."""
    return word.partition("=")[0]


def is_number(word: str) -> bool:
    """Return whether a word is a number, such as a negative value, rather than an option."""
    try:
        float(word)
    except ValueError:
        return False
    return True
