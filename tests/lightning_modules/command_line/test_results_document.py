"""The document of all kept results: that of the repository, and what is said of each group."""

import json
from itertools import dropwhile, product, takewhile
from pathlib import Path

from lightning_modules.command_line.results_document import results_text, write_results
from lightning_modules.records.reader import read_runs

DOCS = Path(__file__).parents[3] / "docs"
#: Of a training that was resumed under other code.
REVISION = "0123456789abcdef+ and 7654321fedcba98"


def rows(text: str) -> list[dict[str, str]]:
    """Rows of the first table."""
    lines = text.split("\n## ")[1].splitlines()
    lines = [*takewhile(lambda line: line, dropwhile(lambda line: line[:2] != "| ", lines))]
    header, _, *others = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(header, row, strict=True)) for row in others]


def changed(folder: Path, **facts: object) -> None:
    """Change what a run's results say."""
    path = folder / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **facts}), encoding="utf-8")


def test_the_document_is_what_the_records_say() -> None:
    """After new records: ``python cli.py compare docs/records --out docs/results.md``."""
    assert (DOCS / "results.md").read_text(encoding="utf-8") == results_text(
        read_runs([DOCS / "records"])
    )


def test_each_number_has_what_it_was_made_with(runs) -> None:
    for seed, ratio in enumerate((2.0, 2.6, 2.3)):
        folder = runs.frames("DNC", seed, ratio)
        on = {"hardware": "an H200" if seed else "a core", "revision": REVISION}
        changed(
            folder,
            training=on,
            versions={"torch": "2.13.0"},
            wall_clock_seconds=1000.0 * (seed + 1),
            state_size=2425,
        )
    runs.frames("NTM", 5, 9.0)
    dnc, ntm = rows(results_text(read_runs([runs.root])))
    assert (dnc["model"], dnc["core"]) == ("GTMM", "DNC")
    assert dnc["parameters"] == "1,000 to 1,002" and dnc["state size"] == "2,425"
    assert dnc["seeds"] == "3 seeds: 0, 1, 2" and dnc["training steps"] == "3,000"
    # 0.2, 0.26 and 0.23 have a standard error of 0.03 / sqrt(3).
    assert (
        dnc["KL ratio, old ↓"] == "0.230 [0.155, 0.305]"
        and dnc["from the reference"] == "reference"
    )
    assert dnc["least seconds of training"] == "1,000 on a core; 2,000 on an H200"
    assert dnc["versions"] == "torch 2.13.0, 0123456+ and 7654321"
    assert ntm["KL ratio, old ↓"] == "0.900" and ntm["state size"] == "-"
    assert ntm["from the reference"] == "-, no conclusion", "they share no seed"


def test_a_mean_says_how_many_seeds_it_is_of(runs) -> None:
    for seed, ratio in enumerate((0.2, None, 0.3)):
        folder = runs.frames("DNC", seed)
        changed(folder, scalars={"bound": -200.0, "recall_ratio": ratio})
    (dnc,) = rows(results_text(read_runs([runs.root])))
    assert dnc["KL ratio, old ↓"].startswith("0.250 [") and dnc["seeds"] == "3 seeds: 0, 1, 2"
    assert dnc["KL ratio, old ↓"].endswith("] (2 of 3 seeds)")
    assert dnc["bound ↑"] == "-200.0 [-200.0, -200.0]"


def test_runs_that_diverged_are_listed(runs) -> None:
    """Their seeds are in no mean: a reader has to know of them."""
    runs.frames("DNC", 0)
    for seed in (1, 2, 3):
        folder = runs.frames("DNC", seed)
        (folder / "results.json").unlink()
        if seed > 1:
            (folder / "diverged").mkdir()
            (folder / "diverged/step_7.pt").touch()
        if seed == 3:
            said = (folder / "config.yaml").read_text(encoding="utf-8")
            (folder / "config.yaml").write_text(f"on_divergence: skip\n{said}", encoding="utf-8")
    changed(runs.frames("DNC", 4), curves={"kl": [None] * 3})
    text = results_text(read_runs([runs.root]))
    (dnc,) = rows(text)
    assert dnc["seeds"] == "1 seed: 0"
    left_out = text.partition("## Left out")[2].strip().splitlines()
    assert [line.rpartition("/DNC-")[2] for line in left_out] == [
        "4/results.json has no finite KL: training diverged",
        "2 diverged in training and was not tested",
    ]


def test_what_repeats_a_seed_is_noted(runs) -> None:
    for run in ("a", "b"):
        runs.frames("DNC", 0, 2.0 + (run == "b"), run=run)
    text = results_text(read_runs([runs.root]))
    (dnc,) = rows(text)
    assert dnc["seeds"] == "2 runs of 1 seed: 0" and dnc["KL ratio, old ↓"] == "0.250"
    assert "\n\n- GTMM (DNC): runs with the same seed are averaged, and count as one\n" in text


def test_figures_are_drawn_where_runs_kept_their_curves(runs, tmp_path: Path) -> None:
    runs.frames("DNC", 0)
    changed(runs.functions("RMR", 0), curves={})
    write_results(read_runs([runs.root]), tmp_path / "results.md")
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert text.count("](pictures/") == 1
    assert "](pictures/perfect_recall_curves.png)" in text
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == [
        "perfect_recall_curves.png"
    ]


def test_benchmarks_that_models_share_are_averaged_first(runs, tmp_path: Path) -> None:
    for steps, core, kl in product((20, 30), ("NoMemory", "DNC", "NTM"), (0.0, 1.0)):
        ratio = {"NoMemory": 9.5, "DNC": 1.5, "NTM": 3.5}[core] + kl
        run, data = f"{core}-{steps}-{kl}", {"pre_recall_length": steps}
        runs.frames(core, int(kl), ratio, run=run, steps=steps, data=data)
    for seed in (0, 1):
        runs.frames("SAM", seed, 0.5, steps=20, data={"pre_recall_length": 20})
    found = read_runs([runs.root])
    write_results(found, tmp_path / "results.md")
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    part = text.split("\n## ")[1]
    assert part.startswith("Over all benchmarks\n")
    dnc, ntm, none, sam = rows(text)[:4]
    assert [row["contestant"] for row in (dnc, ntm, none, sam)] == ["DNC", "NTM", "NoMemory", "SAM"]
    assert (dnc["interquartile mean"], ntm["interquartile mean"]) == ("0.80", "0.60")
    assert (sam["interquartile mean"], sam["mean"]) == ("-", "-")
    assert sorted(value for name, value in sam.items() if "KL ratio" in name) == [
        "-",
        "0.95 [0.95, 0.95]",
    ]
    assert "- SAM is not ranked: it has no score on Perfect recall, pre-recall length 30" in part
    assert "| DNC | - | 1.00 | 1.00 | 0.00 (1) |" in part
    assert "](pictures/performance_profile.png)" in part
    assert (tmp_path / "pictures/performance_profile.png").stat().st_size > 10_000
