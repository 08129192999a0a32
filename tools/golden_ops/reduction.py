"""Reductions, and what is made of them."""

import math

import torch

from common import Cases, rand


def softmax():
    c = Cases("softmax")
    for name, shape, dim in [("last", (3, 4, 9), -1), ("first", (5, 3, 2), 0), ("middle", (2, 7, 3), 1), ("long", (2, 300), 1)]:
        x = rand(*shape) * 5
        c.add(name, [x], torch.softmax(x.double(), dim), dim=dim)
        c.add(f"log-{name}", [x], torch.log_softmax(x.double(), dim), dim=dim, log=True)
    x = rand(4, 6) + 1000
    c.add("about-1000", [x], torch.softmax(x.double(), -1), dim=-1)
    x = rand(4, 6)
    c.add("temperature", [x], torch.softmax(x.double() / 0.07, -1), dim=-1, temperature=0.07)
    x = rand(5, 6)
    x[0, :4] = -math.inf
    x[1, 2] = math.nan
    x[2, 3] = math.inf
    x[3] = -math.inf
    c.add("masked-nan-infinite", [x], torch.softmax(x.double(), -1), dim=-1)
    c.add("log-masked-nan-infinite", [x], torch.log_softmax(x.double(), -1), dim=-1, log=True)
    return c


def reduce():
    c = Cases("reduce")
    functions = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin}
    for mode, f in functions.items():
        add = c.add_exact if mode in ("max", "min") else c.add
        for name, shape, dim, keepdim in [("last", (3, 4, 5), -1, False), ("two", (2, 3, 4, 5), [1, -1], True),
                                          ("first", (6, 3), [0], False), ("long", (2, 700), 1, False)]:
            x = rand(*shape)
            add(f"{mode}-{name}", [x], f(x.double(), dim=dim, keepdim=keepdim), mode=mode, dim=dim, keepdim=keepdim)
        x = rand(3, 4, 5) + 1000
        every = tuple(range(3))
        add(f"{mode}-all", [x], f(x.double(), dim=every), mode=mode)
        x = rand(4, 5)
        x[1, 2] = math.nan
        add(f"{mode}-nan", [x], f(x.double(), dim=1), mode=mode, dim=1)
    return c


FAMILY = [softmax, reduce]
