"""Learning-rate schedules."""

from math import cos, pi

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warm_up_and_decay(optimizer: Optimizer, warm_up: int, steps: float) -> LambdaLR:
    """Raise the learning rate linearly, then lower it to 0 along half a cosine.

    Args:
        optimizer: the optimiser, set to the peak learning rate.
        warm_up: number of initial steps over which the rate rises; may be 0.
        steps: length of the whole training; infinity keeps the peak rate.
    """

    def share(step: int) -> float:
        # Counted from 1: otherwise the first step would have a rate of 0 and teach nothing.
        ramp = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
        return ramp * 0.5 * (1 + cos(pi * min(step / steps, 1.0)))

    return LambdaLR(optimizer, share)


def slow_recurrence(optimizer: Optimizer, share: float, warm_up: int) -> LambdaLR:
    """Raise the recurrence's learning rate with the square of the step, to a share of the others'.

    Args:
        optimizer: the optimiser, set to the others' learning rate; its second and last group is the
            recurrence.
        share: the recurrence's share of the learning rate after the warm-up.
        warm_up: number of initial steps over which the rate rises; may be 0.
    """

    def of_recurrence(step: int) -> float:
        return share * min(1.0, (step + 1) / warm_up) ** 2 if warm_up else share

    return LambdaLR(optimizer, [lambda step: 1.0, of_recurrence])
