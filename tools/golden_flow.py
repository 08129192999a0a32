"""Makes tests/golden/flow.safetensors: pairs of pictures drawn here, their exact flow, and what OpenCV's TV-L1 makes of
them; and tests/golden/farneback.safetensors, what its Farnebäck makes of larger ones.

Run with OpenCV (with contrib), numpy and safetensors installed: python tools/golden_flow.py
For each pair: `<name>/first`, `<name>/second` (bytes, [H, W]), `<name>/motion` (the true flow as a matrix [2, 3] that
takes x, y, 1 to u, v) and OpenCV's flows `<name>/defaults` and `<name>/short` (3 levels, 2 warps of 5 iterations each, no median, epsilon 0), which is over before
what leaves the picture makes the borders chaotic.
In the other file, `first` and `second`, `initial` (a flow to begin with) and for each of the settings in FARNEBACK the flow
under its name; `absdiff`, what OpenCV makes of the difference.
"""

import pathlib

import cv2
import numpy as np
from safetensors.numpy import save_file

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "flow.safetensors"
H, W = 44, 56
# pyr_scale, levels, winsize, iterations, poly_n, poly_sigma, flags
FARNEBACK = {
    "default": (0.5, 3, 15, 3, 5, 1.2, 0),
    "dense_flow": (0.702, 5, 10, 2, 7, 1.5, cv2.OPTFLOW_FARNEBACK_GAUSSIAN),
    "single": (0.5, 0, 9, 1, 5, 0.0, 0),
    "initial": (0.6, 2, 12, 2, 5, 1.1, cv2.OPTFLOW_USE_INITIAL_FLOW),
}


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
    farneback()


def farneback():
    """A rotation by a few degrees, of pictures large enough for two or three levels."""
    global H, W
    H, W = 72, 90
    motion = np.array([[0, -0.05, 0.05 * (H - 1) / 2 + 1.3], [0.05, 0, -0.05 * (W - 1) / 2 - 0.7]])
    first, second, truth = pair(11, motion)
    initial = (truth + np.random.default_rng(5).normal(0, 0.5, truth.shape)).astype(np.float32)
    tensors = {"first": first, "second": second, "initial": initial, "absdiff": cv2.absdiff(first, second)}
    for name, settings in FARNEBACK.items():
        flow = cv2.calcOpticalFlowFarneback(first, second, initial.copy(), *settings)
        tensors[name] = flow
        print(name, "error", np.linalg.norm(flow - truth, axis=-1)[6:-6, 6:-6].mean())
    path = OUT.with_name("farneback.safetensors")
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path, metadata={"opencv": cv2.__version__})
    print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
