"""Makes tests/golden/blocks.safetensors: blocks of several layers with seeded weights, and what PyTorch makes of a seeded
input. The engine fuses what lies in them; PyTorch computes layer by layer, in double precision.

    python tools/golden_blocks.py

A block's tensors are `<block>/input`, `<block>/output` and `<block>/<parameter's name>`, in PyTorch's layouts.
torch and safetensors must be installed.
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

OUT = pathlib.Path(__file__).resolve().parents[1] / "tests" / "golden" / "blocks.safetensors"


class Residual(nn.Module):
    """The basic block of a 3D ResNet whose shortcut is downsampled."""

    def __init__(self, cin, cout):
        super().__init__()
        self.conv1 = nn.Conv3d(cin, cout, 3, stride=(1, 2, 2), padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(cout)
        self.conv2 = nn.Conv3d(cout, cout, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(cout, eps=1e-3)
        self.down = nn.Conv3d(cin, cout, 1, stride=(1, 2, 2), bias=False)
        self.bn3 = nn.BatchNorm3d(cout)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.bn3(self.down(x)))


class Up(nn.Module):
    """A decoder's step: twice as large in space, normalised, and a skip connection."""

    def __init__(self, cin, cout):
        super().__init__()
        self.up = nn.ConvTranspose3d(cin, cout, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1), groups=2)
        self.bn = nn.BatchNorm3d(cout)
        self.skip = nn.Conv3d(cout, cout, 1)

    def forward(self, x):
        y = nn.functional.silu(self.bn(self.up(x)))
        return y + self.skip(y)


class Head(nn.Module):
    """A normalised hidden layer over tokens."""

    def __init__(self, cin, hidden):
        super().__init__()
        self.fc1 = nn.Linear(cin, hidden)
        self.bn = nn.BatchNorm1d(hidden, affine=False)
        self.fc2 = nn.Linear(hidden, cin)

    def forward(self, x):
        return x + self.fc2(nn.functional.gelu(self.bn(self.fc1(x))))


def main():
    torch.manual_seed(20)
    tensors = {}
    for name, block, x in [
        ("residual", Residual(3, 6), torch.randn(1, 3, 3, 6, 5)),
        ("up", Up(4, 6), torch.randn(1, 4, 2, 3, 4)),
        ("head", Head(5, 7), torch.randn(4, 5)),
    ]:
        # Nothing may stay at ones and zeros.
        state = {k: torch.rand(v.shape) + 0.3 if "var" in k else torch.randn(v.shape) * 0.5
                 for k, v in block.state_dict().items() if v.is_floating_point()}
        block.load_state_dict(state, strict=False)
        with torch.no_grad():
            y = block.double().eval()(x.double())
        tensors |= {f"{name}/{k}": v.contiguous() for k, v in state.items()}
        tensors |= {f"{name}/input": x, f"{name}/output": y.float().contiguous()}
    save_file(tensors, OUT)
    print(OUT.name, OUT.stat().st_size)


if __name__ == "__main__":
    main()
