"""Recall tasks: random pictures for l steps, then k steps that depend on them."""

from typing import Any, ClassVar

from datamodules.frames.scripted import ScriptedDataModule
from datamodules.loading.checks import require_at_least


class RecallDataModule(ScriptedDataModule):
    """Sequences of a pre-recall interval of length l and a recall interval of length k.

    Gemici et al. 2017, sections 5.1 to 5.5 and the algorithms of appendix D. There are no actions.
    """

    longer_by: ClassVar[str | None] = "pre_recall_length"

    def __init__(
        self, pre_recall_length: int = 20, recall_length: int = 5, **settings: Any
    ) -> None:
        """Check the settings; no data is touched.

        Args:
            pre_recall_length: l, frames of random pictures.
            recall_length: k, frames after them.
            **settings: of `ScriptedDataModule`.

        Raises:
            ValueError: a setting is out of range.
        """
        super().__init__(**settings)
        require_at_least(1, pre_recall_length=pre_recall_length, recall_length=recall_length)

    @property
    def pre_recall_length(self) -> int:
        """Frames l before recall."""
        return self.hparams["pre_recall_length"]

    @property
    def recall_length(self) -> int:
        """Frames k of recall."""
        return self.hparams["recall_length"]

    @property
    def sequence_length(self) -> int:
        """Frames T = l + k."""
        return self.pre_recall_length + self.recall_length

    @property
    def prefix_length(self) -> int:
        """All frames before recall."""
        return self.pre_recall_length
