"""Benchmarks as LightningDataModules: importing the package makes their names resolve."""

from datamodules.batch import FrameSequences
from datamodules.benchmark_datamodule import BenchmarkDataModule
from datamodules.drifting_functions import DriftingFunctions
from datamodules.dynamic_dependency import DynamicDependency
from datamodules.function_batch import FunctionSequences
from datamodules.function_datamodule import FunctionDataModule
from datamodules.maze import MNISTMaze
from datamodules.moving_digits import MovingDigits
from datamodules.moving_faces import MovingFaces
from datamodules.one_shot_recall import OneShotRecall
from datamodules.parity_recall import ParityRecall
from datamodules.perfect_recall import PerfectRecall
from datamodules.sequence_datamodule import SequenceDataModule
from datamodules.similarity_cued_recall import SimilarityCuedRecall

__all__ = [
    "BenchmarkDataModule",
    "DriftingFunctions",
    "DynamicDependency",
    "FrameSequences",
    "FunctionDataModule",
    "FunctionSequences",
    "MNISTMaze",
    "MovingDigits",
    "MovingFaces",
    "OneShotRecall",
    "ParityRecall",
    "PerfectRecall",
    "SequenceDataModule",
    "SimilarityCuedRecall",
]
