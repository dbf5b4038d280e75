"""Initial weights as an associative memory, for cores whose words are a linear map of the item.

Attention that starts nearly uniform teaches nothing: whatever is stored comes back mixed with all
the rest, and the model learns to do without its memory. So these cores start by storing every item
in a slot of its own, and find it, sharply, under a control like its key.
"""

import torch
from torch import Tensor, nn

from memory_cores.core import MemorySizes

#: Gain of a key's projection: entries of a controller's state are about 1/3 in size, those of
#: values (standard normal latents) about 1, so that both then weigh about as much in a word.
KEY_GAIN = 3.0
#: Bias of the read heads' raw strengths: enough to single out one slot among dozens.
SHARP = 8.0


@torch.no_grad()
def associate_keys_with_values(
    vectors: Tensor, keys: Tensor | None, word_size: int, sizes: MemorySizes
) -> None:
    """Start with words that are a projected key plus a rotated value, found by a similar control.

    Where keys and controls are vectors of one kind (a controller's states), read heads start with
    the same projection, so that a state finds what was stored in a similar state.

    Args:
        vectors: [H * W, control + key + value], weights from [control; item] to H words of W.
        keys: [R * W, control], weights from the control to the keys of R read heads, if any.
        word_size: width W of a word.
        sizes: widths of control, key and value.
    """
    projection = torch.randn(word_size, sizes.key) * KEY_GAIN / sizes.key**0.5
    for head in vectors.split(word_size):
        of_control, of_key, of_value = head.split([sizes.control, sizes.key, sizes.value], 1)
        of_control.zero_()  # it would be noise to a look-up by key
        of_key.copy_(projection)
        nn.init.orthogonal_(of_value)  # keeps the length of a value
    if keys is not None and sizes.control == sizes.key:
        keys.copy_(projection.repeat(len(keys) // word_size, 1))
