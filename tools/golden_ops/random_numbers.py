"""Random numbers."""

import torch

from common import Cases


def random():
    c = Cases("random", exact=True)

    def key(seed, offset):
        """Seed and offset as torch wants them, and as four words."""
        words = torch.tensor([seed, offset], dtype=torch.uint64)
        return words, words.view(torch.int32).clone()

    def add(name, shape, seed, offset, distribution="uniform", **a):
        state, words = key(seed, offset)
        if distribution == "integers":
            y = torch._philox_randint_(torch.empty(shape, dtype=torch.int32), state, a["low"], a["high"])
        else:
            y = torch._philox_uniform_(torch.empty(shape), state)
        attributes = {"shape": list(shape), "distribution": distribution, **a}
        c.add(name, [], y, seed=seed, offset=offset, **attributes)
        c.add(f"{name}-key", [words], y, seed=1, **attributes)

    def normal(name, shape, seed, offset):
        state, words = key(seed, offset)
        y = torch._philox_normal_(torch.empty(shape, dtype=torch.float32), state)
        c.add(name, [], y, seed=seed, offset=offset, shape=list(shape), distribution="normal")
        # What is near to the bits: another logarithm, and angles of more bits.
        del c.attributes[name]["exact"]

    add("uniform", (3, 5, 7), 0, 0)
    add("uniform-far", (2, 25), 0x0123456789abcdef, (3 << 32) - 5)
    add("integers", (4, 9), 42, 7, "integers", low=-3, high=1000)
    add("integers-many", (30,), 2**63 + 5, 2**64 - 4, "integers", low=-2**27, high=2**27 - 5)
    normal("normal", (3, 33), 7, 0)
    normal("normal-far", (50,), 0x0123456789abcdef, (3 << 32) - 5)
    return c


FAMILY = [random]
