"""Writes assets/labels: the class names of data sets in the order of the classes.

    python tools/make_labels.py [FOLDER]

Those of ImageNet-1k and Kinetics-400 are torchvision's. FOLDER holds label maps of open-mmlab/mmaction2 (Apache-2.0,
tools/data/*/label_map*.txt), whose order is that of its networks' classes, as mmaction2-kinetics-label_map_k600.txt and
so on; with it the other lists are written, too. Of AVA v2.2 it has the 60 actions that are evaluated, with their ids from
1 to 80; the other 20 are here, as AVA's list of actions calls them. Line n of ava-2.2.txt is the action of id n.
"""

import sys
from pathlib import Path

from torchvision.models._meta import _IMAGENET_CATEGORIES, _KINETICS400_CATEGORIES

OUT = Path(__file__).parent.parent / "assets/labels"
MAPS = {
    "hmdb51": ("hmdb51-label_map", 51),
    "kinetics-600": ("kinetics-label_map_k600", 600),
    "kinetics-700": ("kinetics-label_map_k700", 700),
    "something-something-v2": ("sthv2-label_map", 174),
    "ucf101": ("ucf101-label_map", 101),
}
NOT_EVALUATED = {
    2: "crawl", 16: "brush teeth", 18: "catch (an object)", 19: "chop", 21: "clink glass", 23: "cook", 25: "dig",
    31: "exit", 32: "extract", 33: "fishing", 35: "kick (an object)", 39: "paint", 40: "play board game",
    42: "play with pets", 44: "press", 50: "row boat", 53: "shovel", 55: "stir", 71: "kick (a person)",
    75: "play with kids",
}  # fmt: skip


def write(name, labels):
    (OUT / f"{name}.txt").write_text("\n".join(labels) + "\n")
    print(name, len(labels))


def lines(folder, name):
    return [line.strip() for line in (folder / f"mmaction2-{name}.txt").read_text().splitlines() if line.strip()]


write("imagenet-1k", _IMAGENET_CATEGORIES)
write("kinetics-400", _KINETICS400_CATEGORIES)
if len(sys.argv) > 1:
    folder = Path(sys.argv[1])
    for name, (file, count) in MAPS.items():
        labels = lines(folder, file)
        assert len(labels) == count == len(set(labels)), (name, len(labels))
        write(name, labels)
    actions = {int(i): name for i, name in (line.split(": ", 1) for line in lines(folder, "ava-label_map"))}
    assert sorted([*actions, *NOT_EVALUATED]) == list(range(1, 81))
    write("ava-2.2", [name for _, name in sorted((actions | NOT_EVALUATED).items())])
