"""Benchmarks as LightningDataModules: importing the package makes their names resolve."""

from datamodules.benchmark import BenchmarkDataModule
from datamodules.drifting_functions import DriftingFunctions
from datamodules.dynamic_dependency import DynamicDependency
from datamodules.frames.batch import FrameSequences
from datamodules.frames.benchmark import SequenceDataModule
from datamodules.maze import MNISTMaze
from datamodules.moving_digits import MovingDigits
from datamodules.moving_faces import MovingFaces
from datamodules.one_shot_recall import OneShotRecall
from datamodules.parity_recall import ParityRecall
from datamodules.perfect_recall import PerfectRecall
from datamodules.points.batch import FunctionSequences
from datamodules.points.benchmark import FunctionDataModule
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
