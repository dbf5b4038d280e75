"""Reads claim files: a paper's sentence, the inequalities that it implies, and their runs."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import log
from pathlib import Path
from typing import Any, NamedTuple

import lightning_modules
from lightning_modules.command_line.configurations import find
from lightning_modules.command_line.sweep.checks import one_of, require_known
from lightning_modules.command_line.sweep.parameter import examples
from lightning_modules.command_line.sweep.sweep_file import SweepFile, read_yaml, sweep_of
from lightning_modules.command_line.usage_error import UsageError, nearest
from lightning_modules.declarations import Family
from lightning_modules.records.claim_results import SIZES
from lightning_modules.records.run_folder import shown
from lightning_modules.records.statements import Quantity, Relation, Statement

SETTINGS = ("claim", "source", "statements", "scales", "missing", "comment")
OF_SCALE = ("hours", "sweeps")
RELATIONS: tuple[Relation, ...] = ("below", "above", "near")
MARGINS = ("by", "within", "times")
OF_STATEMENT = ("says", "measure", "steps", "reaches", "of", *RELATIONS, *MARGINS, "data")
SEED = "seed_everything"
#: Number of seeds that a claim begins with, and to which its hours refer.
FIRST_SEEDS = 3


class Scale(NamedTuple):
    """The runs that a claim is judged by."""

    name: str  #: cpu or paper
    hours: float  #: on two cores, for three seeds, from scratch
    sweeps: list[SweepFile]

    @property
    def seeds(self) -> list[int]:
        """Seeds, fixed beforehand, in the order of use."""
        return list(examples(self.sweeps[0].parameters[SEED]))

    def with_seeds(self, count: int) -> list[SweepFile]:
        """Return the sweeps cut to their first seeds, which vary slowest."""
        return [
            sweep._replace(run_cap=count * (sweep.number_of_runs(None) // len(self.seeds)))
            for sweep in self.sweeps
        ]

    def hours_of(self, runs: int) -> float:
        """Estimate the cost of a number of runs, in hours on two cores."""
        return self.hours * runs / sum(sweep.run_cap or 0 for sweep in self.with_seeds(FIRST_SEEDS))

    def contestants(self) -> Iterator[tuple[str, str]]:
        """Yield each pair of a benchmark and a model trained on it."""
        for sweep in self.with_seeds(1):
            yield from map(contestant, islice(sweep.combinations(), sweep.run_cap))


class Claim(NamedTuple):
    """The content of a claim file."""

    name: str  #: such as A2
    claim: str
    source: str  #: paper, section, figure or table
    statements: list[Statement]
    scales: Mapping[str, Scale]
    missing: str  #: what cannot be measured yet; may be empty
    comment: str  #: differences from the paper and their reasons; may be empty


def contestant(values: Mapping[str, Any]) -> tuple[str, str]:
    """Return the names of a run's benchmark and model, from their files.

    Args:
        values: the run's settings: ``model`` and ``data``, or ``config``, an experiment.

    Raises:
        UsageError: they do not name both.
    """
    files: dict[str, Any] = {}
    if isinstance(values.get("config"), str):
        files = read_yaml(find(Path(values["config"])))
    named = [values.get(key, files.get(key)) for key in ("data", "model")]
    if not all(isinstance(name, str) for name in named):
        raise UsageError(
            "parameters must be files of models and data, or experiments as config, "
            f"got {', '.join(map(str, values.values()))}"
        )
    data, model = (Path(name).stem for name in named)
    return data, model


def find_claims(folder: Path, names: Sequence[str]) -> list[Claim]:
    """Read the named claims of a folder, or all of them.

    Raises:
        UsageError: there is no such claim, or its file is invalid.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if not files:
        raise UsageError(f"--claims: there are no claims in {shown(folder)}")
    for name in names:
        if name not in files:
            near = nearest(name, files)
            raise UsageError(f"there is no claim {name}{near}\nvalid: {', '.join(files)}")
    return [read_claim(files[name]) for name in names or files]


def read_claim(path: Path) -> Claim:
    """Read a claim file.

    Raises:
        UsageError: a setting is missing or wrong.
    """
    content = read_yaml(path)
    try:
        require_known(content, SETTINGS)
        scales = _scales(path, content.get("scales"))
        contestants = [pair for scale in scales.values() for pair in scale.contestants()]
        statements = content.get("statements")
        if not isinstance(statements, list):
            raise UsageError(f"statements must be a list, got {statements}")
        if not statements and not _optional_text(content, "missing"):
            raise UsageError(
                "statements: there are none; missing must say what cannot be measured yet"
            )
        return Claim(
            path.stem,
            _text(content, "claim"),
            _text(content, "source"),
            [_statement(f"statements.{i}", s, contestants) for i, s in enumerate(statements, 1)],
            scales,
            _optional_text(content, "missing"),
            _optional_text(content, "comment"),
        )
    except UsageError as mistake:
        raise UsageError(f"{shown(path)}: {mistake}") from mistake


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a sentence, got {value}")
    return " ".join(value.split())


def _optional_text(content: Mapping[str, Any], name: str) -> str:
    """Return a text that may be absent or null, and is then empty."""
    return str(content.get(name) or "").strip()


def _scales(path: Path, content: Any) -> dict[str, Scale]:
    if not isinstance(content, Mapping) or not content:
        raise UsageError(f"scales must be cpu, paper or both, got {content}")
    return {name: _scale(path, name, value) for name, value in content.items()}


def _scale(path: Path, name: str, content: Any) -> Scale:
    key = f"scales.{one_of('scales', name, ('cpu', 'paper'))}"
    if not isinstance(content, Mapping):
        raise UsageError(f"{key} must have {' and '.join(OF_SCALE)}, got {content}")
    require_known(content, OF_SCALE, f"{key}.")
    hours, sweeps = _number(f"{key}.hours", content.get("hours")), content.get("sweeps")
    if not (isinstance(sweeps, list) and sweeps and all(isinstance(s, Mapping) for s in sweeps)):
        raise UsageError(f"{key}.sweeps must be a list of sweeps, got {sweeps}")
    read = [_sweep(f"{key}.sweeps.{i}", path, each) for i, each in enumerate(sweeps, 1)]
    seeds = [[*examples(each.parameters[SEED])] for each in read]
    if any(each != seeds[0] for each in seeds):
        raise UsageError(
            f"{key}.sweeps must all have the same seeds, got {' and '.join(map(str, seeds))}"
        )
    scale = Scale(name, hours, read)
    pairs = list(scale.contestants())
    for data, model in pairs:
        if pairs.count((data, model)) > 1:
            raise UsageError(f"{key}.sweeps: {model} is trained on {data} twice")
    return scale


def _sweep(key: str, path: Path, content: Mapping[str, Any]) -> SweepFile:
    try:
        sweep = sweep_of(path, content)
        if sweep.method != "grid":
            raise UsageError(f"method must be grid, got {sweep.method}")
        if (first := next(iter(sweep.parameters))) != SEED:
            raise UsageError(
                f"parameters must begin with {SEED}, so that seeds come in turn, got {first}"
            )
    except UsageError as mistake:
        raise UsageError(f"{key}.{mistake}") from mistake
    return sweep._replace(in_order=True)


def _statement(key: str, content: Any, contestants: Sequence[tuple[str, str]]) -> Statement:
    if not isinstance(content, Mapping):
        raise UsageError(f"{key} must have a measure, models and a relation, got {content}")
    require_known(content, OF_STATEMENT, f"{key}.")
    benchmarks = list(dict.fromkeys(data for data, _ in contestants))
    models = list(dict.fromkeys(model for _, model in contestants))
    relations = [name for name in RELATIONS if name in content]
    if len(relations) != 1:
        raise UsageError(f"{key} must have one of {', '.join(RELATIONS)}, got {len(relations)}")
    (relation,) = relations
    to = content[relation]
    numeric = isinstance(to, int | float) and not isinstance(to, bool)
    return Statement(
        _quantity(key, content),
        _names(f"{key}.of", content.get("of"), models),
        relation,
        float(to) if numeric else _names(f"{key}.{relation}", to, models),
        _margin(key, content, relation, numeric),
        _names(f"{key}.data", content["data"], benchmarks) if "data" in content else (),
        " ".join(_optional_text(content, "says").split()),
    )


def _quantity(key: str, content: Mapping[str, Any]) -> Quantity:
    families = lightning_modules.families()
    measures = [each.name for family in families for each in family.measures]
    measure = one_of(f"{key}.measure", content.get("measure"), [*dict.fromkeys(measures), *SIZES])
    if "reaches" in content:
        return Quantity(measure, None, _level(key, content, families))
    if "steps" not in content:
        return Quantity(measure, None)
    curves = dict.fromkeys(curve.name for family in families for curve in family.curves)
    one_of(f"{key}.measure", measure, curves)
    steps = content["steps"]
    whole = isinstance(steps, list) and [type(step) for step in steps] == [int, int]
    if not whole or not 1 <= steps[0] <= steps[1]:
        raise UsageError(f"{key}.steps must be a first and a last step from 1 on, got {steps}")
    return Quantity(measure, (steps[0], steps[1]))


def _level(key: str, content: Mapping[str, Any], families: Sequence[Family]) -> float:
    """Read the level that a time is measured to, for a measure that is followed in training."""
    if "steps" in content:
        raise UsageError(
            f"{key}.steps: cannot be combined with reaches, which is about whole validations"
        )
    followed = [n for family in families for n in family.followed if family[n].better != "neither"]
    one_of(f"{key}.measure", content["measure"], followed)
    return _number(f"{key}.reaches", content["reaches"])


def _margin(key: str, content: Mapping[str, Any], relation: Relation, numeric: bool) -> float:
    """Return the margin: 0 for a number, itself the bound; for times, the factor's signed log."""
    timed = "reaches" in content
    if timed and (numeric or relation == "near"):
        raise UsageError(f"{key}.{relation}: times must be below or above those of models")
    name = "times" if timed else "within" if relation == "near" else "by"
    invalid = [other for other in MARGINS if other != name and other in content]
    if name == "by" and numeric and name in content:
        invalid.append(name)
    if invalid:
        raise UsageError(
            f"{key}.{invalid[0]}: cannot be combined with {relation}: {content[relation]}"
        )
    if numeric and relation != "near":
        return 0.0
    margin = content.get(name)
    if margin is None:
        neutral = "1.0" if timed else "0.0"
        raise UsageError(f"{key}.{name}: is missing; {relation} needs a margin, such as {neutral}")
    number = _number(f"{key}.{name}", margin)
    if not timed:
        return number
    if number <= 0:
        raise UsageError(f"{key}.times must be a factor above 0, got {number:g}")
    return -log(number) if relation == "below" else log(number)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"{key} must be a number, got {value}")
    return float(value)


def _names(key: str, content: Any, valid: Sequence[str]) -> tuple[str, ...]:
    """Read a name or a list of names."""
    names = [content] if isinstance(content, str) else content
    if not isinstance(names, list) or not names:
        raise UsageError(f"{key} must be one of {', '.join(valid)}, or a list, got {content}")
    return tuple(one_of(key, name, valid) for name in names)
