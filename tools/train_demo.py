#!/usr/bin/env python3
"""Trains the network of `kinetograph demo` and writes assets/demo-c3d.safetensors.

The clips are rendered by the command itself, so that the network learns the very pictures it will be shown:

    cargo build --release
    python tools/train_demo.py

The network is C3D (Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", 2015) with an
eighth of its channels. It takes 16 frames of 64x64, RGB as x / 127.5 - 1, and tells eight motions apart. It is
trained with batch norm, which is folded into the convolutions before it is written: the file holds `conv1.weight` ...
`fc8.bias` in PyTorch's layouts, as f16, and the accuracies printed at the end are those of the file.

Seeds of scenes: training uses 1,000,000 and up, evaluation 0 and up. They never meet.

Needs torch, numpy and safetensors. Takes about ten minutes on two CPU cores.
"""

import argparse
import os
import subprocess
import tempfile
import time

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F

LABELS = ["left", "right", "up", "down", "clockwise", "counter-clockwise", "approaching", "receding"]
TRAIN_SEED = 1_000_000
EVAL_SEED = 0

# name, channels in, channels out, pooling window after it (None: no pooling)
CONVS = [
    ("conv1", 3, 8, (1, 2, 2)),
    ("conv2", 8, 16, (2, 2, 2)),
    ("conv3a", 16, 32, None),
    ("conv3b", 32, 32, (2, 2, 2)),
    ("conv4a", 32, 64, None),
    ("conv4b", 64, 64, (2, 2, 2)),
    ("conv5a", 64, 64, None),
    ("conv5b", 64, 64, (2, 2, 2)),
]
LINEARS = [("fc6", 64 * 2 * 2, 128), ("fc7", 128, 128), ("fc8", 128, len(LABELS))]


class C3d(nn.Module):
    """The network while it is trained: with batch norm and dropout."""

    def __init__(self):
        super().__init__()
        for name, inputs, outputs, _ in CONVS:
            self.add_module(name, nn.Conv3d(inputs, outputs, 3, padding=1, bias=False))
            self.add_module(name + "_bn", nn.BatchNorm3d(outputs))
        for name, inputs, outputs in LINEARS:
            self.add_module(name, nn.Linear(inputs, outputs))

    def forward(self, x):
        for name, _, _, pool in CONVS:
            x = getattr(self, name + "_bn")(getattr(self, name)(x))
            # Pooling first gives the same values with less work.
            x = F.relu_(F.max_pool3d(x, pool) if pool else x)
        x = x.flatten(1)
        x = F.dropout(F.relu(self.fc6(x)), 0.2, self.training)
        x = F.dropout(F.relu(self.fc7(x)), 0.2, self.training)
        return self.fc8(x)

    def folded(self):
        """The weights of the same function without batch norm, rounded to f16."""
        weights = {}
        for name, *_ in CONVS:
            conv, bn = getattr(self, name), getattr(self, name + "_bn")
            scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
            weights[name + ".weight"] = conv.weight * scale[:, None, None, None, None]
            weights[name + ".bias"] = bn.bias - bn.running_mean * scale
        for name, *_ in LINEARS:
            weights[name + ".weight"] = getattr(self, name).weight
            weights[name + ".bias"] = getattr(self, name).bias
        return {k: w.detach().to(torch.float16).contiguous() for k, w in weights.items()}


def run_folded(weights, x):
    """The network as it is published: convolutions with bias, max pooling, three linear layers."""
    for name, _, _, pool in CONVS:
        x = F.relu(F.conv3d(x, weights[name + ".weight"], weights[name + ".bias"], padding=1))
        if pool:
            x = F.max_pool3d(x, pool)
    x = x.flatten(1)
    for name, *_ in LINEARS:
        x = F.linear(x, weights[name + ".weight"], weights[name + ".bias"])
        if name != "fc8":
            x = F.relu(x)
    return x


def render(command, count, seed):
    """Clips u8 [N, T, H, W, 3] and their classes, rendered by `kinetograph demo`."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--render", folder, "--count", str(count), "--seed", str(seed)]
        subprocess.run([command, "demo", *arguments], check=True, stdout=subprocess.DEVNULL)
        clips = np.load(os.path.join(folder, "clips.npy"))
        labels = np.load(os.path.join(folder, "labels.npy"))
    assert clips.shape == (count, 16, 64, 64, 3) and clips.dtype == np.uint8, (clips.shape, clips.dtype)
    assert labels.shape == (count,) and labels.dtype == np.int32, (labels.shape, labels.dtype)
    return torch.from_numpy(clips), torch.from_numpy(labels).long()


def normalised(clips):
    """Clips [N, T, H, W, 3] of bytes as the network takes them: [N, 3, T, H, W] in -1 to 1."""
    return clips.permute(0, 4, 1, 2, 3).float().div_(127.5).sub_(1)


def augmented(clips, labels, random):
    """Clips mirrored, transposed, reversed in time and with permuted colours, and the classes that they then have."""
    left, right, up, down, clockwise, counter, approaching, receding = range(len(LABELS))
    names = torch.arange(len(LABELS))

    def swap(*pairs):
        for a, b in pairs:
            a_is, b_is = names == a, names == b
            names[a_is], names[b_is] = b, a

    if random.random() < 0.5:
        clips = clips.flip(1)
        swap((left, right), (up, down), (clockwise, counter), (approaching, receding))
    if random.random() < 0.5:
        clips = clips.flip(2)
        swap((up, down), (clockwise, counter))
    if random.random() < 0.5:
        clips = clips.flip(3)
        swap((left, right), (clockwise, counter))
    if random.random() < 0.5:
        clips = clips.transpose(2, 3)
        swap((left, up), (right, down), (clockwise, counter))
    clips = clips[..., torch.from_numpy(random.permutation(3))]
    return normalised(clips), names[labels]


def train(clips, labels, options):
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    net = C3d().to(memory_format=torch.channels_last_3d)
    steps = len(clips) // options.batch
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=options.epochs * steps)
    start = time.time()
    for epoch in range(options.epochs):
        net.train()
        order = torch.from_numpy(random.permutation(len(clips)))
        loss_sum = right = seen = 0
        for step in range(steps):
            batch = order[step * options.batch : (step + 1) * options.batch]
            parts = [augmented(clips[part], labels[part], random) for part in batch.chunk(4)]
            x = torch.cat([p[0] for p in parts]).contiguous(memory_format=torch.channels_last_3d)
            y = torch.cat([p[1] for p in parts])
            logits = net(x)
            loss = F.cross_entropy(logits, y, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.item() * len(y)
            right += (logits.argmax(1) == y).sum().item()
            seen += len(y)
        minutes = (time.time() - start) / 60
        loss, accuracy = loss_sum / seen, right / seen
        print(f"epoch {epoch + 1:2}  loss {loss:.3f}  accuracy {accuracy:.4f}  {minutes:.1f} min", flush=True)
    return net.eval()


@torch.no_grad()
def evaluate(weights, clips, labels):
    """Prints how many clips the weights tell right, per class and in all; gives the fraction."""
    weights = {k: w.float() for k, w in weights.items()}
    guesses = torch.cat([run_folded(weights, normalised(part)).argmax(1) for part in clips.split(50)])
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    np.add.at(confusion, (labels.numpy(), guesses.numpy()), 1)
    accuracy = np.trace(confusion) / len(labels)
    print(f"\n{len(labels)} unseen clips: {100 * accuracy:.2f} % right. Rows: truth, columns: answer.")
    for label, row in zip(LABELS, confusion):
        share = 100 * row[LABELS.index(label)] / max(row.sum(), 1)
        print(f"{label:>18} {share:6.2f} %  " + "".join(f"{n:5}" for n in row))
    return accuracy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinetograph", default="target/release/kinetograph", help="the command that renders")
    parser.add_argument("--output", default="assets/demo-c3d.safetensors")
    parser.add_argument("--evaluate", action="store_true", help="only evaluate the file at --output")
    parser.add_argument("--clips", type=int, default=4000, help="training clips")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and order")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    if not options.evaluate:
        clips, labels = render(options.kinetograph, options.clips, TRAIN_SEED)
        weights = train(clips, labels, options).folded()
        metadata = {"labels": ",".join(LABELS), "network": "c3d", "width": "8"}
        save_file(weights, options.output, metadata)
        del clips

    weights = load_file(options.output)
    parameters = sum(w.numel() for w in weights.values())
    print(f"{options.output}: {parameters} parameters, {os.path.getsize(options.output)} bytes")
    clips, labels = render(options.kinetograph, 2000, EVAL_SEED)
    evaluate(weights, clips[:400], labels[:400])
    evaluate(weights, clips, labels)


if __name__ == "__main__":
    main()
