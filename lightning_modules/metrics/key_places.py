"""How imaginary keys move with a picture on its canvas (Yoon et al. 2020, figure 8).

The paper shows that some keys follow points of the moving picture, and that others lie at the edges
of the canvas. Here each key's place is regressed on the place of the picture's centre, over all
steps of many sequences together, so that a key counts as following only if it stays at the same
point of every picture.
"""

import torch
from torch import Tensor

#: A key whose variance is below this share of the centre's counts as standing still: it moves by
#: less than a hundredth of the picture's moves.
STILL = 1e-4
#: Half the width of a wall: two pixels of a canvas of 42, whose edges are at -1 and 1.
WALL = 0.1


def key_measurements(keys: Tensor, centres: Tensor) -> dict[str, Tensor]:
    """Regress each key's place on the picture's centre, and count the keys at the walls.

    Args:
        keys: rows and columns [N, K, 2], from -1 to 1 on the canvas; a key may lie anywhere.
        centres: row and column of the picture's centre, [N, 2].

    Returns:
        ``key_r2``: R^2 of a key's place, mean over keys; 1 for keys that keep their distance to the
        centre, 0 for keys that stand still or move without it. ``key_r2_best``: of the best key.
        ``key_gain_best``: how far this key moves when the centre moves by 1, averaged over rows
        and columns. ``keys_at_walls``: share of keys within ``WALL`` of the canvas's edge. Empty
        if the picture stands still.
    """
    places, centres = (points.double().cpu() for points in (keys, centres))
    outermost = places.abs().amax(-1)
    places, centres = places - places.mean(0), centres - centres.mean(0)
    spread = centres.square().sum()
    if not spread > 0:
        return {}
    # Coefficients [K, 2, 2] of the regression, from a row or column of the centre to one of a key.
    inverse = torch.linalg.pinv(centres.T @ centres)
    coefficients = torch.einsum("ij,nj,nkl->kil", inverse, centres, places)
    fitted = torch.einsum("ni,kil->nkl", centres, coefficients)
    total = places.square().sum((0, 2))
    r2 = fitted.square().sum((0, 2)) / total
    r2 = torch.where(total < STILL * spread, 0.0, r2)
    best = r2.argmax()
    return {
        "key_r2": r2.mean(),
        "key_r2_best": r2[best],
        "key_gain_best": coefficients[best].diagonal().mean(),
        "keys_at_walls": ((outermost - 1).abs() <= WALL).double().mean(),
    }
