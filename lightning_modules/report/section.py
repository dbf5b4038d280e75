"""Building blocks of the page: sections, panels and legends."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from lightning_modules.records.groups import Group
from lightning_modules.report.colours import on_dark
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, join, tag


class Section(NamedTuple):
    """A section of the page."""

    key: str
    title: str
    lead: str  #: introduction in a sentence or two; may be empty
    panels: Sequence[Markup]
    folded: Sequence[Markup] = ()  #: collapsed explanations below the lead, see ``folded``

    def markup(self) -> Markup:
        """Return the section; empty without panels."""
        if not self.panels:
            return Markup("")
        lead = [tag("p", self.lead, class_="lead")] if self.lead else []
        content = [tag("h2", self.title), *lead, *self.folded, *self.panels]
        return tag("section", *content, id=self.key)


def folded(summary: str, *content: Markup) -> Markup:
    """Return a collapsed explanation, of which only the summary is visible at first."""
    return tag("details", tag("summary", summary), *content, class_="folded")


def panel(title: str, subtitle: str, *content: Markup, benchmark: str | None = None) -> Markup:
    """Return a framed panel, hidden with its benchmark or when all its content is hidden."""
    heading = [tag("h3", title), tag("p", subtitle, class_="subtitle")]
    marks = Marks(benchmark=benchmark)
    return tag("article", *heading, *content, class_="panel", **marks.attributes())


def swatch(group: Group) -> Markup:
    """Return a sample of a group's line."""
    return sample_line(group.colour, group.dash)


def key_of(
    groups: Sequence[Group],
    *others: tuple[Markup, str],
    sample: Callable[[Group], Markup] = swatch,
) -> Markup:
    """Return the legend of a chart.

    Args:
        groups: groups in the chart.
        *others: samples and names of other lines, which come last.
        sample: returns the sample of a group.
    """
    entries = (
        tag("li", sample(v), v.label, **Marks(core=v.contestant).attributes())
        for v in unique(groups)
    )
    last = (tag("li", drawn, name) for drawn, name in others)
    return tag("ul", *entries, *last, class_="key")


def unique(groups: Sequence[Group]) -> list[Group]:
    """Return one group for each label."""
    return list({group.label: group for group in reversed(groups)}.values())[::-1]


def sample_line(colour: str, dash: str = "solid") -> Markup:
    """Return a sample of a line."""
    return _sample(colour, dash)


def sample_symbol(colour: str, symbol: str) -> Markup:
    """Return a sample of a marker: a circle, square, diamond or cross."""
    return _sample(colour, f"symbol {symbol}")


def _sample(colour: str, look: str) -> Markup:
    style = f"--light:{colour};--dark:{on_dark(colour)}"
    return tag("span", class_=f"swatch {look}", style=style)


def name_cell(*content: str) -> Markup:
    """Return the header cell of a row, which stays visible and wraps long names."""
    return tag("th", tag("span", *content, class_="name"), scope="row")


def scrolling(*content: Markup) -> Markup:
    """Wrap content that may be wider than the page in a scrolling frame."""
    return tag("div", join(content), class_="scrolling", tabindex="0")
