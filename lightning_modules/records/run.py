"""A run, as code that shows or compares runs sees it, and the reader of ``results.json``.

Unused keys are ignored, so that files of older and newer versions can be read.
"""

from collections.abc import Mapping
from math import nan
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_modules.declarations import Family
from lightning_modules.records.before_declarations import declared_before, with_scoring
from lightning_modules.records.metrics_file import History
from lightning_modules.records.model_file import DeclaredModel, declared_model
from lightning_modules.records.problems import NotFinite, Unreadable
from lightning_modules.records.reading import is_whole, read_json
from lightning_modules.records.run_folder import readable
from lightning_modules.records.settings import flat

#: Digits of a hash; old records have no more.
DIGITS = 12
#: Facts about a run that are neither settings nor test results.
FACTS = ("parameters", "state_size", "wall_clock_seconds", "hardware", "torch", "revision")


class Benchmark(NamedTuple):
    """Test set of a run; only runs with the same one are compared."""

    name: str  #: class of the data module
    steps: int  #: T of every sequence
    source: str
    sequences: int  #: evaluated sequences of the test set
    sha256: str  #: hash of the test set

    def __str__(self) -> str:
        """Describe the test set."""
        test_set = f"{self.sequences:,} sequences of test set {self.sha256}"
        return f"{self.name} ({self.steps} steps, {self.source}, {test_set})"


class Tested(NamedTuple):
    """Results of the test of one run."""

    declared: DeclaredModel
    seed: int | None
    training_steps: int
    settings: Mapping[str, Any]  #: of ``model``, ``data`` and, if present, ``trainer``, flattened
    benchmark: Benchmark
    scalars: Mapping[str, float]  #: by measure; NaN if it was not measured
    curves: Mapping[str, Tensor]  #: those that the family declares, [T] each
    facts: Mapping[str, Any]  #: those of ``FACTS`` in the file


class Run(NamedTuple):
    """A run that was tested, or validated, or both."""

    folder: Path
    declared: DeclaredModel
    seed: int | None
    settings: Mapping[str, Any]  #: all settings, by command-line key
    tested: Tested | None
    history: History | None
    sizes: Mapping[str, Any] = MappingProxyType({})  #: facts known before a test

    @property
    def name(self) -> str:
        """Names of the experiment's and of the run's folder."""
        return readable("/".join(self.folder.absolute().parts[-2:]))

    @property
    def path(self) -> Path:
        """Folder of the run, or file of its kept record."""
        return self.folder if self.folder.is_dir() else self.folder.with_suffix(".json")

    @property
    def kept_as(self) -> str | None:
        """Name of the model's folder in the kept records; None for a run's folder."""
        return None if self.folder.is_dir() else readable(self.folder.parent.name)

    @property
    def seed_name(self) -> str:
        """Seed, as text."""
        return "unknown" if self.seed is None else str(self.seed)

    @property
    def family(self) -> Family:
        """Family of the model."""
        return self.declared.family

    @property
    def contestant(self) -> str:
        """Class that is compared: the core, or a baseline model without a core of its own."""
        return self.declared.contestant

    @property
    def training_steps(self) -> int:
        """Training steps after which the run was tested, or last validated."""
        if self.tested is not None:
            return self.tested.training_steps
        assert self.history is not None
        return int(self.history.steps[-1])

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts that are not settings, such as the number of parameters."""
        return self.sizes if self.tested is None else self.tested.facts

    def part(self, name: str) -> dict[str, Any]:
        """Return the settings of the ``model`` or of the ``data``."""
        prefix = f"{name}."
        return {k: v for k, v in self.settings.items() if k == name or k.startswith(prefix)}

    def scalar(self, name: str) -> float:
        """Return a measure of the test, else of the last validation; NaN if missing."""
        if self.tested is not None:
            return self.tested.scalars.get(name, nan)
        assert self.history is not None
        return self.history.last(name)

    def curve(self, name: str) -> Tensor | None:
        """Return a curve [T] of the test, else of the last validation; None if missing."""
        if self.tested is not None:
            return self.tested.curves.get(name)
        assert self.history is not None
        return self.history.curve if self.history.curve_name == name else None


def read_results(path: Path) -> Tested:
    """Read a ``results.json``.

    Raises:
        NotFinite: training diverged.
        Unreadable: the file is damaged, or ``test`` did not write it.
    """
    content = read_json(path)
    try:
        tested = _tested(content)
    except KeyError as failure:
        raise Unreadable(f"has no {failure}; `test` did not write it") from failure
    except (AttributeError, IndexError, OverflowError, TypeError, ValueError) as failure:
        raise Unreadable("does not have the form that `test` writes") from failure
    main = tested.declared.family.curves[0].name
    if main in tested.curves and not tested.curves[main].isfinite().any():
        raise NotFinite(f"has no finite {main.upper()}: training diverged")
    return tested


def _tested(content: Any) -> Tested:
    settings, scalars, core = content["settings"], content["scalars"], content.get("memory")
    if "declared" in content:
        declared = with_scoring(declared_model(content["declared"]))
    elif core is None or isinstance(core, str):
        declared = declared_before(content["model"], core, content["curves"])
    else:
        raise Unreadable(f"is damaged: its memory is not the name of a class, {core!r:.40}")
    family = declared.family
    names = (*(curve.name for curve in family.curves), family.share, family.optimum)
    stored = content["curves"]
    curves = {name: _numbers(stored[name]) for name in names if name in stored}
    # Includes measures that are not columns in this version.
    numbers = {name: value for name, value in scalars.items() if isinstance(value, float)}
    columns = {m.name: _number(scalars.get(m.name)) for m in family.columns}
    # Without `steps`, the length of a curve tells it.
    steps = content["steps"] if "steps" in content else len(curves[family.curves[0].name])
    return Tested(
        declared=declared,
        seed=seed_of(content["seed"]),
        training_steps=_count(content["global_step"]),
        settings=flat(settings),
        benchmark=_benchmark(content, _count(steps)),
        scalars={**numbers, **columns},
        curves=curves,
        facts=_facts(content),
    )


def seed_of(seed: Any) -> int | None:
    """Return the seed; None for a run without one, written as ``false`` in settings.

    Raises:
        Unreadable: the value is not a seed.
    """
    if seed is None or isinstance(seed, bool):
        return None
    if not is_whole(seed):
        raise Unreadable(f"is damaged: its seed is not a whole number, {seed!r:.40}")
    return int(seed)


def _count(value: Any) -> int:
    if not is_whole(value) or value < 0:
        raise ValueError
    return int(value)


def _facts(content: Mapping[str, Any]) -> dict[str, Any]:
    # Facts of the training take precedence over those of the test.
    training = {k: v for k, v in (content.get("training") or {}).items() if v is not None}
    facts = {**(content.get("versions") or {}), **content, **training}
    return {name: facts[name] for name in FACTS if name in facts}


def _benchmark(content: Mapping[str, Any], steps: int) -> Benchmark:
    settings, data = content["settings"]["data"], content["data"]
    # Older files lack the number of evaluated sequences; by default all are.
    has_number = "sequences" in content
    sequences = content["sequences"] if has_number else settings["init_args"]["test_size"]
    if not all(isinstance(data[name], str) for name in ("source", "test_sha256")):
        raise TypeError
    return Benchmark(
        name=settings["class_path"].rpartition(".")[2],
        steps=steps,
        source=data["source"],
        sequences=_count(sequences),
        sha256=data["test_sha256"][:DIGITS],
    )


def _number(value: Any) -> float:
    if value is None:
        return nan
    if isinstance(value, bool | str):
        raise TypeError
    return float(value)


def _numbers(values: Any) -> Tensor:
    if not (isinstance(values, list) and values):
        raise TypeError
    return torch.tensor([_number(value) for value in values])
