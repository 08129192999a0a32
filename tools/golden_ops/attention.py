"""Attention."""

import math

import torch.nn.functional as F

from common import Cases, rand


def attention():
    c = Cases("attention")

    def heads_of(x, heads):
        return x.double().unflatten(-1, (heads, -1)).transpose(1, 2)

    def add(name, q, k, heads, mask=None, **a):
        q, k, v = rand(*q), rand(*k), rand(*k)
        m = [] if mask is None else [mask]
        scale, causal = a.get("scale"), a.get("causal", False)
        y = F.scaled_dot_product_attention(*[heads_of(x, heads) for x in (q, k, v)], is_causal=causal, scale=scale,
                                           attn_mask=None if mask is None else mask.double())
        c.add(name, [q, k, v] + m, y.transpose(1, 2).flatten(2), heads=heads, **a)

    add("self", (2, 5, 12), (2, 5, 12), 3)
    add("cross", (2, 5, 6), (2, 3, 6), 2)
    add("one-key", (1, 3, 4), (1, 1, 4), 1)
    add("width-64", (1, 5, 128), (1, 7, 128), 2)
    add("width-96", (1, 3, 96), (1, 5, 96), 1)
    add("odd-width", (1, 35, 7), (1, 9, 7), 1)
    add("scale", (1, 5, 8), (1, 6, 8), 2, scale=0.5)
    add("causal", (1, 7, 8), (1, 7, 8), 2, causal=True)
    add("causal-cross", (1, 4, 8), (1, 6, 8), 2, causal=True)
    for name, shape in [("mask", (5, 6)), ("mask-of-heads", (2, 5, 6)), ("mask-of-all", (3, 2, 5, 6))]:
        add(name, (3, 5, 8), (3, 6, 8), 2, mask=rand(*shape))
    mask = rand(5, 6)
    mask[0, 1:] = -math.inf
    mask[3, ::2] = -math.inf
    add("minus-infinity", (1, 5, 8), (1, 6, 8), 2, mask=mask)
    # Tokens are frames of places.
    for over, frames in [("space", 3), ("time", 3), ("space", 1), ("time", 6)]:
        x, heads = rand(2, 6, 3 * 8), 2
        q, k, v = [t.unflatten(1, (frames, -1)) for t in x.double().chunk(3, -1)]
        if over == "time":
            q, k, v = [t.transpose(1, 2) for t in (q, k, v)]
        y = F.scaled_dot_product_attention(*[t.unflatten(-1, (heads, -1)).transpose(2, 3) for t in (q, k, v)])
        y = y.transpose(2, 3).flatten(3)
        y = y.transpose(1, 2) if over == "time" else y
        c.add(f"{over}-{frames}", [x], y.flatten(1, 2), heads=heads, over=over, frames=frames, fused=True)
    return c


FAMILY = [attention]
