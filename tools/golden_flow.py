"""Makes tests/golden/flow.safetensors: pairs of pictures drawn here, their exact flow, and what OpenCV's TV-L1 makes of
them; tests/golden/flow_recipes.safetensors, what other recipes and settings make of them; and
tests/golden/farneback.safetensors, what its Farnebäck makes of larger ones.

Run with OpenCV (with contrib), numpy, scikit-image and safetensors installed: python tools/golden_flow.py
For each pair: `<name>/first`, `<name>/second` (bytes, [H, W]), `<name>/motion` (the true flow as a matrix [2, 3] that
takes x, y, 1 to u, v) and OpenCV's flows `<name>/defaults` and `<name>/short` (3 levels, 2 warps of 5 iterations each, no
median, epsilon 0), which is over before what leaves the picture makes the borders chaotic.
Recipes, of the pair `translate`: OpenCV's `with-initial` (short), `gamma` (short) and `gamma-defaults`, the second picture
being `brighter`; scikit-image's `skimage` and `skimage-short` in double precision; `ipol` and `ipol-short` of ipol_tvl1.py.
`layers/…` is a square that moves before a background that moves otherwise: its pictures, and how far OpenCV's
flow is from the true one, 6 pixels and more from the border and where nothing is hidden.
In the last file, `first` and `second`, `initial` (a flow to begin with) and for each of the settings in FARNEBACK the flow
under its name; `absdiff`, what OpenCV makes of the difference.
"""

import pathlib

import cv2
import numpy as np
from safetensors.numpy import save_file
from skimage.registration import optical_flow_tvl1

import ipol_tvl1

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden"
OUT = GOLDEN / "flow.safetensors"
SHORT = {"Epsilon": 0.0, "MedianFiltering": 1, "InnerIterations": 5, "OuterIterations": 1, "ScalesNumber": 3,
         "WarpingsNumber": 2}
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


def pair_truth(name, motions):
    y, x = np.mgrid[0:H, 0:W].astype(np.float64)
    return np.stack(moved(np.array(motions[name]), x, y), -1)


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


def opencv(first, second, settings, initial=None):
    method = cv2.optflow.DualTVL1OpticalFlow_create()
    for key, value in settings.items():
        getattr(method, f"set{key}")(value)
    method.setUseInitialFlow(initial is not None)
    return method.calc(first, second, None if initial is None else initial.copy())


def skimage(first, second, **settings):
    """In double precision, as x, y."""
    rows, columns = optical_flow_tvl1(first / 255.0, second / 255.0, dtype=np.float64, **settings)
    return np.stack([columns, rows], -1)


def layers():
    """A square of 48 pixels that moves by (1.5, 1) before a background that moves by (-0.5, 0.5)."""
    h, w, side = 80, 88, 48
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    front, back = (1.5, 1.0), (-0.5, 0.5)

    def in_square(x, y):
        return (x >= 20) & (x < 20 + side) & (y >= 16) & (y < 16 + side)

    bytes_of = lambda value: np.clip(np.round(value), 0, 255).astype(np.uint8)
    first = np.where(in_square(x, y), texture(x, y, 31), texture(x, y, 30))
    moved_square = in_square(x - front[0], y - front[1])
    second = np.where(moved_square, texture(x - front[0], y - front[1], 31), texture(x - back[0], y - back[1], 30))
    square = in_square(x, y)
    truth = np.where(square[..., None], front, back)
    # Background that comes to lie behind the square, or half so.
    to_x, to_y = x + back[0] - front[0], y + back[1] - front[1]
    hidden = ~square & (to_x > 19) & (to_x < 20 + side) & (to_y > 15) & (to_y < 16 + side)
    truth[hidden] = 1e10
    return bytes_of(first), bytes_of(second), truth


def recipes(first, second):
    brighter = np.clip(np.round(second * 1.1 + 8), 0, 255).astype(np.uint8)
    y, x = np.mgrid[0:H, 0:W].astype(np.float32)
    initial = np.stack([1 + x / 90, -0.5 + y / 80], -1)
    tensors = {
        "brighter": brighter,
        "with-initial": opencv(first, second, SHORT, initial),
        "gamma": opencv(first, brighter, SHORT | {"Gamma": 0.6}),
        "gamma-defaults": opencv(first, brighter, {"Gamma": 0.6}),
        "skimage": skimage(first, second),
        "skimage-short": skimage(first, second, num_warp=2, num_iter=3, tol=0),
        "ipol": ipol_tvl1.flow(first, second),
        "ipol-short": ipol_tvl1.flow(first, second, warps=2, iterations=5, epsilon=0, scales=2),
    }
    layered = layers()
    tensors |= {"layers/first": layered[0], "layers/second": layered[1]}
    error = np.linalg.norm(opencv(layered[0], layered[1], {}) - layered[2], axis=-1)
    known = layered[2][..., 0] < 1e9
    known[:6] = known[-6:] = known[:, :6] = known[:, -6:] = False
    tensors["layers/error"] = error[known].mean(keepdims=True)
    print("layers error", tensors["layers/error"], known.mean())
    # Where a rounding may decide, eleven bits are enough.
    kinds = {"gamma-defaults": np.float16, "ipol": np.float16, "skimage": np.float16}
    return {k: v if v.dtype == np.uint8 else v.astype(kinds.get(k, np.float32)) for k, v in tensors.items()}


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
        for what, settings in [("defaults", {}), ("short", SHORT)]:
            flow = opencv(first, second, settings)
            tensors[f"{name}/{what}"] = flow
            print(name, what, "error", np.linalg.norm(flow - truth, axis=-1).mean())
        tensors |= {f"{name}/first": first, f"{name}/second": second, f"{name}/motion": matrix.astype(np.float32)}
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, OUT, metadata={"opencv": cv2.__version__})
    recipe_file = GOLDEN / "flow_recipes.safetensors"
    made = recipes(tensors["translate/first"], tensors["translate/second"])
    for name in ("skimage", "skimage-short", "ipol", "ipol-short", "with-initial", "gamma", "gamma-defaults"):
        print(name, "error", np.linalg.norm(made[name] - pair_truth("translate", motions), axis=-1).mean())
    save_file({k: np.ascontiguousarray(v) for k, v in made.items()}, recipe_file, metadata={"opencv": cv2.__version__})
    print(OUT.name, OUT.stat().st_size, recipe_file.name, recipe_file.stat().st_size)
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
