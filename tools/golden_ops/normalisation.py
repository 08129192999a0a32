"""Normalisations."""

import math

import torch
import torch.nn.functional as F

from common import Cases, rand


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


FAMILY = [norm, batch_norm, group_norm]
