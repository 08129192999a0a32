"""Makes tests/golden/networks: small networks with every parameter random, run by public implementations.

    python tools/golden_networks [NAME ...]      all, or those whose names begin so

Each golden is a folder: weights.safetensors, a checkpoint as the publisher names it, and values.safetensors with inputs,
intermediate values and outputs in this project's layouts. Everything is computed in double precision.
"""

import sys

import boxes
import correspondence
import frames
import fusion
import mvit
import recurrent
import resnet3d
import spatiotemporal
import swin
import video_transformers

FAMILIES = [boxes, correspondence, frames, fusion, mvit, recurrent, resnet3d, spatiotemporal, swin, video_transformers]


def main(wanted):
    made = 0
    for family in FAMILIES:
        for name, golden in family.GOLDENS.items():
            if not wanted or any(name.startswith(w) for w in wanted):
                golden(name)
                made += 1
    if not made:
        names = [name for family in FAMILIES for name in family.GOLDENS]
        sys.exit(f"none begins with {' or '.join(wanted)}; there are {', '.join(names)}")


if __name__ == "__main__":
    main(sys.argv[1:])
