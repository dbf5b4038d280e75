"""Base class of temporal variational auto-encoders: objective, metrics and generation."""

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from datamodules.frames.batch import FrameSequences
from datamodules.frames.benchmark import SequenceDataModule
from datamodules.loading.checks import require_one_of
from lightning_modules.drawings import Drawings
from lightning_modules.likelihoods import Likelihood, make_likelihood
from lightning_modules.objectives import Bound, negative_elbo
from lightning_modules.schedule import slow_recurrence
from lightning_modules.sequence_model import SequenceModel
from lightning_modules.sizing import Budgets, Sizer
from lightning_modules.speed.compiled_steps import require_compiler
from lightning_modules.temporal_vaes.backbone import Edit, Step, Trajectory
from lightning_modules.temporal_vaes.measures import FrameMeasures
from lightning_modules.temporal_vaes.parts import FrameSizes, Recipe, Start
from lightning_modules.temporal_vaes.visual import CompactNetworks, VisualNetworks, VisualSizes
from memory_cores import MemoryCore, MemorySizes
from memory_cores.parts.checks import require_at_least, require_positive

#: Units of the controller if neither the settings nor a parameter budget determine them.
CONTROLLER_SIZE = 128
#: The recurrence's share of the learning rate, and the steps over which it rises.
SLOW_RECURRENCE = 0.3, 1000


class Unrolled(NamedTuple):
    """An unrolled batch and its decoded frames."""

    trajectory: Trajectory
    logits: Tensor  #: [B, T, C, H, W], of the mean intensities
    likelihood: nn.Module  #: of intensities, given the logits

    def bound(self, frames: Tensor) -> Bound:
        """Return the terms [B, T] of the variational bound of frames [B, T, C, H, W] (eq. 6)."""
        return Bound(
            reconstruction=self.likelihood(self.logits, frames),
            kl=self.trajectory.kl,
        )


class TemporalVAE(SequenceModel):
    """Latents z_t from a prior given the past, frames x_t from an observation map.

    Subclasses define the recurrence's inputs: ``evidence`` and its width and, if these depend on
    frames, ``imagine`` and ``make_extractor``.

    Args:
        sequence_length: steps T; this and the next three come from the data on the command line.
        prefix_length: number of first frames given when the model generates the others.
        action_size: width A of the actions, 0 without actions.
        frame_shape: channels, height and width of a frame.
        memory: builds the memory core.
        visual: builds the encoder and the decoder.
        likelihood: likelihood of a frame's intensities in [0, 1]: "bernoulli", whose nats are
            comparable across runs; "gaussian", with one sigma; "logistic", discretised to the 256
            levels of a byte, with one learned scale. The paper does not say which it uses, nor
            whether each channel or pixel has its own width.
        likelihood_sigma: the Gaussian's sigma; learned if none is given.
        latent_size: width Z of z_t.
        controller_size: width H of the controller's state h_t; default: what the budgets allow,
            else 128.
        parameter_budget: maximum number of parameters of the whole model, so that models with
            different cores are comparable; ignored if the controller's size is given.
        state_budget: numbers that a sequence carries from step to step, met within 5%; determines
            the core's slots, unless its settings do, and then the controller's size.
        map_size: hidden units of the prior and the posterior map; 0 makes them linear.
        learning_rate: Adam's learning rate.
        start: initial weights: "plain", PyTorch's, with open forget gates; "associative", with
            cores that look items up by key; "timed", which adds a clock to the controller's state,
            by which some heads find items stored a given number of steps ago. An RMR looks items
            up by the clock alone: without it, it starts like the published one.
        recurrence_share: the controller's and the core's share of the learning rate; default: 0.3,
            but 1 for a plain start.
        recurrence_warm_up: number of initial steps over which their learning rate rises, with the
            square of the step: until frames are decoded, gradients through time teach nothing
            useful, and close a memory's gates and reads for good. Default: 1,000, but none for a
            plain start.
        compile: compile the recurrence for training, which takes about a minute the first time; on
            CUDA, capture it as a graph, which takes no time.

    Raises:
        ValueError: a setting is out of range.
    """

    width_setting = "controller_size"
    measures = FrameMeasures()

    def __init__(
        self,
        sequence_length: int,
        prefix_length: int,
        action_size: int,
        frame_shape: tuple[int, int, int],
        memory: Callable[[MemorySizes], MemoryCore],
        visual: Callable[[VisualSizes], VisualNetworks] = CompactNetworks,
        likelihood: Likelihood = "bernoulli",
        likelihood_sigma: float | None = None,
        latent_size: int = 32,
        controller_size: int | None = None,
        parameter_budget: int | None = 1_172_000,
        state_budget: int | None = None,
        map_size: int = 128,
        learning_rate: float = 2e-3,
        start: Start = "timed",
        recurrence_share: float | None = None,
        recurrence_warm_up: int | None = None,
        compile: bool = False,
    ) -> None:
        super().__init__(sequence_length, learning_rate)
        # From the command line these are class paths and plain numbers, safe to load.
        self.save_hyperparameters(ignore=[*self.decided])
        require_one_of(get_args(Start), start=start)
        share, warm_up = (1.0, 0) if start == "plain" else SLOW_RECURRENCE
        self.recurrence_share = share if recurrence_share is None else recurrence_share
        self.recurrence_warm_up = warm_up if recurrence_warm_up is None else recurrence_warm_up
        require_positive(latent_size=latent_size, recurrence_share=self.recurrence_share)
        require_at_least(0, map_size=map_size, recurrence_warm_up=self.recurrence_warm_up)
        recipe = Recipe(
            memory,
            visual,
            self.make_extractor,
            FrameSizes(sequence_length, action_size, self.evidence_size(0), frame_shape),
            compile,
        )
        budgets = Budgets(parameter_budget, state_budget)
        widths = {"latent_size": latent_size, "map_size": map_size}
        sizer = Sizer(budgets, recipe.parts, controller_size, CONTROLLER_SIZE, **widths)
        width, slots = sizer.sizing()
        parts = recipe.parts(width, **widths, slots=slots, start=start)
        self.visual, self.extractor, self.backbone = parts.modules()
        self.state_size = parts.state_size
        self.likelihood = make_likelihood(likelihood, likelihood_sigma)
        self.prefix_length = prefix_length
        if start != "plain":
            self._start_controller(action_size)

    @torch.no_grad()
    def _start_controller(self, action_size: int) -> None:
        """Start the actions' weights at unit variance, and the clock if there is one.

        Actions are one-hot, and a camera's moves are about as large, so unit variance is right for
        any A. With the default for dense inputs, moves drown in the noise of the latents, and
        models never learn where they are.
        """
        controller = self.backbone.controller
        nn.init.normal_(controller.evidence_gates.weight[:, :action_size])
        controller.start_clock(self.core.sizes.clock)

    def on_fit_start(self) -> None:
        """Check for a compiler before training starts, if one is needed."""
        super().on_fit_start()
        if self.backbone.compiled_steps is not None and self.device.type == "cpu":
            require_compiler()

    @property
    def core(self) -> MemoryCore:
        """The memory core."""
        return self.backbone.memory

    @property
    def units(self) -> int:
        """Width of the controller's state."""
        return self.backbone.controller.hidden_size

    def parts(self) -> dict[str, list[nn.Module]]:
        """Return encoder and decoder, the controller, the memory core, prior and posterior maps."""
        backbone = self.backbone
        return {
            "visual": [self.visual, self.extractor, self.likelihood],
            "controller": [backbone.controller],
            "memory": [backbone.memory],
            "maps": [backbone.prior_map, backbone.posterior_map],
        }

    def make_extractor(self, feature_size: int) -> nn.Module:
        """Make the module through which the recurrence sees a frame's features, if it does."""
        return nn.Identity()

    def evidence_size(self, action_size: int) -> int:
        """Return the width E of a step's evidence, which begins with the actions."""
        return action_size

    def evidence(self, actions: Tensor, features: Tensor) -> Tensor:
        """Return the recurrence's inputs that are known before the unroll, actions first.

        Args:
            actions: [B, T, A].
            features: [B, S, F], encoded frames of the first S <= T steps.

        Returns:
            evidence: [B, K, E] for the first K <= T steps; ``imagine`` supplies the others'.
        """
        return actions

    def imagine(self, actions: Tensor, step: Step) -> Tensor:
        """Return the evidence [B, E] of a step from its actions [B, A] and the previous step."""
        return actions

    def forward(
        self, frames: Tensor, actions: Tensor, noise: Tensor | None = None, record: bool = False
    ) -> Unrolled:
        """Infer the latents of the given frames, and generate those of later steps.

        Args:
            frames: [B, S, C, H, W] in [0, 1], S <= T.
            actions: [B, T, A].
            noise: [B, T, ``backbone.noise_size``], standard normal; drawn if not given.
            record: keep the memory's weightings and the controller's states.
        """
        if noise is None:
            shape = (*actions.shape[:2], self.backbone.noise_size)
            noise = torch.randn(shape, device=frames.device, dtype=frames.dtype)
        trajectory = self.unroll(frames, actions, noise, record)
        logits = self.decode(trajectory.latent, trajectory.psi)
        return Unrolled(trajectory, logits, self.likelihood)

    def unroll(
        self,
        frames: Tensor,
        actions: Tensor,
        noise: Tensor,
        record: bool = False,
        edit: Edit | None = None,
    ) -> Trajectory:
        """Run ``forward`` without decoding; ``edit`` changes the state between steps."""
        features = self.visual.encode(frames)
        return self.backbone.unroll(
            self.evidence(actions, features),
            features,
            noise,
            imagine=lambda t, step: self.imagine(actions[:, t], step),
            record=record,
            edit=edit,
        )

    def decode(self, latent: Tensor, psi: Tensor) -> Tensor:
        """Decode latents [B, T, Z] and psi [B, T, P] to logits [B, T, C, H, W]."""
        return self.visual.decode(torch.cat([latent, psi], 2))

    def noise(self, batch: FrameSequences, draw: int = 0) -> Tensor:
        """Return the noise [B, T, ``backbone.noise_size``] of a batch, a function of its sequences.

        Args:
            batch: B sequences.
            draw: index of the draw, if the same sequences are drawn several times.
        """
        shape = batch.frames.shape[1], self.backbone.noise_size
        return self.sequence_noise(batch.episode, shape, draw).to(batch.frames.dtype)

    def generate(self, batch: FrameSequences, noise: Tensor | None = None) -> Unrolled:
        """Infer the latents of the prefix, then draw the others from the prior.

        ``noise`` is as in ``forward``.
        """
        return self(batch.frames[:, : self.prefix_length], batch.actions, noise)

    def bound(self, batch: FrameSequences, noise: Tensor | None = None) -> Bound:
        """Return the bound's terms at each step of each sequence, with one posterior sample.

        ``noise`` is as in ``forward``.
        """
        return self(batch.frames, batch.actions, noise).bound(batch.frames)

    def training_step(self, batch: FrameSequences, batch_idx: int) -> Tensor:
        """Minimise the negative bound."""
        bound = self.bound(batch, self.noise(batch))
        loss = negative_elbo(bound)
        if self.reports:
            self.log_training({"bound": -loss, "kl": bound.kl.mean()})
            self.log_training({"kl_last_step": bound.kl[:, -1].mean()}, prog_bar=False)
        return loss

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return all parameters but the recurrence's, then those of controller and core."""
        recurrent = nn.ModuleList([self.backbone.controller, self.backbone.memory])
        slow = set(recurrent.parameters())
        others = [parameter for parameter in self.parameters() if parameter not in slow]
        return [{"params": others}, {"params": list(recurrent.parameters())}]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return Adam, with a schedule that lets the recurrence learn slowly at first."""
        optimizer = super().configure_optimizers()
        schedule = slow_recurrence(optimizer, self.recurrence_share, self.recurrence_warm_up)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @classmethod
    def drawings(cls) -> Drawings:
        """Return the family's pictures."""
        # Imported here: pictures import the models, and only runs that draw need Matplotlib.
        from lightning_modules.temporal_vaes.pictures import FrameDrawings

        return FrameDrawings()

    @property
    def benchmark(self) -> SequenceDataModule[Any] | None:
        """The data module; None if the trainer has plain loaders."""
        return getattr(self.trainer, "datamodule", None)

    def predict_step(self, batch: FrameSequences, batch_idx: int) -> dict[str, Tensor]:
        """Generate each sequence from its prefix.

        Returns:
            ``frames`` and ``truth``, float16 [B, T, C, H, W] in [0, 1]; ``given``, bool [B, T],
            True in the prefix; ``actions`` [B, T, A]; ``place`` [B, T], as in the batch.
        """
        frames = self.generate(batch, self.noise(batch)).logits.sigmoid()
        steps = torch.arange(frames.shape[1], device=frames.device)
        return {
            "frames": frames.half(),
            "truth": batch.frames.half(),
            "given": (steps < self.prefix_length).expand(len(frames), -1),
            "actions": batch.actions,
            "place": batch.place,
        }
