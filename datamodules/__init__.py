"""Benchmarks as LightningDataModules: importing the package makes their names resolve."""

from datamodules.batch import FrameSequences
from datamodules.dynamic_dependency import DynamicDependency
from datamodules.maze import MNISTMaze
from datamodules.one_shot_recall import OneShotRecall
from datamodules.parity_recall import ParityRecall
from datamodules.perfect_recall import PerfectRecall
from datamodules.sequence_datamodule import SequenceDataModule
from datamodules.similarity_cued_recall import SimilarityCuedRecall

__all__ = [
    "DynamicDependency",
    "FrameSequences",
    "MNISTMaze",
    "OneShotRecall",
    "ParityRecall",
    "PerfectRecall",
    "SequenceDataModule",
    "SimilarityCuedRecall",
]
