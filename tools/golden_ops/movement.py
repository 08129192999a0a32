"""Operators that move, select or join elements."""

import torch
import torch.nn.functional as F

from common import Cases, rand


def integers(*shape):
    return torch.randint(-(1 << 20), 1 << 20, shape, dtype=torch.int32)


def concat():
    c = Cases("concat", exact=True)
    for name, shapes, dim in [("channels", [(2, 3, 4), (2, 3, 1), (2, 3, 5)], -1), ("first", [(1, 4), (3, 4)], 0),
                              ("one", [(2, 5)], 1)]:
        inputs = [rand(*s) for s in shapes]
        c.add(name, inputs, torch.cat(inputs, dim), dim=dim)
    inputs = [integers(2, 3), integers(2, 5)]
    c.add("integers", inputs, torch.cat(inputs, 1), dim=1)
    return c


def permute():
    c = Cases("permute", exact=True)
    for name, shape, dims in [("transpose", (4, 7), [1, 0]), ("channels-last", (2, 3, 2, 4, 5), [0, 2, 3, 4, 1]),
                              ("negative", (2, 3, 4), [-1, 0, -2])]:
        x = rand(*shape)
        c.add(name, [x], x.permute(dims), dims=dims)
    x = integers(3, 4, 2)
    c.add("integers", [x], x.permute(2, 0, 1), dims=[2, 0, 1])
    return c


def slice_():
    c = Cases("slice", exact=True)
    x = rand(5, 6, 7)
    c.add("part", [x], x[1:4, :, -3:], start=[1, None, -3], stop=[4])
    c.add("steps", [x], x[::2, 1::3, :6:4], start=[0, 1], stop=[None, None, 6], step=[2, 3, 4])
    c.add("clamped", [x], x[-100:2, 3:100], start=[-100, 3], stop=[2, 100])
    c.add("whole", [x], x)
    c.add("backwards", [x], x.flip(0, 2)[::2], step=[-2, None, -1])
    c.add("backwards-from-to", [x], x.flip(1)[:, 2:5], start=[None, 3], stop=[None, -6], step=[None, -1])
    return c


def embedding():
    c = Cases("embedding", exact=True)
    for name, shape, table in [("tokens", (2, 7), (30, 8)), ("one-channel", (13,), (9, 1)), ("scalar", (), (4, 5))]:
        x, w = torch.randint(table[0], shape, dtype=torch.int32), rand(*table)
        c.add(name, [x, w], F.embedding(x, w))
    return c


def expand():
    c = Cases("expand", exact=True)
    x = rand(2, 1, 3)
    c.add("lengths", [x], x.expand(4, 2, 5, 3), shape=[4, 2, 5, 3])
    c.add("kept", [x], x.expand(-1, 2, -1), shape=[-1, 2, -1])
    return c


def flip():
    c = Cases("flip", exact=True)
    x = rand(3, 4, 5)
    for name, dims in [("one", [1]), ("several", [0, -1]), ("none", [])]:
        c.add(name, [x], x.flip(dims), dims=dims)
    return c


def gather():
    c = Cases("gather", exact=True)
    x = rand(3, 4, 5)
    for dim in [0, 1, -1]:
        i = torch.randint(x.shape[dim], (2, 3, 4), dtype=torch.int32)
        c.add(f"dim{dim}", [x, i], torch.gather(x, dim, i.long()), dim=dim)
        i = torch.randint(x.shape[dim], (7,), dtype=torch.int32)
        c.add(f"rows{dim}", [x, i], torch.index_select(x, dim, i), dim=dim, rows=True)
    i = torch.randint(3, (6, 4, 5), dtype=torch.int32)
    c.add("longer", [x, i], torch.gather(x, 0, i.long()), dim=0)
    x, i = integers(4, 5), torch.randint(5, (4, 2), dtype=torch.int32)
    c.add("integers", [x, i], torch.gather(x, 1, i.long()), dim=1)
    return c


def one_hot():
    c = Cases("one_hot", exact=True)
    for name, shape in [("tokens", (2, 7)), ("scalar", ())]:
        i = torch.randint(6, shape, dtype=torch.int32)
        c.add(name, [i], F.one_hot(i.long(), 6).float(), num_classes=6)
    return c


def pixel_shuffle():
    c = Cases("pixel_shuffle", exact=True)
    x = rand(2, 18, 3, 4)
    c.add("pictures", [x], F.pixel_shuffle(x, 3), upscale_factor=3)
    x = rand(1, 2 * 12, 2, 3, 2)
    y = x.reshape(1, 2, 2, 3, 2, 2, 3, 2).permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(1, 2, 4, 9, 4)
    c.add("video", [x], y, upscale_factor=[2, 3, 2])
    return c


def pixel_unshuffle():
    c = Cases("pixel_unshuffle", exact=True)
    x = rand(2, 2, 6, 9)
    c.add("pictures", [x], F.pixel_unshuffle(x, 3), downscale_factor=3)
    x = rand(1, 2, 4, 9, 4)
    y = x.reshape(1, 2, 2, 2, 3, 3, 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(1, 24, 2, 3, 2)
    c.add("video", [x], y, downscale_factor=[2, 3, 2])
    return c


def repeat():
    c = Cases("repeat", exact=True)
    for name, x, repeats in [("axes", rand(2, 3, 4), [2, 1, 3]), ("new-axes", rand(3, 4), [2, 5, 1, 2]),
                             ("integers", integers(2, 3), [2, 3])]:
        c.add(name, [x], torch.tile(x, repeats), repeats=repeats)
    return c


def repeat_interleave():
    c = Cases("repeat_interleave", exact=True)
    x = rand(2, 3, 4)
    for dim in [0, 1, -1]:
        c.add(f"dim{dim}", [x], x.repeat_interleave(3, dim), repeats=3, dim=dim)
    return c


def roll():
    c = Cases("roll", exact=True)
    for name, x, shifts, dims in [("one", rand(5, 4), [2], [0]), ("several", rand(3, 4, 5), [-7, 1], [2, 0]),
                                  ("integers", integers(3, 4), [-1], [1])]:
        c.add(name, [x], torch.roll(x, shifts, dims), shifts=shifts, dims=dims)
    return c


def scatter_add():
    c = Cases("scatter_add")
    x, source = rand(3, 4, 5), rand(3, 6, 2)
    for name, s, dim in [("elements", source, 1), ("first", rand(9, 3, 5), 0)]:
        i = torch.randint(x.shape[dim], s.shape, dtype=torch.int32)
        c.add(name, [x, i, s], x.double().scatter_add(dim, i.long(), s.double()), dim=dim)
    for dim in [0, -1]:
        shape = list(x.shape)
        shape[dim] = 11
        i, s = torch.randint(x.shape[dim], (11,), dtype=torch.int32), rand(*shape)
        c.add(f"rows{dim}", [x, i, s], x.double().index_add(dim, i, s.double()), dim=dim, rows=True)
    return c


def split():
    c = Cases("split", exact=True)
    x = rand(3, 7, 4)
    c.add("sizes", [x], list(torch.split(x, [1, 4, 2], 1)), sizes=[1, 4, 2], dim=1)
    c.add("chunks", [x], list(torch.chunk(x, 3, 1)), chunks=3, dim=1)
    c.add("fewer-chunks", [x], list(torch.chunk(x, 3, 2)), chunks=3, dim=2)
    return c


def stack():
    c = Cases("stack", exact=True)
    inputs = [rand(2, 3) for _ in range(3)]
    for dim in [0, 1, -1]:
        c.add(f"dim{dim}", inputs, torch.stack(inputs, dim), dim=dim)
    return c


FAMILY = [concat, embedding, expand, flip, gather, one_hot, permute, pixel_shuffle, pixel_unshuffle, repeat,
          repeat_interleave, roll, scatter_add, slice_, split, stack]
