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
    for name, y in {
        "relu6": F.relu6(d), "hard_tanh": F.hardtanh(d), "hard_sigmoid": F.hardsigmoid(d), "hard_swish": F.hardswish(d),
        "elu": F.elu(d), "softplus": F.softplus(d), "log_sigmoid": F.logsigmoid(d), "mish": F.mish(d),
    }.items():
        (c.add_exact if name in ("relu6", "hard_tanh") else c.add)(name, [x], y, function=name)
    c.add_exact("hard_tanh-limits", [x], F.hardtanh(d, -0.5, 2.0), function="hard_tanh", min_val=-0.5, max_val=2.0)
    c.add("elu-alpha", [x], F.elu(d, 0.5), function="elu", alpha=0.5)
    c.add("softplus-parameters", [x], F.softplus(d, 2.0, 7.0), function="softplus", beta=2.0, threshold=7.0)
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
    # Zeros, infinities, ones and NaN against each other.
    special = torch.tensor([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, math.inf, -math.inf, math.nan])
    a, b = special[:, None], special[None, :]
    c.add("pow-special", [a, b], torch.pow(a.double(), b.double()), function="pow")
    a, b = rand(4, 6).abs(), rand(4, 6)
    c.add("pow-positive", [a, b], torch.pow(a.double(), b.double()), function="pow")
    for name in ("eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor"):
        a, b = special[:, None], special[None, :]
        c.add_exact(f"{name}-special", [a, b], getattr(torch, name)(a, b).float(), function=name)
        i, j = (torch.randint(-2, 3, (5, 7), dtype=torch.int32) for _ in range(2))
        c.add_exact(f"{name}-integers", [i, j], getattr(torch, name)(i, j).int(), function=name)
    for name in ("add", "sub", "mul", "maximum", "minimum", "floor_divide", "remainder"):
        i, j = torch.randint(-50, 50, (5, 7), dtype=torch.int32), torch.randint(1, 9, (7,), dtype=torch.int32)
        j[::2] *= -1
        c.add_exact(f"{name}-integers", [i, j], getattr(torch, name)(i, j), function=name)
    return c


def unary():
    c = Cases("unary")
    x = torch.cat([torch.tensor([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e-3, math.nan]), 2 * rand(30)])
    d = x.double()
    for name in ("abs", "neg", "floor", "ceil", "round", "trunc", "sign"):
        c.add_exact(name, [x], getattr(torch, name)(d), function=name)
    for name in ("exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "square", "sin", "cos", "erf"):
        c.add(name, [x], getattr(torch, name)(d), function=name)
    # Time steps times frequencies, and what lies far beyond.
    far = torch.cat([torch.linspace(0, 1000, 40), -torch.logspace(1, 38, 30)])
    c.add("sin-far", [far], torch.sin(far.double()), function="sin")
    c.add("cos-far", [far], torch.cos(far.double()), function="cos")
    # What small numbers are worth shows where all of them are small.
    small = 1e-4 * rand(20)
    for name in ("expm1", "log1p", "erf", "sin"):
        c.add(f"{name}-small", [small], getattr(torch, name)(small.double()), function=name)
    ends = torch.tensor([math.inf, -math.inf])
    for name in ("exp", "expm1", "log", "sqrt", "rsqrt", "reciprocal", "erf", "sin", "floor"):
        c.add_exact(f"{name}-infinite", [ends], getattr(torch, name)(ends.double()), function=name)
    c.add_exact("clamp", [x], torch.clamp(d, -0.5, 1.0), function="clamp", min=-0.5, max=1.0)
    c.add_exact("clamp-min", [x], torch.clamp(d, min=0.25), function="clamp", min=0.25)
    c.add_exact("clamp-crossed", [x], torch.clamp(d, 1.0, -1.0), function="clamp", min=1.0, max=-1.0)
    for exponent in (0.0, 2.0, 3.0, -1.0, 0.5, 2.5):
        # An f32 of the exponent, as the operator has it.
        c.add(f"pow{exponent}", [x], torch.pow(d, exponent), function="pow", exponent=exponent)
    c.add("affine", [x], d * 1.5 - 0.25, function="affine", scale=1.5, shift=-0.25)
    return c


def cast():
    c = Cases("cast", exact=True)
    x = torch.cat([torch.tensor([0.5, -0.5, 1.999, -1.999, 2e9, -2e9]), 100 * rand(20)])
    c.add("to-integers", [x], x.int(), to="int")
    i = torch.randint(-(1 << 24), 1 << 24, (20,), dtype=torch.int32)
    c.add("to-floats", [i], i.float())
    c.add("nothing-to-do", [x], x, to="float")
    return c


def gated():
    c = Cases("gated")
    x = rand(3, 4, 10)
    a, b = x.double().chunk(2, -1)
    for name, f in {"glu": torch.sigmoid, "geglu": F.gelu, "geglu_tanh": lambda g: F.gelu(g, approximate="tanh"),
                    "swiglu": F.silu, "reglu": F.relu}.items():
        c.add(name, [x], a * f(b), mode=name)
        c.add(f"{name}-first", [x], f(a) * b, mode=name, gate_first=True)
    c.add("default", [x], F.glu(x.double(), -1))
    return c


def masked_fill():
    c = Cases("masked_fill", exact=True)
    x, mask = rand(2, 4, 5), (rand(4, 5) > 0).int()
    c.add("integer-mask", [x, mask], x.masked_fill(mask.bool(), -1e9), value=-1e9)
    c.add("float-mask", [x, mask[:, :1].float()], x.masked_fill(mask[:, :1].bool(), 0))
    i = torch.randint(0, 1 << 20, (4, 5), dtype=torch.int32)
    c.add("integers", [i, mask], i.masked_fill(mask.bool(), 7), value=7)
    return c


def prelu():
    c = Cases("prelu")
    for name, shape, weights in [("channels", (2, 5, 3, 4), 5), ("one", (2, 5, 3, 4, 2), 1), ("fours", (1, 8, 3), 8)]:
        x, w = rand(*shape), rand(weights)
        c.add(name, [x, w], F.prelu(x.double(), w.double()))
    return c


def select():
    c = Cases("select", exact=True)
    mask, a, b = (rand(4, 5) > 0).float(), rand(3, 4, 5), rand(5)
    mask[0, 0] = math.nan
    c.add("float-condition", [mask, a, b], torch.where(mask.bool(), a, b))
    c.add("integer-condition", [mask.nan_to_num().int(), a, b], torch.where(mask.nan_to_num().bool(), a, b))
    i, j = (torch.randint(0, 1 << 20, (4, 5), dtype=torch.int32) for _ in range(2))
    c.add("integers", [mask, i, j], torch.where(mask.bool(), i, j))
    return c


FAMILY = [activation, binary, cast, gated, masked_fill, prelu, select, unary]
