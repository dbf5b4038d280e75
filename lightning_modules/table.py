"""Tables for terminals, log files and documents."""

from collections.abc import Iterable, Mapping, Sequence

#: Maximum characters of a line of text in a document.
WIDTH = 100


def table(title: str, scalars: Mapping[str, float | None]) -> str:
    """Lay out names and values in two columns, with a dash for missing values."""
    values = ["-" if value is None else f"{value:.4f}" for value in scalars.values()]
    rows = [(name, f"{value:>12}") for name, value in zip(scalars, values, strict=True)]
    return "\n" + columns((title, f"{'value':>12}"), rows, texts=1)


def columns(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int) -> str:
    """Lay out rows below a header and a rule.

    Args:
        header: the headings of the columns.
        rows: the cells, as many in each row as there are headings.
        texts: number of first columns that hold text, flush left; the others are flush right.
    """
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    lines = ["  ".join(_cells(row, widths, texts)).rstrip() for row in (header, *rows)]
    return "\n".join(f"  {line}" for line in (lines[0], rule, *lines[1:]))


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out rows below a header as a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(row: Sequence[str], widths: Sequence[int], texts: int) -> list[str]:
    return [
        f"{cell:<{width}}" if i < texts else f"{cell:>{width}}"
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
