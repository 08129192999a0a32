#!/usr/bin/env python3
"""Trains the two networks of `kinetograph demo two-stream` and writes assets/two-stream-rgb.safetensors and
assets/two-stream-flow.safetensors.

The command itself renders the clips and estimates their flow, so that the networks learn the very numbers that they will
be given:

    cargo build --release
    python tools/train_two_stream.py

Both are a ResNet (He et al., "Deep Residual Learning for Image Recognition", 2016) of four basic blocks and 8 channels
to begin with. The RGB stream takes the frame in the middle of a clip, 64x64, as x / 127.5 - 1; the flow stream the ten
flows of its eleven frames, x and y interleaved, in levels of 8 bits as (x - 128) / 128. The files hold torchvision's
names as f16; the accuracies printed at the end are those of the files.

Seeds of scenes: training uses 1,000,000 and up, evaluation 0 and up. They never meet.

Needs torch, numpy and safetensors. The same seed gives the same files on one machine.
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
FLOWS = 10
STREAMS = {"rgb": 3, "flow": 2 * FLOWS}


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """torchvision's ResNet with one basic block in each stage."""

    def __init__(self, channels, width=8):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for stage in range(4):
            inputs = width << max(stage - 1, 0)
            block = Block(inputs, width << stage, 1 if stage == 0 else 2)
            self.add_module(f"layer{stage + 1}", nn.Sequential(block))
        self.fc = nn.Linear(width << 3, len(LABELS))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(4):
            x = getattr(self, f"layer{stage + 1}")(x)
        return self.fc(F.dropout(x.mean((2, 3)), 0.2, self.training))


def render(command, device, count, seed):
    """Frames u8 [N, 64, 64, 3], levels of flow u8 [N, 64, 64, 20] and classes, from `kinetograph demo two-stream`."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--render", folder, "--count", str(count), "--seed", str(seed), "--device", device]
        subprocess.run([command, "demo", "two-stream", *arguments], check=True, stdout=subprocess.DEVNULL)
        return load(folder)


def load(folder):
    data = [np.load(os.path.join(folder, name + ".npy")) for name in ("frames", "flows", "labels")]
    assert [d.dtype for d in data] == [np.uint8, np.uint8, np.int32], [d.dtype for d in data]
    assert data[0].shape[1:] == (64, 64, 3) and data[1].shape[1:] == (64, 64, 2 * FLOWS)
    return [torch.from_numpy(d) for d in data]


def normalised(stream, x):
    """[N, H, W, C] of bytes as the networks take them."""
    x = x.float()
    return x / 127.5 - 1 if stream == "rgb" else (x - 128) / 128


def augmented(stream, x, labels, random):
    """A batch mirrored, transposed and with permuted colours or reversed in time, and the classes that it then has."""
    left, right, up, down, clockwise, counter, approaching, receding = range(len(LABELS))
    names = torch.arange(len(LABELS))
    channels = np.arange(x.shape[3])
    signs = np.ones(x.shape[3], np.float32)
    flow = stream == "flow"
    x = normalised(stream, x)

    def swap(*pairs):
        for a, b in pairs:
            a_is, b_is = names == a, names == b
            names[a_is], names[b_is] = b, a

    if random.random() < 0.5:
        x = x.flip(2)
        signs[0::2] *= -1
        swap((left, right), (clockwise, counter))
    if random.random() < 0.5:
        x = x.flip(1)
        signs[1::2] *= -1
        swap((up, down), (clockwise, counter))
    if random.random() < 0.5:
        x = x.transpose(1, 2)
        if flow:
            channels, signs = (a.reshape(-1, 2)[:, ::-1].reshape(-1) for a in (channels, signs))
        swap((left, up), (right, down), (clockwise, counter))
    if flow and random.random() < 0.5:
        # What the flow of the reversed clip would nearly be: the last pair first, and all of it backwards.
        channels, signs = channels.reshape(-1, 2)[::-1].reshape(-1), -signs
        swap((left, right), (up, down), (clockwise, counter), (approaching, receding))
    if flow:
        x = x[..., torch.from_numpy(channels.copy())] * torch.from_numpy(signs.copy())
    else:
        x = x[..., torch.from_numpy(random.permutation(3))]
    return x, names[labels.long()]


def train(stream, x, labels, options):
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    net = ResNet(STREAMS[stream]).to(memory_format=torch.channels_last)
    epochs = options.epochs if stream == "flow" else max(options.epochs // 4, 1)
    steps = len(x) // options.batch
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=epochs * steps)
    start = time.time()
    for epoch in range(epochs):
        net.train()
        order = torch.from_numpy(random.permutation(len(x)))
        loss_sum = right = 0
        for step in range(steps):
            batch = order[step * options.batch : (step + 1) * options.batch]
            parts = [augmented(stream, x[p], labels[p], random) for p in batch.chunk(4)]
            inputs, classes = torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])
            logits = net(inputs.permute(0, 3, 1, 2))
            loss = F.cross_entropy(logits, classes, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            loss_sum += loss.item() / steps
            right += (logits.argmax(1) == classes).sum().item()
        share = right / (steps * options.batch)
        print(f"{stream} epoch {epoch + 1:2}  loss {loss_sum:.3f}  accuracy {share:.4f}  {time.time() - start:.0f} s", flush=True)
    weights = net.eval().state_dict()
    return {k: w.to(torch.float16).contiguous() for k, w in weights.items() if "num_batches" not in k}


@torch.no_grad()
def probabilities(stream, path, x):
    net = ResNet(STREAMS[stream])
    net.load_state_dict({k: w.float() for k, w in load_file(path).items()}, strict=False)
    net.eval()
    return torch.cat([F.softmax(net(normalised(stream, part).permute(0, 3, 1, 2)), 1) for part in x.split(100)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinetograph", default="target/release/kinetograph", help="the command that renders")
    parser.add_argument("--device", default="auto", help="where it estimates flow")
    parser.add_argument("--output", default="assets", help="folder of the weights")
    parser.add_argument("--evaluate", action="store_true", help="only evaluate the files")
    parser.add_argument("--clips", type=int, default=3000, help="training clips")
    parser.add_argument("--evaluation-clips", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=6, help="of the flow stream; the RGB stream gets a quarter")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=6e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and order")
    parser.add_argument("--threads", type=int, default=1, help="more of them wait for each other")
    parser.add_argument("--data", help="folder of clips rendered before: training in it, evaluation in its `unseen`")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    paths = {stream: os.path.join(options.output, f"two-stream-{stream}.safetensors") for stream in STREAMS}

    def clips(count, seed, part):
        if options.data:
            return load(os.path.join(options.data, part))
        return render(options.kinetograph, options.device, count, seed)

    if not options.evaluate:
        frames, flows, labels = clips(options.clips, TRAIN_SEED, ".")
        for stream, x in (("flow", flows), ("rgb", frames)):
            weights = train(stream, x, labels, options)
            save_file(weights, paths[stream], {"labels": ",".join(LABELS), "network": "resnet", "width": "8"})

    frames, flows, labels = clips(options.evaluation_clips, EVAL_SEED, "unseen")
    answers = {stream: probabilities(stream, paths[stream], x) for stream, x in (("rgb", frames), ("flow", flows))}
    answers["both"] = (answers["rgb"] + answers["flow"]) / 2
    for stream, answer in answers.items():
        right = (answer.argmax(1) == labels).float().mean().item()
        print(f"{stream:>5} {100 * right:6.2f} % of {len(labels)} unseen clips")
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    np.add.at(confusion, (labels.numpy(), answers["flow"].argmax(1).numpy()), 1)
    for label, row in zip(LABELS, confusion):
        print(f"{label:>18} " + "".join(f"{n:5}" for n in row))


if __name__ == "__main__":
    main()
