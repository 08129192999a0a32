"""Runs C3D in PyTorch on clips that `kinetograph run --save-input CLIPS.npy --output LOGITS.npy` wrote, and prints
the largest difference of the logits relative to the largest logit.

    python tools/parity_c3d.py WEIGHTS.pth CLIPS.npy LOGITS.npy [--variant pool5-padded]
"""

import argparse

import numpy
import torch

from golden_c3d import C3D

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("weights")
parser.add_argument("clips")
parser.add_argument("logits")
parser.add_argument("--variant", default="pool5-padded")
arguments = parser.parse_args()

state = torch.load(arguments.weights, weights_only=True)
width = state["conv1.weight"].shape[0]
features, inputs = state["fc6.weight"].shape
model = C3D(width, features, state["fc8.weight"].shape[0], arguments.variant, inputs // (8 * width))
model.load_state_dict(state)
clips = torch.from_numpy(numpy.load(arguments.clips)).permute(0, 4, 1, 2, 3)
ours = torch.from_numpy(numpy.load(arguments.logits)).double()
for precision in (torch.float32, torch.float64):
    model.to(precision)
    with torch.no_grad():
        theirs = torch.cat([model(clip[None].to(precision)) for clip in clips]).double()
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    print(f"PyTorch {torch.__version__} in {precision}: {tuple(theirs.shape)}, largest difference {error:.2e} of the largest logit")
