"""Pooling."""

import math

import torch.nn.functional as F

from common import Cases, pairs, rand


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
    return c


FAMILY = [pool3d]
