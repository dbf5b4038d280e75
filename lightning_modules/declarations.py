"""Declarations of a family of models: its measures, curves and pictures.

One declaration serves everything that lists measures or pictures: evaluations, tables and their
help, the page, the progress line, W&B's workspace and docs/metrics.md. Every run keeps its model's
declaration in its folder, so that showing runs needs no model.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from types import NoneType
from typing import Any, Literal, get_origin

Direction = Literal["higher", "lower", "neither"]
#: Suffix of a heading: the direction in which values are better.
ARROWS: Mapping[Direction, str] = {"lower": " ↓", "higher": " ↑", "neither": ""}
#: Unit of shares.
SHARE = "0 to 1"
#: A measure's name in a sentence.
NAMED = re.compile(r"`(\w+)`")


@dataclass(frozen=True)
class Measure:
    """A measured quantity.

    Args:
        name: its key in results.json, and in metrics.csv after ``val/`` or ``test/``.
        sentence: its meaning, for docs/metrics.md and the page, with other measures' names in
            backticks.
        unit: such as "nats per step"; "-" for ratios.
        better: which values are better.
        header: the heading of its column in tables; empty if no table shows it.
        digits: decimal places in tables.
        headline: rank among headlines; models are ranked by the headline with the lowest number
            that all of them have. 0 for a measure that is no headline.
        benchmarks: classes of data on which it is defined; empty for all of the family's.
        gathered: whether evaluations average it over sequences at each step, so that it has a
            curve; if not, it is derived from gathered measures.
        perfect: the value of a perfect memory, for scores that compare across benchmarks; None if
            unknown.
        from_zero: whether it is never negative.
    """

    name: str
    sentence: str
    unit: str
    better: Direction = "neither"
    header: str = ""
    digits: int = 3
    headline: int = 0
    benchmarks: tuple[str, ...] = ()
    gathered: bool = True
    perfect: float | None = None
    from_zero: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest possible value."""
        if self.unit == SHARE:
            return 0.0, 1.0
        least = 0.0 if self.from_zero else -inf
        if self.perfect is None or self.better == "neither":
            return least, inf
        return (self.perfect, inf) if self.better == "lower" else (least, self.perfect)

    @property
    def shown_name(self) -> str:
        """The header, or the name of a measure without one."""
        return self.header or self.name

    @property
    def shown_unit(self) -> str:
        """The unit to show: empty for a ratio."""
        return "" if self.unit == "-" else self.unit

    @property
    def label(self) -> str:
        """Header and unit, for an axis: "bound (nats per sequence)"."""
        return _with_remarks(self.shown_name, self.shown_unit)

    @property
    def heading(self) -> str:
        """Header and better direction, for a column: "bound ↑"."""
        return self.header + ARROWS[self.better]

    @property
    def title(self) -> str:
        """Header, unit and direction, for a plot: "PSNR (dB, higher is better)"."""
        better = "" if self.better == "neither" else f"{self.better} is better"
        return _with_remarks(self.header, self.shown_unit, better)


@dataclass(frozen=True)
class StepCurve:
    """A quantity plotted over the steps of a sequence.

    Args:
        name: its key in results.json.
        label: the axis label, with the unit.
        from_zero: whether it is never negative.
    """

    name: str
    label: str
    from_zero: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture that a family draws of its runs.

    Args:
        name: the name of its file, without the suffix.
        caption: its content in words; empty for one that the page draws itself.
    """

    name: str
    caption: str = ""


@dataclass(frozen=True)
class Family:
    """A family's declaration.

    Args:
        name: in words, plural.
        measures: in the order of tables.
        criterion: the measure by which a run's best state is selected.
        curves: quantities plotted by step, the most informative first; the first one's name occurs
            in every run of the family and in no run of another.
        share: a curve that is a share of sequences, drawn as shaded steps behind the others.
        share_label: the meaning of the shading.
        optimum: a curve of the best possible values of the first curve; empty if unknown.
        optimum_label: its name in legends.
        pictures: all pictures, the most informative first.
        memoryless: contestants without memory, the best-matched first; the first that was tested on
            a benchmark has a score of 0 there.
    """

    name: str
    measures: tuple[Measure, ...]
    criterion: str
    curves: tuple[StepCurve, ...]
    share: str = ""
    share_label: str = ""
    optimum: str = ""
    optimum_label: str = ""
    pictures: tuple[Picture, ...] = ()
    memoryless: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Measure:
        """Return the measure of this name.

        Raises:
            KeyError: there is none.
        """
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)

    @property
    def best_by(self) -> Measure:
        """The criterion's measure."""
        return self[self.criterion]

    @property
    def followed(self) -> tuple[str, ...]:
        """Measures plotted over training: the criterion, and the first curve's last step.

        Gemici et al. 2017 plot the latter in the middle of figures 4 to 14.
        """
        last = f"{self.curves[0].name}_last_step"
        names = (measure.name for measure in self.measures)
        return (self.criterion, *(name for name in names if name == last))

    @property
    def columns(self) -> tuple[Measure, ...]:
        """The measures that tables show."""
        return tuple(measure for measure in self.measures if measure.header)

    @property
    def headlines(self) -> tuple[Measure, ...]:
        """The measures by which models are ranked, the most informative first."""
        headlines = (measure for measure in self.measures if measure.headline)
        return tuple(sorted(headlines, key=lambda measure: measure.headline))

    def scoring(self, data: str) -> tuple[Measure, ...]:
        """Return the measures for scores on a benchmark, the most informative first.

        Measures specific to the benchmark replace general ones: on drifting functions a gap of 0 to
        the optimum is perfect, while a squared error of 0 is impossible.

        Args:
            data: class of the benchmark's data.
        """
        candidates = [measure for measure in self.measures if measure.perfect is not None]
        specific = [measure for measure in candidates if data in measure.benchmarks]
        scoring = specific or [measure for measure in candidates if not measure.benchmarks]
        # False before True: headlines first, by their numbers.
        return tuple(sorted(scoring, key=lambda measure: (not measure.headline, measure.headline)))

    @property
    def gathered(self) -> tuple[str, ...]:
        """Names of the measures that evaluations average over sequences at each step."""
        return tuple(measure.name for measure in self.measures if measure.gathered)

    def explained(self, measures: Iterable[Measure]) -> list[Measure]:
        """List measures, then those that their sentences name."""
        explained = list(measures)
        for measure in explained:  # Grows in the loop: added measures may name others.
            listed = {each.name for each in explained}
            named = set(NAMED.findall(measure.sentence)) - listed
            explained += [other for other in self.measures if other.name in named]
        return explained

    def in_words(self, text: str) -> str:
        """Replace the names of measures in a text by their headers, and remove backticks."""
        headers = {measure.name: measure.shown_name for measure in self.measures}
        return NAMED.sub(lambda name: headers.get(name[1], name[1]), text).replace("`", "")

    def joined(self, others: Sequence["Family"]) -> "Family":
        """Add measures and pictures that only other declarations of the family have.

        Runs of several versions of this code can then share a table.
        """
        measures, pictures = list(self.measures), list(self.pictures)
        for other in others:
            names = {measure.name for measure in measures}
            measures += [measure for measure in other.measures if measure.name not in names]
            names = {picture.name for picture in pictures}
            pictures += [picture for picture in other.pictures if picture.name not in names]
        return replace(self, measures=tuple(measures), pictures=tuple(pictures))

    def to_json(self) -> dict[str, Any]:
        """Return the declaration as plain lists and mappings."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Family":
        """Read the output of ``to_json``, ignoring settings of newer versions.

        Raises:
            KeyError, TypeError, AttributeError, ValueError: the content does not have this form.
        """
        if content["criterion"] not in [each["name"] for each in content["measures"]]:
            raise KeyError(content["criterion"])
        parts = {
            "measures": tuple(_read(Measure, each) for each in content["measures"]),
            "curves": tuple(_read(StepCurve, each) for each in content["curves"]),
            "pictures": tuple(_read(Picture, each) for each in content["pictures"]),
        }
        family = _read(cls, {**content, **parts})
        if not (family.curves and family.headlines):
            raise ValueError("a family must have a curve and a headline")
        return family


def _with_remarks(name: str, *remarks: str) -> str:
    """Append the remarks that are not empty to a name, in brackets."""
    joined = ", ".join(filter(None, remarks))
    return f"{name} ({joined})" if joined else name


def _read(kind: type[Any], content: Mapping[str, Any]) -> Any:
    """Build a declaration of this kind from the settings that it has; lists become tuples."""
    known = {name: value for name, value in content.items() if name in kind.__dataclass_fields__}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
    plain: dict[Any, tuple[type, ...]] = {
        int: (int,),
        bool: (bool,),
        float | None: (int, float, NoneType),
    }
    for name, value in values.items():
        declared = kind.__dataclass_fields__[name].type
        expected = (tuple,) if get_origin(declared) is tuple else plain.get(declared, (str,))
        if not isinstance(value, expected):
            raise TypeError(f"{name} must be {expected[0].__name__}, got {value}")
    return kind(**values)
