"""Makes tests/golden/c3d/*.safetensors: a small C3D with every parameter random, run by PyTorch.

One file for each treatment of the odd rows by the last pooling. Needs torch and safetensors.

    python tools/golden_c3d.py [--out tests/golden/c3d]

With --full DIR it writes what a check by hand at the published size needs: a random state_dict, an input clip
and the logits.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

STAGES = [
    (["conv1"], (1, 2, 2)),
    (["conv2"], (2, 2, 2)),
    (["conv3a", "conv3b"], (2, 2, 2)),
    (["conv4a", "conv4b"], (2, 2, 2)),
    (["conv5a", "conv5b"], (2, 2, 2)),
]
MULTIPLES = {"conv1": 1, "conv2": 2, "conv3a": 4, "conv3b": 4, "conv4a": 8, "conv4b": 8, "conv5a": 8, "conv5b": 8}
POOL5 = {
    "pool5-ceil": dict(ceil_mode=True),
    "pool5-padded": dict(padding=(0, 1, 1)),
    "pool5-floor": dict(),
}


class C3D(nn.Module):
    """The network of arXiv:1412.0767 as the PyTorch ports write it."""

    def __init__(self, width, features, classes, pool5, pooled):
        super().__init__()
        channels = 3
        for names, _ in STAGES:
            for name in names:
                setattr(self, name, nn.Conv3d(channels, width * MULTIPLES[name], 3, padding=1))
                channels = width * MULTIPLES[name]
        self.fc6 = nn.Linear(channels * pooled, features)
        self.fc7 = nn.Linear(features, features)
        self.fc8 = nn.Linear(features, classes)
        self.pool5 = POOL5[pool5]

    def forward(self, x, taps=None):
        for i, (names, window) in enumerate(STAGES):
            for name in names:
                x = F.relu(getattr(self, name)(x))
                if taps is not None and name in ("conv2", "conv4a"):
                    taps[name] = x
            x = F.max_pool3d(x, window, window, **(self.pool5 if i == 4 else {}))
        if taps is not None:
            taps["pool5"] = x
        x = F.relu(self.fc6(x.flatten(1)))
        x = F.relu(self.fc7(x))
        return self.fc8(x)


def randomise(model, generator):
    """Weights that neither fade nor explode, and biases that matter."""
    for name, p in model.named_parameters():
        fan = p[0].numel() if p.dim() > 1 else 1
        scale = (2 / fan) ** 0.5 if p.dim() > 1 else 0.2
        with torch.no_grad():
            p.copy_(torch.randn(p.shape, generator=generator) * scale)


def small(out):
    out.mkdir(parents=True, exist_ok=True)
    for seed, variant in enumerate(POOL5):
        generator = torch.Generator().manual_seed(seed)
        pooled = {"pool5-ceil": 4, "pool5-padded": 4, "pool5-floor": 1}[variant]
        model = C3D(4, 16, 7, variant, pooled)
        randomise(model, generator)
        levels = torch.randint(0, 256, (1, 3, 16, 48, 48), generator=generator, dtype=torch.uint8)
        # In double precision, so that the file is the truth and not another rounding.
        model.double()
        taps = {}
        with torch.no_grad():
            logits = model((levels.double() - 128) / 64, taps)
        tensors = {f"weights.{k}": v.float().contiguous() for k, v in model.state_dict().items()}
        tensors["clip"] = levels
        tensors["logits"] = logits.float()
        for name, tap in taps.items():
            tensors[name] = tap.float().contiguous() if name == "pool5" else tap[:, :, ::3, ::4, ::4].float().contiguous()
        metadata = {"torch": torch.__version__, "variant": variant, "config": json.dumps(dict(width=4, features=16, classes=7))}
        save_file(tensors, out / f"{variant}.safetensors", metadata)
        print(variant, (out / f"{variant}.safetensors").stat().st_size)


def full(folder):
    import numpy

    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    model = C3D(64, 4096, 487, "pool5-padded", 16)
    randomise(model, generator)
    torch.save(model.state_dict(), folder / "c3d.pth")
    clip = torch.randn((1, 3, 16, 112, 112), generator=generator) * 60
    with torch.no_grad():
        logits = model(clip)
    numpy.save(folder / "clip.npy", clip.numpy())
    numpy.save(folder / "logits.npy", logits.numpy())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/golden/c3d"))
    parser.add_argument("--full", type=pathlib.Path, metavar="DIR")
    arguments = parser.parse_args()
    if arguments.full:
        full(arguments.full)
    else:
        small(arguments.out)
