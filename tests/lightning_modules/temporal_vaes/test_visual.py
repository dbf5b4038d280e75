"""Visual networks: shapes, what is batched, and the numbers of appendix B.1."""

import pytest
import torch
from torch import nn

from lightning_modules.temporal_vaes.visual import (
    CompactNetworks,
    DigitNetworks,
    VisualNetworks,
    VisualSizes,
)
from lightning_modules.temporal_vaes.visual.digits import ParallelStreams

SIZES = VisualSizes(frame_shape=(1, 28, 28), decoder_inputs=40)
NETWORKS = (CompactNetworks, DigitNetworks)


@pytest.mark.parametrize("networks", NETWORKS)
def test_all_frames_at_once_equal_one_frame_at_a_time(networks: type[VisualNetworks]) -> None:
    visual = networks(SIZES).double().eval()
    frames, inputs = torch.rand(2, 3, 1, 28, 28).double(), torch.randn(2, 3, 40).double()
    features, logits = visual.encode(frames), visual.decode(inputs)
    assert features.shape == (2, 3, visual.feature_size)
    assert logits.shape == (2, 3, 1, 28, 28)
    for b in range(2):
        for t in range(3):
            one = (slice(b, b + 1), slice(t, t + 1))
            torch.testing.assert_close(visual.encode(frames[one]), features[one])
            torch.testing.assert_close(visual.decode(inputs[one]), logits[one])


def test_encoders_see_intensities_between_minus_one_and_one() -> None:
    visual = CompactNetworks(SIZES)
    visual.encoder = nn.Flatten()
    black_and_white = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 28, 28)
    assert visual.encode(black_and_white)[0, :, 0].tolist() == [-1.0, 1.0]


def test_no_frame_is_encoded_to_no_feature() -> None:
    assert CompactNetworks(SIZES).encode(torch.rand(2, 0, 1, 28, 28)).shape == (2, 0, 256)


def test_digit_encoder_has_the_layers_of_the_appendix() -> None:
    encoder = DigitNetworks(SIZES).encoder
    streams = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    kernels = [(c.kernel_size[0], c.stride[0], c.out_channels) for c in streams]
    four_streams = [(1, 1, 8), (3, 1, 8), (5, 1, 8), (7, 1, 8)]
    assert kernels == [*four_streams, (3, 2, 32), *four_streams, (3, 2, 64)]
    # No batch norm and no rectifier after the last convolution of block two.
    assert isinstance(encoder[-2], nn.Conv2d)
    assert encoder(torch.rand(5, 1, 28, 28)).shape == (5, 64 * 7 * 7)


def test_digit_networks_name_the_frame_shape_they_cannot_halve_twice() -> None:
    with pytest.raises(ValueError, match=r"frame_shape must .* divisible by 4, got \(1, 30, 30\)"):
        DigitNetworks(VisualSizes((1, 30, 30), 8))


def test_residual_blocks_add_their_input_where_the_number_of_maps_stays() -> None:
    torch.manual_seed(0)
    plain, residual = DigitNetworks(SIZES).eval(), DigitNetworks(SIZES, residual=True).eval()
    residual.load_state_dict(plain.state_dict())
    blocks = [m for m in residual.modules() if isinstance(m, ParallelStreams) and m.residual]
    assert len(blocks) == 3
    maps = torch.randn(2, 32, 6, 6)
    alike = [m for m in plain.modules() if isinstance(m, ParallelStreams)][1]
    torch.testing.assert_close(blocks[0](maps), alike(maps) + maps)
