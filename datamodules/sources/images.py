"""The images of a split, as every source returns them."""

import hashlib
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


class LabelledImages(NamedTuple):
    """The images of one split of one source."""

    images: NDArray[np.uint8]
    """Intensities, uint8: ink bright on black [N, H, W], or red, green, blue [N, H, W, 3]."""
    labels: NDArray[np.int64]
    """Class of each image, int64 [N]."""
    source: str
    """Name of the source that was read, never `auto`."""
    names: tuple[str, ...] = ()
    """Name of each class, if classes have names: `<alphabet>/<character>`."""

    @property
    def sha256(self) -> str:
        """Hex digest of the images' bytes followed by the labels' (little-endian int64)."""
        digest = hashlib.sha256(self.images.tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()
