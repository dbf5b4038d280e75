"""Comparing tested runs: the table, the figure's data, skipped runs, and usage errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli import ExperimentCLI, main
from lightning_modules.records.settings import short_names
from lightning_modules.records.significance import interval_in_words
from tests.cli.commands import cells

SCALARS = ("bound", "kl_new", "kl_recalled", "recall_ratio", "read_correctness_best_head")
SEEDS = {0: [15.0, 14.0, 3.0], 1: [16.0, 14.5, 2.0], 2: [14.5, 15.5, 2.8]}


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes what `test` would, and returns the run's folder."""

    def written(
        core: str,
        seed: int,
        kl: list[float | None],
        /,
        model: str = "GTMM",
        memory: dict[str, Any] | None = None,
        data_settings: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Path:
        chosen = {"class_path": f"memory_cores.{core}", "init_args": memory or {}}
        settings = {} if model == "VRNN" else {"memory": chosen}
        new, recalled = (v or 1.0 for v in (kl[0], kl[-1]))
        values = (-100 * new, new, recalled, recalled / new, 0.875)
        content = {
            "model": model,
            "memory": core,
            "scalars": dict(zip(SCALARS, values, strict=True)) | {"read_correctness": {"mean": 1}},
            "curves": {"kl": kl, "recalled_share": [0.0, 0.0, 1.0], "reads": [[1.0], [2.0]]},
            "settings": {
                "model": {"class_path": f"lightning_modules.{model}", "init_args": settings},
                "data": {
                    "class_path": "datamodules.PerfectRecall",
                    "init_args": {"test_size": 1000} | (data_settings or {}),
                },
            },
            "data": {"source": "mnist5k", "test_sha256": "a" * 64},
            "seed": seed,
            "global_step": 3000,
            **changes,
        }
        folder = tmp_path / "runs" / f"{core}_recall" / f"{'vrnn-' * (model == 'VRNN')}seed{seed}"
        folder.mkdir(parents=True)
        (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
        return folder

    return written


def test_means_and_intervals_over_seeds(write, drawn, out: str, tmp_path: Path, capsys):
    for seed, kl in SEEDS.items():
        write("DNC", seed, kl)
    baseline = {"bound": -1100, "kl_new": 11, "kl_recalled": 11.25, "recall_ratio_late": 1.5}
    write("NoMemory", 0, [11.0, 11.5, 11.25], model="VRNN", scalars=baseline)
    main(["compare", f"{tmp_path}/runs", out])
    rows = cells(capsys.readouterr().out)
    values = np.array(list(SEEDS.values()))
    first, last = values[:, 0], values[:, -1]
    expected = [
        interval_in_words(x.mean(), 4.302653 * x.std(ddof=1) / 3**0.5, digits)
        for x, digits in ((-100 * first, 1), (first, 2), (last, 2), (last / first, 3))
    ]
    compared = "-400.0, no conclusion"  # by the bound, from the one seed that both have
    assert rows["DNC"] == ["GTMM", "DNC", "3", *expected, "-", "0.875 [0.875, 0.875]", compared]
    numbers = ["-1,100.0", "11.00", "11.25", "-", "1.500", "-", "reference"]
    assert rows["NoMemory"] == ["VRNN", "NoMemory", "1", *numbers]
    ((curves, backdrop, title, subtitle),) = drawn
    dnc, vrnn = curves
    np.testing.assert_allclose(dnc.mean, values.mean(0), rtol=1e-6)
    np.testing.assert_allclose(dnc.margin, 4.302653 * values.std(0, ddof=1) / 3**0.5, rtol=1e-5)
    assert vrnn.mean.tolist() == [11.0, 11.5, 11.25] and vrnn.margin.isnan().all()
    assert (dnc.name, vrnn.name) == ("GTMM (DNC), 3 seeds", "VRNN, 1 seed")
    assert backdrop.share.tolist() == [0, 0, 1] and backdrop.optimum is None
    assert "KL" in backdrop.label and backdrop.from_zero
    assert title == "Perfect recall, 3 steps, mnist5k"
    assert subtitle.startswith("1,000 test sequences; 3,000 training steps; mean")
    picture = tmp_path / "pictures/kl.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert list(picture.parent.iterdir()) == [picture]


def test_without_a_file_tables_of_all_benchmarks_are_printed(write, tmp_path: Path, capsys):
    for core, last in (("NoMemory", 14.0), ("DNC", 3.5)):
        for sha, seed in (("a", 0), ("b", 1)):
            kl, data = [14.0, 14.0, last], {"source": "mnist5k", "test_sha256": sha * 64}
            write(core, seed, kl, data=data)
    main(["compare", f"{tmp_path}/runs"])
    said = capsys.readouterr().out
    of_both, *_, over_all = said.partition("Over all benchmarks\n")
    assert of_both.count("1,000 sequences of test set") == 2
    _, _, dnc, without, *_ = (line.split() for line in over_all.splitlines())
    assert (dnc, without) == (["DNC", *["0.75"] * 4], ["NoMemory", *["0.00"] * 4])
    assert "Ranked: 2 contestants with scores on all of Perfect recall, test set" in over_all
    assert "No interval, and no conclusion on the order: 2 benchmarks" in over_all


def test_runs_are_found_once(write, drawn, out: str, tmp_path: Path):
    run = write("DNC", 0, SEEDS[0])
    main(["compare", str(run), out, str(run.parent), f"{tmp_path}/runs"])
    assert [curve.name for curve in drawn[0][0]] == ["GTMM (DNC), 1 seed"]
    assert "interval" not in drawn[0][3]


def test_steps_of_training_that_differ_are_both_named(write, drawn, out: str, tmp_path: Path):
    write("DNC", 0, SEEDS[0])
    write("NTM", 0, SEEDS[1], global_step=500)
    main(["compare", f"{tmp_path}/runs", out])
    assert "500 to 3,000 training steps" in drawn[0][3]


def test_values_that_are_null_leave_gaps(write, drawn, out: str, tmp_path: Path, capsys):
    nothing = dict.fromkeys(SCALARS)
    write("DNC", 0, [1.0, None, 3.0], scalars=nothing, curves={"kl": [1.0, None, 3.0]})
    main(["compare", f"{tmp_path}/runs", out])
    assert drawn[0][0][0].mean.isnan().tolist() == [False, True, False]
    assert drawn[0][1].share is None, "an older file has no recalled_share"
    said = capsys.readouterr().out
    assert said.splitlines()[0].split() == ["model", "core", "seeds"]
    assert cells(said)["DNC"] == ["GTMM", "DNC", "1"]


def test_runs_that_are_no_repetitions_are_noted(write, out: str, tmp_path: Path, capsys):
    write("DNC", 0, SEEDS[0])
    write("DNC", 1, SEEDS[1], seed=0)
    for seed in (0, 1):
        irrelevant = {"num_workers": seed, "eval_batch_size": seed, "data_dir": str(seed)}
        write("NTM", seed, SEEDS[seed], data_settings={"batch_size": seed} | irrelevant)
        write("LRU", seed, SEEDS[seed], seed=None)
    write("Introspection", 0, SEEDS[0], seed=None)
    main(["compare", f"{tmp_path}/runs", out])
    notes = capsys.readouterr().err.splitlines()
    assert notes == [
        "note: GTMM (DNC): runs with the same seed are averaged, and count as one",
        "note: GTMM (LRU): runs whose seed is not known count as independent",
    ]


def test_settings_of_one_core_have_lines_of_their_own(write, drawn, out, tmp_path: Path, capsys):
    for seed, heads in enumerate((1, 5, 1)):
        write("DNC", seed, SEEDS[seed], memory={"read_heads": heads, "word_size": 64})
    write("NTM", 0, SEEDS[0], memory={"read_heads": 7})
    main(["compare", f"{tmp_path}/runs", out])
    assert [curve.name for curve in drawn[0][0]] == [
        "GTMM (DNC, read_heads=1), 2 seeds",
        "GTMM (DNC, read_heads=5), 1 seed",
        "GTMM (NTM), 1 seed",
    ]
    said = capsys.readouterr()
    assert list(cells(said.out)) == ["DNC, read_heads=1", "DNC, read_heads=5", "NTM"]
    assert said.err == ""


def test_a_compiled_model_is_the_same_model(write, drawn, out: str, tmp_path: Path):
    data = {"class_path": "datamodules.PerfectRecall", "init_args": {"test_size": 1000}}
    for seed, compiled in enumerate((False, True)):
        own = {"memory": {"class_path": "memory_cores.DNC"}, "compile": compiled}
        model = {"class_path": "lightning_modules.GTMM", "init_args": own}
        write("DNC", seed, SEEDS[seed], settings={"model": model, "data": data})
    main(["compare", f"{tmp_path}/runs", out])
    assert [curve.name for curve in drawn[0][0]] == ["GTMM (DNC), 2 seeds"]


def test_models_of_one_core_are_not_averaged(write, drawn, out: str, tmp_path: Path):
    write("NoMemory", 0, SEEDS[0])
    write("NoMemory", 1, SEEDS[1], model="VRNN")
    main(["compare", f"{tmp_path}/runs", out])
    first, second = drawn[0][0]
    assert (first.name, second.name) == ("GTMM (NoMemory), 1 seed", "VRNN, 1 seed")
    assert (first.mean.tolist(), second.mean.tolist()) == (SEEDS[0], SEEDS[1])


def test_settings_are_named_briefly_where_that_is_unique():
    keys = ["model.map_size", "model.visual.hidden_size", "model.memory.hidden_size"]
    assert list(short_names(keys).values()) == ["map_size", "visual.hidden_size", keys[2][6:]]


DAMAGES = {
    "": "is empty",
    '{"model": "GTMM", "mem': "is damaged",
    "\x00\x01": "is damaged",
    '{"accuracy": 0.9}': "has no 'settings'",
    "[1, 2]": "does not have the form",
    '{"settings": {}, "curves": {"loss": [1]}}': "has no 'scalars'",
    '{"settings": {}, "scalars": {}, "curves": {"kl": [1]}}': "has no 'model'",
    '{"settings": {}, "scalars": {}, "curves": {}, "model": "X", "memory": "Y"}': "is of an",
    '{"settings": 3, "curves": {"kl": "abc"}}': "has",
}


@pytest.mark.parametrize("content", DAMAGES)
def test_what_can_not_be_read_is_skipped(write, drawn, out: str, tmp_path: Path, capsys, content):
    (write("DNC", 1, SEEDS[1]) / "results.json").write_text(content, encoding="utf-8")
    write("DNC", 0, SEEDS[0])
    main(["compare", f"{tmp_path}/runs", out])
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"skipped: {tmp_path}/runs/DNC_recall/seed1/results.json ")
    assert DAMAGES[content] in said
    assert [curve.name for curve in drawn[0][0]] == ["GTMM (DNC), 1 seed"]


def test_nothing_is_left(write, out: str, tmp_path: Path, complaint: Callable[..., str]):
    write("DNC", 0, [None, None, None])
    said = complaint("compare", f"{tmp_path}/runs", out).splitlines()
    assert said[0].endswith("seed0/results.json has no finite KL: training diverged")
    assert said[1] == "error: no run has results that can be read"
    assert not (tmp_path / "pictures").exists()


OTHERS = {
    "sequences": 50,
    "data": {"source": "mnist", "test_sha256": "b" * 64},
    "settings": {
        "model": {"class_path": "lightning_modules.GTMM"},
        "data": {"class_path": "datamodules.MNISTMaze", "init_args": {"test_size": 1000}},
    },
}


@pytest.mark.parametrize("changed", OTHERS)
def test_other_test_sets_are_refused(write, complaint, out: str, tmp_path: Path, changed: str):
    write("DNC", 0, SEEDS[0])
    write("NTM", 0, SEEDS[1], **{changed: OTHERS[changed]})
    said = complaint("compare", f"{tmp_path}/runs", out)
    assert said.startswith("error: runs tested on different sequences")
    both = [line.partition("_recall/seed0: ")[2] for line in said.splitlines()[1:]]
    assert both[0] == "PerfectRecall (3 steps, mnist5k, 1,000 sequences of test set aaaaaaaaaaaa)"
    assert both[1] != both[0] and both[1].startswith(("PerfectRecall (3", "MNISTMaze (3"))
    assert not (tmp_path / "pictures").exists()


def test_mistakes(write, complaint: Callable[..., str], out: str, tmp_path: Path):
    run = str(write("DNC", 0, SEEDS[0]))
    (tmp_path / "file").touch()
    assert "required: RUN" in complaint("compare", out)
    said = complaint("compare", run, "--out=kl.pdf")
    assert "--out: must end in .png, .md or .html, got kl.pdf" in said
    assert f"there is no folder {tmp_path}/none" in complaint("compare", f"{tmp_path}/none", out)
    assert "--outt: there is no such option; did you mean --out?" in complaint(
        "compare", run, "--outt", "kl.png"
    )
    said = complaint("compare", run, f"--out={tmp_path}/file/kl.png")
    assert f"--out: cannot write {tmp_path}/file/kl.png: " in said


def test_files_and_endings_in_capitals_are_taken(write, drawn, tmp_path: Path):
    run = write("DNC", 0, SEEDS[0])
    main(["compare", str(run / "results.json"), str(run), f"--out={tmp_path}/KL.PNG"])
    assert [curve.name for curve in drawn[0][0]] == ["GTMM (DNC), 1 seed"]
    assert (tmp_path / "KL.PNG").read_bytes().startswith(b"\x89PNG")


def test_untested_runs_are_named(write, out: str, tmp_path: Path, complaint, capsys):
    (untested := tmp_path / "untested").mkdir()
    main(["compare", str(untested), str(write("DNC", 0, SEEDS[0])), out])
    said = capsys.readouterr().err
    assert said == f"skipped: {untested} holds no run: no results.json and no metrics.csv\n"
    assert "error: no run has results" in complaint("compare", str(untested), out)


def test_a_run_that_was_really_tested(fit: Callable[..., Path], drawn, out: str, capsys):
    run = fit("--run=r", steps=1)
    checkpoint = run / "checkpoints/last.ckpt"
    ExperimentCLI(["test", f"--ckpt_path={checkpoint}", "--data.test_size=3"])
    found = json.loads((run / "results.json").read_text(encoding="utf-8"))
    capsys.readouterr()
    main(["compare", str(run), out])
    (curve,) = drawn[0][0]
    np.testing.assert_allclose(curve.mean, found["curves"]["kl"], rtol=1e-6)
    assert drawn[0][2:] == ("MNIST maze, 6 steps, mnist5k", "3 test sequences; 1 training steps")
    row = cells(capsys.readouterr().out)["DNC"]
    assert row[3:5] == [f"{found['parameters']:,}", f"{found['state_size']:,}"]
    assert row[5:7] == [f"{found['scalars']['bound']:,.1f}", f"{found['scalars']['kl_new']:.2f}"]
