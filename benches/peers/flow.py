"""TV-L1 optical flow: OpenCV's DualTVL1OpticalFlow and `kinetograph bench flow`, by turns, on the same pair.

    cargo build --release
    python benches/peers/flow.py [--binary target/release/kinetograph] [--pictures A.png B.png] [--size 320x240]
                                 [--device software] [--batch 8] [--rounds 3]

needs numpy; OpenCV (opencv-contrib-python-headless) is the peer, which is said to be missing if it is. Without
`--pictures` a drawn texture is used that moves by 1.7 and -0.8 pixels. Every row is one mode: milliseconds a pair for
each, the smallest of the rounds, and how many times as long the peer takes. Both use as many cores as there are.
`--prefix` is put before the binary, such as a script that chooses a driver.
"""

import argparse
import json
import os
import pathlib
import platform
import shlex
import subprocess
import tempfile
import time

import numpy as np

try:
    import cv2
except ImportError:
    cv2 = None

FIXED = {"epsilon": 0.0}
MODES = {
    "defaults": {},
    "30 iterations, no median": {**FIXED, "outer": 1, "median": 0},
    "30 iterations, median": {**FIXED, "outer": 1, "median": 5},
    "300 iterations, no median": {**FIXED, "outer": 10, "median": 0},
    "300 iterations, median": {**FIXED, "outer": 10, "median": 5},
}


def drawn(width, height):
    """A texture, and the same moved."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)

    def picture(dx, dy):
        value = np.full(x.shape, 127.0)
        for k in range(12):
            angle, length = k * 0.83, 5 + 1.7 * k
            value += 18 * np.sin(((x - dx) * np.cos(angle) + (y - dy) * np.sin(angle)) * 2 * np.pi / length + k)
        return np.clip(np.round(value), 0, 255).astype(np.uint8)

    return picture(0, 0), picture(1.7, -0.8)


def opencv(first, second, mode):
    """Milliseconds of one pair, without the making of the object."""
    method = cv2.optflow.DualTVL1OpticalFlow_create(epsilon=mode.get("epsilon", 0.01))
    method.setOuterIterations(mode.get("outer", 10))
    method.setMedianFiltering(max(mode.get("median", 5), 1))
    start = time.perf_counter()
    method.calc(first, second, None)
    return 1e3 * (time.perf_counter() - start)


def kinetograph(command, files, mode, batch, repeats):
    flags = ["--epsilon", mode.get("epsilon", 0.01), "--outer-iterations", mode.get("outer", 10),
             "--median-filtering", mode.get("median", 5), "--batch", batch, "--repeats", repeats, "--json"]
    run = subprocess.run(command + ["bench", "flow", *files, *map(str, flags)], capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(f"{' '.join(run.args)} failed: {run.stderr}")
    return json.loads(run.stdout)


def png(path, picture):
    """A picture in three equal channels; `kinetograph` takes the brightness of it."""
    import struct
    import zlib
    height, width = picture.shape
    rows = b"".join(b"\0" + row.tobytes() for row in np.repeat(picture[..., None], 3, -1))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return str(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/kinetograph")
    parser.add_argument("--prefix", default="", help="put before the binary")
    parser.add_argument("--pictures", nargs=2)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--device", default="software")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--modes", default="", help="only the modes whose name contains this")
    a = parser.parse_args()
    width, height = map(int, a.size.split("x"))
    command = shlex.split(a.prefix) + [os.path.abspath(a.binary)]
    version = subprocess.run(command + ["--version"], capture_output=True, text=True).stdout.strip()
    print(f"{version}; OpenCV {cv2.__version__ if cv2 else 'is missing'}; {platform.platform()}, {os.cpu_count()} cores")
    if a.pictures:
        if not cv2:
            raise SystemExit("OpenCV is needed to read and resize pictures")
        resize = lambda path: cv2.resize(cv2.imread(path, cv2.IMREAD_GRAYSCALE), (width, height), interpolation=cv2.INTER_AREA)
        first, second = map(resize, a.pictures)
    else:
        first, second = drawn(width, height)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        folder = pathlib.Path(folder).resolve()
        files = [png(folder / "first.png", first), png(folder / "second.png", second)]
        files += ["--device", a.device]
        print(f"{width}x{height}, milliseconds a pair, least of {a.rounds} rounds")
        print(f"{'':28} {'kinetograph':>12} {'batch ' + str(a.batch):>12} {'OpenCV':>12} {'ratio':>7} {'batched':>8}")
        device = ""
        for name, mode in MODES.items():
            if a.modes not in name:
                continue
            one, many, peer = [], [], []
            for _ in range(a.rounds):
                result = kinetograph(command, files, mode, 1, 1)
                device = result["device"]
                one.append(result["ms_per_pair"])
                if a.batch > 1:
                    many.append(kinetograph(command, files, mode, a.batch, 1)["ms_per_pair"])
                if cv2:
                    peer.append(opencv(first, second, mode))
            ms = lambda times: f"{min(times):12.1f}" if times else f"{'-':>12}"
            ratio = lambda times: f"{min(peer) / min(times):.2f}" if peer and times else "-"
            print(f"{name:28} {ms(one)} {ms(many)} {ms(peer)} {ratio(one):>7} {ratio(many):>8}", flush=True)
        print(device)


if __name__ == "__main__":
    main()
