"""``probe``: probes of trained runs, and one-line messages for what cannot be probed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import main
from lightning_modules.command_line.probe import Subject, lengthened
from lightning_modules.records.probe_file import load_probe

RECALL = "--config=conf/dnc_gtmm_perfect_recall_l10.yaml"
FUNCTIONS = "--config=conf/asnp_rmr_gp_transfer.yaml"


@pytest.fixture
def trained(tiny: Callable[..., list[str]], runs: Path) -> Callable[..., Path]:
    """Trains a step, and returns the run's folder."""

    def train(*options: str) -> Path:
        steps = ("--trainer.max_steps=1", "--trainer.limit_val_batches=0", "--run=r")
        main([*tiny("fit", *options), *steps])
        return next(runs.glob("*/r"))

    return train


def test_a_run_is_probed(trained: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(RECALL)
    main(["test", f"--ckpt_path={run}/checkpoints/last.ckpt", "--trainer.limit_test_batches=1"])
    capsys.readouterr()
    main(["probe", str(run), "--times=2"])
    said = capsys.readouterr().out
    found = load_probe(run / "probe.json")
    changed = {each.change: each for each in found.changed}
    assert list(changed) == ["untouched", "zeroed", "shuffled", "transplanted"]
    tested = json.loads((run / "results.json").read_text(encoding="utf-8"))
    assert changed["untouched"].value == pytest.approx(tested["scalars"]["recall_ratio"], rel=1e-6)
    assert len({each.value for each in found.changed}) == 4
    assert all(0 <= share <= 1 for each in found.changed for share in (each.own, each.donor))
    once, twice = found.lengthened
    assert (once.steps, once.stored, twice.steps, twice.stored) == (12, 10, 22, 20)
    assert once.state == tested["state_size"] < twice.state
    (row,) = re.findall(r"^  zeroed +([\d.]+)", said, re.M)
    assert row == f"{changed['zeroed'].value:.3f}"
    assert (run / "probe.png").is_file()


@pytest.mark.parametrize("core", ["Introspection", "DKM"])
def test_a_core_whose_parameters_count_its_slots_keeps_their_number(
    core: str, tiny: Callable[..., list[str]]
) -> None:
    words = [word for word in tiny("fit", RECALL)[1:] if "limit" not in word]
    subject = Subject([*words, f"--model.memory={core}"])
    found = [*lengthened(subject, subject.model.state_dict(), [2, 4], 2)]
    assert [(each.steps, each.stored) for each in found] == [(22, 20), (42, 40)]
    assert {each.state for each in found} == {subject.model.state_size}


def test_a_core_whose_parameters_count_the_steps_has_one_length(
    tiny: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [word for word in tiny("fit", RECALL)[1:] if "limit" not in word]
    subject = Subject([*words, "--model.memory=Introspection"])
    monkeypatch.setattr("lightning_modules.command_line.probe.names_slots", lambda _: False)
    (line,) = lengthened(subject, subject.model.state_dict(), [2, 4], 2)
    assert line == (
        "longer: left out, the parameters of Introspection depend on the sequence length "
        "(backbone.memory.attention.output.weight)"
    )


def test_functions_are_probed_at_steps_without_a_context(
    trained: Callable[..., Path], capsys: pytest.CaptureFixture[str], complaint: Callable[..., str]
) -> None:
    run = trained(FUNCTIONS)
    capsys.readouterr()
    main(["probe", str(run), "--times=2"])
    assert "without context (nats per target)" in capsys.readouterr().out
    found = load_probe(run / "probe.json")
    assert [each.change for each in found.changed] == [
        *("untouched", "zeroed", "shuffled", "transplanted")
    ]
    assert len({each.value for each in found.changed}) == 4
    assert [each.steps for each in found.lengthened] == [4, 8]
    said = complaint("probe", str(run), "--data.context_steps=4")
    assert "data: DriftingFunctions has no recall phase here: every step has a context" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["conf"], "conf has no checkpoint, such as conf/checkpoints/best.ckpt"),
        (["nowhere"], "there is no file or folder nowhere"),
        (["README.md"], "ckpt_path: README.md is not in a run's folder"),
        (["conf", "--sequences=1"], "--sequences must be at least 2, got 1"),
        (["conf", "--times=two"], "argument --times: must be whole numbers above 1, got two"),
        (["conf", "--times=1"], "argument --times: must be whole numbers above 1, got 1"),
    ],
)
def test_what_cannot_be_probed_is_said(
    complaint: Callable[..., str], words: list[str], message: str
) -> None:
    assert message in complaint("probe", *words)
