"""What the families share: a file of cases, and random tensors."""

import json
import pathlib

import torch
from safetensors.torch import save_file

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "ops"


class Cases:
    """The cases of an operator; `exact` if every result must agree to the bit, for those that move or choose."""

    def __init__(self, op, exact=False):
        self.op = op
        self.exact = exact
        self.tensors = {}
        self.attributes = {}

    def add(self, name, inputs, output, **attributes):
        """A case: tensors in PyTorch's layouts, one output or a list of them, the attributes of the operator's door."""
        for i, t in enumerate(inputs):
            self.tensors[f"{name}/{i}"] = t.contiguous()
        for i, y in enumerate(output if isinstance(output, list) else [output]):
            y = y if y.dtype == torch.int32 else y.float()
            self.tensors[f"{name}/output.{i}" if i else f"{name}/output"] = y.contiguous()
        self.attributes[name] = {"inputs": len(inputs), "attributes": attributes}
        if self.exact:
            self.attributes[name]["exact"] = True

    def add_exact(self, name, inputs, output, **attributes):
        """A case whose results must agree to the bit."""
        self.add(name, inputs, output, **attributes)
        self.attributes[name]["exact"] = True

    def save(self):
        tensors = {k: t.clone() for k, t in self.tensors.items()}
        # One entry: several would be written in another order every time.
        metadata = {"cases": json.dumps(self.attributes, sort_keys=True)}
        path = OUT / f"{self.op}.safetensors"
        save_file(tensors, path, metadata=metadata)
        return path


def rand(*shape):
    return torch.randn(*shape)


def pairs(padding):
    """[[before, after]] for T, H, W as F.pad wants it: W first."""
    return [p for axis in reversed(padding) for p in axis]
