"""Functions of single elements."""

import math

import torch
import torch.nn.functional as F

from common import Cases, rand


def activation():
    c = Cases("activation")
    x = torch.cat([torch.tensor([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0, 6.0, -6.0, 30.0, -30.0, 0.044715,
                                 1e-3, -1e-3, 1e-6]), torch.linspace(-8, 8, 65)])
    d = x.double()
    for name, y in {
        "identity": d, "relu": F.relu(d), "sigmoid": torch.sigmoid(d), "tanh": torch.tanh(d), "silu": F.silu(d),
        "gelu": F.gelu(d), "gelu_tanh": F.gelu(d, approximate="tanh"), "quick_gelu": d * torch.sigmoid(1.702 * d),
    }.items():
        (c.add_exact if name in ("identity", "relu") else c.add)(name, [x], y, function=name)
    c.add("leaky_relu", [x], F.leaky_relu(d, 0.1), function="leaky_relu", negative_slope=0.1)
    c.add("leaky_relu-default", [x], F.leaky_relu(d), function="leaky_relu")
    return c


def binary():
    c = Cases("binary")
    functions = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum,
                 "minimum": torch.minimum}
    for name, f in functions.items():
        add = c.add_exact if name in ("maximum", "minimum") else c.add
        for what, a, b in [("same", (3, 4, 5), (3, 4, 5)), ("broadcast", (2, 1, 4, 1), (3, 1, 5)), ("row", (3, 4), (4,))]:
            a, b = rand(*a), rand(*b)
            if name in ("maximum", "minimum"):
                a.view(-1)[0] = math.nan
                b.view(-1)[-1] = math.nan
            add(f"{name}-{what}", [a, b], f(a.double(), b.double()), function=name)
    return c


FAMILY = [activation, binary]
