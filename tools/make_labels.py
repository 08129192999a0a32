"""Writes assets/labels: the class names of data sets in the order of the classes, as torchvision's networks have them.

    python tools/make_labels.py
"""

from pathlib import Path

from torchvision.models._meta import _IMAGENET_CATEGORIES, _KINETICS400_CATEGORIES

OUT = Path(__file__).parent.parent / "assets/labels"

for name, labels in [("imagenet-1k", _IMAGENET_CATEGORIES), ("kinetics-400", _KINETICS400_CATEGORIES)]:
    (OUT / f"{name}.txt").write_text("\n".join(labels) + "\n")
    print(name, len(labels))
