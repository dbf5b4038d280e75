"""Files of claims: what is read, and which mistakes are explained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lightning_modules.command_line.reproduce.claim_file import find_claims, read_claim
from lightning_modules.command_line.usage_error import UsageError
from lightning_modules.records.statements import Quantity

MODELS = ["conf/models/dnc_gtmm.yaml", "conf/models/vrnn.yaml"]


def sweep(**changes: Any) -> dict[str, Any]:
    parameters = {
        "seed_everything": {"values": [31, 32, 33, 34, 35, 36, 37, 38]},
        "data": {"values": ["conf/data/maze.yaml"]},
        "model": {"values": MODELS},
    }
    return {"program": "cli.py", "method": "grid", "parameters": {**parameters, **changes}}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a claim that can be read, with some settings changed."""

    def written(statement: dict[str, Any] | None = None, **changes: Any) -> Path:
        own = {"measure": "recall_ratio", "of": "dnc_gtmm", "below": "vrnn", "by": 0.1}
        content = {
            "claim": "A memory  helps.",
            "source": "a paper",
            "statements": [own if statement is None else statement],
            "scales": {"cpu": {"hours": 2, "sweeps": [sweep()]}},
            **changes,
        }
        path = tmp_path / "Z1.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return written


def test_a_claim_is_read(write: Callable[..., Path]) -> None:
    claim = read_claim(write())
    (statement,) = claim.statements
    assert (claim.name, claim.claim) == ("Z1", "A memory helps.")
    assert statement.quantity == Quantity("recall_ratio", None)
    assert (statement.of, statement.relation, statement.to) == (("dnc_gtmm",), "below", ("vrnn",))
    assert (statement.margin, statement.data) == (0.1, ())
    assert claim.scales["cpu"].seeds == [31, 32, 33, 34, 35, 36, 37, 38]


def test_steps_numbers_and_benchmarks_of_a_statement(write: Callable[..., Path]) -> None:
    said = {
        "measure": "kl",
        "steps": [2, 4],
        "of": ["vrnn"],
        "near": 1,
        "within": 0,
        "data": "maze",
    }
    (statement,) = read_claim(write(said)).statements
    assert statement.quantity == Quantity("kl", (2, 4))
    assert (statement.to, statement.margin, statement.data) == (1.0, 0.0, ("maze",))


@pytest.mark.parametrize(("relation", "sign"), [("below", -1), ("above", 1)])
def test_times_have_a_factor_as_their_margin(
    write: Callable[..., Path], relation: str, sign: int
) -> None:
    said = {"measure": "bound", "reaches": -90, "of": "dnc_gtmm", relation: "vrnn", "times": 1.5}
    (statement,) = read_claim(write(said)).statements
    assert statement.quantity == Quantity("bound", None, -90.0)
    assert statement.margin == pytest.approx(sign * 0.405465) and statement.to == ("vrnn",)
    assert statement.factor == pytest.approx(1.5)


def test_seeds_are_taken_in_turn(write: Callable[..., Path]) -> None:
    """Three seeds of two models: the first six runs, whatever comes later."""
    scale = read_claim(write()).scales["cpu"]
    (file,) = scale.with_seeds(3)
    assert file.number_of_runs(None) == 6
    firsts = [values["seed_everything"] for values in file.combinations()][:6]
    assert firsts == [31, 31, 32, 32, 33, 33]
    assert scale.hours_of(3) == 1.0


def test_contestants_are_files_of_models_or_experiments(write: Callable[..., Path]) -> None:
    assert list(read_claim(write()).scales["cpu"].contestants()) == [
        ("maze", "dnc_gtmm"),
        ("maze", "vrnn"),
    ]
    own = sweep()
    own["parameters"] = {
        "seed_everything": {"values": [31, 32, 33]},
        "config": {"values": ["conf/vrnn_maze.yaml", "conf/dnc_gtmm_rotation.yaml"]},
    }
    claim = read_claim(write(scales={"paper": {"hours": 1, "sweeps": [own]}}))
    assert list(claim.scales["paper"].contestants()) == [("maze", "vrnn"), ("rotation", "dnc_gtmm")]


STATEMENT = {"measure": "kl", "of": "vrnn", "below": "dnc_gtmm", "by": 0.0}
TIMED = {"measure": "bound", "reaches": -100, "times": 1.25}


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ({"measure": "nlll"}, "statements.1.measure must be one of"),
        ({"measure": "nlll"}, "got nlll; did you mean nll?"),
        ({"measure": None}, "got None"),
        ({"measure": "bound", "steps": [1, 2]}, "statements.1.measure must be one of kl, nll, got"),
        ({"steps": [0, 2]}, "steps must be a first and a last step from 1 on, got [0, 2]"),
        ({"steps": [3, 2]}, "got [3, 2]"),
        ({"by": None}, "statements.1.by: is missing; below needs a margin, such as 0.0"),
        ({"by": "x"}, "statements.1.by must be a number, got x"),
        ({"within": 1}, "statements.1.within: cannot be combined with below: dnc_gtmm"),
        ({"below": 0.5}, "statements.1.by: cannot be combined with below: 0.5"),
        ({"below": True}, "statements.1.below must be one of dnc_gtmm, vrnn, or a list, got True"),
        ({"above": "vrnn"}, "statements.1 must have one of below, above, near, got 2"),
        (
            {"of": "dnc"},
            "statements.1.of must be one of dnc_gtmm, vrnn, got dnc; did you mean dnc_",
        ),
        ({"below": []}, "statements.1.below must be one of dnc_gtmm, vrnn, or a list, got []"),
        ({"data": "mase"}, "statements.1.data must be one of maze, got mase; did you mean maze?"),
        ({"margin": 1}, "statements.1.margin: there is no such setting here"),
        ({"times": 2}, "statements.1.times: cannot be combined with below: dnc_gtmm"),
        (
            {**TIMED, "times": None},
            "statements.1.times: is missing; below needs a margin, such as 1.0",
        ),
        ({**TIMED, "times": 0}, "statements.1.times must be a factor above 0, got 0"),
        ({**TIMED, "reaches": "low"}, "statements.1.reaches must be a number, got low"),
        ({**TIMED, "by": 0.0}, "statements.1.by: cannot be combined with below: dnc_gtmm"),
        ({**TIMED, "below": 100}, "statements.1.below: times must be below or above those of"),
        ({**TIMED, "steps": [1, 2]}, "statements.1.steps: cannot be combined with reaches"),
        ({**TIMED, "measure": "kl"}, "statements.1.measure must be one of bound, nll, got kl"),
    ],
)
def test_mistakes_in_statements_are_explained(
    write: Callable[..., Path], statement: dict[str, Any], part: str
) -> None:
    content = {**STATEMENT, **statement}
    if "reaches" in statement and "by" not in statement:
        del content["by"]
    with pytest.raises(UsageError) as mistake:
        read_claim(write(content))
    assert part in str(mistake.value)
    assert "Z1.yaml: " in str(mistake.value)


@pytest.mark.parametrize(
    ("scales", "part"),
    [
        ({}, "scales must be cpu, paper or both, got {}"),
        ({"gpu": {}}, "scales must be one of cpu, paper, got gpu"),
        ({"cpu": {"hours": "x", "sweeps": [sweep()]}}, "scales.cpu.hours must be a number, got x"),
        ({"cpu": {"hours": 1, "sweeps": []}}, "scales.cpu.sweeps must be a list of sweeps, got []"),
        (
            {"cpu": {"hours": 1, "sweeps": [{**sweep(), "method": "random"}]}},
            "scales.cpu.sweeps.1.method must be grid, got random",
        ),
        (
            {"cpu": {"hours": 1, "sweeps": [sweep(), sweep()]}},
            "scales.cpu.sweeps: dnc_gtmm is trained on maze twice",
        ),
        (
            {"cpu": {"hours": 1, "sweeps": [sweep(), sweep(seed_everything={"values": [1]})]}},
            "sweeps must all have the same seeds, got [31, 32, 33, 34, 35, 36, 37, 38] and [1]",
        ),
        (
            {"cpu": {"hours": 1, "sweeps": [sweep(model={"values": ["DNC", 1]})]}},
            "parameters must be files of models and data, or experiments as config, got 31, conf/",
        ),
    ],
)
def test_mistakes_in_scales_are_explained(
    write: Callable[..., Path], scales: dict[str, Any], part: str
) -> None:
    with pytest.raises(UsageError) as mistake:
        read_claim(write(scales=scales))
    assert part in str(mistake.value)


def test_seeds_must_vary_slowest(write: Callable[..., Path]) -> None:
    own = sweep()
    own["parameters"] = dict(reversed(own["parameters"].items()))
    said = "parameters must begin with seed_everything, so that seeds come in turn, got model"
    with pytest.raises(UsageError, match=said):
        read_claim(write(scales={"cpu": {"hours": 1, "sweeps": [own]}}))


def test_a_claim_without_statements_says_why(write: Callable[..., Path]) -> None:
    assert read_claim(write(statements=[], missing="a number")).missing == "a number"
    for changes in ({}, {"missing": None}):
        with pytest.raises(UsageError, match="statements: there are none; missing must say"):
            read_claim(write(statements=[], **changes))


def test_null_texts_are_empty(write: Callable[..., Path]) -> None:
    claim = read_claim(write({**STATEMENT, "says": None}, missing=None, comment=None))
    assert (claim.missing, claim.comment, claim.statements[0].says) == ("", "", "")


def test_claims_are_found_by_name(write: Callable[..., Path], tmp_path: Path) -> None:
    write()
    assert [claim.name for claim in find_claims(tmp_path, [])] == ["Z1"]
    with pytest.raises(UsageError, match=r"there is no claim Z; did you mean Z1\?\nvalid: Z1"):
        find_claims(tmp_path, ["Z"])
    with pytest.raises(UsageError, match="--claims: there are no claims in"):
        find_claims(tmp_path / "none", [])
