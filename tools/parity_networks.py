"""Compares 3D convolutional networks of published size with PyTorch, all weights random.

    python tools/parity_networks.py make NETWORK DIR [--frames T]
    kinetograph run NETWORK --weights DIR/NETWORK.pth --input DIR/NETWORK-clip.npy --output DIR/NETWORK-logits.npy
    python tools/parity_networks.py compare NETWORK DIR

The first writes weights and a clip [1, T, H, W, 3]; the last runs PyTorch on it and prints the largest difference of the logits
relative to the largest logit. NETWORK is i3d (a transcription, see golden_networks), r3d or s3d (torchvision's).
"""

import argparse
import pathlib
import sys
import time

import numpy
import torch
from torchvision.models import video

sys.path.insert(0, str(pathlib.Path(__file__).parent / "golden_networks"))
from common import randomise, values  # noqa: E402
from spatiotemporal import InceptionI3d  # noqa: E402

GOOGLENET = [
    [64, 96, 128, 16, 32, 32], [128, 128, 192, 32, 96, 64], [192, 96, 208, 16, 48, 64], [160, 112, 224, 24, 64, 64],
    [128, 128, 256, 24, 64, 64], [112, 144, 288, 32, 64, 64], [256, 160, 320, 32, 128, 128],
    [256, 160, 320, 32, 128, 128], [384, 192, 384, 48, 128, 128],
]
NETWORKS = {
    "i3d": (lambda: InceptionI3d(3, 400, [64, 64, 192], GOOGLENET), 64, 224),
    "r3d": (video.r3d_18, 16, 112),
    "s3d": (video.s3d, 128, 224),
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["make", "compare"])
parser.add_argument("network", choices=NETWORKS)
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--frames", type=int)
arguments = parser.parse_args()

build, frames, size = NETWORKS[arguments.network]
file = {end: arguments.folder / f"{arguments.network}{end}" for end in (".pth", "-clip.npy", "-logits.npy")}
model = build()
if arguments.what == "make":
    randomise(model, 0)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.float().state_dict(), file[".pth"])
    clip = values(1, arguments.frames or frames, size, size, 3, seed=1)
    numpy.save(file["-clip.npy"], clip.float().numpy())
else:
    model.load_state_dict(torch.load(file[".pth"], weights_only=True))
    clip = torch.from_numpy(numpy.load(file["-clip.npy"])).permute(0, 4, 1, 2, 3)
    ours = torch.from_numpy(numpy.load(file["-logits.npy"])).double()
    for precision in (torch.float32, torch.float64):
        model.to(precision).eval()
        start = time.monotonic()
        with torch.no_grad():
            theirs = model(clip.to(precision))
        seconds = time.monotonic() - start
        # I3D's transcription gives its features, too.
        theirs = (theirs[1] if isinstance(theirs, tuple) else theirs).double()
        error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        print(f"{arguments.network} {tuple(clip.shape)}: {error:.2e} of the largest logit from PyTorch "
              f"{torch.__version__} in {precision}, which took {seconds:.1f} s")
