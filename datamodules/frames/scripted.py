"""Benchmarks whose sequences show a source's pictures, in the order of a script."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from numpy.typing import NDArray

from datamodules.frames.benchmark import SequenceDataModule
from datamodules.frames.classifier import DigitClassifier
from datamodules.frames.dataset import PictureDataset
from datamodules.frames.script import Curriculum, ScriptWriter
from datamodules.loading.stages import Stages, announcement, staged
from datamodules.sources import DIGITS, ImageKind, LabelledImages, Split
from datamodules.sources.image_benchmark import ImageBenchmark


class ScriptedDataModule(ImageBenchmark[PictureDataset], SequenceDataModule[PictureDataset]):
    """Sequences of pictures.

    A benchmark defines how scripts are written. It may also override the kind of pictures
    (`images_of`) and the stages of a setting `curriculum`. Validation, test, and training after its
    stages have the test's form.
    """

    images_of: ClassVar[ImageKind] = DIGITS

    @abstractmethod
    def script_writer(self, labels: NDArray[np.int64]) -> ScriptWriter:
        """Return the rule of the test, for pictures of these classes, [N]."""

    def stage_writers(self, labels: NDArray[np.int64]) -> Sequence[ScriptWriter]:
        """Return the rules of the curriculum's stages; here, none."""
        return ()

    def setup(self, stage: str | None = None) -> None:
        """Build every split's dataset, and announce the curriculum."""
        super().setup(stage)
        if stage == "fit" and self._stages:
            steps = -1 if self.trainer is None else self.trainer.max_steps
            later = "; all later ones have the test's form"
            rank_zero_info(announcement(self._stages, later, steps))

    def make_dataset(self, split: Split, images: LabelledImages) -> PictureDataset:
        """Build the sequences of a split from its pictures."""
        stages: Stages[ScriptWriter] = ()
        if split == "train":
            _, devices = self._process()
            batch_size = self.hparams["batch_size"] * devices
            stages = staged(self._stages, self.stage_writers(images.labels), batch_size)
        writers = Curriculum(stages, self.script_writer(images.labels))
        size = self.hparams[f"{split}_size"]
        return PictureDataset(writers, images, self.hparams["seed"], split, size)

    @cached_property
    def picture_classifier(self) -> DigitClassifier | None:
        """Classifier based on the training digits; None for other pictures. Needs `setup`."""
        digits = self.dataset("train")
        return DigitClassifier(digits.images, digits.labels) if self.images_of == DIGITS else None

    @property
    def _stages(self) -> Sequence[Mapping[str, Any]]:
        return self.hparams.get("curriculum") or ()
