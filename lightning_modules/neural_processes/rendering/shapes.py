"""Sizes of the maps in a neural process of patches."""

from typing import NamedTuple

#: Rows and columns of a patch for each row and column of a map.
SHRINKING = 4


class MapShapes(NamedTuple):
    """Sizes of maps, each a quarter as high and wide as a patch (TGQN's `im_height // 4`)."""

    patch: tuple[int, int, int]  #: channels, height and width
    state_maps: int  #: of the latents' states
    latent_maps: int  #: of each draw
    draws: int  #: per step
    renderer_maps: int  #: of the renderer's state
    renderer_steps: int
    kernel_size: int  #: rows and columns of all kernels of the recurrent parts
    sigma: float  #: of a value, not learned

    @property
    def area(self) -> tuple[int, int]:
        """Height and width of a map."""
        return self.patch[1] // SHRINKING, self.patch[2] // SHRINKING

    @property
    def pixels(self) -> int:
        """Numbers in a map."""
        return self.area[0] * self.area[1]
