"""Boxes: torchvision must be installed too."""

import math

import torch
import torchvision.ops as ops

from common import Cases, rand


def boxes(count, low, high, least, most):
    """(x1, y1, x2, y2) with first corners and sides from these ranges."""
    corners = low + (high - low) * torch.rand(count, 2)
    return torch.cat([corners, corners + least + (most - least) * torch.rand(count, 2)], 1)


def box_iou():
    c = Cases("box_iou")
    for name, a, b in [("few", 3, 5), ("many", 17, 23)]:
        first, second = boxes(a, -5, 10, 1, 20), boxes(b, -5, 10, 1, 20)
        c.add(name, [first, second], ops.box_iou(first.double(), second.double()))
    first = boxes(4, 0, 5, 0, 5)
    first[1, 2] = math.nan
    first[3] = 2.0
    c.add("nan-and-empty", [first, first], ops.box_iou(first.double(), first.double()))
    return c


def nms():
    c = Cases("nms", exact=True)

    def add(name, b, scores, classes=None, **a):
        kept = ops.nms(b, scores, a["iou_threshold"]) if classes is None \
            else ops.batched_nms(b, scores, classes, a["iou_threshold"])
        if "score_threshold" in a:
            kept = kept[scores[kept] > a["score_threshold"]]
        indices = torch.full((len(b),), -1, dtype=torch.int32)
        indices[: len(kept)] = kept.int()
        inputs = [b, scores] if classes is None else [b, scores, classes.int()]
        c.add(name, inputs, [indices, torch.tensor(len(kept), dtype=torch.int32)], **a)

    for count, threshold in [(1, 0.5), (20, 0.5), (60, 0.3), (300, 0.7)]:
        add(f"{count}", boxes(count, 0, 40, 5, 30), torch.rand(count), iou_threshold=threshold)
    add("classes", boxes(150, 0, 30, 5, 30), torch.rand(150), torch.randint(0, 4, (150,)), iou_threshold=0.4)
    add("score-threshold", boxes(40, 0, 30, 5, 30), torch.rand(40), iou_threshold=0.5, score_threshold=0.4)
    add("ties", boxes(50, 0, 30, 5, 30), torch.randint(0, 4, (50,)).float(), iou_threshold=0.5)
    scores = rand(20)
    scores[4] = scores[11] = math.nan
    add("nan-score", boxes(20, 0, 20, 5, 30), scores, iou_threshold=0.3)
    # Just the half of the union, which is not more than it.
    halves = torch.tensor([[0, 0, 4, 4], [0, 0, 4, 2], [0, 0, 2, 4], [0, 2, 4, 6]]).float()
    add("just-half", halves, torch.tensor([4.0, 3, 2, 1]), iou_threshold=0.5)
    return c


def roi_align():
    c = Cases("roi_align")

    def add(name, shape, b, size, scale=1.0, ratio=-1, aligned=False):
        x = rand(*shape)
        samples = torch.randint(0, shape[0], (len(b),))
        rois = torch.cat([samples[:, None].double(), b.double()], 1)
        y = ops.roi_align(x.double(), rois, size, scale, ratio, aligned)
        inputs = [x, b, samples.int()] if shape[0] > 1 else [x, b]
        c.add(name, inputs, y, output_size=size, spatial_scale=scale, sampling_ratio=ratio, aligned=aligned)

    for aligned in (False, True):
        mark = "-aligned" if aligned else ""
        add(f"adaptive{mark}", (2, 3, 8, 9), boxes(4, 0, 60, 10, 80), [3, 4], 1 / 16, aligned=aligned)
        add(f"two{mark}", (1, 4, 8, 7), boxes(5, 0, 20, 1, 20), 2, 0.25, 2, aligned)
        add(f"outside{mark}", (2, 3, 5, 6), boxes(5, -8, 6, 1, 12), [2, 3], aligned=aligned)
        add(f"tiny{mark}", (1, 3, 5, 6), boxes(4, 0, 5, 0, 0.5), 3, aligned=aligned)
    # SlowFast's head on AVA: whole numbers of cells.
    add("ava", (1, 2, 16, 22), torch.tensor([[0, 16, 112, 240], [100, 20, 333, 256.0]]), 7, 1 / 16, 0, True)
    return c


def roi_pool():
    c = Cases("roi_pool", exact=True)
    for name, shape, b, size, scale in [
        ("plain", (2, 3, 8, 9), boxes(4, 0, 60, 10, 80), [3, 4], 1 / 16),
        ("outside", (1, 4, 5, 6), boxes(5, -8, 6, 1, 12), 2, 1.0),
        ("tiny", (2, 3, 5, 6), boxes(4, 0, 5, 0, 0.5), 3, 1.0),
        ("halves", (1, 3, 7, 7), torch.tensor([[1, 3, 7, 9], [-3, 5, 2, 11.0]]), 2, 0.5),
    ]:
        x, samples = rand(*shape), torch.randint(0, shape[0], (len(b),))
        y = ops.roi_pool(x.double(), torch.cat([samples[:, None].double(), b.double()], 1), size, scale)
        c.add(name, [x, b, samples.int()], y, output_size=size, spatial_scale=scale)
    return c


FAMILY = [box_iou, nms, roi_align, roi_pool]
