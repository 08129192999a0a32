"""Matrix products."""

import torch
import torch.nn.functional as F

from common import Cases, rand


def linear():
    c = Cases("linear")
    for name, x, outputs, bias in [("matrix", (5, 12), 8, True), ("odd", (3, 7), 5, False), ("outer", (2, 3, 9), 6, True)]:
        x, w = rand(*x), rand(outputs, x[-1])
        b = [rand(outputs)] if bias else []
        c.add(name, [x, w] + b, F.linear(x.double(), w.double(), *[t.double() for t in b]))
    return c


def matmul():
    c = Cases("matmul")

    def add(name, a, b, **attributes):
        a, b = rand(*a), rand(*b)
        x, y = a.double(), b.double()
        x = x.permute(attributes["dims_a"]) if "dims_a" in attributes else x
        y = y.permute(attributes["dims_b"]) if "dims_b" in attributes else y
        x = x.mT if attributes.get("transpose_a") else x
        y = y.mT if attributes.get("transpose_b") else y
        out = attributes.get("scale", 1.0) * torch.matmul(x, y)
        c.add(name, [a, b], out.permute(attributes["dims_out"]) if "dims_out" in attributes else out, **attributes)

    add("matrices", (9, 7), (7, 10))
    add("transpose-a", (7, 9), (7, 8), transpose_a=True)
    add("transpose-b", (9, 7), (8, 7), transpose_b=True)
    add("transpose-both", (7, 9), (8, 7), transpose_a=True, transpose_b=True)
    add("batches", (2, 3, 4, 5), (2, 3, 5, 6))
    add("batches-repeat", (2, 1, 4, 5), (3, 5, 6))
    add("scale", (9, 7), (7, 10), scale=0.125)
    add("scores", (2, 5, 3, 4), (2, 6, 3, 4), dims_a=[0, 2, 1, 3], dims_b=[0, 2, 1, 3], transpose_b=True, scale=0.5)
    add("values", (2, 3, 5, 6), (2, 6, 3, 4), dims_b=[0, 2, 1, 3], dims_out=[0, 2, 1, 3])
    add("any-order", (8, 2, 9, 3), (3, 5, 2, 9), dims_a=[1, 3, 0, -2], dims_b=[2, 0, 3, 1], dims_out=[3, 0, 2, 1])
    return c


def einsum():
    c = Cases("einsum")
    for name, equation, shapes in [
        ("matrices", "ij,jk->ik", [(4, 5), (5, 6)]),
        ("scores", "bqhd,bkhd->bhqk", [(2, 5, 3, 4), (2, 6, 3, 4)]),
        ("rows-of-tables", "bythwc,wkc->bythwk", [(1, 2, 3, 2, 4, 5), (4, 3, 5)]),
        ("two-axes-summed", "bhcw,dwh->bcd", [(2, 3, 5, 4), (6, 4, 3)]),
        ("lonely-axes", "bij,jkl->ik", [(2, 3, 4), (4, 5, 2)]),
        ("outer", "i,jk->kij", [(3,), (4, 5)]),
        ("inner", "i,i->", [(7,), (7,)]),
        ("element-wise", "ij,ji->ij", [(3, 4), (4, 3)]),
        ("ellipsis", "...ij,...kj->...ik", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("ellipsis-of-one", "...i,ij->...j", [(2, 3, 4), (4, 5)]),
        ("implicit", "cb,ac", [(4, 5), (6, 4)]),
        ("implicit-ellipsis", "i...,i...", [(3, 4), (3, 4)]),
        ("sum", "ijk->ki", [(3, 4, 5)]),
        ("transpose", "ij->ji", [(3, 4)]),
    ]:
        inputs = [rand(*s) for s in shapes]
        c.add(name, inputs, torch.einsum(equation, *[t.double() for t in inputs]), equation=equation)
    return c


FAMILY = [einsum, linear, matmul]
