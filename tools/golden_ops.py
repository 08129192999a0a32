"""Makes tests/golden/ops: for every operator, small seeded inputs and what PyTorch makes of them.

Run with torch, numpy and safetensors installed: python tools/golden_ops.py
One file an operator. The metadata's entry `cases` is a JSON object: for each case's name its attributes and how many
inputs there are. The case's tensors are `<case>/0`, `<case>/1`, … and `<case>/output`, in PyTorch's layouts; indices
are i32. What further outputs there are is `<case>/output.1`, ….
"""

import json
import math
import pathlib
import zlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "ops"


class Cases:
    def __init__(self, op):
        self.op = op
        self.tensors = {}
        self.attributes = {}

    def add(self, name, inputs, output, **attributes):
        for i, t in enumerate(inputs):
            self.tensors[f"{name}/{i}"] = t.contiguous()
        for i, y in enumerate(output if isinstance(output, list) else [output]):
            y = y if y.dtype == torch.int32 else y.float()
            self.tensors[f"{name}/output.{i}" if i else f"{name}/output"] = y.contiguous()
        self.attributes[name] = {"inputs": len(inputs), "attributes": attributes}

    def save(self):
        tensors = {k: t.clone() for k, t in self.tensors.items()}
        # One entry: several would be written in another order every time.
        metadata = {"cases": json.dumps(self.attributes, sort_keys=True)}
        save_file(tensors, OUT / f"{self.op}.safetensors", metadata=metadata)


def rand(*shape):
    return torch.randn(*shape)


def pairs(padding):
    """[[before, after]] for T, H, W as F.pad wants it: W first."""
    return [p for axis in reversed(padding) for p in axis]


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

    add("plain", (2, 3, 4, 5, 6), (4, 3, 3, 3, 3), padding=1)
    add("no-bias", (1, 2, 3, 5, 4), (3, 2, 2, 3, 2), bias=False)
    add("stride", (1, 3, 5, 7, 6), (4, 3, 3, 3, 2), stride=[1, 2, 3], padding=[1, 0, 1])
    add("dilation", (1, 2, 5, 7, 8), (3, 2, 2, 3, 3), dilation=[2, 1, 3], padding=[0, 1, 2])
    add("groups", (1, 6, 3, 4, 5), (9, 2, 3, 3, 3), groups=3, padding=1)
    add("depthwise", (1, 5, 3, 4, 5), (5, 1, 3, 3, 3), groups=5, padding=1)
    add("asymmetric", (1, 3, 4, 6, 5), (5, 3, 3, 3, 3), stride=2, padding=[[0, 1], [0, 1], [1, 2]])
    add("causal", (1, 2, 5, 3, 4), (3, 2, 3, 1, 1), padding=[[2, 0], [0, 0], [0, 0]])
    add("pointwise", (2, 5, 2, 3, 4), (7, 5, 1, 1, 1))
    add("patches", (1, 3, 2, 4, 8), (6, 3, 2, 2, 4), stride=[2, 2, 4])
    return c


def linear():
    c = Cases("linear")
    for name, x, outputs, bias in [("matrix", (5, 12), 8, True), ("odd", (3, 7), 5, False), ("outer", (2, 3, 9), 6, True)]:
        x, w = rand(*x), rand(outputs, x[-1])
        b = [rand(outputs)] if bias else []
        c.add(name, [x, w] + b, F.linear(x.double(), w.double(), *[t.double() for t in b]))
    return c


def activation():
    c = Cases("activation")
    x = torch.cat([torch.tensor([0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0, 6.0, -6.0, 30.0, -30.0, 0.044715,
                                 1e-3, -1e-3, 1e-6]), torch.linspace(-8, 8, 65)])
    d = x.double()
    for name, y in {
        "identity": d, "relu": F.relu(d), "sigmoid": torch.sigmoid(d), "tanh": torch.tanh(d), "silu": F.silu(d),
        "gelu": F.gelu(d), "gelu_tanh": F.gelu(d, approximate="tanh"), "quick_gelu": d * torch.sigmoid(1.702 * d),
    }.items():
        c.add(name, [x], y, function=name)
    c.add("leaky_relu", [x], F.leaky_relu(d, 0.1), function="leaky_relu", negative_slope=0.1)
    c.add("leaky_relu-default", [x], F.leaky_relu(d), function="leaky_relu")
    return c


def binary():
    c = Cases("binary")
    functions = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "maximum": torch.maximum,
                 "minimum": torch.minimum}
    for name, f in functions.items():
        for what, a, b in [("same", (3, 4, 5), (3, 4, 5)), ("broadcast", (2, 1, 4, 1), (3, 1, 5)), ("row", (3, 4), (4,))]:
            a, b = rand(*a), rand(*b)
            if name in ("maximum", "minimum"):
                a.view(-1)[0] = math.nan
                b.view(-1)[-1] = math.nan
            c.add(f"{name}-{what}", [a, b], f(a.double(), b.double()), function=name)
    return c


def pool3d():
    c = Cases("pool3d")

    def maximum(name, shape, k, negative=False, **a):
        x = rand(*shape) - (8 if negative else 0)
        c.add(f"max-{name}", [x], F.max_pool3d(x, k, **a), mode="max", kernel_size=k, **a)

    def average(name, shape, k, **a):
        x = rand(*shape)
        c.add(f"average-{name}", [x], F.avg_pool3d(x.double(), k, **a), mode="average", kernel_size=k, **a)

    for pool in (maximum, average):
        pool("first", (1, 3, 2, 4, 6), [1, 2, 2])
        pool("two", (2, 4, 4, 6, 4), 2)
        pool("ragged", (1, 3, 5, 7, 6), 2)
        pool("ceil", (1, 3, 5, 7, 7), 2, ceil_mode=True)
        pool("caffe-on-seven", (1, 4, 2, 7, 7), 2, stride=2, ceil_mode=True)
        pool("port-on-seven", (1, 4, 2, 7, 7), 2, padding=[0, 1, 1])
        pool("stem", (1, 4, 1, 11, 12), [1, 3, 3], stride=[1, 2, 2], padding=[0, 1, 1])
        pool("three", (1, 5, 5, 6, 7), 3, stride=2, padding=1)
        pool("three-ceil", (1, 5, 6, 7, 8), 3, stride=2, padding=1, ceil_mode=True)
        pool("one-by-one", (1, 2, 3, 4, 5), 3, stride=1, padding=1)
        pool("sparse", (1, 3, 5, 7, 9), 2, stride=[2, 3, 4])
        pool("sparse-ceil", (1, 3, 5, 7, 9), 2, stride=[2, 3, 4], padding=1, ceil_mode=True)
        for k, s, p, n in [(2, 2, 1, 5), (3, 2, 1, 6), (3, 3, 1, 7), (2, 3, 1, 5), (4, 3, 2, 9), (3, 4, 1, 10)]:
            pool(f"ceil-{k}-{s}-{p}-on-{n}", (1, 2, 1, 1, n), [1, 1, k], stride=[1, 1, s], padding=[0, 0, p], ceil_mode=True)
    maximum("beyond-input-ceil", (1, 3, 2, 3, 4), [3, 4, 5], ceil_mode=True)
    maximum("negative", (1, 4, 3, 4, 5), 3, negative=True, stride=1, padding=1)
    maximum("dilated", (1, 3, 5, 9, 8), [2, 3, 2], stride=[1, 2, 1], padding=[1, 1, 0], dilation=[2, 2, 3])
    maximum("dilated-ceil", (1, 3, 6, 7, 8), 2, stride=2, padding=1, dilation=2, ceil_mode=True)
    average("inside", (1, 4, 5, 6, 7), 3, stride=2, padding=1, count_include_pad=False)
    average("inside-ceil", (1, 3, 6, 7, 8), 3, stride=2, padding=1, count_include_pad=False, ceil_mode=True)
    x = rand(1, 4, 3, 4, 5)
    x[0, 1, 1, 2, 3] = math.nan
    c.add("max-nan", [x], F.max_pool3d(x, 2, 1), mode="max", kernel_size=2, stride=1)
    # TensorFlow's SAME: the odd cell of padding goes behind.
    for name, zero in [("same", False), ("same-zero", True)]:
        x, padding = rand(1, 4, 4, 6, 5) - (2 if zero else 0), [[0, 1], [0, 1], [1, 1]]
        padded = F.pad(x, pairs(padding), value=0.0 if zero else -math.inf)
        c.add(f"max-{name}", [x], F.max_pool3d(padded, 3, 2), mode="max", kernel_size=3, stride=2, padding=padding,
              zero_pad=zero)
    x, padding = rand(1, 4, 4, 6, 5), [[0, 1], [0, 1], [1, 0]]
    c.add("average-same", [x], F.avg_pool3d(F.pad(x.double(), pairs(padding)), 2, 1), mode="average", kernel_size=2, stride=1,
          padding=padding)
    return c


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
        for name, shape, dim, keepdim in [("last", (3, 4, 5), -1, False), ("two", (2, 3, 4, 5), [1, -1], True),
                                          ("first", (6, 3), [0], False), ("long", (2, 700), 1, False)]:
            x = rand(*shape)
            c.add(f"{mode}-{name}", [x], f(x.double(), dim=dim, keepdim=keepdim), mode=mode, dim=dim, keepdim=keepdim)
        x = rand(3, 4, 5) + 1000
        every = tuple(range(3))
        c.add(f"{mode}-all", [x], f(x.double(), dim=every), mode=mode)
        x = rand(4, 5)
        x[1, 2] = math.nan
        c.add(f"{mode}-nan", [x], f(x.double(), dim=1), mode=mode, dim=1)
    return c


def norm():
    c = Cases("norm")
    d = lambda tensors: [t.double() for t in tensors]

    def layer(name, x, axes, affine=True, eps=1e-5):
        inputs = [x] + ([rand(*x.shape[-axes:]), rand(*x.shape[-axes:])] if affine else [])
        y = F.layer_norm(x.double(), x.shape[-axes:], *d(inputs[1:]), eps=eps)
        c.add(f"layer-{name}", inputs, y, mode="layer", dim=list(range(-axes, 0)), eps=eps)

    layer("last", rand(3, 4, 9), 1)
    layer("two", rand(2, 3, 5, 4), 2)
    layer("plain", rand(4, 12), 1, affine=False)
    layer("long", rand(2, 700), 1)
    for eps in (1e-12, 1e-5, 1e-3):
        layer(f"eps-{eps}", rand(4, 24) * 0.02 + 0.1, 1, affine=False, eps=eps)
        layer(f"about-1000-{eps}", rand(3, 48) + 1000, 1, affine=False, eps=eps)
        layer(f"constant-{eps}", torch.full((3, 48), 1000.0) + torch.eye(3, 48) * 2 ** -10, 1, affine=False, eps=eps)
    x = rand(4, 5)
    x[1, 2] = math.nan
    layer("nan", x, 1, affine=False)

    for name, shape, axes, eps in [("last", (3, 4, 9), 1, None), ("two", (2, 5, 4), 2, 1e-3), ("small", (3, 16), 1, 1e-12),
                                   ("long", (2, 700), 1, 1e-5)]:
        x, w = rand(*shape) * 0.03, rand(*shape[-axes:])
        # Left out, eps is that of the inputs' type.
        y = F.rms_norm(x.double(), x.shape[-axes:], w.double(), eps=torch.finfo(torch.float32).eps if eps is None else eps)
        c.add(f"rms-{name}", [x, w], y, mode="rms", dim=list(range(-axes, 0)), **({} if eps is None else {"eps": eps}))

    for name, shape, dim, eps in [("channels", (2, 5, 3, 4), 1, None), ("last", (3, 9), -1, 1e-5), ("short", (3, 9), -1, 0.1),
                                  ("long", (2, 700), 1, 1e-12), ("two", (3, 4, 5), [0, 2], 1e-3)]:
        x = rand(*shape) * (0.02 if name == "short" else 1)
        given = {} if eps is None else {"eps": eps}
        c.add(f"l2-{name}", [x], F.normalize(x.double(), dim=dim, **given), mode="l2", dim=dim, **given)
    c.add("l2-zeros", [torch.eye(3)[:2] * torch.tensor([[0.0], [2.0]])], torch.tensor([[0.0, 0, 0], [0, 1, 0]]), mode="l2")

    for name, shape, eps in [("video", (2, 3, 2, 4, 5), 1e-5), ("picture", (2, 3, 4, 5), 1e-3), ("long", (1, 2, 4, 9, 10), 1e-12)]:
        x, w, b = rand(*shape) * 0.05 + 3, rand(shape[1]), rand(shape[1])
        y = F.instance_norm(x.double(), weight=w.double(), bias=b.double(), eps=eps)
        c.add(f"instance-{name}", [x, w, b], y, dim=list(range(2, len(shape))), affine_dim=1, eps=eps)
    return c


def batch_norm():
    c = Cases("batch_norm")
    for name, shape, optional, eps in [("video", (2, 5, 2, 3, 4), 2, 1e-5), ("picture", (2, 3, 4, 5), 2, 1e-3),
                                       ("rows", (6, 7), 2, 1e-12), ("statistics", (1, 4, 3, 3, 2), 0, 1e-3),
                                       ("weight", (1, 4, 3, 3, 2), 1, 1e-5)]:
        channels = shape[1]
        x, mean, variance = rand(*shape) * 0.1 + 3, rand(channels) * 0.1 + 3, torch.rand(channels) * 0.02
        # Where the smallest eps stands alone.
        variance[0] = 1e-6
        more = [rand(channels) for _ in range(optional)]
        y = F.batch_norm(x.double(), mean.double(), variance.double(), *[t.double() for t in more], eps=eps)
        c.add(name, [x, mean, variance] + more, y, eps=eps)
    x, mean = rand(3, 4, 5) + 1000, rand(4) + 1000
    c.add("about-1000", [x, mean, torch.ones(4)], F.batch_norm(x.double(), mean.double(), torch.ones(4).double()))
    return c


def group_norm():
    c = Cases("group_norm")

    def add(name, x, groups, optional=2, eps=1e-5, per_frame=False):
        inputs = [x] + [rand(x.shape[1]) for _ in range(optional)]
        d = x.double()
        if per_frame:
            d = d.transpose(1, 2).flatten(0, 1)
        y = F.group_norm(d, groups, *[t.double() for t in inputs[1:]], eps=eps)
        if per_frame:
            y = y.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)
        c.add(name, inputs, y, num_groups=groups, eps=eps, per_frame=per_frame)

    add("video", rand(2, 6, 3, 4, 5), 3)
    add("per-frame", rand(2, 6, 3, 4, 5) + torch.arange(3.0).view(3, 1, 1) * 4, 3, per_frame=True)
    add("one-group", rand(2, 5, 2, 3, 4), 1)
    add("group-a-channel", rand(1, 5, 2, 3, 4), 5)
    add("weight", rand(1, 4, 2, 3, 4), 2, optional=1)
    add("plain", rand(3, 8, 1, 1, 1), 2, optional=0)
    add("long", rand(1, 4, 4, 9, 10), 2)
    for eps in (1e-12, 1e-5, 1e-3):
        add(f"eps-{eps}", rand(1, 4, 2, 3, 4) * 0.02, 2, optional=0, eps=eps)
    add("about-1000", rand(1, 4, 2, 3, 4) + 1000, 2, optional=0)
    x = rand(2, 4, 2, 3, 4)
    x[1, 2, 1, 1, 1] = math.nan
    add("nan", x, 2)
    return c


def concat():
    c = Cases("concat")
    for name, shapes, dim in [("channels", [(2, 3, 4), (2, 3, 1), (2, 3, 5)], -1), ("first", [(1, 4), (3, 4)], 0),
                              ("one", [(2, 5)], 1)]:
        inputs = [rand(*s) for s in shapes]
        c.add(name, inputs, torch.cat(inputs, dim), dim=dim)
    return c


def permute():
    c = Cases("permute")
    for name, shape, dims in [("transpose", (4, 7), [1, 0]), ("channels-last", (2, 3, 2, 4, 5), [0, 2, 3, 4, 1]),
                              ("negative", (2, 3, 4), [-1, 0, -2])]:
        x = rand(*shape)
        c.add(name, [x], x.permute(dims), dims=dims)
    return c


def slice_():
    c = Cases("slice")
    x = rand(5, 6, 7)
    c.add("part", [x], x[1:4, :, -3:], start=[1, None, -3], stop=[4])
    c.add("steps", [x], x[::2, 1::3, :6:4], start=[0, 1], stop=[None, None, 6], step=[2, 3, 4])
    c.add("clamped", [x], x[-100:2, 3:100], start=[-100, 3], stop=[2, 100])
    c.add("whole", [x], x)
    return c


def embedding():
    c = Cases("embedding")
    for name, shape, table in [("tokens", (2, 7), (30, 8)), ("one-channel", (13,), (9, 1)), ("scalar", (), (4, 5))]:
        x, w = torch.randint(table[0], shape, dtype=torch.int32), rand(*table)
        c.add(name, [x, w], F.embedding(x, w))
    return c


def vector_quantize():
    c = Cases("vector_quantize")

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


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for make in (conv3d, linear, activation, binary, pool3d, softmax, reduce, norm, batch_norm, group_norm, concat, permute,
                 slice_, embedding, vector_quantize, attention):
        torch.manual_seed(zlib.crc32(make.__name__.encode()))
        make().save()
    files = sorted(OUT.iterdir())
    for path in files:
        print(path.name, path.stat().st_size)
    print("in all", sum(p.stat().st_size for p in files))


if __name__ == "__main__":
    main()
