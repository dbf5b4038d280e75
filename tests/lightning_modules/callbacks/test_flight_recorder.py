"""Steps that are not finite reach neither weights nor checkpoints, and are named."""

from collections.abc import Callable
from functools import partial
from math import inf, nan
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from torch import Tensor

from lightning_modules.callbacks import checkpoints, flight_recorder
from lightning_modules.callbacks.checkpoints import BestCheckpoint
from lightning_modules.callbacks.flight_recorder import Diverged, FlightRecorder, Late, Step
from lightning_modules.records.bundle import bundle_path, read_bundle
from lightning_modules.records.run_folder import RunFolder
from lightning_modules.sequence_model import SequenceModel
from tests.lightning_modules.callbacks.small_trainings import LOSS, trainer_of
from tests.whole_models.small_models import MODELS, benchmark_for

#: Batches are of 4 sequences, so that this is in the third step.
BAD_SEQUENCE = 10
STEPS_BEFORE = 2
Plant = Callable[[SequenceModel, Any], None]


class Trial(L.Callback):
    """Plants a fault before some steps, and notes weights and optimiser before each."""

    def __init__(self, plant: Plant | None, steps: set[int]) -> None:
        self.plant, self.steps = plant, steps
        self.weights: list[dict[str, Tensor]] = []
        self.moments: list[Tensor] = []
        self.losses: list[float] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        self.note(trainer, pl_module)
        if self.plant is not None and trainer.global_step in self.steps:
            self.plant(pl_module, batch)

    def on_before_backward(self, trainer, pl_module, loss) -> None:
        self.losses.append(loss.item())

    def on_train_end(self, trainer, pl_module) -> None:
        self.note(trainer, pl_module)

    def on_exception(self, trainer, pl_module, exception) -> None:
        self.note(trainer, pl_module)

    def note(self, trainer: L.Trainer, model: SequenceModel) -> None:
        self.weights.append({k: v.clone() for k, v in model.state_dict().items()})
        means = [state["exp_avg"].flatten() for state in trainer.optimizers[0].state.values()]
        self.moments.append(torch.cat(means or [torch.zeros(1)]))


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


class Trained:
    """A small training with planted faults, and what is left of it."""

    def __init__(
        self,
        name: str,
        path: Path,
        plant: Plant | None,
        steps: set[int] | None = None,
        on_divergence: flight_recorder.OnDivergence = "stop",
        scaler: torch.amp.GradScaler | None = None,
        **settings: Any,
    ) -> None:
        torch.manual_seed(0)
        self.folder = RunFolder(path / "run")
        self.model = MODELS[name]()
        self.trial = Trial(plant, {STEPS_BEFORE} if steps is None else steps)
        self.recorder = FlightRecorder(self.folder.path, "", on_divergence)
        trainer = trainer_of(
            self.folder,
            self.trial,
            self.recorder,
            seconds=(0.0, 0.0),
            **{"limit_val_batches": 0, **settings},
        )
        if scaler is not None:  # Lightning has none for a CPU
            trainer.strategy._precision_plugin = MixedPrecision("16-mixed", "cpu", scaler)
        self.message = ""
        try:
            trainer.fit(self.model, datamodule=benchmark_for(name))
        except Diverged as divergence:
            self.message = str(divergence)
        self.trainer = trainer

    def bundle(self, step: int) -> dict[str, Any]:
        return read_bundle(bundle_path(self.folder.path, step))


@pytest.fixture(autouse=True)
def saves_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_OF_TIME", inf)


def bad_value(model: SequenceModel, batch: Any, sequence: int = BAD_SEQUENCE) -> None:
    data = batch.frames if hasattr(batch, "frames") else batch.target_y
    data[batch.episode == sequence, 1, 0, 0] = nan


def bad_weight(model: SequenceModel, batch: Any) -> None:
    with torch.no_grad():
        dict(model.named_parameters())[f"{PLANTED[type(model).__name__]}.bias"][0] = nan


def bad_output(model: SequenceModel, batch: Any) -> None:
    planted(model).register_forward_hook(lambda module, inputs, output: output * inf)


def bad_gradient(model: SequenceModel, batch: Any) -> None:
    """Its output is finite, and the output's gradient is not."""

    def hook(module: Any, inputs: Any, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient * inf)

    planted(model).register_forward_hook(hook)


PLANTED = {"GTMM": "visual.decoder.2", "SNP": "latent_path.head.network.0"}


def planted(model: SequenceModel) -> torch.nn.Module:
    return dict(model.named_modules())[PLANTED[type(model).__name__]]


@pytest.mark.parametrize("name", PLANTED)
def test_one_bad_value_stops_before_it_is_learned(name: str, tmp_path: Path) -> None:
    trained = Trained(name, tmp_path, bad_value)
    weights = trained.trial.weights
    assert trained.trainer.global_step == STEPS_BEFORE
    assert not equal(weights[1], weights[2])
    assert equal(weights[2], weights[3])
    state = torch.load(trained.folder.last_checkpoint, weights_only=False)
    assert state["global_step"] == STEPS_BEFORE
    assert equal(state["state_dict"], weights[2])
    field, module = {
        "GTMM": ("batch.frames", "visual.encoder.0"),
        "SNP": ("batch.target_y", "latent_encoder.network.0"),
    }[name]
    *lines, record = trained.message.splitlines()
    assert lines == [
        f"Diverged in step {STEPS_BEFORE + 1}; loss nan",
        f"  first tensor that is not finite: {field}",
        f"  first module: {module}",
        f"  sequences: {BAD_SEQUENCE} (1 of 4 in the batch)",
    ]
    assert record.endswith("diverged/step_3.pt")
    bundle = trained.bundle(3)
    assert equal(bundle["weights"], weights[2])
    assert bundle["batches"][0][-1].tolist() == [8, 9, 10, 11]


@pytest.mark.parametrize("name", PLANTED)
@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (bad_weight, "parameter {}.bias"),
        (bad_output, "output of {}"),
        (bad_gradient, "gradient of the output of {}"),
    ],
)
def test_the_module_at_fault_is_named(name: str, plant: Plant, words: str, tmp_path: Path) -> None:
    trained = Trained(name, tmp_path, plant)
    words = words.format(PLANTED[name])
    assert f"first tensor that is not finite: {words}\n" in trained.message
    assert f"first module: {PLANTED[name]}\n" in trained.message
    assert "(4 of 4 in the batch)" in trained.message
    if plant is bad_gradient:
        # Nothing about the forward pass is wrong, so that the loss is the training's, to the bit.
        assert trained.bundle(3)["losses"] == trained.trial.losses[-1:]


class First(torch.autograd.Function):
    """Returns its first input, and gives the second one no gradient, as operators may."""

    @staticmethod
    def forward(context: Any, first: Tensor, second: Tensor) -> Tensor:
        return first.clone()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def test_an_output_without_a_gradient_is_passed_over(tmp_path: Path) -> None:
    def plant(model: SequenceModel, batch: Any) -> None:
        bad_gradient(model, batch)
        planted(model).register_forward_pre_hook(lambda _, x: First.apply(x[0].detach(), x[0]))

    trained = Trained("GTMM", tmp_path, plant)
    assert f"is not finite: gradient of the output of {PLANTED['GTMM']}\n" in trained.message


def test_overflow_in_half_precision_stops(tmp_path: Path) -> None:
    trained = Trained("GTMM", tmp_path, None, precision="16-true")
    assert trained.message.startswith("Diverged in step 1; loss 2")
    assert "first tensor that is not finite: gradient of" in trained.message
    assert not trained.folder.last_checkpoint.exists()


@pytest.mark.parametrize("name", PLANTED)
def test_other_precisions_train(name: str, tmp_path: Path) -> None:
    trained = Trained(name, tmp_path, None, precision="bf16-mixed", max_steps=2)
    assert trained.message == ""
    assert trained.trainer.global_step == 2


def test_a_scaler_answers_gradients_that_overflow(tmp_path: Path) -> None:
    """Its first scales are too large for gradients; of losses it knows nothing."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
    trained = Trained("SNP", tmp_path / "a", None, scaler=scaler)
    assert trained.message == ""
    assert scaler.get_scale() < 2.0**24
    trained = Trained("SNP", tmp_path / "b", bad_value, scaler=torch.amp.GradScaler("cpu"))
    assert "Diverged in step 3; loss nan" in trained.message
    weights = trained.trial.weights
    assert equal(weights[2], weights[3])
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**-8)
    trained = Trained("SNP", tmp_path / "c", bad_gradient, scaler=scaler)
    assert "gradients overflow at every scale" in trained.message


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU's optimiser skips by itself, and tells one step later, as on a GPU."""

    class Known:
        def synchronize(self) -> None:
            pass

    def copied(bad: Tensor, step: Step) -> Late:
        return Late(bad.clone(), Known(), step)  # type: ignore[arg-type]

    monkeypatch.setattr(flight_recorder, "reads_late", lambda optimizer, bad: True)
    monkeypatch.setattr(flight_recorder, "copied_late", copied)


@pytest.mark.parametrize("when", ["at once", "late"])
def test_skipped_steps_change_nothing_and_are_counted(
    when: str, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if when == "late":
        request.getfixturevalue("late")
    trained = Trained("GTMM", tmp_path, bad_value, {2, 4, 5}, "skip", log_every_n_steps=1)
    weights, moments = trained.trial.weights, trained.trial.moments
    # The sequence is in the third step only.
    assert [equal(a, b) for a, b in pairs(weights)] == [False, False, True, False, False, False]
    assert torch.equal(moments[2], moments[3])
    assert trained.recorder.skipped == 1
    assert trained.trainer.callback_metrics["train/skipped_steps"] == 1
    assert trained.trainer.global_step == 6
    assert f"sequences: {BAD_SEQUENCE} (1 of 4" in capsys.readouterr().out
    state = torch.load(trained.folder.last_checkpoint, weights_only=False)
    assert state["callbacks"]["FlightRecorder"] == {"skipped": 1}


def pairs(notes: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(notes, notes[1:], strict=False))


def test_on_a_gpu_a_stop_comes_before_the_next_checkpoint(tmp_path: Path, late: None) -> None:
    """The step counts as made when the host learns of it, and nothing is saved as of then."""
    trained = Trained("GTMM", tmp_path, bad_value)
    assert "Diverged in step 3; loss nan" in trained.message
    assert f"sequences: {BAD_SEQUENCE} (1 of 4" in trained.message
    state = torch.load(trained.folder.last_checkpoint, weights_only=False)
    assert state["global_step"] == STEPS_BEFORE
    assert equal(trained.model.state_dict(), trained.trial.weights[2])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_skips_by_itself_and_nobody_waits() -> None:
    weight = torch.nn.Parameter(torch.ones(3, device="cuda"))
    optimizer = torch.optim.Adam([weight], fused=True)

    def step(gradient: float) -> Late:
        weight.grad = torch.full_like(weight, gradient)
        bad = flight_recorder.not_finite([weight.grad], weight.device)
        assert flight_recorder.reads_late(optimizer, bad)
        optimizer.found_inf = bad  # type: ignore[attr-defined]
        late = flight_recorder.copied_late(bad, Step())
        optimizer.step()
        return late

    step(1.0)  # allocates
    before = weight.detach().clone()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        late = step(nan)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    late.known.synchronize()
    assert late.bad.item() == 1
    assert torch.equal(weight, before)


def test_skipping_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight_recorder, "MOST_SKIPPED", 2)
    trained = Trained("SNP", tmp_path, bad_gradient, on_divergence="skip")
    assert trained.recorder.skipped == 3
    assert "2 steps in a row were skipped" in trained.message
    trained = Trained("SNP", tmp_path, bad_weight, on_divergence="skip")
    assert trained.recorder.skipped == 1
    assert "parameter" in trained.message


def test_accumulated_gradients_name_the_bad_batch(tmp_path: Path) -> None:
    plant = partial(bad_value, sequence=6)
    trained = Trained("GTMM", tmp_path, plant, {0}, accumulate_grad_batches=2)
    assert "Diverged in step 1; loss 2" in trained.message
    assert "sequences: 6 (1 of 4" in trained.message
    assert [len(batch[-1]) for batch in trained.bundle(1)["batches"]] == [4, 4]


def test_weights_that_an_update_spoilt_are_not_saved(tmp_path: Path) -> None:
    class Spoil(L.Callback):
        def on_train_batch_end(self, trainer, pl_module, *arguments: Any) -> None:
            if trainer.global_step == 2:
                bad_weight(pl_module, None)

    folder = RunFolder(tmp_path / "run")
    recorder = FlightRecorder(folder.path, "")
    trainer = trainer_of(folder, Spoil(), recorder, seconds=(0.0, 0.0), limit_val_batches=0)
    with pytest.raises(Diverged, match="step 2"):
        trainer.fit(MODELS["SNP"](), datamodule=benchmark_for("SNP"))
    state = torch.load(folder.last_checkpoint, weights_only=False)
    assert state["global_step"] == 1


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_is_never_best(value: float, tmp_path: Path) -> None:
    best = BestCheckpoint(RunFolder(tmp_path), LOSS)
    trainer = L.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False)
    assert not best.check_monitor_top_k(trainer, torch.tensor(value))
    assert best.check_monitor_top_k(trainer, torch.tensor(1.0))
