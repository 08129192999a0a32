"""Makes tests/golden/ops: for every operator, small seeded inputs and what PyTorch (or another public implementation)
makes of them.

    python tools/golden_ops            every operator
    python tools/golden_ops conv3d …   some

One file an operator, one module here a family of operators, whose list `FAMILY` names a function for each: it gives the
operator's `Cases`, and its name seeds the random numbers. The metadata's entry `cases` is a JSON object: for each case's
name its attributes and how many inputs there are. The case's tensors are `<case>/0`, `<case>/1`, … and `<case>/output`,
in PyTorch's layouts; indices are i32. What further outputs there are is `<case>/output.1`, ….

torch, numpy and safetensors must be installed; a family says what else it needs.
"""

import importlib
import pathlib
import sys
import zlib

import torch

from common import OUT


def main(wanted):
    OUT.mkdir(parents=True, exist_ok=True)
    here = pathlib.Path(__file__).parent
    families = sorted(p.stem for p in here.glob("*.py") if p.stem not in ("__main__", "common"))
    made = {make.__name__.rstrip("_"): make for f in families for make in importlib.import_module(f).FAMILY}
    if unknown := set(wanted) - set(made):
        sys.exit(f"no operator {', '.join(sorted(unknown))}; there are {', '.join(sorted(made))}")
    for name in wanted or sorted(made):
        torch.manual_seed(zlib.crc32(made[name].__name__.encode()))
        path = made[name]().save()
        print(path.name, path.stat().st_size)
    print("in all", sum(p.stat().st_size for p in OUT.iterdir()))


if __name__ == "__main__":
    main(sys.argv[1:])
