"""Convolutions and paddings."""

import math

import torch
import torch.nn.functional as F

from common import Cases, pairs, rand


def conv3d():
    c = Cases("conv3d")

    def add(name, x, w, bias=True, stride=1, padding=0, dilation=1, groups=1):
        x, w = rand(*x), rand(*w)
        b = [rand(w.shape[0])] if bias else []
        padded, inner = (F.pad(x, pairs(padding)), 0) if isinstance(padding, list) and isinstance(padding[0], list) \
            else (x, padding)
        y = F.conv3d(padded.double(), w.double(), *[t.double() for t in b], stride=stride, padding=inner,
                     dilation=dilation, groups=groups)
        c.add(name, [x, w] + b, y, stride=stride, padding=padding, dilation=dilation, groups=groups)

    add("plain", (2, 3, 3, 4, 5), (4, 3, 3, 3, 3), padding=1)
    add("no-bias", (1, 2, 3, 5, 4), (3, 2, 2, 3, 2), bias=False)
    add("stride", (1, 2, 5, 7, 6), (3, 2, 3, 3, 2), stride=[1, 2, 3], padding=[1, 0, 1])
    add("dilation", (1, 2, 4, 5, 7), (3, 2, 2, 3, 3), dilation=[2, 1, 3], padding=[0, 1, 2])
    add("groups", (1, 6, 2, 3, 4), (9, 2, 2, 3, 3), groups=3, padding=1)
    add("depthwise", (1, 5, 3, 4, 5), (5, 1, 3, 3, 3), groups=5, padding=1)
    add("asymmetric", (1, 3, 4, 6, 5), (5, 3, 3, 3, 3), stride=2, padding=[[0, 1], [0, 1], [1, 2]])
    add("causal", (1, 2, 5, 3, 4), (3, 2, 3, 1, 1), padding=[[2, 0], [0, 0], [0, 0]])
    add("pointwise", (2, 5, 2, 3, 4), (7, 5, 1, 1, 1))
    add("patches", (1, 3, 2, 4, 8), (6, 3, 2, 2, 4), stride=[2, 2, 4])
    add("depthwise-four", (1, 4, 2, 4, 5), (4, 1, 2, 3, 3), groups=4, padding=1, stride=[1, 2, 2])
    x, w, b, d = rules_and_modes(c, F.conv3d, torch.nn.Conv3d, 3)
    stride = [2, 1, 2]
    padded = F.pad(d[0], pairs([[2, 0]] + same(x, w, stride, [1] * 3)[1:]))
    c.add("causal-stride", [x, w, b], F.conv3d(padded, *d[1:], stride=stride), padding="causal", stride=stride)
    return c


def same(x, w, stride, dilation):
    """TensorFlow's SAME: as many windows as strides fit the axis, rounded up; the odd cell of padding behind."""
    out = []
    for length, kernel, s, d in zip(x.shape[2:], w.shape[2:], stride, dilation):
        total = max((math.ceil(length / s) - 1) * s + (kernel - 1) * d + 1 - length, 0)
        out.append([total // 2, total - total // 2])
    return out


def rules_and_modes(c, conv, module, rank):
    """Paddings named instead of counted, and padding modes as torch.nn's modules have them."""
    space = (3, 3, 4)[3 - rank:]
    kernel = (3, 2, 4)[3 - rank:]
    x, w, b = rand(1, 1, *space), rand(2, 1, *kernel), rand(2)
    d = [t.double() for t in (x, w, b)]
    ones = [1] * rank
    dilation = [1, 2, 1][3 - rank:]
    c.add("same", [x, w, b], conv(*d, padding="same", dilation=dilation), padding="same", dilation=dilation)
    assert torch.equal(conv(*d, padding="same", dilation=dilation),
                       conv(F.pad(d[0], pairs(same(x, w, ones, dilation))), *d[1:], dilation=dilation))
    stride = [2, 3, 2][3 - rank:]
    c.add("same-stride", [x, w, b], conv(F.pad(d[0], pairs(same(x, w, stride, ones))), *d[1:], stride=stride), padding="same",
          stride=stride)
    c.add("valid", [x, w, b], conv(*d, padding="valid"), padding="valid")
    for mode in ("reflect", "replicate", "circular"):
        padding = [2, 1, 2][3 - rank:]
        m = module(1, 2, kernel, padding=padding, padding_mode=mode).double()
        with torch.no_grad():
            m.weight.copy_(w)
            m.bias.copy_(b)
            c.add(mode, [x, w, b], m(x.double()), padding=padding, padding_mode=mode)
    return x, w, b, d


def conv1d():
    c = Cases("conv1d")

    def add(name, x, w, bias=True, padding=0, **a):
        x, w = rand(*x), rand(*w)
        b = [rand(w.shape[0])] if bias else []
        c.add(name, [x, w] + b, F.conv1d(x.double(), w.double(), *[t.double() for t in b], padding=padding, **a),
              padding=padding, **a)

    add("stride", (2, 3, 17), (5, 3, 4), stride=3, padding=2)
    add("no-bias", (1, 4, 9), (6, 2, 3), bias=False, dilation=2, groups=2)
    add("depthwise", (2, 5, 8), (5, 1, 3), groups=5, padding=1)
    x, w, b, d = rules_and_modes(c, F.conv1d, torch.nn.Conv1d, 1)
    c.add("causal", [x, w, b], F.conv1d(F.pad(d[0], [6, 0]), *d[1:], dilation=2), padding="causal", dilation=2)
    return c


def conv2d():
    c = Cases("conv2d")

    def add(name, x, w, bias=True, padding=0, **a):
        x, w = rand(*x), rand(*w)
        b = [rand(w.shape[0])] if bias else []
        padded, inner = (F.pad(x, pairs(padding)), 0) if isinstance(padding, list) and isinstance(padding[0], list) \
            else (x, padding)
        y = F.conv2d(padded.double(), w.double(), *[t.double() for t in b], padding=inner, **a)
        c.add(name, [x, w] + b, y, padding=padding, **a)

    add("stem", (2, 3, 9, 11), (5, 3, 7, 7), stride=2, padding=3)
    add("no-bias", (1, 2, 5, 4), (3, 2, 3, 2), bias=False)
    add("dilation", (1, 4, 7, 8), (6, 2, 2, 3), stride=[1, 2], dilation=[3, 2], groups=2, padding=[1, 2])
    add("asymmetric", (1, 3, 6, 5), (5, 3, 3, 3), stride=2, padding=[[0, 1], [1, 2]])
    add("depthwise", (1, 5, 4, 5), (5, 1, 3, 3), groups=5, padding=1)
    add("pointwise", (2, 5, 3, 4), (7, 5, 1, 1))
    rules_and_modes(c, F.conv2d, torch.nn.Conv2d, 2)
    return c


def transposed(rank):
    c = Cases(f"conv_transpose{rank}d")
    conv = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][rank - 1]
    inner = lambda values: list(values[3 - rank:])

    def add(name, cin, cout, kernel, bias=True, n=1, padding=(0, 0, 0), groups=1, **a):
        """Lengths and attributes for T, H, W, of which the last `rank` count; [before, after] is cut off afterwards."""
        x, w = rand(n, cin, *inner((2, 2, 3))), rand(cin, cout // groups, *inner(kernel))
        b = [rand(cout)] if bias else []
        padding, a = inner(padding), {k: inner(v) for k, v in a.items()}
        cut = isinstance(padding[0], list)
        y = conv(x.double(), w.double(), *[t.double() for t in b], padding=0 if cut else padding, groups=groups, **a)
        if cut:
            y = F.pad(y, [-p for p in pairs(padding)])
        c.add(name, [x, w] + b, y, padding=padding, groups=groups, **a)

    add("plain", 3, 5, (2, 3, 2), n=2)
    add("twice", 4, 3, (2, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1))
    add("output-padding", 2, 4, (3, 3, 3), stride=(2, 2, 3), padding=(1, 1, 1), output_padding=(0, 1, 2))
    add("dilation", 2, 3, (2, 3, 2), bias=False, stride=(2, 2, 4), dilation=(3, 2, 2), output_padding=(2, 1, 1))
    add("groups", 6, 9, (2, 2, 3), groups=3, stride=(1, 3, 2))
    add("depthwise", 4, 4, (2, 4, 4), groups=4, stride=(1, 2, 2), padding=(0, 1, 1))
    add("cut", 2, 5, (2, 3, 3), stride=(2, 1, 2), padding=([1, 0], [0, 2], [2, 1]))
    return c


def conv_transpose1d():
    return transposed(1)


def conv_transpose2d():
    return transposed(2)


def conv_transpose3d():
    return transposed(3)


def pad():
    c = Cases("pad", exact=True)

    def add(name, x, padding, mode="constant", value=0.0):
        """`padding` has an entry an axis from the first on; F.pad wants the last first, and no axis before them."""
        given = padding + [[0, 0]] * (x.dim() - len(padding))
        outer = 0 if mode == "constant" else x.dim() - {2: 1, 3: 1, 4: 2, 5: 3}[x.dim()]
        assert not any(sum(p) for p in given[:outer])
        y = F.pad(x, pairs(given[outer:]), mode=mode, **({"value": value} if mode == "constant" else {}))
        c.add(name, [x], y, padding=padding, mode=mode, value=value)

    add("constant", rand(2, 3, 4), [[1, 0], [0, 2], [3, 1]], value=-2.5)
    add("constant-first-axis", rand(2, 3, 4), [[2, 1]])
    add("constant-integers", torch.randint(-2 ** 31, 2 ** 31 - 1, (3, 4), dtype=torch.int32), [[1, 0], [2, 1]], value=7.0)
    for mode in ("reflect", "replicate", "circular"):
        add(f"{mode}-1d", rand(2, 3, 7), [[0, 0], [0, 0], [4, 2]], mode)
        add(f"{mode}-2d", rand(2, 3, 4, 5), [[0, 0], [0, 0], [1, 3], [2, 0]], mode)
        add(f"{mode}-3d", rand(1, 2, 3, 4, 5), [[0, 0], [0, 0], [2, 1], [0, 3], [4, 4]], mode)
    add("circular-whole", rand(1, 2, 3, 4), [[0, 0], [0, 0], [3, 3], [4, 0]], "circular")
    add("replicate-far", rand(1, 2, 3), [[0, 0], [0, 0], [9, 5]], "replicate")
    return c


FAMILY = [conv3d, conv1d, conv2d, conv_transpose3d, conv_transpose1d, conv_transpose2d, pad]
