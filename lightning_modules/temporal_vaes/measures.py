"""Measures of temporal variational auto-encoders."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from datamodules.frames.batch import FrameSequences
from lightning_modules.declarations import SHARE, Family, Measure, StepCurve
from lightning_modules.measures import Measures
from lightning_modules.metrics.answers import OLD_AGE
from lightning_modules.metrics.coherence import coherence_measurements
from lightning_modules.metrics.prior_recall import prior_recall_measurements
from lightning_modules.metrics.read_correctness import read_measurements
from lightning_modules.metrics.recall import (
    LATE_STEP,
    LEAST_NEW,
    bound_measurements,
    summarise,
)
from lightning_modules.metrics.returned_views import returned_view_measurements
from lightning_modules.metrics.step_means import Measurement, StepSums, Summary
from lightning_modules.temporal_vaes.attribution import ATTRIBUTED, attribution_measurements
from lightning_modules.temporal_vaes.probes import FrameProbes

if TYPE_CHECKING:
    from lightning_modules.temporal_vaes.temporal_vae import TemporalVAE

PER_STEP = "nats per step"
#: Benchmarks whose camera returns.
VIEWS = "LoopClosure", "Rotation"
#: Benchmarks that return to places that the model has generated itself.
PLACES = ("MNISTMaze",)

FAMILY = Family(
    name="generative temporal models",
    criterion="bound",
    measures=(
        Measure(
            "bound",
            "variational lower bound of a sequence, one posterior sample",
            "nats per sequence",
            "higher",
            header="bound",
            digits=1,
            headline=4,
            gathered=False,
        ),
        Measure(
            "reconstruction",
            "log p(x_t given z_t, psi_t), by the model's likelihood",
            PER_STEP,
            "higher",
        ),
        Measure(
            "kl",
            "KL of the posterior from the prior, with that of what a core draws: what the memory "
            "did not know",
            PER_STEP,
            from_zero=True,
        ),
        Measure("kl_last_step", "`kl` at the last step", "nats", gathered=False, from_zero=True),
        Measure("recalled_share", "share of the steps that are recalled", SHARE),
        Measure(
            "kl_new", "`kl` of new steps", PER_STEP, header="KL, new", digits=2, from_zero=True
        ),
        # A posterior that has collapsed lowers every KL: only their ratios say what is better.
        Measure(
            "kl_recalled",
            "`kl` of recalled steps",
            PER_STEP,
            header="KL, all recalled",
            digits=2,
            from_zero=True,
        ),
        Measure(
            "kl_recalled_old",
            "`kl` of recalled steps whose answer was last seen, at whatever step, at least "
            f"{OLD_AGE} steps before",
            PER_STEP,
            from_zero=True,
        ),
        Measure(
            "kl_recalled_late",
            f"`kl_recalled_old` from step {LATE_STEP} on",
            PER_STEP,
            gathered=False,
            from_zero=True,
        ),
        Measure(
            "recall_ratio",
            "KL of steps whose answer was last seen at least "
            f"{OLD_AGE} steps before, over KL of new steps (`kl_recalled_old` over `kl_new`): 1 "
            f"without memory, but for parity recall; none below {LEAST_NEW} nats, of unused "
            "latents",
            "-",
            "lower",
            header="KL ratio, old",
            headline=3,
            gathered=False,
            perfect=0.0,
        ),
        Measure(
            "recall_ratio_late",
            f"KL of steps from step {LATE_STEP} on whose answer was last seen at least {OLD_AGE} "
            "steps before, over KL of new steps (`kl_recalled_late` over `kl_new`): 1 without "
            f"memory; none below {LEAST_NEW} nats, of unused latents",
            "-",
            "lower",
            header="KL ratio, old late",
            headline=2,
            gathered=False,
            perfect=0.0,
        ),
        Measure(
            "read_correctness",
            "share of the read heads' mass that lies on steps that hold the answer",
            SHARE,
            "higher",
        ),
        Measure(
            "read_correctness_best_head",
            "`read_correctness` of the head that reads the answer most in each step",
            SHARE,
            "higher",
            header="best head's reads",
        ),
        Measure(
            "attribution_correctness",
            "share of what is read, by the norms of its derivatives with respect to each stored "
            "latent, that comes from steps that hold the answer; in one recalled step of each of "
            f"the first {ATTRIBUTED} sequences, an old one if there is any; 0 for a core that "
            "reads nothing",
            SHARE,
            "higher",
            header="attributed to answer",
        ),
        Measure(
            "prior_recall_error",
            "squared error of generated frames whose answer was among the given frames; of all "
            "benchmarks but parity recall",
            "per pixel",
            "lower",
            from_zero=True,
        ),
        Measure(
            "prior_recall_error_other",
            "the same against another given frame, drawn at random",
            "per pixel",
            from_zero=True,
        ),
        Measure(
            "coherence_error",
            "squared error of generated frames against the model's own first frame of the same "
            f"place, which it was never given and last showed at least {OLD_AGE} steps before; of "
            "the maze",
            "per pixel",
            "lower",
            benchmarks=PLACES,
            from_zero=True,
        ),
        Measure(
            "coherence_error_other",
            "the same against a frame that it generated of another place before, drawn at random",
            "per pixel",
            benchmarks=PLACES,
            from_zero=True,
        ),
        Measure(
            "coherence_ratio",
            "`coherence_error` over `coherence_error_other`: 0 for a perfect memory of what it "
            "made up, 1 for frames that have nothing to do with each other",
            "-",
            "lower",
            header="own frames again",
            gathered=False,
            benchmarks=PLACES,
            from_zero=True,
        ),
        Measure(
            "returned_error",
            "squared error of generated views against those that were given of the same place",
            "per pixel",
            "lower",
            benchmarks=VIEWS,
            from_zero=True,
        ),
        Measure(
            "returned_error_other",
            "the same against the views that were given at these steps in the other rooms of the "
            "batch",
            "per pixel",
            benchmarks=VIEWS,
            from_zero=True,
        ),
        Measure(
            "returned_ratio",
            "`returned_error` over `returned_error_other`: 1 for a model that forgets the room",
            "-",
            "lower",
            header="returned views",
            benchmarks=VIEWS,
            gathered=False,
            from_zero=True,
        ),
        Measure(
            "returned_psnr",
            "peak signal-to-noise ratio of generated views to those given of the same place",
            "dB",
            "higher",
            header="PSNR",
            digits=2,
            benchmarks=VIEWS,
        ),
        Measure(
            "returned_ssim",
            "structural similarity of generated views and those given of the same place",
            "-1 to 1",
            "higher",
            header="SSIM",
            benchmarks=VIEWS,
        ),
        # First among headlines: in parity recall, which alone has it, knowing the step lowers the
        # KL even without memory.
        Measure(
            "prior_recall_class_accuracy",
            "share of generated frames that a nearest-neighbour classifier takes for the true "
            "class; 0.5 if zeros and ones are drawn at random",
            SHARE,
            "higher",
            header="class accuracy",
            headline=1,
            benchmarks=("ParityRecall",),
            perfect=1.0,
        ),
    ),
    curves=(StepCurve("kl", "KL of posterior from prior (nats per step)", from_zero=True),),
    share="recalled_share",
    share_label="recalled steps",
    memoryless=("NoMemory", "VRNN"),
)


class FrameMeasures(Measures):
    """Measures of the bound, the KL with and without an answer in memory, reads, and recall."""

    family = FAMILY
    probes = FrameProbes()

    def measure(self, model: "TemporalVAE", batch: FrameSequences) -> dict[str, Measurement]:
        """Infer each sequence, generate it from its prefix, and measure both."""
        unrolled = model(batch.frames, batch.actions, model.noise(batch), record=True)
        generated = model.generate(batch, model.noise(batch, draw=1)).logits
        shape = batch.place.shape[1], model.prefix_length
        priorities = model.sequence_noise(batch.episode, shape, 2)
        benchmark, prefix = model.benchmark, model.prefix_length
        classifier = None if benchmark is None else benchmark.classifier
        returns: dict[str, Measurement] = {}
        if benchmark is not None and benchmark.returns:
            returns = returned_view_measurements(generated, batch, prefix)
        if benchmark is not None and benchmark.grid is not None:
            own_priorities = model.sequence_noise(batch.episode, (batch.place.shape[1],) * 2, 3)
            returns = coherence_measurements(generated, batch, prefix, own_priorities)
        return {
            **returns,
            **bound_measurements(unrolled.bound(batch.frames), batch),
            **read_measurements(unrolled.trajectory.weightings, batch),
            **attribution_measurements(model, batch, unrolled.trajectory),
            **prior_recall_measurements(generated, batch, priorities, classifier),
        }

    def summarise(self, model: "TemporalVAE", sums: Mapping[str, StepSums]) -> Summary:
        """Average over sequences, keeping the KL of recalled steps apart from that of new ones."""
        summary = summarise(sums)
        own, other = sums["coherence_error"], sums["coherence_error_other"]
        if not own.nowhere:
            summary.scalars["coherence_ratio"] = own.mean / other.mean
        own, other = sums["returned_error"], sums["returned_error_other"]
        if not other.nowhere:
            summary.scalars["returned_ratio"] = own.mean / other.mean
        return summary
