"""Neural processes: functions from a few points, step after step (Yoon et al. 2020)."""

from lightning_modules.neural_processes.independent import ANP, NP
from lightning_modules.neural_processes.neural_process import NeuralProcess
from lightning_modules.neural_processes.rendering.models import ATGQN, TGQN
from lightning_modules.neural_processes.sequential import ASNP, SNP

__all__ = ["ANP", "ASNP", "ATGQN", "NP", "SNP", "TGQN", "NeuralProcess"]
