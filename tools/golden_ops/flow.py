"""What optical flow stands on; OpenCV is needed."""

import math

import cv2
import numpy as np
import torch
from skimage.registration import optical_flow_tvl1

from common import Cases, rand


def median():
    c = Cases("median", exact=True)
    for name, shape, side in [("five", (2, 2, 9, 7), 5), ("three", (1, 3, 6, 8), 3), ("narrow", (1, 1, 2, 11), 5)]:
        x = rand(*shape)
        y = np.stack([np.stack([cv2.medianBlur(plane, side) for plane in picture]) for picture in x.numpy()])
        c.add(name, [x], torch.from_numpy(y), kernel_size=side)
    return c


def solve(warped, frame, flow, dual, *, tau, lam, theta, inner, outer, median, epsilon, gamma=0.0, dual_iterations=0):
    """The iterations of one warp of one pair, in the precision of its arguments; `solve` of float32 must be OpenCV's, or
    with `dual_iterations` scikit-image's."""
    value, dx, dy = warped
    u, p = flow.copy(), dual.copy()
    constant = value - dx * u[0] - dy * u[1] - frame
    square, limit, step = dx * dx + dy * dy, lam * theta, tau / theta
    error, enough, made = math.inf, epsilon ** 2 * frame.size, 0

    def backward(a, axis):
        before = np.roll(a, 1, axis)
        before[(slice(None),) * axis + (0,)] = 0
        return a - before

    for _ in range(outer):
        if error <= enough:
            break
        if median > 1:
            u = np.stack([cv2.medianBlur(c.astype(np.float32), median).astype(u.dtype) for c in u])
        for _ in range(inner):
            if error <= enough:
                break
            rho = constant + dx * u[0] + dy * u[1] + (gamma * u[2] if gamma else 0)
            flat = 0 if dual_iterations else np.finfo(np.float32).eps
            inside = np.where(square > flat, -rho / np.maximum(square, 1e-30), 0)
            f = np.where(rho < -limit * square, limit, np.where(rho > limit * square, -limit, inside))
            v = np.stack([u[k] + f * (dx, dy, u.dtype.type(gamma))[k] for k in range(len(u))])

            def follow():
                return np.stack([v[k] + theta * (backward(p[2 * k], 1) + backward(p[2 * k + 1], 0))
                                 for k in range(len(u))])

            def ascend(u):
                for k in range(len(u)):
                    gx, gy = np.diff(u[k], axis=1, append=u[k][:, -1:]), np.diff(u[k], axis=0, append=u[k][-1:])
                    norm = 1 + step * np.hypot(gx, gy)
                    p[2 * k], p[2 * k + 1] = (p[2 * k] + step * gx) / norm, (p[2 * k + 1] + step * gy) / norm

            made += 1
            if dual_iterations:
                u = v
                for _ in range(dual_iterations):
                    ascend(u)
                    u = follow()
            else:
                new = follow()
                error, u = float(((new - u) ** 2).sum()), new
                ascend(u)
    return u, p, made


def derivatives(image):
    """OpenCV's: central differences with the border repeated."""
    padded = np.pad(image, 1, mode="edge")
    return np.stack([image, (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2, (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2])


def field(t, h, w):
    return torch.from_numpy(t).float().reshape(1, -1, h, w)


def tvl1():
    c = Cases("tvl1")
    defaults = {"tau": 0.25, "lam": 0.15, "theta": 0.3}

    def pictures(h, w, shift):
        y, x = np.mgrid[0:h, 0:w].astype(np.float64)
        wave = lambda x, y: 110 + 60 * np.sin(x / 3.1) * np.cos(y / 4.3) + 40 * np.sin((x + y) / 2.3)
        return [np.round(wave(x - dx, y - dy)) for dx, dy in ((0, 0), shift)]

    # Whole runs of a single scale and warp are OpenCV's own; the warp of flow 0 is the frame.
    for name, (h, w), shift, inner, outer, median, epsilon in [
        ("five", (13, 18), (0.6, -0.3), 5, 1, 1, 0.0), ("median", (21, 17), (-0.4, 0.5), 4, 2, 5, 0.0),
        ("stops", (19, 23), (0.3, 0.2), 30, 10, 5, 0.02),
    ]:
        first, second = pictures(h, w, shift)
        cv = cv2.optflow.DualTVL1OpticalFlow_create(nscales=1, warps=1, epsilon=epsilon)
        cv.setInnerIterations(inner)
        cv.setOuterIterations(outer)
        cv.setMedianFiltering(median)
        theirs = cv.calc(first.astype(np.uint8), second.astype(np.uint8), None).transpose(2, 0, 1)
        inputs = [derivatives(second), first, np.zeros((2, h, w)), np.zeros((4, h, w))]
        a = {**defaults, "inner": inner, "outer": outer, "median": median, "epsilon": epsilon}
        single, _, _ = solve(*[t.astype(np.float32) for t in inputs], **a)
        assert np.abs(single - theirs).max() < 1e-5, (name, np.abs(single - theirs).max())
        flow, dual, made = solve(*inputs, **a)
        assert name != "stops" or made not in (1, inner * outer), made
        c.add(name, [field(t, h, w) for t in inputs], [field(t, h, w) for t in (flow, dual)], inner_iterations=inner,
              outer_iterations=outer, median_filtering=median, epsilon=epsilon)
    # Flows and dual fields to begin with, and other settings.
    first, second = pictures(12, 11, (0.7, 0.4))
    inputs = [derivatives(second), first, rand(2, 12, 11).double().numpy(), rand(4, 12, 11).double().numpy() / 4]
    inputs = [t.astype(np.float32).astype(np.float64) for t in inputs]
    flow, dual, _ = solve(*inputs, tau=0.1, lam=0.6, theta=0.2, inner=3, outer=1, median=0, epsilon=0)
    c.add("settings", [field(t, 12, 11) for t in inputs], [field(t, 12, 11) for t in (flow, dual)], tau=0.1,
          **{"lambda": 0.6}, theta=0.2, inner_iterations=3, outer_iterations=1, median_filtering=0, epsilon=0)
    # A change of brightness: OpenCV's own again.
    first, second = pictures(10, 11, (0.5, -0.4))
    second = np.clip(np.round(second * 1.05 + 6), 0, 255)
    cv = cv2.optflow.DualTVL1OpticalFlow_create(nscales=1, warps=1, epsilon=0.0)
    cv.setGamma(0.8)
    cv.setInnerIterations(4)
    cv.setOuterIterations(1)
    cv.setMedianFiltering(1)
    theirs = cv.calc(first.astype(np.uint8), second.astype(np.uint8), None).transpose(2, 0, 1)
    inputs = [derivatives(second), first, np.zeros((3, 10, 11)), np.zeros((6, 10, 11))]
    a = {**defaults, "inner": 4, "outer": 1, "median": 0, "epsilon": 0.0, "gamma": 0.8}
    single, _, _ = solve(*[t.astype(np.float32) for t in inputs], **a)
    assert np.abs(single[:2] - theirs).max() < 1e-5, np.abs(single[:2] - theirs).max()
    flow, dual, _ = solve(*inputs, **a)
    c.add("gamma", [field(t, 10, 11) for t in inputs], [field(t, 10, 11) for t in (flow, dual)], gamma=0.8,
          inner_iterations=4, outer_iterations=1, median_filtering=0, epsilon=0)
    # The dual field first: scikit-image's, of one level and warp.
    first, second = [p / 255 for p in pictures(11, 9, (-0.3, 0.6))]
    rows, columns = optical_flow_tvl1(first, second, num_warp=1, num_iter=6, tol=0, dtype=np.float64)
    gy, gx = np.gradient(second)
    inputs = [np.stack([second, gx, gy]), first, np.zeros((2, 11, 9)), np.zeros((4, 11, 9))]
    inputs = [t.astype(np.float32).astype(np.float64) for t in inputs]
    a = {"tau": 0.25, "lam": 15.0, "theta": 0.3, "inner": 6, "outer": 1, "median": 0, "epsilon": 0.0, "dual_iterations": 2}
    flow, dual, _ = solve(*inputs, **a)
    assert np.abs(flow - np.stack([columns, rows])).max() < 1e-4, np.abs(flow - np.stack([columns, rows])).max()
    c.add("dual-first", [field(t, 11, 9) for t in inputs], [field(t, 11, 9) for t in (flow, dual)], **{"lambda": 15.0},
          flat=0.0, inner_iterations=6, outer_iterations=1, dual_iterations=2, median_filtering=0, epsilon=0)
    return c


def expand(frame, n, sigma):
    """The coefficients y, x, y², x², xy of the weighted least squares around every pixel, in double precision."""
    k = np.arange(-n, n + 1)
    g = np.exp(-k * k / (2 * sigma * sigma))
    weight = np.outer(g, g).ravel() / g.sum() ** 2
    y, x = (a.ravel() for a in np.meshgrid(k, k, indexing="ij"))
    basis = np.stack([np.ones(y.size), y, x, y * y, x * x, x * y])
    filters = np.linalg.solve(basis * weight @ basis.T, basis * weight)[1:]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(frame, n, mode="edge"), (2 * n + 1, 2 * n + 1))
    return np.einsum("hwk,ck->chw", windows.reshape(*frame.shape, -1), filters)


def polynomial_expansion():
    c = Cases("polynomial_expansion")
    for name, (h, w), n, sigma in [("five", (13, 17), 5, 1.2), ("seven", (9, 8), 7, 1.5), ("one", (6, 5), 1, 0.7)]:
        x = rand(2, 1, h, w)
        y = np.stack([expand(picture.double().numpy(), n, sigma) for picture in x[:, 0]])
        c.add(name, [x], torch.from_numpy(y), poly_n=n, poly_sigma=sigma)
    return c


def update(first, second, flow, winsize, gaussian):
    """One iteration of OpenCV's FarnebackUpdateMatrices and FarnebackUpdateFlow, in double precision."""
    _, h, w = first.shape
    y, x = np.mgrid[0:h, 0:w]
    to_x, to_y = x + flow[0], y + flow[1]
    left, top = np.floor(to_x), np.floor(to_y)
    inside = (left >= 0) & (left < w - 1) & (top >= 0) & (top < h - 1)
    i, j = np.where(inside, top, 0).astype(int), np.where(inside, left, 0).astype(int)
    fx, fy = to_x - left, to_y - top
    at = lambda di, dj: second[:, np.minimum(i + di, h - 1), np.minimum(j + dj, w - 1)]
    upper, lower = at(0, 0) * (1 - fx) + at(0, 1) * fx, at(1, 0) * (1 - fx) + at(1, 1) * fx
    other = np.where(inside, upper * (1 - fy) + lower * fy, np.concatenate([np.zeros((2, h, w)), first[2:]]))
    a = [(first[2] + other[2]) / 2, (first[4] + other[4]) / 4, (first[3] + other[3]) / 2]
    b = [(first[0] - other[0]) / 2 + a[0] * flow[1] + a[1] * flow[0],
         (first[1] - other[1]) / 2 + a[1] * flow[1] + a[2] * flow[0]]

    def border(n):
        ends = np.ones(n)
        ends[:5] = [0.14, 0.14, 0.4472, 0.4472, 0.4472]
        return ends * ends[::-1]

    weight = np.outer(border(h), border(w))
    (yy, xy, xx), (by, bx) = (weight * t for t in a), (weight * t for t in b)
    m = np.stack([yy * yy + xy * xy, (yy + xx) * xy, xx * xx + xy * xy, yy * by + xy * bx, xy * by + xx * bx])
    side = winsize // 2
    k = np.arange(-side, side + 1)
    window = np.exp(-k * k / (2 * (0.3 * side) ** 2)) if gaussian else np.full(k.size, 1 / winsize)
    window = window / window.sum() if gaussian else window
    m = np.pad(m, [(0, 0), (side, side), (side, side)], mode="edge")
    m = sum(window[t] * m[:, t:t + h] for t in range(k.size))
    m = sum(window[t] * m[:, :, t:t + w] for t in range(k.size))
    determinant = m[0] * m[2] - m[1] ** 2 + 1e-3
    return np.stack([m[0] * m[4] - m[1] * m[3], m[2] * m[3] - m[1] * m[4]]) / determinant


def farneback_update():
    c = Cases("farneback_update")
    y, x = np.mgrid[0:25, 0:30].astype(np.float64)
    wave = lambda x, y: np.round(110 + 60 * np.sin(x / 3.1) * np.cos(y / 4.3) + 40 * np.sin((x + y) / 2.3))
    first, second = wave(x, y), wave(x - 0.8, y + 0.4)
    # A single level with a single iteration is OpenCV's own: its blur there, and no motion to begin with.
    blurred = [cv2.GaussianBlur(f, (3, 3), 0) for f in (first, second)]
    inputs = [expand(f, 5, 1.2) for f in blurred] + [np.zeros((2, *x.shape))]
    inputs = [t.astype(np.float32).astype(np.float64) for t in inputs]
    for name, winsize, gaussian in [("box", 7, False), ("gaussian", 30, True)]:
        flags = cv2.OPTFLOW_FARNEBACK_GAUSSIAN if gaussian else 0
        pictures = [f.astype(np.uint8) for f in (first, second)]
        theirs = cv2.calcOpticalFlowFarneback(*pictures, None, 0.5, 0, winsize, 1, 5, 1.2, flags).transpose(2, 0, 1)
        ours = update(*inputs, winsize, gaussian)
        assert np.abs(ours - theirs).max() < 1e-4, (name, np.abs(ours - theirs).max())
        c.add(name, [torch.from_numpy(t)[None].float() for t in inputs], torch.from_numpy(ours)[None],
              winsize=winsize, gaussian=gaussian)
    # Flows to begin with that lead out of the frame here and there, over a finer texture.
    wave = lambda x, y: np.round(127 + 50 * np.sin(x / 2.1) * np.cos(y / 2.4) + 50 * np.sin((x - y) / 2.9))
    inputs = [expand(f, 5, 1.2) for f in (wave(x, y), wave(x - 0.8, y + 0.4))] + [(3 * rand(2, *x.shape)).double().numpy()]
    inputs = [t.astype(np.float32).astype(np.float64) for t in inputs]
    c.add("moving", [torch.from_numpy(t)[None].float() for t in inputs],
          torch.from_numpy(update(*inputs, 9, False))[None], winsize=9)
    return c


FAMILY = [farneback_update, median, polynomial_expansion, tvl1]
