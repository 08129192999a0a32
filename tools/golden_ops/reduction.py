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
    functions = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin, "var": torch.var, "std": torch.std,
                 "logsumexp": torch.logsumexp, "norm": torch.linalg.vector_norm, "prod": prod}
    for mode, f in functions.items():
        add = c.add_exact if mode in ("max", "min") else c.add
        for name, shape, dim, keepdim in [("last", (3, 4, 5), -1, False), ("two", (2, 3, 4, 5), [1, -1], True),
                                          ("long", (2, 120), 1, False)]:
            x = rand(*shape)
            if mode == "prod":
                x = 1 + x / 8
            add(f"{mode}-{name}", [x], f(x.double(), dim=dim, keepdim=keepdim), mode=mode, dim=dim, keepdim=keepdim)
        x = rand(3, 4, 5) / (50 if mode == "prod" else 1) + (1 if mode == "prod" else 1000)
        every = tuple(range(3))
        add(f"{mode}-all", [x], f(x.double(), dim=every), mode=mode)
        x = rand(4, 5)
        x[1, 2] = math.nan
        add(f"{mode}-nan", [x], f(x.double(), dim=1), mode=mode, dim=1)
    x = rand(3, 7)
    x[1, 2] = 0
    for p in (0, 0.5, 1, 3.5, "inf", "-inf"):
        c.add(f"norm-{p}", [x], torch.linalg.vector_norm(x.double(), float(p), dim=1), mode="norm", dim=1, p=p)
    for correction in (0, 3):
        for mode in ("var", "std"):
            y = functions[mode](x.double(), dim=1, correction=correction)
            c.add(f"{mode}-less-{correction}", [x], y, mode=mode, dim=1, correction=correction)
    x = rand(4, 5)
    x[0] = x[1, :2] = -math.inf
    x[2, 1] = math.inf
    c.add("logsumexp-infinite", [x], torch.logsumexp(x.double(), dim=1), mode="logsumexp", dim=1)
    return c


def prod(x, dim, keepdim=False):
    """torch.prod takes one axis."""
    for axis in sorted((a % x.dim() for a in ([dim] if isinstance(dim, int) else dim)), reverse=True):
        x = torch.prod(x, axis, keepdim)
    return x


def arg_reduce():
    c = Cases("arg_reduce", exact=True)
    for mode, f in {"max": torch.argmax, "min": torch.argmin}.items():
        for name, shape, dim, keepdim in [("last", (3, 4, 5), -1, False), ("first", (6, 3), 0, True), ("middle", (2, 9, 3), 1, False),
                                          ("long", (2, 300), 1, False), ("all", (3, 4, 5), None, False), ("all-kept", (3, 4), None, True)]:
            x = rand(*shape)
            c.add(f"{mode}-{name}", [x], f(x, dim=dim, keepdim=keepdim).int(), mode=mode, dim=dim, keepdim=keepdim)
        x = torch.randint(-2, 3, (5, 40)).float()
        c.add(f"{mode}-ties", [x], f(x, dim=1).int(), mode=mode, dim=1)
        x = rand(5, 6)
        x[0, 2] = x[0, 4] = x[3, 5] = math.nan
        x[1, 3] = math.inf
        x[2, 3] = -math.inf
        c.add(f"{mode}-nan-infinite", [x], f(x, dim=1).int(), mode=mode, dim=1)
    return c


def sort():
    c = Cases("sort", exact=True)

    def add(name, x, dim=-1, k=None):
        for descending in (False, True):
            values, places = torch.sort(x, dim=dim, descending=descending, stable=True)
            kept = x.shape[dim] if k is None else k
            outputs = [values.narrow(dim, 0, kept), places.narrow(dim, 0, kept).int()]
            c.add(f"{name}-{'falling' if descending else 'rising'}", [x], outputs, dim=dim, descending=descending, k=k)

    add("last", rand(3, 4, 9))
    add("first", rand(7, 3), dim=0)
    add("middle", rand(2, 9, 3), dim=1)
    add("first-of-few", rand(4, 17), k=5)
    add("few-of-many", rand(1, 1100), k=20)
    add("ties", torch.randint(-2, 3, (2, 90)).float())
    add("first-of-ties", torch.randint(-2, 3, (1, 1000)).float(), k=100)
    x = rand(4, 9)
    x[0, 2] = x[0, 7] = x[3, 5] = math.nan
    x[1, 3] = math.inf
    x[2, 3] = x[2, 4] = -math.inf
    x[3, 0], x[3, 1], x[3, 2] = 0.0, -0.0, 0.0
    add("nan-infinite-zeros", x)
    return c


def quantile():
    c = Cases("quantile")
    q = [0.0, 0.25, 0.9, 0.995, 1.0]
    wide = torch.tensor(q, dtype=torch.double)
    for interpolation in ("linear", "lower", "higher", "nearest", "midpoint"):
        add = c.add if interpolation in ("linear", "midpoint") else c.add_exact
        for name, shape, dim, keepdim in [("last", (4, 9), -1, False), ("middle", (2, 11, 3), 1, True), ("all", (3, 5, 4), None, False),
                                          ("long", (1, 600), 1, False)]:
            x = rand(*shape)
            y = torch.quantile(x.double(), wide, dim=dim, keepdim=keepdim, interpolation=interpolation)
            add(f"{interpolation}-{name}", [x], y, q=q, dim=dim, keepdim=keepdim, interpolation=interpolation)
        x = rand(5, 8)
        x[1, 2] = math.nan
        x[2, 1] = math.inf
        middle = torch.tensor([0.5], dtype=torch.double)
        y = torch.quantile(x.double(), middle, dim=1, interpolation=interpolation)
        add(f"{interpolation}-nan-infinite", [x], y, q=0.5, dim=1, interpolation=interpolation)
    return c


def cumulative():
    c = Cases("cumulative")
    for mode, f in {"sum": torch.cumsum, "prod": torch.cumprod}.items():
        for name, shape, dim in [("last", (3, 4, 9), -1), ("first", (7, 3), 0), ("middle", (2, 9, 3), 1), ("long", (1, 1100), 1)]:
            x = rand(*shape)
            if mode == "prod":
                x = 1 + x / 20
            c.add(f"{mode}-{name}", [x], f(x.double(), dim=dim), mode=mode, dim=dim)
        x = rand(3, 8)
        x[1, 2] = math.nan
        c.add(f"{mode}-nan", [x], f(x.double(), dim=1), mode=mode, dim=1)
    return c


FAMILY = [softmax, reduce, arg_reduce, sort, quantile, cumulative]
