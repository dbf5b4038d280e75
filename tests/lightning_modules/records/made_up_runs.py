"""Synthetic runs, with the files that `fit` and `test` write."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from lightning_modules.records.film_file import Film, save_film
from lightning_modules.records.probe_file import Changed, Lengthened, Probe, save_probe

STEPS = 100


class Runs:
    """Writes runs below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def frames(self, core: str = "DNC", seed: int = 0, kl: float = 2.0, **overrides: Any) -> Path:
        """A tested GTMM on perfect recall, whose recall ratio is ``kl`` / 10."""
        options = {"run": f"{core}-{seed}", "memory": {}, "steps": STEPS, "data": {}} | overrides
        rising = [kl * (t + 1) / options["steps"] for t in range(options["steps"])]
        curves = {"kl": rising, "recalled_share": [float(t > 5) for t in range(len(rising))]}
        scalars = {"bound": -100 * kl, "kl_new": 10.0, "recall_ratio": kl / 10}
        settings = settings_of("GTMM", core, options["memory"], "PerfectRecall", options["data"])
        return self.write(options["run"], seed, settings, scalars, curves, validated="bound")

    def functions(self, core: str = "RMR", seed: int = 0, nll: float = 1.0) -> Path:
        """A tested ASNP on drifting functions."""
        flat = [nll] * STEPS
        curves = {"nll": flat, "kl": [0.5] * STEPS, "optimal_nll": [nll - 1] * STEPS}
        settings = settings_of("ASNP", core, {}, "DriftingFunctions", {"regime": "sparse"})
        scalars = {"nll": nll, "mse": nll / 10}
        return self.write(f"{core}-{seed}", seed, settings, scalars, curves, validated="nll")

    def write(
        self,
        run: str,
        seed: int,
        settings: Mapping[str, Any],
        scalars: Mapping[str, float],
        curves: Mapping[str, list[float]],
        validated: str,
    ) -> Path:
        folder = self.root / settings["data"]["class_path"].lower() / run
        folder.mkdir(parents=True)
        content = {
            "model": settings["model"]["class_path"].rpartition(".")[2],
            "memory": settings["model"]["init_args"]["memory"]["class_path"].rpartition(".")[2],
            "scalars": scalars,
            "curves": curves,
            "settings": settings,
            "sequences": 1000,
            "data": {"source": "mnist5k", "test_sha256": settings["data"]["class_path"] * 4},
            "seed": seed,
            "global_step": 3000,
            "parameters": 1000 + seed,
        }
        (folder / "results.json").write_text(json.dumps(content), encoding="utf-8")
        (folder / "config.yaml").write_text(
            yaml.safe_dump({"seed_everything": seed, **settings}), encoding="utf-8"
        )
        write_metrics(folder / "metrics.csv", validated, float(scalars[validated]), curves)
        return folder


def settings_of(
    model: str, core: str, memory: Mapping[str, Any], data: str, of_data: Mapping[str, Any]
) -> dict[str, Any]:
    choice = {"class_path": f"memory_cores.{core}", "init_args": dict(memory)}
    return {
        "model": {
            "class_path": f"lightning_modules.{model}",
            "init_args": {"memory": choice},
        },
        "data": {"class_path": f"datamodules.{data}", "init_args": {"test_size": 1000, **of_data}},
    }


def write_metrics(
    path: Path, validated: str, last: float, curves: Mapping[str, list[float]], rows: int = STEPS
) -> None:
    """A validation in every row; the value falls by 1 per row to ``last``."""
    name = next(iter(curves))
    by_step = {f"val/{name}_t/{t + 1:02d}": value for t, value in enumerate(curves[name])}
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["step", "seconds", f"val/{validated}", *by_step])
        writer.writeheader()
        for row in range(rows):
            value = last + (rows - 1 - row)
            step = {"step": 10 * row + 9, "seconds": 5 * (row + 1)}
            writer.writerow({**step, f"val/{validated}": value, **by_step})


def add_pictures(folder: Path, *names: str, size: tuple[int, int] = (700, 400)) -> None:
    """Pictures of noise, which cannot be compressed."""
    (folder / "pictures").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    for name in names:
        Image.fromarray(noise).save(folder / "pictures" / f"{name}.png")


def film(steps: int = 12, slots: int = 6, write_heads: int = 1) -> Film:
    """Step t writes slot t modulo N, and reads it; every second step is recalled from the first."""
    one_hot = torch.eye(slots).repeat(steps // slots, 1).unsqueeze(1)
    recalled_from = torch.tensor([-1, 0] * (steps // 2))
    write = one_hot.expand(-1, write_heads, -1)
    return Film(one_hot.expand(-1, 2, -1), write, recalled_from, torch.rand(steps, 1, 28, 28))


def add_film(folder: Path, **shape: int) -> None:
    save_film(film(**shape), folder / "memory_film.npz")


def add_probe(folder: Path, zeroed: float = 1.0) -> None:
    """A probe's results: recall of 0.2, of 0.4 at twice the length, and the donor's digits."""
    changed = [
        Changed("untouched", 0.2, 0.8, 0.1),
        Changed("zeroed", zeroed, 0.1, 0.1),
        Changed("transplanted", 20.0, 0.125, 0.75),
    ]
    lengthened = [Lengthened(1, 15, 10, 2_000, 0.2), Lengthened(2, 25, 20, 2_500, 0.4)]
    notes = ["shuffled: left out"]
    probe = Probe("KL ratio, old", "-", "memory changed", 200, changed, lengthened, notes)
    save_probe(probe, folder / "probe.json")


def carrying(folder: Path, numbers: int | None) -> None:
    """Set the state size of a run's model; None if it grows."""
    file = folder / "results.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | {"state_size": numbers}), encoding="utf-8")
