"""Makes tests/golden/random.safetensors: what PyTorch's generator on the processor draws, for seeds and sequences of
calls.

    python tools/golden_random.py

The metadata's entry `cases` is a JSON object: for each case's name its seed and its calls, `[function, arguments…]`.
Call k's result is `<case>/<k>`; integers are i32.

torch and safetensors must be installed.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[1] / "tests" / "golden" / "random.safetensors"

CALLS = {
    "uniform": lambda *shape: torch.rand(shape),
    "normal": lambda *shape: torch.randn(shape),
    "integers": lambda low, high, *shape: torch.randint(low, high, shape),
    "permutation": torch.randperm,
}

# Normal numbers are made of the last sixteen anew where they are no multiple of sixteen, and fewer than sixteen by
# another formula, which leaves one for the next call.
CASES = {
    "uniform": (0, [["uniform", 3, 5, 7]]),
    "more-than-a-state": (1, [["uniform", 700]]),
    "normal-few": (2, [["normal", n] for n in (1, 2, 3, 1, 15, 4)]),
    "normal-sixteens": (3, [["normal", 16], ["normal", 4, 8]]),
    "normal-tails": (4, [["normal", n] for n in (17, 31, 33, 100)]),
    "normal-kept": (5, [["normal", 3], ["normal", 20], ["normal", 1], ["uniform", 3], ["normal", 5], ["normal", 1]]),
    "normal-after-uniform": (6, [["uniform", 5], ["normal", 2, 3, 4], ["uniform", 2], ["normal", 7]]),
    "large-seed": (0x123456789abcdef0, [["uniform", 9], ["normal", 18]]),
    "default-seed": (67280421310721, [["normal", 4, 4]]),
    "integers": (7, [["integers", 0, 10, 6], ["integers", -5, 1000, 2, 3], ["integers", 0, 2**28 - 1, 5],
                     ["integers", 0, 2**28, 5], ["integers", -2**31, 2**31 - 1, 5], ["uniform", 2]]),
    "permutation": (8, [["permutation", n] for n in (1, 2, 10, 40)] + [["uniform", 2], ["normal", 3]]),
}


def main():
    tensors = {}
    for name, (seed, calls) in CASES.items():
        torch.manual_seed(seed)
        for k, (function, *arguments) in enumerate(calls):
            y = CALLS[function](*arguments)
            tensors[f"{name}/{k}"] = y if y.dtype == torch.float32 else y.int()
    save_file(tensors, OUT, metadata={"cases": json.dumps(CASES, sort_keys=True)})
    print(OUT.name, OUT.stat().st_size)


if __name__ == "__main__":
    main()
