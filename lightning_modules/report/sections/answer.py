"""The answer: which model is best on each benchmark, and how surely."""

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

#: What ticks cannot change: a comparison of other seeds would be another one.
LEAD = f"{EXPLANATION} All cores and seeds count here, whatever is ticked."


def answer(rankings: Sequence[Ranking]) -> Section:
    """Make the section; where no models were compared by three seeds, it says so."""
    found = answers(rankings)
    if not found:
        return Section("answer", TITLE, "", [tag("p", why_none(rankings))])
    cards = tag("div", *map(_card, found), class_="cards")
    return Section("answer", TITLE, LEAD, [tag("p", tally(found)), cards])


def _card(found: Answer) -> Markup:
    best = tag("p", swatch(found.best.group), tag("strong", found.best.group.label))
    said = [tag("p", text, class_="subtitle") for text in (found.sizes(), *found.others())]
    marks = Marks(benchmark=found.benchmark.key).attributes()
    title = tag("h3", found.benchmark.label)
    return tag("article", title, best, *said, class_="panel", **marks)
