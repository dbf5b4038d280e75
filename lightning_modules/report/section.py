"""Parts of the page: sections, their panels, and keys to a panel's lines."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from lightning_modules.records.groups import Group
from lightning_modules.report.colours import on_dark
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, join, tag


class Section(NamedTuple):
    """Section of the page, on one subject."""

    key: str
    title: str
    lead: str  #: what it shows, in a sentence or two; may be empty
    panels: Sequence[Markup]
    folded: Sequence[Markup] = ()  #: explanations below the lead, see ``folded``

    def markup(self) -> Markup:
        """Return the section; nothing where there is nothing to show."""
        if not self.panels:
            return Markup("")
        lead = [tag("p", self.lead, class_="lead")] if self.lead else []
        content = [tag("h2", self.title), *lead, *self.folded, *self.panels]
        return tag("section", *content, id=self.key)


def folded(summary: str, *content: Markup) -> Markup:
    """Make an explanation of which only the summary is seen until it is opened."""
    return tag("details", tag("summary", summary), *content, class_="folded")


def panel(title: str, subtitle: str, *content: Markup, benchmark: str | None = None) -> Markup:
    """Make a framed part that is hidden with its benchmark, or when nothing in it is left."""
    heading = [tag("h3", title), tag("p", subtitle, class_="subtitle")]
    marks = Marks(benchmark=benchmark)
    return tag("article", *heading, *content, class_="panel", **marks.attributes())


def swatch(group: Group) -> Markup:
    """Draw a short piece of a group's line."""
    return sample_line(group.colour, group.dash)


def key_of(
    groups: Sequence[Group],
    *others: tuple[Markup, str],
    sample: Callable[[Group], Markup] = swatch,
) -> Markup:
    """Make the key to a chart.

    Args:
        groups: what is drawn.
        *others: samples and names of lines that are no groups, which come last.
        sample: draws how a group looks.
    """
    entries = (
        tag("li", sample(v), v.label, **Marks(core=v.contestant).attributes())
        for v in unique(groups)
    )
    more = (tag("li", drawn, name) for drawn, name in others)
    return tag("ul", *entries, *more, class_="key")


def unique(groups: Sequence[Group]) -> list[Group]:
    """Keep one group of each label."""
    return list({group.label: group for group in reversed(groups)}.values())[::-1]


def sample_line(colour: str, dash: str = "solid") -> Markup:
    """Draw a short piece of a line."""
    return _sample(colour, dash)


def sample_symbol(colour: str, symbol: str) -> Markup:
    """Draw a point of a chart: a circle, square, diamond or cross."""
    return _sample(colour, f"symbol {symbol}")


def _sample(colour: str, look: str) -> Markup:
    style = f"--light:{colour};--dark:{on_dark(colour)}"
    return tag("span", class_=f"swatch {look}", style=style)


def name_cell(*content: str) -> Markup:
    """Make the cell that names a row; it stays in sight, and a long name is wrapped."""
    return tag("th", tag("span", *content, class_="name"), scope="row")


def scrolling(*content: Markup) -> Markup:
    """Put content that may be wider than the page in a frame that scrolls by itself."""
    return tag("div", join(content), class_="scrolling", tabindex="0")
