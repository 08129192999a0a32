"""Attention; torchvision must be installed."""

import math

import torch
import torch.nn.functional as F
from torchvision.models.video.mvit import _add_rel_pos
from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d, _get_window_and_shift_size

from common import Cases, rand


def heads_of(x, heads):
    return x.double().unflatten(-1, (heads, -1)).transpose(1, 2)


def window_mask(queries, keys, window, everyone):
    i, j = torch.arange(queries)[:, None], torch.arange(keys)
    return ((i - j).abs() <= window) | (i < everyone) | (j < everyone)


def attention():
    c = Cases("attention")

    def add(name, q, k, heads, bias=None, seen=None, added=None, spread=1.0, **a):
        """`seen` and `added` are what the attributes come to, [q, k] and [N, heads, q, k]."""
        q, k, v = spread * rand(*q), spread * rand(*k), rand(*k)
        inputs = [q, k, v] + ([] if bias is None else [bias])
        mask = seen if added is None else added
        mask = mask if bias is None or added is not None else bias.double()
        y = F.scaled_dot_product_attention(*[heads_of(x, heads) for x in (q, k, v)], is_causal=a.get("causal", False),
                                           scale=a.get("scale"), attn_mask=mask)
        c.add(name, inputs, y.transpose(1, 2).flatten(2), heads=heads, **a)

    add("self", (2, 5, 12), (2, 5, 12), 3)
    add("cross", (2, 5, 6), (2, 3, 6), 2)
    add("one-key", (1, 3, 4), (1, 1, 4), 1)
    add("width-64", (1, 3, 64), (1, 5, 64), 1)
    add("width-100", (1, 2, 100), (1, 3, 100), 1)
    add("width-260", (1, 1, 260), (1, 2, 260), 1)
    add("odd-width", (1, 35, 7), (1, 9, 7), 1)
    add("scale", (1, 5, 8), (1, 6, 8), 2, scale=0.5)
    # Scores of some thousand: nearly all weight is one key's.
    add("saturated", (1, 5, 8), (1, 6, 8), 2, spread=60.0)
    add("causal", (1, 7, 8), (1, 7, 8), 2, causal=True)
    add("causal-cross", (1, 4, 8), (1, 6, 8), 2, causal=True)
    add("window", (1, 12, 8), (1, 12, 8), 2, window=2, seen=window_mask(12, 12, 2, 0))
    add("window-and-global", (1, 12, 8), (1, 12, 8), 2, window=2, seen=window_mask(12, 12, 2, 1), **{"global": 1})
    for name, shape in [("mask", (5, 6)), ("mask-of-heads", (2, 5, 6)), ("mask-of-all", (3, 2, 5, 6))]:
        add(name, (3, 5, 8), (3, 6, 8), 2, bias=rand(*shape))
    mask = rand(5, 6)
    mask[0, 1:] = -math.inf
    mask[3, ::2] = -math.inf
    add("minus-infinity", (1, 5, 8), (1, 6, 8), 2, bias=mask)
    # A key before a grid of keys, and what is added for each place on its axes.
    grid = (2, 2, 3)
    bias = rand(2, 5, 2, sum(grid))
    t, h, w = bias.double().split(grid, -1)
    whole = t[..., :, None, None] + h[..., None, :, None] + w[..., None, None, :]
    whole = F.pad(whole.flatten(-3), (1, 0)).transpose(1, 2)
    add("grid", (2, 5, 8), (2, 13, 8), 2, bias=bias, added=whole, key_grid=grid)
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


def window_attention():
    c = Cases("window_attention")

    def add(name, grid, heads, window, shift):
        """torchvision's module; its linear layers are such that query, key and value are exact in f32."""
        channels = 4 * heads
        m = ShiftedWindowAttention3d(channels, list(window), list(shift), heads).double().eval()
        with torch.no_grad():
            m.qkv.weight.copy_(torch.randint(-4, 5, m.qkv.weight.shape) / 4)
            m.qkv.bias.copy_(torch.randint(-4, 5, m.qkv.bias.shape) / 4)
            m.proj.weight.copy_(torch.eye(channels))
            m.proj.bias.zero_()
            m.relative_position_bias_table.copy_(rand(*m.relative_position_bias_table.shape).float())
            x = (torch.randint(-8, 9, (1, *grid, channels)) / 8).double()
            y, qkv = m(x), m.qkv(x)
        own, shift = _get_window_and_shift_size(list(shift), list(grid), list(window))
        a = {"table_window": list(window)} if own != list(window) else {}
        table = m.relative_position_bias_table.detach()
        c.add(name, [qkv.float(), table.float()], y, heads=heads, window_size=own, shift_size=shift, **a)

    add("video", (4, 2, 6), 2, (2, 2, 3), (0, 0, 0))
    add("shifted", (4, 4, 6), 2, (2, 2, 3), (1, 1, 1))
    add("shifted-windows-of-four", (2, 8, 4), 1, (1, 4, 2), (0, 2, 1))
    add("few-frames", (2, 6, 3), 2, (4, 3, 3), (2, 1, 1))
    # The published code takes the first rows of its index, whatever axis was cut.
    add("low-pictures", (2, 2, 6), 1, (2, 3, 3), (1, 1, 1))
    return c


def relative_scores():
    c = Cases("relative_scores")

    def add(name, heads, q_grid, k_grid, rows):
        width = 4
        q = rand(2, 1 + math.prod(q_grid), heads * width)
        tables = [rand(r, width) for r in rows]
        columns = []
        for axis in range(3):
            # What one axis alone adds, at the keys whose other two places are 0.
            t, h, w = [table.double() if i == axis else torch.zeros_like(table).double() for i, table in enumerate(tables)]
            zeros = torch.zeros(2, heads, q.shape[1], 1 + math.prod(k_grid)).double()
            added = _add_rel_pos(zeros, heads_of(q, heads), q_grid, k_grid, h, w, t)[..., 1:].unflatten(-1, k_grid)
            columns.append(added.movedim(3 + axis, -1)[..., 0, 0, :])
        c.add(name, [q] + tables, torch.cat(columns, -1).transpose(1, 2), heads=heads, query_grid=q_grid, key_grid=k_grid)

    add("same-grid", 2, (2, 3, 2), (2, 3, 2), (3, 5, 3))
    add("keys-pooled", 2, (2, 4, 6), (2, 2, 3), (3, 7, 11))
    add("queries-pooled", 1, (2, 2, 3), (4, 4, 6), (7, 7, 11))
    add("tables-resampled", 2, (2, 3, 4), (2, 3, 2), (7, 3, 13))
    return c


def attention_probabilities():
    c = Cases("attention_probabilities")

    def add(name, q, k, heads, bias=None, seen=None, **a):
        q, k = rand(*q), rand(*k)
        scores = heads_of(q, heads) @ heads_of(k, heads).mT * a.get("scale", (q.shape[-1] // heads) ** -0.5)
        scores = scores if bias is None else scores + bias.double()
        scores = scores if seen is None else scores.masked_fill(~seen, -math.inf)
        c.add(name, [q, k] + ([] if bias is None else [bias]), scores.softmax(-1), heads=heads, **a)

    add("self", (2, 5, 12), (2, 5, 12), 3)
    add("cross-scale", (1, 5, 8), (1, 9, 8), 2, scale=0.25)
    add("bias", (2, 5, 8), (2, 4, 8), 2, bias=rand(2, 5, 4))
    add("causal", (1, 6, 8), (1, 6, 8), 2, causal=True, seen=torch.ones(6, 6, dtype=torch.bool).tril())
    add("window", (1, 9, 8), (1, 9, 8), 2, window=2, seen=window_mask(9, 9, 2, 1), **{"global": 1})
    return c


def non_local():
    c = Cases("non_local")
    for name, mode, scale in [("softmax", "softmax", None), ("softmax-unscaled", "softmax", 1.0),
                              ("dot-product", "dot_product", None), ("dot-product-scale", "dot_product", 0.5)]:
        theta, phi, g = rand(2, 6, 8), rand(2, 4, 8), rand(2, 4, 8)
        scores = theta.double() @ phi.double().mT
        usual = 8**-0.5 if mode == "softmax" else 1 / 4
        scores = scores * (usual if scale is None else scale)
        weights = scores.softmax(-1) if mode == "softmax" else scores
        c.add(name, [theta, phi, g], weights @ g.double(), mode=mode, **({} if scale is None else {"scale": scale}))
    return c


def prepend_tokens():
    c = Cases("prepend_tokens", exact=True)
    for name, batch, count in [("class-token", 3, 1), ("several", 2, 2), ("one-clip", 1, 1)]:
        x, tokens = rand(batch, 4, 5), rand(count, 5)
        c.add(name, [x, tokens], torch.cat([tokens.expand(batch, -1, -1), x], 1))
    return c


FAMILY = [attention, attention_probabilities, non_local, prepend_tokens, relative_scores, window_attention]
