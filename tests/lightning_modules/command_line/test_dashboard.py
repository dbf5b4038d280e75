"""The W&B workspace, as it would be sent."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import wandb_workspaces.workspaces as ws

import cli
from lightning_modules.command_line import dashboard as module
from lightning_modules.command_line.dashboard import (
    as_json,
    benchmarks,
    colours,
    dashboard,
    workspace,
)
from lightning_modules.command_line.usage_error import UsageError
from memory_cores import DNC, RMR

DOCUMENTED = Path(__file__).parents[3] / "docs/metrics.md"


def sent(benchmark: str | None) -> dict[str, Any]:
    return json.loads(as_json(workspace("me", "cores", benchmark)))


def panels(view: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    listed = view["spec"]["section"]["panelBankConfig"]["sections"]
    return {section["name"]: section["panels"] for section in listed}


def test_panels_are_grouped_by_model_with_standard_errors():
    for name, listed in panels(sent(None)).items():
        for panel in listed:
            if panel["viewType"] in ("Bar Chart", "Run History Line Plot"):
                config = panel["config"]
                assert config["groupBy"] == "model.value", name
                assert (config["groupAgg"], config["groupArea"]) == ("mean", "stderr")
                assert config["chartTitle"]


def test_every_metric_is_documented():
    known = set(re.findall(r"`([a-z0-9_/]+)`", DOCUMENTED.read_text(encoding="utf-8")))
    shown = [m for listed in panels(sent(None)).values() for p in listed for m in metrics(p)]
    assert len(shown) > 15
    for metric in shown:
        stage, _, name = metric.rpartition("/")
        assert (
            metric in known
            or (stage in ("test", "val", "curve", "val_curve") and name in known)
            or (metric == "curve/optimal_nll")
        ), metric


def metrics(panel: dict[str, Any]) -> list[str]:
    found = panel["config"].get("metrics", [])
    return [metric.removeprefix("config.").removesuffix(".value") for metric in found]


def test_learning_is_drawn_against_steps_and_seconds():
    drawn = [panel["config"] for panel in panels(sent(None))["Learning"]]
    bound = [c.get("xAxis") for c in drawn if c["metrics"] == ["val/bound"]]
    assert sorted(map(str, bound)) == ["seconds", "trainer/global_step"]
    (kl,) = (
        panel["config"]
        for panel in panels(sent(None))["Over the steps of a sequence"]
        if panel["config"]["metrics"] == ["curve/kl"]
    )
    assert kl["xAxis"] == "curve/t"


def test_a_core_has_the_colour_that_it_has_everywhere():
    assert colours()["GTMM DNC"] == DNC.look.colour and colours()["ASNP RMR"] == RMR.look.colour
    text = json.dumps(sent(None))
    assert f'GTMM%20DNC%22%7D%5D": "{DNC.look.colour}"' in text


def test_one_benchmark_is_filtered():
    assert "MNISTMaze" in benchmarks() and "FunctionDataModule" not in benchmarks()
    filters = json.dumps(sent("MNISTMaze")["spec"]["section"]["runSets"][0]["filters"])
    assert '"section": "config", "name": "benchmark"' in filters and '"MNISTMaze"' in filters
    assert "MNISTMaze" not in json.dumps(sent(None))


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--wandb", "cores"], "--wandb: must be ENTITY/PROJECT, such as .*, got cores$"),
        (["--wandb", "a/b/c"], "--wandb: must be ENTITY/PROJECT, such as .*, got a/b/c$"),
        (["--benchmark", "MNISTMase"], "there is no MNISTMase.*MNISTMaze\\?\nvalid: .*, Rotation"),
        (["--benchmark", "x"], "--benchmark: there is no x\nvalid: .*MNISTMaze, "),
    ],
)
def test_mistakes_are_named(args: list[str], message: str):
    with pytest.raises(UsageError, match=message):
        dashboard(args)


def test_without_a_place_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """No server is contacted, so no account is needed."""
    cli.main(["dashboard", "--benchmark", "MNISTMaze"])
    printed = json.loads(capsys.readouterr().out)
    titles, expected = (
        {name: [p["config"].get("chartTitle") for p in listed] for name, listed in view.items()}
        for view in (panels(printed), panels(sent("MNISTMaze")))
    )
    assert titles == expected
    assert "MNISTMaze" in json.dumps(printed["spec"]["section"]["runSets"][0]["filters"])
    assert (printed["entity"], printed["project"]) == ("ENTITY", "PROJECT")


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "objection", lambda: None)


@pytest.mark.usefixtures("logged_in")
def test_it_is_saved_once_and_its_address_is_said(monkeypatch: pytest.MonkeyPatch, capsys):
    saved = []

    def save(view: ws.Workspace) -> ws.Workspace:
        saved.append((view.entity, view.project))
        return view

    monkeypatch.setattr(ws.Workspace, "save", save)
    monkeypatch.setattr(ws.Workspace, "url", property(lambda view: f"/{view.project}?nw=abc"))
    cli.main(["dashboard", "--wandb", "me/cores"])
    assert saved == [("me", "cores")]
    assert "The workspace is /cores?nw=abc" in capsys.readouterr().out


@pytest.mark.usefixtures("logged_in")
def test_what_wandb_refuses_is_one_line(monkeypatch: pytest.MonkeyPatch):
    def save(view: ws.Workspace) -> None:
        raise ValueError("project not found")

    monkeypatch.setattr(ws.Workspace, "save", save)
    with pytest.raises(UsageError, match="W&B refused the workspace: project not found"):
        dashboard(["--wandb", "me/cores"])


def test_a_server_that_takes_nobody_is_one_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "objection", lambda: "http://here did not answer within 5 s")
    with pytest.raises(UsageError, match="^--wandb: http://here did not answer within 5 s$"):
        dashboard(["--wandb", "me/cores"])
