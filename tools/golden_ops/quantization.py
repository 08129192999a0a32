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


FAMILY = [vector_quantize]
