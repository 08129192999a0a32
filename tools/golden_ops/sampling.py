"""Operators that look between elements. OpenCV must be installed."""

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from common import Cases, rand


def resize():
    c = Cases("resize")
    modes = {"linear": ["linear", "bilinear", "trilinear"], "cubic": [None, "bicubic", None]}

    def add(name, shape, mode, **a):
        x = rand(*shape)
        wanted = modes.get(mode, [mode] * 3)[len(shape) - 3]
        if mode.startswith("nearest"):
            c.add_exact(f"{mode}-{name}", [x], F.interpolate(x, mode=wanted, **a), mode=mode, **a)
        else:
            c.add(f"{mode}-{name}", [x], F.interpolate(x.double(), mode=wanted, **a), mode=mode, **a)

    for mode in ("nearest", "nearest-exact", "linear", "area"):
        add("row", (1, 1, 9), mode, size=14)
        add("video", (1, 2, 2, 3, 4), mode, size=[3, 2, 6])
        add("video-factors", (1, 1, 2, 4, 3), mode, scale_factor=[2.5, 0.5, 1.4])
    for mode in ("nearest", "nearest-exact", "linear", "cubic", "area"):
        add("twice", (1, 2, 3, 4), mode, scale_factor=2)
        add("size", (1, 1, 5, 11), mode, size=[7, 3])
        add("factors", (1, 1, 7, 9), mode, scale_factor=[1.7, 0.6])
    for mode in ("nearest", "linear", "cubic"):
        add("recomputed", (1, 1, 7, 9), mode, scale_factor=[1.7, 0.6], recompute_scale_factor=True)
        add("one", (1, 1, 6, 1), mode, size=[1, 3])
    for mode in ("linear", "cubic"):
        add("aligned", (1, 1, 5, 9), mode, size=[8, 4], align_corners=True)
        add("aligned-to-one", (1, 1, 5, 9), mode, size=[1, 4], align_corners=True)
        add("aligned-factors", (1, 1, 5, 9), mode, scale_factor=[1.7, 0.6], align_corners=True)
        add("aligned-antialiased", (1, 1, 5, 9), mode, size=[8, 4], align_corners=True, antialias=True)
    add("aligned-video", (1, 1, 3, 4, 5), "linear", size=[4, 3, 8], align_corners=True)
    for mode in ("linear", "cubic", "lanczos"):
        add("antialiased-smaller", (1, 1, 13, 17), mode, size=[5, 4], antialias=True)
        add("antialiased-larger", (1, 1, 5, 4), mode, size=[7, 11], antialias=True)
        add("antialiased-factors", (1, 1, 11, 9), mode, scale_factor=[0.43, 1.7], antialias=True)
    # Lengths at which the rounding of f32 decides.
    for a, b in [(19, 82), (27, 31), (100, 41)]:
        add(f"{a}-to-{b}", (1, 1, a), "nearest", size=b)
        add(f"{a}-to-{b}", (1, 1, a), "nearest-exact", size=b)
    return c


def grid_sample():
    c = Cases("grid_sample")

    def add(name, x, grid, **a):
        c.add(name, [x, grid], F.grid_sample(x.double(), grid.double(), **a), **a)

    for align in (False, True):
        for padding in ("zeros", "border", "reflection"):
            for mode in ("bilinear", "nearest", "bicubic"):
                grid = 3 * torch.rand(1, 3, 4, 2) - 1.5
                add(f"{mode}-{padding}-{align}", rand(1, 2, 5, 6), grid, mode=mode, padding_mode=padding,
                    align_corners=align)
                if mode != "bicubic":
                    grid = 3 * torch.rand(1, 2, 2, 3, 3) - 1.5
                    add(f"{mode}-{padding}-{align}-video", rand(1, 1, 3, 4, 2), grid, mode=mode,
                        padding_mode=padding, align_corners=align)
            # Halfway between elements, exactly.
            length = 5 if align else 4
            places = torch.arange(-3.5, 7, 0.5)
            along = 2 * places / (length - 1) - 1 if align else (2 * places + 1) / length - 1
            grid = torch.stack([along, along.flip(0)], -1)[None, None]
            add(f"nearest-{padding}-{align}-ties", rand(1, 1, length, length), grid, mode="nearest",
                padding_mode=padding, align_corners=align)
    # OpenCV has its weights in steps of 1/32 of a pixel, and is right in single precision alone.
    modes = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
    paddings = {"zeros": (cv2.BORDER_CONSTANT, False), "border": (cv2.BORDER_REPLICATE, False),
                "reflection-edges": (cv2.BORDER_REFLECT, False), "reflection-centres": (cv2.BORDER_REFLECT_101, True)}
    for mode, flag in modes.items():
        for padding, (border, align) in paddings.items():
            x, flow = rand(1, 1, 6, 7), torch.randint(-96, 97, (1, 6, 7, 2)) / 32
            places = flow[0].numpy() + np.stack(np.meshgrid(np.arange(7), np.arange(6)), -1)
            warped = cv2.remap(x[0, 0].numpy(), places.astype(np.float32), None, flag, borderMode=border)
            c.add(f"warp-{mode}-{padding}", [x, flow], torch.from_numpy(warped)[None, None], mode=mode,
                  padding_mode=padding.split("-")[0], align_corners=align, coordinates="displacement")
    return c


def affine_grid():
    c = Cases("affine_grid")
    for align in (False, True):
        for size in ([4, 5], [1, 3], [2, 3, 4], [3, 1, 2]):
            theta = rand(2, len(size), len(size) + 1)
            grid = F.affine_grid(theta.double(), [2, 1, *size], align_corners=align)
            c.add(f"{'x'.join(map(str, size))}-{align}", [theta], grid, size=size, align_corners=align)
    return c


def fir(x, f, up, down, padding, flip_filter=False, gain=1, mode="constant"):
    """upfirdn2d as it is defined: zeros between, padding or cropping, a correlation with the filter or, turned round, a
    convolution, and every so many outputs kept; pairs are for H, W. In double precision."""
    x, f = x.double(), f.double() if f.ndim == 2 else torch.outer(f.double(), f.double())
    n, c, h, w = x.shape
    spread = torch.zeros(n, c, h * up[0], w * up[1], dtype=torch.float64)
    spread[:, :, ::up[0], ::up[1]] = x
    spread = F.pad(spread, [p for pair in reversed(padding) for p in pair], mode=mode)
    f = f if flip_filter else f.flip([0, 1])
    y = F.conv2d(spread, f.expand(c, 1, *f.shape), groups=c)
    return gain * y[:, :, ::down[0], ::down[1]]


def upfirdn2d():
    c = Cases("upfirdn2d")
    binomial = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    whole = [[0, 0], [0, 0]]

    def add(name, shape, f, up=(1, 1), down=(1, 1), padding=whole, **a):
        x = rand(*shape)
        c.add(name, [x, f], fir(x, f, up, down, padding, **a), up=list(up), down=list(down), padding=padding, **a)

    add("blur", (1, 2, 5, 6), binomial, padding=[[2, 1], [2, 1]])
    add("twice", (2, 3, 3, 4), binomial, up=(2, 2), padding=[[2, 1], [2, 1]], gain=4)
    add("half", (1, 3, 6, 8), binomial, down=(2, 2), padding=[[1, 1], [1, 1]])
    add("matrix", (1, 2, 5, 6), rand(3, 4))
    add("flipped", (1, 2, 5, 6), rand(3, 4), flip_filter=True, gain=-0.5)
    add("crop", (1, 2, 7, 8), rand(2, 3), padding=[[-1, 2], [3, -2]])
    add("crop-all-but-zeros", (1, 2, 3, 8), rand(2, 3), padding=[[-2, 3], [1, -5]])
    add("uneven", (1, 2, 4, 5), rand(5, 4), up=(3, 2), down=(2, 5), padding=[[4, -1], [2, 7]])
    add("long", (1, 2, 6, 5), rand(12), up=(2, 2), padding=[[6, 5], [6, 5]], gain=4)
    add("long-down", (1, 2, 9, 8), rand(7), down=(2, 3), padding=[[3, 2], [3, 4]], flip_filter=True)
    add("one-element", (1, 2, 1, 1), rand(4, 4), up=(4, 4), padding=[[2, 1], [1, 3]])
    return c


def blur_pool():
    c = Cases("blur_pool")
    modes = {"reflect": "reflect", "replicate": "replicate", "zeros": "constant"}
    for k in range(1, 8):
        f = torch.tensor([float(math.comb(k - 1, i)) for i in range(k)]) / 2 ** (k - 1)
        for stride, mode in [(2, "reflect"), (1, "replicate"), ([3, 2], "zeros")]:
            x = rand(1, 2, 6, 7)
            pads = [[(k - 1) // 2, k // 2]] * 2
            down = stride if isinstance(stride, list) else [stride] * 2
            y = fir(x, f, (1, 1), down, pads, mode=modes[mode])
            c.add(f"{k}-{mode}", [x], y, kernel_size=k, stride=stride, padding_mode=mode)
    x = rand(1, 2, 5, 8)
    c.add("default", [x], fir(x, torch.tensor([1.0, 2.0, 1.0]) / 4, (1, 1), (2, 2), [[1, 1]] * 2, mode="reflect"))
    return c


FAMILY = [affine_grid, blur_pool, grid_sample, resize, upfirdn2d]
