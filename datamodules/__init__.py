"""Benchmarks as LightningDataModules: importing the package makes their names resolve."""

from datamodules.batch import FrameSequences
from datamodules.maze import MNISTMaze
from datamodules.sequence_datamodule import SequenceDataModule

__all__ = ["FrameSequences", "MNISTMaze", "SequenceDataModule"]
