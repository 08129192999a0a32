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


FAMILY = [median, tvl1]
