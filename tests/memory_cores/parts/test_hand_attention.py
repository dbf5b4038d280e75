"""What an untrained RMR keeps and finds by the hands of a clock."""

import torch
import torch.nn.functional as F

from memory_cores import RMR, Items
from memory_cores.parts.associative import spread_lags
from tests.memory_cores.parts.test_associative import SIZES, STEPS, UNITS, ticking


def test_a_cell_of_rmr_keeps_the_item_of_its_step_and_heads_find_it_by_time() -> None:
    torch.manual_seed(0)
    core = RMR(SIZES._replace(value=32))
    states, latents = ticking(6), torch.randn(STEPS, 6, 1, 32)
    memory = core.initial_state(6, latents)
    present = torch.ones(6, 1, dtype=torch.bool)
    with torch.no_grad():
        for key, latent, control in zip(states, latents, states[1:], strict=False):
            item = Items(key.unsqueeze(1), latent, present)
            _, memory = core.write_and_read(memory, control, item)
    # The first state is that after a step of the clock, so it is cell 1's.
    held = memory.values[:, 1:STEPS]
    items = latents[:-1, :, 0].transpose(0, 1)
    alike = F.cosine_similarity(held.unsqueeze(2), items.unsqueeze(1), dim=3).mean(0)
    steps = torch.arange(STEPS - 1)
    apart = (steps.unsqueeze(1) - steps).abs()
    assert alike[apart == 0].mean() > 0.4
    assert alike[apart >= 4].abs().mean() < 0.15
    assert ((alike.argmax(1) - steps).abs() <= 2).all()
    for head, lag in enumerate(spread_lags(5, STEPS)):
        nearest = round(STEPS - lag)
        weights = memory.read_weights.mean(0)[head]
        assert weights[nearest - 1 : nearest + 2].sum() > 0.6
    # The tracker copies a value within the bounds of tanh.
    values = torch.linspace(-2, 2, 32).expand(1, 25, 32)
    zeros = torch.zeros_like(values)
    copied, _ = core.value_tracker(zeros, zeros, torch.zeros(1, 25, UNITS), values)
    torch.testing.assert_close(copied, values.tanh().tanh(), atol=0.02, rtol=0)
