"""TV-L1 optical flow as published by Sánchez, Meinhardt-Llopis and Facciolo (Image Processing On Line 2013), written
here from the paper and its public program's recipe in numpy, in double precision: what `DualTvl1::ipol` is compared with.
"""

import math

import numpy as np


def smoothed(image, deviation):
    """A Gaussian of five deviations; mirrored about the first pixels, and about the outer edges of the last."""
    reach = int(5 * deviation)
    taps = np.exp(-np.arange(-reach, reach + 1) ** 2 / (2 * deviation ** 2))
    taps /= taps.sum()
    for axis in (1, 0):
        n = image.shape[axis]
        places = np.arange(-reach, n + reach)
        places = np.where(places < 0, -places, np.where(places >= n, 2 * n - 1 - places, places))
        padded = np.take(image, places, axis)
        image = sum(w * np.take(padded, np.arange(k, k + n), axis) for k, w in enumerate(taps))
    return image


def cubic(image, x, y, zero_outside):
    """A cubic convolution, a = -1/2, with the border repeated, or zero where any of its pixels lies outside."""
    h, w = image.shape
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)

    def weights(t):
        outer = lambda d: -0.5 * (d ** 3 - 5 * d ** 2 + 8 * d - 4)
        inner = lambda d: 1.5 * d ** 3 - 2.5 * d ** 2 + 1
        return outer(1 + t), inner(t), inner(1 - t), outer(2 - t)

    value = 0
    for j, wy in enumerate(weights(y - y0)):
        for i, wx in enumerate(weights(x - x0)):
            value = value + wy * wx * image[np.clip(y0 + j - 1, 0, h - 1), np.clip(x0 + i - 1, 0, w - 1)]
    inside = (x0 >= 1) & (x0 + 2 < w) & (y0 >= 1) & (y0 + 2 < h)
    return np.where(inside | (not zero_outside), value, 0)


def central(image):
    p = np.pad(image, 1, mode="edge")
    return (p[1:-1, 2:] - p[1:-1, :-2]) / 2, (p[2:, 1:-1] - p[:-2, 1:-1]) / 2


def one_scale(first, second, u, tau, lam, theta, warps, epsilon, iterations):
    h, w = first.shape
    sources = [second, *central(second)]
    p = np.zeros((4, h, w))
    y, x = np.mgrid[0:h, 0:w].astype(float)
    for _ in range(warps):
        value, gx, gy = [cubic(s, x + u[0], y + u[1], True) for s in sources]
        square, constant = gx ** 2 + gy ** 2, value - gx * u[0] - gy * u[1] - first
        error, made = math.inf, 0
        while error > epsilon ** 2 and made < iterations:
            rho = constant + gx * u[0] + gy * u[1]
            f = np.where(square < 1e-10, 0, -rho / np.maximum(square, 1e-30))
            f = np.where(rho < -lam * theta * square, lam * theta, np.where(rho > lam * theta * square, -lam * theta, f))
            new = np.empty_like(u)
            for k, g in enumerate((gx, gy)):
                divergence = np.diff(p[2 * k], axis=1, prepend=0) + np.diff(p[2 * k + 1], axis=0, prepend=0)
                new[k] = u[k] + f * g + theta * divergence
            error, made, u = ((new - u) ** 2).sum() / (h * w), made + 1, new
            for k in range(2):
                dx, dy = np.diff(u[k], axis=1, append=u[k][:, -1:]), np.diff(u[k], axis=0, append=u[k][-1:])
                norm = 1 + tau / theta * np.hypot(dx, dy)
                p[2 * k], p[2 * k + 1] = (p[2 * k] + tau / theta * dx) / norm, (p[2 * k + 1] + tau / theta * dy) / norm
    return u


def flow(first, second, tau=0.25, lam=0.15, theta=0.3, scales=100, zoom=0.5, warps=5, epsilon=0.01, iterations=300):
    """[H, W, 2]: pixels along x and y."""
    low, high = min(first.min(), second.min()), max(first.max(), second.max())
    levels = [[smoothed(255.0 * (i - low) / (high - low), 0.8) for i in (first.astype(float), second.astype(float))]]
    h, w = first.shape
    for _ in range(1, min(scales, int(1 + math.log(math.hypot(h, w) / 16) / math.log(1 / zoom)))):
        h, w = int(h * zoom + 0.5), int(w * zoom + 0.5)
        y, x = np.mgrid[0:h, 0:w] / zoom
        blur = 0.6 * math.sqrt(1 / zoom ** 2 - 1)
        levels.append([cubic(smoothed(i, blur), x, y, False) for i in levels[-1]])
    u = np.zeros((2, h, w))
    for a, b in reversed(levels):
        if u.shape[1:] != a.shape:
            y, x = np.mgrid[0:a.shape[0], 0:a.shape[1]].astype(float)
            y, x = y * u.shape[1] / a.shape[0], x * u.shape[2] / a.shape[1]
            u = np.stack([cubic(c, x, y, False) for c in u]) / zoom
        u = one_scale(a, b, u, tau, lam, theta, warps, epsilon, iterations)
    return u.transpose(1, 2, 0)
