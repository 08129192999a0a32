"""Operators that move, select or join elements."""

import torch
import torch.nn.functional as F

from common import Cases, rand


def concat():
    c = Cases("concat", exact=True)
    for name, shapes, dim in [("channels", [(2, 3, 4), (2, 3, 1), (2, 3, 5)], -1), ("first", [(1, 4), (3, 4)], 0),
                              ("one", [(2, 5)], 1)]:
        inputs = [rand(*s) for s in shapes]
        c.add(name, inputs, torch.cat(inputs, dim), dim=dim)
    return c


def permute():
    c = Cases("permute", exact=True)
    for name, shape, dims in [("transpose", (4, 7), [1, 0]), ("channels-last", (2, 3, 2, 4, 5), [0, 2, 3, 4, 1]),
                              ("negative", (2, 3, 4), [-1, 0, -2])]:
        x = rand(*shape)
        c.add(name, [x], x.permute(dims), dims=dims)
    return c


def slice_():
    c = Cases("slice", exact=True)
    x = rand(5, 6, 7)
    c.add("part", [x], x[1:4, :, -3:], start=[1, None, -3], stop=[4])
    c.add("steps", [x], x[::2, 1::3, :6:4], start=[0, 1], stop=[None, None, 6], step=[2, 3, 4])
    c.add("clamped", [x], x[-100:2, 3:100], start=[-100, 3], stop=[2, 100])
    c.add("whole", [x], x)
    return c


def embedding():
    c = Cases("embedding", exact=True)
    for name, shape, table in [("tokens", (2, 7), (30, 8)), ("one-channel", (13,), (9, 1)), ("scalar", (), (4, 5))]:
        x, w = torch.randint(table[0], shape, dtype=torch.int32), rand(*table)
        c.add(name, [x, w], F.embedding(x, w))
    return c


FAMILY = [concat, permute, slice_, embedding]
