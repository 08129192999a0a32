"""Matrix products."""

import torch.nn.functional as F

from common import Cases, rand


def linear():
    c = Cases("linear")
    for name, x, outputs, bias in [("matrix", (5, 12), 8, True), ("odd", (3, 7), 5, False), ("outer", (2, 3, 9), 6, True)]:
        x, w = rand(*x), rand(outputs, x[-1])
        b = [rand(outputs)] if bias else []
        c.add(name, [x, w] + b, F.linear(x.double(), w.double(), *[t.double() for t in b]))
    return c


FAMILY = [linear]
