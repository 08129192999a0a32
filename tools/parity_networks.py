"""Compares networks at their published sizes with public implementations: random weights, one clip, the largest
difference of the outputs relative to the largest.

    cargo build --release
    python tools/parity_networks.py target/release/kinetograph [--device DEVICE] [--double] [NAME ...]

Prints a row of docs/parity.md for each; with --double also how far both lie from the same network in f64. Needs torch and torchvision; the networks of pytorchvideo and transformers are
passed over, and said to be, where these are not installed.
"""

import argparse
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy
import torch
import torchvision
from torch import nn
from torchvision.models import video

sys.path.insert(0, str(pathlib.Path(__file__).parent / "golden_networks"))
from common import randomise  # noqa: E402
from recurrent import GruRcn, mean_of_probabilities  # noqa: E402
from spatiotemporal import InceptionI3d  # noqa: E402

V = f"torchvision {torchvision.__version__}"


def flow_resnet(depth):
    def make():
        model = getattr(torchvision.models, f"resnet{depth}")(num_classes=101)
        model.conv1 = nn.Conv2d(20, 64, 7, 2, 3, bias=False)
        return model

    return make


def flow_vgg():
    model = torchvision.models.vgg16(num_classes=101)
    model.features[0] = nn.Conv2d(20, 64, 3, padding=1)
    return model


def custom(name):
    first, rest = name.split(".", 1)
    return f"{first}_custom.{rest}" if first in ("conv1", "fc") else name


def action(name):
    return name.replace("classifier.6.", "fc_action.")


def pytorchvideo(name):
    return lambda: getattr(importlib.import_module("pytorchvideo.models.hub"), name)(pretrained=False)


def transformers(kind, config, **settings):
    def make():
        library = importlib.import_module("transformers")
        return getattr(library, kind)(getattr(library, config)(**settings, num_labels=400))

    return make


# Channels of the nine units of the Inception network: GoogLeNet's.
GOOGLENET = [
    [64, 96, 128, 16, 32, 32], [128, 128, 192, 32, 96, 64], [192, 96, 208, 16, 48, 64], [160, 112, 224, 24, 64, 64],
    [128, 128, 256, 24, 64, 64], [112, 144, 288, 32, 64, 64], [256, 160, 320, 32, 128, 128],
    [256, 160, 320, 32, 128, 128], [384, 192, 384, 48, 128, 128],
]


def i3d(channels):
    return lambda: InceptionI3d(channels, 400, [64, 64, 192], GOOGLENET)


class Recurrent(nn.Module):
    """LRCN: ResNet-50's features of each frame, an LSTM, a linear layer, the mean of the frames' probabilities."""

    def __init__(self):
        super().__init__()
        self.cnn = torchvision.models.resnet50()
        self.cnn.fc = nn.Identity()
        self.lstm = nn.LSTM(2048, 512, batch_first=True)
        self.fc = nn.Linear(512, 400)

    def forward(self, x):
        return mean_of_probabilities(self.fc(self.lstm(self.cnn(x)[None])[0]))


class RecurrentMaps(GruRcn):
    """GRU-RCN of the paper's measures, which gives the mean of the levels' probabilities."""

    def __init__(self):
        super().__init__(64, 4096, [64, 128, 256, 256, 512], 101)

    def forward(self, x):
        maps = []
        for i, layer in enumerate(self.cnn.features):
            x = layer(x)
            if i in (9, 16, 23, 30):
                maps.append(x)
        x = self.cnn.classifier(self.cnn.avgpool(x).flatten(1))
        levels = [getattr(self, f"level{i}") for i in range(5)]
        states = [level.gru(x)[-1:].mean((2, 3)) for level, x in zip(levels, [*maps, x[:, :, None, None]])]
        return mean_of_probabilities(torch.stack([level.fc(h) for level, h in zip(levels, states)], 1))


def video_frames(x):
    """[T, C, H, W] as the clip [1, T, H, W, C]."""
    return x.permute(0, 2, 3, 1)[None]


def frames(shape):
    """[N, C, H, W] of a 2D network as the clip [N, 1, H, W, C]."""
    n, c, h, w = shape
    return lambda x: x.reshape(n, 1, c, h, w).permute(0, 1, 3, 4, 2)


def clip(x):
    return x.permute(0, 2, 3, 4, 1)


def hf_clip(x):
    return x.permute(0, 1, 3, 4, 2)


def slow_and_fast(x):
    t = x.shape[2]
    slow = torch.linspace(0, t - 1, t // 4).long()
    return [x[:, :, slow], x]


IMAGE, STACK = (1, 3, 224, 224), (1, 20, 224, 224)
# name: oracle, model, shape of its input, how the clip is made of it, how the model is called, names
NETWORKS = {
    "resnet 50": (V, torchvision.models.resnet50, IMAGE, frames(IMAGE), None, None),
    "resnet 101, flow": (V, flow_resnet(101), STACK, frames(STACK), None, custom),
    "vgg 16": (V, torchvision.models.vgg16, IMAGE, frames(IMAGE), None, None),
    "vgg 16, flow": (V, flow_vgg, STACK, frames(STACK), None, action),
    "r3d-18": (V, video.r3d_18, (1, 3, 16, 112, 112), clip, None, None),
    "mc3-18": (V, video.mc3_18, (1, 3, 16, 112, 112), clip, None, None),
    "r2plus1d-18": (V, video.r2plus1d_18, (1, 3, 16, 112, 112), clip, None, None),
    "s3d": (V, video.s3d, (1, 3, 16, 224, 224), clip, None, None),
    "i3d": ("transcription of piergiaj's", i3d(3), (1, 3, 16, 224, 224), clip, None, None),
    "i3d, flow": ("transcription of piergiaj's", i3d(2), (1, 2, 16, 224, 224), clip, None, None),
    "mvit-v1-b": (V, video.mvit_v1_b, (1, 3, 16, 224, 224), clip, None, None),
    "mvit-v2-s": (V, video.mvit_v2_s, (1, 3, 16, 224, 224), clip, None, None),
    "lrcn": (f"{V} and torch.nn.LSTM", Recurrent, (16, 3, 224, 224), video_frames, None, None),
    "gru-rcn": (f"{V}, transcription", RecurrentMaps, (10, 3, 224, 224), video_frames, None, None),
    "swin3d-s": (V, video.swin3d_s, (1, 3, 16, 224, 224), clip, None, None),
    "swin3d-b": (V, video.swin3d_b, (1, 3, 16, 224, 224), clip, None, None),
    "swin3d-t": (V, video.swin3d_t, (1, 3, 16, 224, 224), clip, None, None),
    "slow-r50": ("pytorchvideo 0.1.5", pytorchvideo("slow_r50"), (1, 3, 8, 256, 256), clip, None, None),
    "i3d-r50": ("pytorchvideo 0.1.5", pytorchvideo("i3d_r50"), (1, 3, 8, 256, 256), clip, None, None),
    "slowfast-r50": (
        "pytorchvideo 0.1.5", pytorchvideo("slowfast_r50"), (1, 3, 32, 256, 256), clip, slow_and_fast, None,
    ),
    "timesformer": (
        "transformers", transformers("TimesformerForVideoClassification", "TimesformerConfig"),
        (1, 8, 3, 224, 224), hf_clip, None, None,
    ),
    "timesformer, joint": (
        "transformers",
        transformers("TimesformerForVideoClassification", "TimesformerConfig", attention_type="joint_space_time"),
        (1, 8, 3, 224, 224), hf_clip, None, None,
    ),
    "vivit": (
        "transformers", transformers("VivitForVideoClassification", "VivitConfig"),
        (1, 32, 3, 224, 224), hf_clip, None, None,
    ),
    "videomae": (
        "transformers", transformers("VideoMAEForVideoClassification", "VideoMAEConfig"),
        (1, 16, 3, 224, 224), hf_clip, None, None,
    ),
}


def compare(name, binary, device, double):
    oracle, make, shape, to_clip, to_input, rename = NETWORKS[name]
    try:
        model = make()
    except ImportError as e:
        print(f"SKIPPED: {name}: {e}")
        return
    model = randomise(model, 1).float()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if hasattr(model, "save_pretrained"):
            model.save_pretrained(folder / "weights")
            weights = folder / "weights"
            oracle = f"transformers {importlib.import_module('transformers').__version__}"
        else:
            weights = folder / "weights.pth"
            torch.save({(rename or str)(k): v for k, v in model.state_dict().items()}, weights)
        numpy.save(folder / "clip.npy", to_clip(x).contiguous().numpy())
        with torch.no_grad():
            start = time.time()
            want = model(to_input(x) if to_input else x)
            theirs = time.time() - start
            exact = model.double()(to_input(x.double()) if to_input else x.double()) if double else want
        # The transcriptions give their features, too.
        logits = lambda y: (y[1] if isinstance(y, tuple) else getattr(y, "logits", y)).double().numpy()
        want, exact = logits(want), logits(exact)
        del model
        command = [binary, "run", "--input", folder / "clip.npy", "--weights", weights, "--device", device]
        start = time.time()
        done = subprocess.run([*command, "--output", folder / "y.npy", "--json"], capture_output=True, text=True)
        ours = time.time() - start
        if done.returncode:
            print(f"FAILED: {name}: {done.stderr.strip().splitlines()[-1]}")
            return
        got = numpy.load(folder / "y.npy").astype("float64")
        error = abs(got - want).max() / abs(want).max()
        if double:
            ours_off, theirs_off = (abs(y - exact).max() / abs(exact).max() for y in (got, want))
            print(f"  against f64: {ours_off:.1e}, PyTorch in f32 {theirs_off:.1e}")
        where = json.loads(done.stdout)["device"]
        print(f"| {name} | {oracle} | {where} | {error:.1e} | {ours:.1f} s, loading too; torch {theirs:.1f} s |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--double", action="store_true")
    arguments = parser.parse_intermixed_args()
    for name in arguments.names or NETWORKS:
        compare(name, arguments.binary, arguments.device, arguments.double)
