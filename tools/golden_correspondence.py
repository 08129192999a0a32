"""Makes tests/golden/correspondence.safetensors, in double precision: labels carried through a clip of random features, with
the steps of ajabri/videowalk's evaluation (code/test.py, code/utils/test_utils.py), and two clips aligned with those of
google-research/tcc.

    python tools/golden_correspondence.py
"""

import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

FILE = pathlib.Path(__file__).resolve().parents[1] / "tests/golden/correspondence.safetensors"
CONTEXT, RADIUS, TOP_K, TEMPERATURE = 3, 2.5, 4, 0.2
ALIGN_TEMPERATURE = 0.1


def propagate(maps, mask):
    frames, h, w, _ = maps.shape
    keys = maps.flatten(1, 2)
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    places = torch.stack([y, x], -1).flatten(0, 1).double()
    far = torch.where(torch.cdist(places, places) < RADIUS, 0.0, -1e10)
    # The first frame stands before the clip, as often as there is context.
    padded = torch.cat([keys[:1]] * CONTEXT + [keys])
    labels = torch.cat([mask.flatten(0, 1)[None]] * (CONTEXT + 1))
    for frame in range(1, frames):
        scores = torch.einsum("fkc,qc->fkq", padded[frame:frame + CONTEXT], padded[frame + CONTEXT]) + far
        scores = torch.cat([torch.einsum("kc,qc->kq", padded[0], padded[frame + CONTEXT])[None], scores])
        known = torch.cat([labels[:1], labels[frame:frame + CONTEXT]]).flatten(0, 1)
        top, ids = torch.topk(scores.flatten(0, 1) / TEMPERATURE, TOP_K, dim=0)
        weights = F.softmax(top, dim=0)
        labels = torch.cat([labels, (known[ids] * weights[..., None]).sum(0)[None]])
    return labels[CONTEXT:].unflatten(1, (h, w))


def scaled_similarity(a, b):
    return -torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") ** 2 / a.shape[1] / ALIGN_TEMPERATURE


def align(first, second):
    weights = F.softmax(scaled_similarity(first, second), dim=1)
    places = weights @ torch.arange(len(second)).double()
    back = F.softmax(scaled_similarity(weights @ second, first), dim=1)
    return weights, places, back @ torch.arange(len(first)).double()


def main():
    generator = torch.Generator().manual_seed(7)
    # Frames resemble each other, as those of a clip do.
    scene = torch.randn(1, 5, 6, 8, generator=generator, dtype=torch.float64)
    noise = torch.randn(6, 5, 6, 8, generator=generator, dtype=torch.float64)
    maps = F.normalize(scene + 0.7 * noise, dim=-1).float()
    mask = F.one_hot(torch.randint(0, 3, (5, 6), generator=generator), 3).float()
    labels = propagate(maps.double(), mask.double()).float()
    first, second = (torch.randn(n, 12, generator=generator).round(decimals=3) for n in (7, 9))
    second[2:6] = first[1:5] + 0.25 * second[2:6]
    weights, places, cycle = (x.float().contiguous() for x in align(first.double(), second.double()))
    alignment = {"first": first, "second": second, "weights": weights, "places": places, "cycle": cycle}
    save_file({"maps": maps, "mask": mask, "labels": labels.contiguous(), **alignment}, FILE)
    FILE.chmod(0o644)


if __name__ == "__main__":
    main()
