"""Visual networks: shapes, what is batched, and the numbers of appendix B.1."""

import pytest
import torch
from torch import nn

from lightning_modules.temporal_vaes.visual import (
    CompactNetworks,
    CompactRoomNetworks,
    DigitNetworks,
    RoomNetworks,
    VisualNetworks,
    VisualSizes,
)
from lightning_modules.temporal_vaes.visual.digits import ParallelStreams

SIZES = VisualSizes(frame_shape=(1, 28, 28), decoder_inputs=40)
ROOMS = VisualSizes(frame_shape=(3, 32, 32), decoder_inputs=40)
NETWORKS = [(CompactNetworks, SIZES), (DigitNetworks, SIZES)]
NETWORKS += [(CompactNetworks, ROOMS), (CompactRoomNetworks, ROOMS), (RoomNetworks, ROOMS)]


@pytest.mark.parametrize(("networks", "sizes"), NETWORKS)
def test_all_frames_at_once_equal_one_frame_at_a_time(
    networks: type[VisualNetworks], sizes: VisualSizes
) -> None:
    visual = networks(sizes).double().eval()
    frames = torch.rand(2, 3, *sizes.frame_shape).double()
    inputs = torch.randn(2, 3, 40).double()
    features, logits = visual.encode(frames), visual.decode(inputs)
    assert features.shape == (2, 3, visual.feature_size)
    assert logits.shape == (2, 3, *sizes.frame_shape)
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


def test_room_networks_have_the_layers_of_the_appendix() -> None:
    """B.2: maps, kernels, strides and padding of both pathways, there and back."""
    visual = RoomNetworks(ROOMS)
    pathways = [
        [(128, 5, 3, 0), (256, 4, 2, 0), (256, 4, 1, 0)],
        [(16, 4, 2, 1), (8, 4, 2, 1)],
    ]
    encoder = [layers(each, nn.Conv2d) for each in (visual.encoder.whole, visual.encoder.texture)]
    assert encoder == pathways
    added = visual.decoder[-1]
    back = [layers(each, nn.ConvTranspose2d) for each in (added.whole, added.texture)]
    assert back == [
        [(256, 4, 1, 0), (128, 4, 2, 0), (3, 5, 3, 0)],
        [(16, 4, 2, 1), (3, 4, 2, 1)],
    ]
    # 1,586 thousand each way, and the linear layer before the decoder's.
    assert sum(p.numel() for p in visual.encoder.parameters()) == 1_585_944
    assert sum(p.numel() for p in added.parameters()) == 1_582_851 + 2_835
    frame = torch.rand(2, 3, 32, 32)
    features = visual.encoder(frame)
    assert torch.equal(features[:, :256], visual.encoder.whole(frame))
    image = added(features)
    parts = features.split([256, 512], 1)
    torch.testing.assert_close(image, added.whole(parts[0]) + added.texture(parts[1]))


def layers(network: nn.Module, kind: type[nn.Module]) -> list[tuple[int, ...]]:
    """Maps, kernel, stride and padding of each convolution."""
    found = [m for m in network.modules() if isinstance(m, kind)]
    return [(c.out_channels, c.kernel_size[0], c.stride[0], c.padding[0]) for c in found]


@pytest.mark.parametrize("networks", [RoomNetworks, CompactRoomNetworks])
def test_room_networks_name_the_frame_shape_they_cannot_see(networks: type[VisualNetworks]) -> None:
    with pytest.raises(ValueError, match=r"frame_shape must be \(3, 32, 32\), got \(1, 28, 28\)"):
        networks(SIZES)
