"""An entry in PyTorch: `python torch_peer.py NAME SECONDS cpu|cuda f32|f16` prints a JSON line."""

import json
import sys

import torch
import torch.nn.functional as F

import shapes


def c3d(x, weights):
    for layer in shapes.C3D:
        if isinstance(layer, int):
            x = F.relu(F.conv3d(x, *next(weights), padding=1))
        else:
            # The last one is padded, as the published network pads it.
            x = F.max_pool3d(x, layer, padding=(0, 1, 1) if x.shape[-1] == 7 else 0)
    x = x.flatten(1)
    x = F.relu(F.linear(x, *next(weights)))
    x = F.relu(F.linear(x, *next(weights)))
    return F.linear(x, *next(weights))


def c3d_weights(make):
    channels, list = 3, []
    for layer in shapes.C3D:
        if isinstance(layer, int):
            list.append((make(layer, channels, 3, 3, 3), make(layer)))
            channels = layer
    for inputs, outputs in [(8192, 4096), (4096, 4096), (4096, 487)]:
        list.append((make(outputs, inputs), make(outputs)))
    return list


def build(name, make):
    """What is to be timed."""
    if name in shapes.CONV3D:
        t, h, w, cin, cout = shapes.CONV3D[name]
        layout = {"memory_format": torch.channels_last_3d}
        x, weight, bias = make(1, cin, t, h, w).to(**layout), make(cout, cin, 3, 3, 3).to(**layout), make(cout)
        return lambda: F.relu(F.conv3d(x, weight, bias, padding=1))
    if name in shapes.LINEAR:
        rows, inputs, outputs = shapes.LINEAR[name]
        x, weight, bias = make(rows, inputs), make(outputs, inputs), make(outputs)
        return lambda: F.linear(x, weight, bias)
    if name in shapes.MATMUL:
        side = shapes.MATMUL[name]
        x, y = make(side, side), make(side, side)
        return lambda: x @ y
    if name in shapes.ATTENTION:
        frames, places, heads, over = shapes.ATTENTION[name]
        qkv = make(frames, places, 3, heads, 64)
        order = (2, 0, 3, 1, 4) if over == "space" else (2, 1, 3, 0, 4)

        def attend():
            y = F.scaled_dot_product_attention(*qkv.permute(order))
            y = y.permute((0, 2, 1, 3) if over == "space" else (2, 0, 1, 3))
            return y.reshape(1, frames * places, heads * 64)

        return attend
    if name in shapes.VQ:
        vectors, codes, length = shapes.VQ[name]
        x, codebook = make(vectors, length), make(codes, length)

        def quantize():
            distance = (x * x).sum(1, keepdim=True) + (codebook * codebook).sum(1) - 2 * (x @ codebook.T)
            index = distance.argmin(1)
            return index, codebook[index]

        return quantize
    if name == "network/c3d":
        x, weights = make(1, 3, 16, 112, 112).to(memory_format=torch.channels_last_3d), c3d_weights(make)
        return lambda: c3d(x, iter(weights))
    if name == "network/timesformer":
        from transformers import TimesformerConfig, TimesformerForVideoClassification

        net = TimesformerForVideoClassification(TimesformerConfig(num_labels=400)).eval()
        x = make(1, 8, 3, 224, 224)
        net = net.to(x.device, x.dtype)
        return lambda: net(pixel_values=x).logits
    raise SystemExit(f"no such entry: {name}")


def main():
    name, seconds, device, precision = sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4]
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no CUDA device")
    torch.manual_seed(0)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    dtype = torch.float16 if precision == "f16" else torch.float32

    def make(*shape):
        return (torch.rand(shape) * 0.2 - 0.1).to(device, dtype)

    with torch.inference_mode():
        run = build(name, make)

        def whole():
            run()
            if device == "cuda":
                torch.cuda.synchronize()

        median, first = shapes.timed(whole, seconds)
    where = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    print(json.dumps({"peer": f"torch {torch.__version__}", "device": where, "seconds": median, "first": first}))


main()
