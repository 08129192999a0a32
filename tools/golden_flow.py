"""Makes tests/golden/flow.safetensors: pairs of pictures drawn here, their exact flow, and what OpenCV's TV-L1 makes of
them.

Run with OpenCV (with contrib), numpy and safetensors installed: python tools/golden_flow.py
For each pair: `<name>/first`, `<name>/second` (bytes, [H, W]), `<name>/motion` (the true flow as a matrix [2, 3] that
takes x, y, 1 to u, v) and OpenCV's flows `<name>/defaults` and `<name>/short` (3 levels, 2 warps of 5 iterations each, no median, epsilon 0), which is over before
what leaves the picture makes the borders chaotic.
"""

import pathlib

import cv2
import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "flow.safetensors"
H, W = 44, 56


def texture(x, y, seed):
    """A sum of waves without period in the picture."""
    rng = np.random.default_rng(seed)
    value = np.zeros_like(x)
    for _ in range(24):
        angle, length, phase = rng.uniform(0, np.pi), rng.uniform(5, 24), rng.uniform(0, 2 * np.pi)
        value += np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length + phase)
    return 127 + 26 * value / 2


def moved(matrix, x, y):
    return matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2], matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]


def pair(seed, matrix):
    """The second picture is the first moved: second(p + motion(p)) = first(p), solved for p by iteration."""
    y, x = np.mgrid[0:H, 0:W].astype(np.float64)
    from_x, from_y = x.copy(), y.copy()
    for _ in range(60):
        u, v = moved(matrix, from_x, from_y)
        from_x, from_y = x - u, y - v
    bytes_of = lambda value: np.clip(np.round(value), 0, 255).astype(np.uint8)
    truth = np.stack(moved(matrix, x, y), -1)
    return bytes_of(texture(x, y, seed)), bytes_of(texture(from_x, from_y, seed)), truth


def main():
    cx, cy = (W - 1) / 2, (H - 1) / 2
    motions = {
        "translate": [[0, 0, 1.7], [0, 0, -0.8]],
        "rotate": [[0, -0.04, 0.04 * cy], [0.04, 0, -0.04 * cx]],
        "zoom": [[0.05, 0, -0.05 * cx], [0, 0.05, -0.05 * cy]],
        "shear": [[0, 0.06, -0.06 * cy], [0, 0, 0]],
    }
    tensors = {}
    for seed, (name, motion) in enumerate(motions.items()):
        matrix = np.array(motion, dtype=np.float64)
        first, second, truth = pair(seed, matrix)
        for what, settings in [("defaults", {}), ("short", {
                "Epsilon": 0.0, "MedianFiltering": 1, "InnerIterations": 5, "OuterIterations": 1, "ScalesNumber": 3,
                "WarpingsNumber": 2})]:
            method = cv2.optflow.DualTVL1OpticalFlow_create()
            for key, value in settings.items():
                getattr(method, f"set{key}")(value)
            flow = method.calc(first, second, None)
            tensors[f"{name}/{what}"] = flow
            print(name, what, "error", np.linalg.norm(flow - truth, axis=-1).mean())
        tensors |= {f"{name}/first": first, f"{name}/second": second, f"{name}/motion": matrix.astype(np.float32)}
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, OUT, metadata={"opencv": cv2.__version__})
    print(OUT.name, OUT.stat().st_size)


if __name__ == "__main__":
    main()
