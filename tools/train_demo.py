#!/usr/bin/env python3
"""Trains a network of `kinetograph demo` and writes assets/demo-NAME.safetensors.

The clips are rendered by the command itself, so that the network learns the very pictures it will be shown:

    cargo build --release
    python tools/train_demo.py --model c3d

Networks, all of 16 frames of 64x64, which tell eight motions apart:

    c3d      convolutional: C3D (Tran et al. 2015, arXiv:1412.0767) with an eighth of its channels; RGB as x / 127.5 - 1
    gru-rcn  recurrent: GRU-RCN (Ballas et al. 2016, arXiv:1511.06432) over a VGG-16 with a sixteenth of its channels;
             ImageNet's normalisation
    mvit     transformer: MViTv2 (Li et al. 2022, arXiv:2112.01526) of five blocks, as torchvision builds it;
             RGB as (x / 255 - 0.45) / 0.225

The first two are trained with batch norm, which is folded into the convolutions before they are written. Files hold f16 in
PyTorch's layouts, under the names by which `kinetograph run` knows the network, and the accuracies printed at the end
are those of the weights as they are in the file.

Seeds of scenes: training uses 1,000,000 and up, evaluation 0 and up. They never meet.

Needs torch, torchvision (for mvit), numpy and safetensors. Takes ten minutes to an hour on two CPU cores.
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
FRAMES, SIZE = 16, 64


def folded(conv, bn):
    """Weight and bias of a convolution with the batch norm after it."""
    scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    bias = torch.zeros_like(bn.bias) if conv.bias is None else conv.bias
    return conv.weight * scale.view(-1, *[1] * (conv.weight.dim() - 1)), (bias - bn.running_mean) * scale + bn.bias


class Normed(nn.Module):
    """A convolution with batch norm; a plain one with a bias once weights are loaded."""

    def __init__(self, conv, bn):
        super().__init__()
        self.conv, self.bn = conv, bn

    def forward(self, x):
        return self.bn(self.conv(x)) if self.bn else self.conv(x)

    def fold(self):
        if self.bn:
            weight, bias = folded(self.conv, self.bn)
            self.conv.weight, self.conv.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
            self.bn = None


class C3d(nn.Module):
    """C3D; with batch norm and dropout while it is trained."""

    mean, std = [0.5] * 3, [0.5] * 3
    defaults = {"clips": 4000, "epochs": 6, "rate": 3e-3}
    # name, channels in and out, pooling window after it (None: no pooling)
    convs = [
        ("conv1", 3, 8, (1, 2, 2)),
        ("conv2", 8, 16, (2, 2, 2)),
        ("conv3a", 16, 32, None),
        ("conv3b", 32, 32, (2, 2, 2)),
        ("conv4a", 32, 64, None),
        ("conv4b", 64, 64, (2, 2, 2)),
        ("conv5a", 64, 64, None),
        ("conv5b", 64, 64, (2, 2, 2)),
    ]

    def __init__(self):
        super().__init__()
        for name, inputs, outputs, _ in self.convs:
            conv = nn.Conv3d(inputs, outputs, 3, padding=1, bias=False)
            self.add_module(name, Normed(conv, nn.BatchNorm3d(outputs)))
        self.fc6, self.fc7, self.fc8 = nn.Linear(256, 128), nn.Linear(128, 128), nn.Linear(128, len(LABELS))

    def forward(self, x):
        for name, _, _, pool in self.convs:
            x = getattr(self, name)(x)
            # Pooling first gives the same values with less work.
            x = F.relu_(F.max_pool3d(x, pool) if pool else x)
        x = x.flatten(1)
        x = F.dropout(F.relu(self.fc6(x)), 0.2, self.training)
        x = F.dropout(F.relu(self.fc7(x)), 0.2, self.training)
        return self.fc8(x)

    def loss(self, x, labels):
        logits = self(x)
        return F.cross_entropy(logits, labels, label_smoothing=0.05), logits


class ConvGru(nn.Module):
    """z weighs the new state, r resets the old one before its convolution; gates in the order r, z, n."""

    def __init__(self, inputs, hidden, kernel):
        super().__init__()
        self.hidden_width = hidden
        pad = kernel // 2
        self.input = nn.Conv2d(inputs, 3 * hidden, kernel, padding=pad)
        self.hidden = nn.Conv2d(hidden, 2 * hidden, kernel, padding=pad, bias=False)
        self.candidate = nn.Conv2d(hidden, hidden, kernel, padding=pad, bias=False)

    def forward(self, x):
        n, t = x.shape[:2]
        gates = self.input(x.flatten(0, 1)).unflatten(0, (n, t))
        state = torch.zeros(n, self.hidden_width, *x.shape[3:])
        for i in range(t):
            r, z, new = gates[:, i].chunk(3, 1)
            hr, hz = self.hidden(state).chunk(2, 1)
            z = torch.sigmoid(z + hz)
            new = torch.tanh(new + self.candidate(torch.sigmoid(r + hr) * state))
            state = (1 - z) * state + z * new
        return state


class GruRcn(nn.Module):
    """GRUs over the maps after VGG-16's poolings from the second on, and over its last hidden layer."""

    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    defaults = {"clips": 2500, "epochs": 6, "rate": 3e-3}
    width, features, hidden = 4, 64, [16, 24, 32, 32, 32]

    def __init__(self):
        super().__init__()
        channels, layers = 3, []
        for multiple, convs in zip((1, 2, 4, 8, 8), (2, 2, 3, 3, 3)):
            for _ in range(convs):
                conv = nn.Conv2d(channels, self.width * multiple, 3, padding=1)
                layers += [Normed(conv, nn.BatchNorm2d(self.width * multiple)), nn.ReLU(True)]
                channels = self.width * multiple
            layers.append(nn.MaxPool2d(2))
        self.cnn = nn.ModuleDict(
            {
                "features": nn.Sequential(*layers),
                "classifier": nn.Sequential(
                    nn.Linear(channels * 49, self.features), nn.ReLU(), nn.Dropout(0.2), nn.Linear(self.features, self.features)
                ),
            }
        )
        inputs = [self.width * m for m in (2, 4, 8, 8)] + [self.features]
        for level, (channels, hidden) in enumerate(zip(inputs, self.hidden)):
            gru = ConvGru(channels, hidden, 1 if level == 4 else 3)
            self.add_module(f"level{level}", nn.ModuleDict({"gru": gru, "fc": nn.Linear(hidden, len(LABELS))}))

    def levels(self, x):
        """The logarithms of each level's probabilities."""
        n, _, t = x.shape[:3]
        x = x.transpose(1, 2).flatten(0, 1)
        maps = []
        for layer in self.cnn.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
        x = F.relu(self.cnn.classifier(F.adaptive_avg_pool2d(x, 7).flatten(1)))
        maps = maps[1:] + [x[:, :, None, None]]
        out = []
        for level, x in enumerate(maps):
            level = getattr(self, f"level{level}")
            state = level.gru(x.unflatten(0, (n, t))).mean((2, 3))
            out.append(F.log_softmax(level.fc(state), 1))
        return torch.stack(out)

    def forward(self, x):
        levels = self.levels(x)
        return levels.logsumexp(0) - np.log(len(levels))

    def loss(self, x, labels):
        levels = self.levels(x)
        logits = levels.logsumexp(0) - np.log(len(levels))
        # Every level learns by itself too, as long as the mean hangs on one of them.
        each = sum(F.nll_loss(level, labels) for level in levels) / len(levels)
        return F.nll_loss(logits, labels) + 0.5 * each, logits


def mvit():
    """MViTv2 of five blocks in three stages; keys and values are pooled to the last stage's size."""
    from torchvision.models.video.mvit import MSBlockConfig, MViT

    width, depth, stages = 16, 5, (1, 3)
    blocks = []
    for i in range(depth):
        stage = sum(first <= i for first in stages)
        before = sum(first <= i - 1 for first in stages)
        half, kv = 2 if i in stages else 1, 1 << (len(stages) - stage)
        blocks.append(
            MSBlockConfig(
                num_heads=1 << stage,
                input_channels=width << before,
                output_channels=width << stage,
                kernel_q=[3, 3, 3],
                kernel_kv=[3, 3, 3],
                stride_q=[1, half, half],
                stride_kv=[1, kv, kv],
            )
        )
    return MViT(
        spatial_size=(SIZE, SIZE),
        temporal_size=FRAMES,
        block_setting=blocks,
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
        dropout=0.0,
        num_classes=len(LABELS),
    )


class Mvit(nn.Module):
    """torchvision's MViT."""

    mean, std = [0.45] * 3, [0.225] * 3
    defaults = {"clips": 2500, "epochs": 12, "rate": 2e-3}

    def __init__(self):
        super().__init__()
        self.net = mvit()

    def forward(self, x):
        return self.net(x)

    def loss(self, x, labels):
        logits = self(x)
        return F.cross_entropy(logits, labels, label_smoothing=0.05), logits


NETWORKS = {"c3d": C3d, "gru-rcn": GruRcn, "mvit": Mvit}


def write(net, path, model):
    """Writes the weights as f16, without batch norm, under the published names, and leaves the network with them."""
    for module in net.modules():
        if isinstance(module, Normed):
            module.fold()
    state = {name: value.to(torch.float16) for name, value in net.state_dict().items()}
    file = {name.removeprefix("net.").replace(".conv.", "."): value.contiguous() for name, value in state.items()}
    save_file(file, path, {"labels": ",".join(LABELS), "network": model})
    net.load_state_dict({name: value.float() for name, value in state.items()})


def render(command, count, seed):
    """Clips u8 [N, T, H, W, 3] and their classes, rendered by `kinetograph demo`."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--render", folder, "--count", str(count), "--seed", str(seed)]
        subprocess.run([command, "demo", *arguments], check=True, stdout=subprocess.DEVNULL)
        clips = np.load(os.path.join(folder, "clips.npy"))
        labels = np.load(os.path.join(folder, "labels.npy"))
    assert clips.shape == (count, FRAMES, SIZE, SIZE, 3) and clips.dtype == np.uint8, (clips.shape, clips.dtype)
    assert labels.shape == (count,) and labels.dtype == np.int32, (labels.shape, labels.dtype)
    return torch.from_numpy(clips), torch.from_numpy(labels).long()


def normalised(clips, net):
    """Clips [N, T, H, W, 3] of bytes as the network takes them: [N, 3, T, H, W]."""
    mean, std = torch.tensor(net.mean), torch.tensor(net.std)
    return ((clips.float() / 255 - mean) / std).permute(0, 4, 1, 2, 3)


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
    return clips, names[labels]


def train(clips, labels, options):
    torch.manual_seed(options.seed)
    random = np.random.default_rng(options.seed)
    net = NETWORKS[options.model]()
    if options.model == "c3d":
        net = net.to(memory_format=torch.channels_last_3d)
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
            x = normalised(torch.cat([p[0] for p in parts]), net)
            x = x.contiguous(memory_format=torch.channels_last_3d if options.model == "c3d" else torch.contiguous_format)
            y = torch.cat([p[1] for p in parts])
            loss, logits = net.loss(x, y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            loss_sum += loss.item() * len(y)
            right += (logits.argmax(1) == y).sum().item()
            seen += len(y)
            if options.verbose and step % 25 == 24:
                print(f"  step {step + 1}/{steps}  loss {loss_sum / seen:.3f}  {time.time() - start:.0f} s", flush=True)
        minutes = (time.time() - start) / 60
        loss, accuracy = loss_sum / seen, right / seen
        print(f"epoch {epoch + 1:2}  loss {loss:.3f}  accuracy {accuracy:.4f}  {minutes:.1f} min", flush=True)
    return net.eval()


@torch.no_grad()
def evaluate(net, clips, labels):
    """Prints how many clips the network tells right, per class and in all."""
    guesses = torch.cat([net(normalised(part, net)).argmax(1) for part in clips.split(50)])
    confusion = np.zeros((len(LABELS), len(LABELS)), int)
    np.add.at(confusion, (labels.numpy(), guesses.numpy()), 1)
    print(f"\n{len(labels)} unseen clips: {100 * np.trace(confusion) / len(labels):.2f} % right. Rows: truth, columns: answer.")
    for label, row in zip(LABELS, confusion):
        share = 100 * row[LABELS.index(label)] / max(row.sum(), 1)
        print(f"{label:>18} {share:6.2f} %  " + "".join(f"{n:5}" for n in row))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=NETWORKS, default="c3d")
    parser.add_argument("--kinetograph", default="target/release/kinetograph", help="the command that renders")
    parser.add_argument("--output", help="default: assets/demo-MODEL.safetensors")
    parser.add_argument("--clips", type=int, help="training clips")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and order")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="a line every 25 steps")
    options = parser.parse_args()
    for name, value in NETWORKS[options.model].defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    output = options.output or f"assets/demo-{options.model}.safetensors"
    torch.set_num_threads(options.threads)

    clips, labels = render(options.kinetograph, options.clips, TRAIN_SEED)
    net = train(clips, labels, options)
    write(net, output, options.model)
    del clips
    parameters = sum(w.numel() for w in load_file(output).values())
    print(f"{output}: {parameters} parameters, {os.path.getsize(output)} bytes")
    clips, labels = render(options.kinetograph, 2000, EVAL_SEED)
    evaluate(net, clips[:400], labels[:400])
    evaluate(net, clips, labels)


if __name__ == "__main__":
    main()
