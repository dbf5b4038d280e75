"""The answer: the best model on each benchmark, and how certain that is."""

from collections.abc import Sequence

from lightning_modules.records.answers import (
    EXPLANATION,
    TITLE,
    Answer,
    answers,
    tally,
    why_none,
)
from lightning_modules.records.ranking import Ranking
from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, tag
from lightning_modules.report.section import Section, swatch

#: The filter does not apply: with other seeds it would be another comparison.
LEAD = f"{EXPLANATION} All cores and seeds count here, whatever is ticked."


def answer(rankings: Sequence[Ranking]) -> Section:
    """Return the section; without any comparison over three seeds, it says so."""
    items = answers(rankings)
    if not items:
        return Section("answer", TITLE, "", [tag("p", why_none(rankings))])
    cards = tag("div", *map(_card, items), class_="cards")
    return Section("answer", TITLE, LEAD, [tag("p", tally(items)), cards])


def _card(item: Answer) -> Markup:
    best = tag("p", swatch(item.best.group), tag("strong", item.best.group.label))
    lines = [tag("p", text, class_="subtitle") for text in (item.sizes(), *item.others())]
    marks = Marks(benchmark=item.benchmark.key).attributes()
    title = tag("h3", item.benchmark.label)
    return tag("article", title, best, *lines, class_="panel", **marks)
