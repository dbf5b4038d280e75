"""What a table says at its end of all its sweeps together."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lightning_modules.command_line.sweep.command import progress, rank
from lightning_modules.command_line.sweep.execution import Outcome
from lightning_modules.command_line.sweep.plan import PlannedRun
from lightning_modules.command_line.sweep.study import Proposal
from lightning_modules.records.kept import keep, record_of
from lightning_modules.records.reader import read_runs
from lightning_modules.records.run_folder import RunFolder, shown
from tests.lightning_modules.records.made_up_runs import Runs


def sweep(folder: Path, *names: str) -> Any:
    """A plan of some runs."""
    planned = [
        PlannedRun(Proposal(n, {}, None), RunFolder(folder / name), ())
        for n, name in enumerate(names)
    ]
    return SimpleNamespace(folder=folder, runs=lambda: iter(planned))


def executed(plan: Any, **ends: Any) -> Any:
    """What became of runs by name: how they ended, or the record that stands for one."""
    return SimpleNamespace(
        outcomes=[
            Outcome(run, how, None) if isinstance(how, str) else Outcome(run, "kept", how)
            for run in plan.runs()
            if (how := ends.get(run.name)) is not None
        ]
    )


def test_a_table_says_how_much_of_it_is_left(tmp_path: Path) -> None:
    """A sweep that was stopped, or not begun, may have runs that finished in another session."""
    first, second, third = (sweep(tmp_path / name, *"abcd") for name in ("s1", "s2", "s3"))
    for folder in ("s1/d", "s3/a"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "results.json").touch()
    executions = [
        executed(first, a="finished", b="diverged", c="failed"),
        executed(second, a="kept", b="pruned", c="interrupted"),
    ]
    assert progress([first, second, third], executions).splitlines() == [
        "The table: 3 of 12 runs finished, 1 kept, 1 pruned, 1 diverged, 1 interrupted, 1 failed, "
        "6 left at most: 1 sweep was not started",
        f"Diverged, excluded from all means: {shown(tmp_path / 's1/b')}",
    ]
    assert progress([second], [executed(second, **dict.fromkeys("abcd", "finished"))]) == (
        "The table: 4 of 4 runs finished, 0 left"
    )


def test_only_a_table_s_own_runs_are_ranked(tmp_path: Path, capsys: Any) -> None:
    """Records of other seeds and settings compare with nothing that a table holds."""
    own, kept = Runs(tmp_path / "own"), Runs(tmp_path / "kept")
    for seed in (31, 32, 33):
        own.frames("DNC", seed, 3 + seed / 100, memory={"slots": 25, "start": "timed"})
        kept.frames("RMR", seed, 2 + seed / 50)
    for run in read_runs([kept.root]).runs:
        keep(record_of(run), tmp_path / f"records/rmr/{run.seed}.json")
    records = {f"r{run.seed}": run for run in read_runs([tmp_path / "records"]).runs}
    own_plan = sweep(own.root, *(f"perfectrecall/DNC-{seed}" for seed in (31, 32, 33)))
    kept_plan = sweep(tmp_path / "s", *records)
    rank([own_plan, kept_plan], [executed(own_plan), executed(kept_plan, **records)])
    _, title, header, _, *rows = capsys.readouterr().out.splitlines()
    assert title.startswith("Perfect recall: PerfectRecall (100 steps")
    assert "from the reference" in header
    assert [row.split()[:3] for row in rows] == [["GTMM", "RMR", "3"], ["GTMM", "DNC", "3"]]
    assert " reference" in rows[0] and "+0.068 [" in rows[1]


def test_the_best_is_repeated_with_a_new_seed(tmp_path: Path, capsys: Any) -> None:
    runs = Runs(tmp_path / "runs")
    for core, ratio in (("DNC", 2.0), ("NTM", 3.0)):
        for seed in (31, 32):
            runs.frames(core, seed, ratio + seed / 100)
    names = (f"{core}-{seed}" for core in ("DNC", "NTM") for seed in (31, 32))
    plan = sweep(runs.root, *(f"perfectrecall/{name}" for name in names))
    rank([plan], [executed(plan)])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Train the best again with another seed: ")
    assert "DNC" in last and last.endswith("config.yaml --seed_everything 33")
