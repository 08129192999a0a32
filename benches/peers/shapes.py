"""The entries of `kinetograph bench` that peers run too, with the numbers they need; run.py checks that operations agree."""

# T, H and W of the input, channels in and out; 3x3x3 taps, padding 1, bias, ReLU
CONV3D = {
    "conv3d/c3d-conv1": (16, 112, 112, 3, 64),
    "conv3d/c3d-conv2": (16, 56, 56, 64, 128),
    "conv3d/c3d-conv3a": (8, 28, 28, 128, 256),
    "conv3d/c3d-conv3b": (8, 28, 28, 256, 256),
    "conv3d/c3d-conv4a": (4, 14, 14, 256, 512),
    "conv3d/c3d-conv4b": (4, 14, 14, 512, 512),
    "conv3d/c3d-conv5a": (2, 7, 7, 512, 512),
    "conv3d/c3d-conv5b": (2, 7, 7, 512, 512),
}

# rows, inputs, outputs; with bias
LINEAR = {
    "linear/timesformer-qkv": (1569, 768, 2304),
    "linear/timesformer-fc1": (1569, 768, 3072),
    "linear/timesformer-fc2": (1569, 3072, 768),
}

MATMUL = {"matmul/1024": 1024, "matmul/4096": 4096}

# frames, places, heads of 64 channels; over the places of a frame or over the frames of a place
ATTENTION = {
    "attention/timesformer-space": (8, 196, 12, "space"),
    "attention/timesformer-time": (8, 196, 12, "time"),
}

# vectors, codes, their length
VQ = {
    "vector_quantize/vqgan-256": (256, 16384, 256),
    "vector_quantize/vqgan-4096": (4096, 16384, 256),
}

# C3D's layers: channels of a convolution, or the window of a pooling; then fully connected 8192, 4096, 4096, 487
C3D = [64, (1, 2, 2), 128, (2, 2, 2), 256, 256, (2, 2, 2), 512, 512, (2, 2, 2), 512, 512, (2, 2, 2)]

NETWORKS = ["network/c3d", "network/timesformer"]

ENTRIES = [*CONV3D, *LINEAR, *MATMUL, *ATTENTION, *VQ, *NETWORKS]


def flops(name):
    """Operations, a multiply-add counted as two, or None where they are not checked."""
    if name in CONV3D:
        t, h, w, cin, cout = CONV3D[name]
        return t * h * w * cout * (2 * 27 * cin + 1)
    if name in LINEAR:
        rows, inputs, outputs = LINEAR[name]
        return 2 * rows * outputs * inputs
    if name in MATMUL:
        return 2 * MATMUL[name] ** 3
    return None


def timed(run, seconds):
    """The median seconds of `run`, repeated for some time after one run that warms up; and those of that first run."""
    import time

    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    if first >= 4 * seconds:
        # One more, for the first one may have compiled.
        start = time.perf_counter()
        run()
        return time.perf_counter() - start, first
    times = []
    begin = time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2], first
