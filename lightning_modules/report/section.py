"""Parts of the page: sections, their panels, and keys to what a panel's lines are."""

from collections.abc import Sequence
from typing import NamedTuple

from lightning_modules.records.groups import Group
from lightning_modules.report.colours import on_dark
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, join, tag


class Section(NamedTuple):
    """One subject."""

    key: str
    title: str
    lead: str  #: what is to be seen, in a sentence or two
    panels: Sequence[Markup]

    def markup(self) -> Markup:
        """Nothing where there is nothing to show."""
        if not self.panels:
            return Markup("")
        heading, lead = tag("h2", self.title), tag("p", self.lead, class_="lead")
        return tag("section", heading, lead, *self.panels, id=self.key)


def panel(title: str, subtitle: str, *content: Markup, benchmark: str | None = None) -> Markup:
    """A framed part that is hidden with its benchmark, or when nothing in it is left."""
    heading = [tag("h3", title), tag("p", subtitle, class_="subtitle")]
    marks = Marks(benchmark=benchmark)
    return tag("article", *heading, *content, class_="panel", **marks.attributes())


def key_of(groups: Sequence[Group], *others: tuple[Markup, str]) -> Markup:
    """What the lines are; samples and names of those that are no groups come last."""
    entries = (
        tag("li", swatch(v), v.label, **Marks(core=v.contestant).attributes())
        for v in unique(groups)
    )
    more = (tag("li", sample, name) for sample, name in others)
    return tag("ul", *entries, *more, class_="key")


def unique(groups: Sequence[Group]) -> list[Group]:
    """One of each label."""
    return list({group.label: group for group in reversed(groups)}.values())[::-1]


def swatch(group: Group) -> Markup:
    """A short piece of its line."""
    return sample_line(group.colour, group.dash)


def sample_line(colour: str, dash: str = "solid") -> Markup:
    """A short piece of a line."""
    style = f"--light:{colour};--dark:{on_dark(colour)}"
    return tag("span", class_=f"swatch {dash}", style=style)


def scrolling(*content: Markup) -> Markup:
    """What may be wider than the page, in a frame that scrolls by itself."""
    return tag("div", join(content), class_="scrolling", tabindex="0")
