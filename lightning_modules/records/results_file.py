"""What ``test`` found in runs, read from their ``results.json``.

Only what is needed is asked for, so that files of older and newer versions are read alike.
"""

import json
from collections.abc import Iterable, Mapping
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.readings import Reading, reading_of
from lightning_modules.records.run_folder import RunFolder, shown


class Benchmark(NamedTuple):
    """What a run was tested on; only runs with the same compare."""

    name: str  #: class of the data module
    steps: int  #: T of every sequence
    source: str
    sequences: int  #: of the test set that were evaluated
    sha256: str  #: of the test set

    def __str__(self) -> str:
        """Name it in a message."""
        tested = f"{self.sequences:,} sequences of test set {self.sha256[:12]}"
        return f"{self.name} ({self.steps} steps, {self.source}, {tested})"


class RunResults(NamedTuple):
    """One tested run."""

    folder: Path
    model: str
    memory: str | None
    seed: int | None
    training_steps: int
    model_settings: Mapping[str, Any]  #: as in config.yaml: ``class_path`` and ``init_args``
    data_settings: Mapping[str, Any]  #: likewise
    benchmark: Benchmark
    reading: Reading  #: of its family
    scalars: Mapping[str, float]  #: those of the reading; NaN where there was nothing to average
    curve: Tensor  #: [T], likewise
    share: Tensor | None  #: [T] in [0, 1], of sequences
    optimum: Tensor | None  #: [T], the least that is possible, where that is known
    kl: Tensor | None  #: [T], of the posterior from the prior
    facts: Mapping[str, Any]  #: ``FACTS``, as far as the file has them


#: Of a run: no settings, and no measurements of the test.
FACTS = ("parameters", "wall_clock_seconds", "revision")


class Unreadable(Exception):
    """Why a file holds no results."""


def results_files(folder: Path) -> list[Path]:
    """Find the results of a run, or of all runs below a folder; a file is taken as it is.

    Raises:
        UsageError: there is no such folder or file.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise UsageError(f"there is no folder {shown(folder)}")
    own = RunFolder(folder).results
    return [own] if own.exists() else sorted(folder.rglob(own.name))


def read_results(path: Path) -> RunResults:
    """Read one file.

    Raises:
        Unreadable: it is damaged, or none of ``test``'s.
    """
    content = _content(path)
    try:
        results = _results(path, content)
    except KeyError as failure:
        raise Unreadable(f"has no {failure}; `test` did not write it") from failure
    except (AttributeError, TypeError, ValueError) as failure:
        raise Unreadable("has another form than what `test` writes") from failure
    if not results.curve.isfinite().any():
        name = results.reading.curve.upper()
        raise Unreadable(f"has no finite {name}: training diverged")
    return results


def _content(path: Path) -> Any:
    try:
        text = path.read_text()
        if not text.strip():
            raise Unreadable("is empty")
        return json.loads(text)
    except OSError as failure:
        raise Unreadable(f"can not be read: {failure.strerror}") from failure
    except ValueError as failure:
        raise Unreadable("is damaged: no JSON, or half of it") from failure


def _results(path: Path, content: Any) -> RunResults:
    settings, curves = content["settings"], content["curves"]
    reading = reading_of(curves)
    if reading is None:
        raise Unreadable("has none of the curves that are compared")
    return RunResults(
        folder=path.parent,
        model=content["model"],
        memory=content["memory"],
        seed=content["seed"],
        training_steps=int(content["global_step"]),
        model_settings=dict(settings["model"]),
        data_settings=dict(settings["data"]),
        benchmark=_benchmark(content, steps=len(curves[reading.curve])),
        reading=reading,
        scalars={c.scalar: _number(content["scalars"].get(c.scalar)) for c in reading.columns},
        curve=_numbers(curves[reading.curve]),
        share=_known(curves.get(reading.share)),
        optimum=_known(curves.get(reading.optimum)),
        kl=_known(curves.get("kl")),
        facts=_facts(content),
    )


def _facts(content: Mapping[str, Any]) -> dict[str, Any]:
    # Of training where that is known, else of the test.
    training = {k: v for k, v in (content.get("training") or {}).items() if v is not None}
    known = {**(content.get("versions") or {}), **content, **training}
    return {name: known[name] for name in FACTS if name in known}


def _benchmark(content: Mapping[str, Any], steps: int) -> Benchmark:
    settings, used = content["settings"]["data"], content["data"]
    # Older files do not say how many were evaluated; by default all are.
    sequences = content.get("sequences", settings["init_args"]["test_size"])
    return Benchmark(
        name=settings["class_path"].rpartition(".")[2],
        steps=steps,
        source=used["source"],
        sequences=int(sequences),
        sha256=used["test_sha256"],
    )


def _number(value: float | None) -> float:
    return nan if value is None else float(value)


def _known(values: Iterable[float | None] | None) -> Tensor | None:
    return None if values is None else _numbers(values)


def _numbers(values: Iterable[float | None]) -> Tensor:
    return torch.tensor([_number(value) for value in values])
