"""Pooling."""

import math

import torch
import torch.nn.functional as F

from common import Cases, pairs, rand


def same(shape, k, s):
    """TensorFlow's padding for these lengths, as F.pad wants it: W first."""
    total = [max((math.ceil(n / s) - 1) * s + k - n, 0) for n, k, s in zip(shape, k, s)]
    return pairs([[t // 2, t - t // 2] for t in total])


def pool3d():
    c = Cases("pool3d")

    def maximum(name, shape, k, negative=False, **a):
        x = rand(*shape) - (8 if negative else 0)
        c.add_exact(f"max-{name}", [x], F.max_pool3d(x, k, **a), mode="max", kernel_size=k, **a)

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
    c.add_exact("max-nan", [x], F.max_pool3d(x, 2, 1), mode="max", kernel_size=2, stride=1)
    # TensorFlow's SAME: the odd cell of padding goes behind.
    for name, zero in [("same", False), ("same-zero", True)]:
        x, padding = rand(1, 4, 4, 6, 5) - (2 if zero else 0), [[0, 1], [0, 1], [1, 1]]
        padded = F.pad(x, pairs(padding), value=0.0 if zero else -math.inf)
        c.add_exact(f"max-{name}", [x], F.max_pool3d(padded, 3, 2), mode="max", kernel_size=3, stride=2, padding=padding,
              zero_pad=zero)
    x, padding = rand(1, 4, 4, 6, 5), [[0, 1], [0, 1], [1, 0]]
    c.add("average-same", [x], F.avg_pool3d(F.pad(x.double(), pairs(padding)), 2, 1), mode="average", kernel_size=2, stride=1,
          padding=padding)
    for shape, k, s in [((5, 8, 7), (2, 3, 3), (1, 2, 3)), ((4, 6, 9), (3, 3, 2), (2, 4, 2)), ((3, 5, 6), (1, 2, 5), (2, 3, 1))]:
        x, name = rand(1, 2, *shape) - 3, "-".join(map(str, shape))
        padded = F.pad(x, same(shape, k, s), value=-math.inf)
        c.add_exact(f"max-same-{name}", [x], F.max_pool3d(padded, k, s), mode="max", kernel_size=k, stride=s, same=True)
        padded, ones = [F.pad(t.double(), same(shape, k, s)) for t in (x, torch.ones_like(x))]
        y = F.avg_pool3d(padded, k, s) / F.avg_pool3d(ones, k, s)
        c.add(f"average-same-{name}", [x], y, mode="average", kernel_size=k, stride=s, same=True, count_include_pad=False)

    def indices(name, x, k, **a):
        y, places = F.max_pool3d(x, k, return_indices=True, **a)
        c.add_exact(f"indices-{name}", [x], [y, places.int()], kernel_size=k, return_indices=True, **a)

    indices("two", rand(2, 2, 4, 4, 4), 2)
    indices("three", rand(1, 3, 5, 6, 7), 3, stride=2, padding=1, ceil_mode=True)
    indices("dilated", rand(1, 2, 5, 8, 8), [2, 3, 2], stride=[1, 2, 1], padding=[1, 1, 0], dilation=[2, 2, 3])
    indices("ties", torch.randint(-1, 2, (1, 2, 4, 5, 5)).float(), 2, stride=1)
    x = rand(1, 4, 3, 4, 5)
    x[0, :2, 1] = math.nan
    x[0, 2:] = -math.inf
    indices("nan-and-infinity", x, 2, stride=1)
    for pool in (maximum, average):
        pool("neighbours", (1, 4, 3, 4, 7), 3, stride=1, padding=1)
    return c


def pool2d():
    c = Cases("pool2d")

    def maximum(name, shape, k, **a):
        x = rand(*shape)
        c.add_exact(f"max-{name}", [x], F.max_pool2d(x, k, **a), mode="max", kernel_size=k, **a)

    def average(name, shape, k, **a):
        x = rand(*shape)
        c.add(f"average-{name}", [x], F.avg_pool2d(x.double(), k, **a), mode="average", kernel_size=k, **a)

    for pool in (maximum, average):
        pool("two", (2, 4, 6, 8), 2)
        pool("stem", (1, 4, 11, 12), 3, stride=2, padding=1)
        pool("ceil", (1, 3, 7, 8), [3, 2], stride=[2, 3], padding=[1, 0], ceil_mode=True)
    maximum("dilated", (1, 3, 9, 8), [3, 2], stride=[2, 1], padding=[1, 0], dilation=[2, 3])
    average("inside", (1, 3, 6, 7), 3, stride=2, padding=1, count_include_pad=False)
    x, padding = rand(1, 3, 6, 5), [[0, 1], [2, 1]]
    c.add_exact("max-asymmetric", [x], F.max_pool2d(F.pad(x, pairs(padding), value=-math.inf), 3, 2), mode="max", kernel_size=3,
                stride=2, padding=padding)
    x = rand(1, 3, 8, 9)
    c.add_exact("max-same", [x], F.max_pool2d(F.pad(x, same((8, 9), (3, 3), (2, 2)), value=-math.inf), 3, 2), mode="max",
                kernel_size=3, stride=2, same=True)
    x = rand(2, 4, 7, 8)
    y, places = F.max_pool2d(x, 2, return_indices=True)
    c.add_exact("indices", [x], [y, places.int()], kernel_size=2, return_indices=True)
    return c


def pool1d():
    c = Cases("pool1d")
    for name, shape, k, a in [
        ("two", (2, 4, 9), 2, {}),
        ("three", (1, 5, 16), 3, {"stride": 2, "padding": 1}),
        ("ceil", (1, 3, 10), 3, {"stride": 2, "ceil_mode": True}),
    ]:
        x = rand(*shape)
        c.add_exact(f"max-{name}", [x], F.max_pool1d(x, k, **a), mode="max", kernel_size=k, **a)
        c.add(f"average-{name}", [x], F.avg_pool1d(x.double(), k, **a), mode="average", kernel_size=k, **a)
    x = rand(1, 3, 14)
    c.add_exact("max-dilated", [x], F.max_pool1d(x, 3, 2, dilation=2), mode="max", kernel_size=3, stride=2, dilation=2)
    y, places = F.max_pool1d(x, 4, 3, return_indices=True)
    c.add_exact("indices", [x], [y, places.int()], kernel_size=4, stride=3, return_indices=True)
    return c


def unpool(axes):
    """The inverse of max pooling over so many axes, of what the pooling of a random input found."""
    pool, inverse = getattr(F, f"max_pool{axes}d"), getattr(F, f"max_unpool{axes}d")
    c = Cases(f"max_unpool{axes}d", exact=True)

    def add(name, lengths, k, sized=True, channels=3, **a):
        x = rand(2, channels, *lengths[-axes:])
        k = k[-axes:]
        a = {key: v[-axes:] if isinstance(v, list) else v for key, v in a.items()}
        y, places = pool(x, k, return_indices=True, **a)
        size = {"output_size": list(lengths[-axes:])} if sized else {}
        c.add(name, [y, places.int()], inverse(y, places, k, **a, **size), kernel_size=k, **a, **size)

    add("two", [4, 6, 8], [2, 2, 2], sized=False)
    add("frames", [2, 6, 4], [1, 2, 2], sized=False, channels=4)
    add("ragged", [5, 7, 5], [2, 2, 2])
    add("overlapping", [5, 6, 7], [3, 3, 3], stride=[2, 2, 2], padding=[1, 1, 1])
    add("strided", [7, 8, 8], [2, 3, 2], stride=[3, 2, 3], padding=[0, 1, 1])
    return c


def max_unpool1d():
    return unpool(1)


def max_unpool2d():
    return unpool(2)


def max_unpool3d():
    return unpool(3)


def adaptive(axes):
    """Adaptive pooling over so many axes."""
    maximum, average = getattr(F, f"adaptive_max_pool{axes}d"), getattr(F, f"adaptive_avg_pool{axes}d")
    c = Cases(f"adaptive_pool{axes}d")
    for name, lengths, windows in [
        ("one", [3, 5, 6], [1, 1, 1]),
        ("even", [4, 6, 4], [2, 3, 2]),
        ("uneven", [5, 7, 5], [2, 3, 4]),
        ("more-than-cells", [2, 3, 5], [3, 4, 7]),
        ("some", [3, 4, 8], [2, None, 3]),
    ]:
        x, size = rand(1, 3, *lengths[-axes:]), windows[-axes:]
        y, places = maximum(x, size if axes > 1 else size[0], return_indices=True)
        c.add_exact(f"max-{name}", [x], [y, places.int()], mode="max", output_size=size, return_indices=True)
        c.add(f"average-{name}", [x], average(x.double(), size if axes > 1 else size[0]), mode="average", output_size=size)
    x = torch.randint(-1, 2, (1, 2, *[4, 5, 6][-axes:])).float()
    x.view(-1)[7] = math.nan
    y, places = maximum(x, 3, return_indices=True)
    c.add_exact("ties-and-nan", [x], [y, places.int()], mode="max", output_size=3, return_indices=True)
    return c


def adaptive_pool1d():
    return adaptive(1)


def adaptive_pool2d():
    return adaptive(2)


def adaptive_pool3d():
    return adaptive(3)


def global_pool():
    c = Cases("global_pool")
    for name, shape in [("video", (2, 5, 3, 4, 5)), ("frames", (3, 4, 5, 6)), ("rows", (2, 6, 11))]:
        x, axes = rand(*shape), tuple(range(2, len(shape)))
        c.add_exact(f"max-{name}", [x], x.amax(axes), mode="max")
        c.add(f"average-{name}", [x], x.double().mean(axes), mode="average")
    return c


def local_response_norm():
    c = Cases("local_response_norm")
    for name, shape, a in [
        ("alexnet", (1, 12, 3, 4), {"size": 5}),
        ("paper", (1, 12, 3, 4), {"size": 5, "alpha": 5e-4, "k": 2.0}),
        ("strong", (2, 9, 2, 3, 4), {"size": 3, "alpha": 2.5, "beta": 0.6, "k": 0.5}),
        ("even", (2, 7, 5), {"size": 4, "alpha": 1.0}),
        ("wide", (1, 4, 5), {"size": 9, "alpha": 3.0, "beta": 1.0}),
        ("one", (1, 4, 5), {"size": 1, "alpha": 3.0, "beta": -0.5}),
    ]:
        x = 3 * rand(*shape)
        c.add(name, [x], F.local_response_norm(x.double(), **a), **a)
    return c


FAMILY = [
    adaptive_pool1d,
    adaptive_pool2d,
    adaptive_pool3d,
    global_pool,
    local_response_norm,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    pool1d,
    pool2d,
    pool3d,
]
