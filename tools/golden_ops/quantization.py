"""Vector quantization."""

import math

import torch
import torch.nn.functional as F

from common import Cases, rand


def vector_quantize():
    c = Cases("vector_quantize", exact=True)

    def add(name, x, codes, distance):
        rows = x.double().reshape(-1, x.shape[-1])
        wide = codes.double()
        if distance == "cosine":
            distances = -F.normalize(rows, dim=-1) @ F.normalize(wide, dim=-1).T
        elif distance == "expanded":
            distances = (wide ** 2).sum(-1) - 2 * rows @ wide.T
        else:
            distances = ((rows[:, None] - wide) ** 2).sum(-1)
        best = distances.argmin(-1).reshape(x.shape[:-1])
        c.add(f"{distance}-{name}", [x, codes], [best.int(), codes[best]], distance=distance)

    for distance in ("euclidean", "expanded", "cosine"):
        add("plain", rand(2, 9, 6), rand(20, 6), distance)
        add("odd", rand(13, 7), rand(300, 7), distance)
        x = rand(8, 5)
        x[3, 1] = math.nan
        add("nan-row", x, rand(11, 5), distance)
        codes = rand(11, 5)
        codes[4, 2] = codes[7, 0] = math.nan
        add("nan-code", x, codes, distance)
        add("twice-the-same", rand(9, 4), rand(10, 4).repeat(2, 1), distance)
    for distance in ("euclidean", "expanded"):
        add("ties", torch.randint(-3, 4, (40, 2)).float(), torch.randint(-3, 4, (30, 2)).float(), distance)
    return c


def bincount():
    c = Cases("bincount", exact=True)
    for name, shape, bins, codes in [("few", (7,), 5, 5), ("video", (2, 3, 4, 5), 20, 20), ("many", (400,), 1500, 1500), ("unused", (30,), 40, 8)]:
        indices = torch.randint(codes, shape)
        c.add(name, [indices.int()], torch.bincount(indices.flatten(), minlength=bins).int(), bins=bins)
    return c


def perplexity():
    c = Cases("perplexity")
    for name, shape in [("few", (5,)), ("rows", (4, 17)), ("many", (2, 70))]:
        counts = torch.randint(50, shape)
        counts[..., 0] = 0
        p = counts.double() / counts.sum(-1, keepdim=True)
        c.add(name, [counts.int()], torch.exp(-(p * torch.log(p + 1e-10)).sum(-1)))
    one = torch.tensor([[0, 9, 0], [3, 3, 3]])
    p = one.double() / one.sum(-1, keepdim=True)
    c.add("one-and-all", [one.int()], torch.exp(-(p * torch.log(p + 1e-10)).sum(-1)))
    return c


def ema_codebook():
    """As the public VQ-VAE implementations write it, with a matrix of ones."""
    c = Cases("ema_codebook")

    def add(name, shape, codes, channels, decay=0.99, eps=1e-5):
        # The attributes are f32.
        decay32, eps32 = (torch.tensor(v, dtype=torch.float).double() for v in (decay, eps))
        x, indices = rand(*shape, channels), torch.randint(codes, shape)
        sizes, sums = torch.rand(codes) * 9, rand(codes, channels)
        ones = F.one_hot(indices.flatten(), codes).double()
        new_sizes = sizes.double() * decay32 + (1 - decay32) * ones.sum(0)
        new_sums = sums.double() * decay32 + (1 - decay32) * (ones.T @ x.double().reshape(-1, channels))
        n = new_sizes.sum()
        smoothed = (new_sizes + eps32) / (n + codes * eps32) * n
        c.add(name, [x, indices.int(), sizes, sums], [new_sizes, new_sums, new_sums / smoothed[:, None]], decay=decay, eps=eps)

    add("few", (9,), 4, 3)
    add("video", (2, 2, 3, 4), 6, 5, decay=0.8, eps=0.1)
    add("many", (150,), 20, 18, decay=0.5)
    add("forget", (40,), 3, 2, decay=0.0)
    return c


def scalar_quantize():
    c = Cases("scalar_quantize")

    def finite(name, mode, levels, *shape):
        x = rand(*shape, len(levels)) * 1.5
        wide, n = x.double(), torch.tensor(levels)
        half = (n - 1).double() * (1.001 if mode == "fsq" else 0.999) / 2
        offset = torch.where(n % 2 == 0, 0.5, 0.0).double()
        shift = torch.atanh(offset / half) if mode == "fsq" else torch.tan(offset / half)
        q = torch.round(torch.tanh(wide + shift) * half - offset)
        basis = torch.cumprod(torch.tensor([1, *levels[:-1]]), 0)
        index = ((q + n // 2) * basis).sum(-1)
        c.add(f"{mode}-{name}", [x], [index.int(), q / (n // 2)], mode=mode, levels=levels)

    for mode in ("fsq", "fsq_paper"):
        finite("paper-levels", mode, [8, 5, 5, 5], 2, 20)
        finite("small", mode, [2, 3, 4], 30)
        finite("video", mode, [8, 8, 8, 5, 5, 5], 1, 2, 3, 4)
        finite("eight", mode, [3, 2, 3, 2, 3, 2, 3, 2], 15)
        finite("one", mode, [7], 40)
    for name, shape in [("few", (10, 3)), ("one", (9, 1)), ("magvit", (6, 18)), ("most", (5, 31))]:
        x = rand(*shape)
        x[0, 0], x[1, 0] = 0.0, -0.0
        bits = (x > 0).long()
        index = (bits << torch.arange(shape[-1])).sum(-1)
        c.add_exact(f"lfq-{name}", [x], [index.int(), bits * 2.0 - 1], mode="lfq")
    return c


def straight_through():
    c = Cases("straight_through")
    for name, shape in [("rows", (5, 7)), ("video", (1, 2, 3, 2, 4))]:
        x, quantized = rand(*shape), rand(*shape)
        c.add(name, [x, quantized], x.double() + (quantized.double() - x.double()))
    return c


def nearest(x, codes):
    return ((x[..., None, :] - codes) ** 2).sum(-1).argmin(-1)


def residual_vector_quantize():
    c = Cases("residual_vector_quantize")
    for name, shape, codes, count in [("two", (9,), 12, 2), ("video", (2, 2, 2, 3), 20, 4), ("one", (8,), 5, 1)]:
        x, codebooks = rand(*shape, 6), [rand(codes, 6) / 2 ** i for i in range(count)]
        rest, indices = x.double(), []
        for codebook in codebooks:
            indices.append(nearest(rest, codebook.double()))
            rest = rest - codebook.double()[indices[-1]]
        c.add(name, [x, *codebooks], [*(i.int() for i in indices), x.double() - rest])
    return c


def group_vector_quantize():
    c = Cases("group_vector_quantize")
    for name, shape, codes, groups in [("two", (9,), 12, 2), ("video", (2, 2, 2, 3), 20, 3), ("one", (8,), 5, 1)]:
        x, codebooks = rand(*shape, 6), [rand(codes, 6 // groups) for _ in range(groups)]
        parts = x.double().chunk(groups, -1)
        indices = [nearest(part, codebook.double()) for part, codebook in zip(parts, codebooks)]
        quantized = torch.cat([codebook[i] for i, codebook in zip(indices, codebooks)], -1)
        c.add_exact(name, [x, *codebooks], [*(i.int() for i in indices), quantized])
    return c


FAMILY = [vector_quantize, bincount, perplexity, ema_codebook, scalar_quantize, straight_through, residual_vector_quantize,
          group_vector_quantize]
