"""3D convolutional networks: R3D, MC3, R(2+1)D and S3D of torchvision; transcriptions of I3D and S3D-G, of which no package
has a copy: of piergiaj/pytorch-i3d and antoine77340/S3D_HowTo100M."""

import functools

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.models.video import resnet
from torchvision.models.video.s3d import SepInceptionBlock3D, TemporalSeparableConv
from torchvision.ops.misc import Conv3dNormActivation

from common import channels_last, randomise, record, save, values

TORCHVISION = f"torchvision {torchvision.__version__}"


class SmallVideoResNet(resnet.VideoResNet):
    """torchvision's, with fewer channels and blocks."""

    def __init__(self, makers, blocks, width, between, classes):
        super().__init__(resnet.BasicBlock, makers, [1, 1, 1, 1], resnet.BasicStem)
        factored = makers[0] is resnet.Conv2Plus1D
        kernel = (1, 7, 7) if factored else (3, 7, 7)
        first = between if factored else width
        padding = tuple(k // 2 for k in kernel)
        layers = [nn.Conv3d(3, first, kernel, (1, 2, 2), padding, bias=False), nn.BatchNorm3d(first), nn.ReLU()]
        if factored:
            layers += [nn.Conv3d(between, width, (3, 1, 1), 1, (1, 0, 0), bias=False), nn.BatchNorm3d(width), nn.ReLU()]
        self.stem = nn.Sequential(*layers)
        self.inplanes = width
        for i, n in enumerate(blocks):
            stage = self._make_layer(resnet.BasicBlock, makers[i], width << i, n, stride=1 if i == 0 else 2)
            setattr(self, f"layer{i + 1}", stage)
        self.fc = nn.Linear(width << 3, classes)


def r3d(makers, blocks, variant, seed):
    def make(name):
        model = randomise(SmallVideoResNet(makers, blocks, 4, 5, 6), seed)
        frames, size = 9, 28
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        kept = record(model, ["stem", "layer1", "layer2", "layer4", "avgpool"])
        with torch.no_grad():
            logits = model(clip.permute(0, 4, 1, 2, 3))
        last = len(model.stem) - 1
        nodes = {f"stem.{last}/activation": channels_last(kept["stem"])}
        for stage in [1, 2, 4]:
            nodes[f"layer{stage}.{blocks[stage - 1] - 1}/activation"] = channels_last(kept[f"layer{stage}"])
        outputs = {"features": kept["avgpool"].flatten(1), "logits": logits}
        save(name, model.state_dict(), {"clip": clip}, nodes, outputs, network="r3d", variant=variant,
             convention="torchvision", frames=frames, size=size, oracle=TORCHVISION)

    return make


# Widths of the small Inception networks: all differ within a module, so that no two branches can be mistaken.
STEM = [6, 4, 7]
MODULES = [[3 + (m + u * 2) % 5 if u != 2 else 8 + m % 3 for u in range(6)] for m in range(9)]
NAMES = ["Mixed_3b", "Mixed_3c", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "Mixed_5b", "Mixed_5c"]


def outputs_of(widths):
    return widths[0] + widths[2] + widths[4] + widths[5]


def small_s3d():
    """torchvision's, with fewer channels; its last pooling is of maps smaller than 7x7."""
    norm = functools.partial(nn.BatchNorm3d, eps=0.001, momentum=0.001)
    model = torchvision.models.video.S3D(num_classes=6, norm_layer=norm)
    modules, cin = [], STEM[2]
    for widths in MODULES:
        modules.append(SepInceptionBlock3D(cin, *widths, norm))
        cin = outputs_of(widths)
    old = model.features
    model.features = nn.Sequential(
        TemporalSeparableConv(3, STEM[0], 7, 2, 3, norm),
        old[1],
        Conv3dNormActivation(STEM[0], STEM[1], kernel_size=1, stride=1, norm_layer=norm),
        TemporalSeparableConv(STEM[1], STEM[2], 3, 1, 1, norm),
        old[4], *modules[:2], old[7], *modules[2:7], old[13], *modules[7:],
    )
    model.avgpool = nn.AvgPool3d((2, 1, 1), stride=1)
    model.classifier[1] = nn.Conv3d(cin, 6, 1)
    return model


KYLEMIN = {(0, "0"): "conv_s", (0, "1"): "bn_s", (1, "0"): "conv_t", (1, "1"): "bn_t"}


def kylemin(name):
    """kylemin/S3D's name of torchvision's."""
    parts = name.split(".")
    if parts[0] == "classifier":
        return f"fc.0.{parts[-1]}"
    place, *inner, parameter = parts[1:]
    head = f"base.{place}."
    if inner[0].startswith("branch"):
        branch, inner = inner[0], inner[1:]
        # Branch 0 is a layer itself in one and a sequence of one layer in the other.
        if branch == "branch0":
            inner = ["0", *inner]
        head += f"{branch}.{inner[0]}."
        inner = inner[1:]
    if len(inner) == 2:
        return f"{head}{KYLEMIN[int(inner[0]), inner[1]]}.{parameter}"
    return f"{head}{'conv' if inner[0] == '0' else 'bn'}.{parameter}"


def s3d(frames, rename, seed, **about):
    def make(name):
        model = randomise(small_s3d(), seed)
        size = 34
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        kept = record(model, ["features.0", "features.3", "features.6", "features.12", "features.15", "avgpool"])
        with torch.no_grad():
            logits = model(clip.permute(0, 4, 1, 2, 3))
        nodes = {
            "Conv3d_1a_7x7/temporal/activation": kept["features.0"],
            "Conv3d_2c_3x3/temporal/activation": kept["features.3"],
            "Mixed_3c/concat": kept["features.6"],
            "Mixed_4f/concat": kept["features.12"],
            "Mixed_5c/concat": kept["features.15"],
        }
        nodes = {k: channels_last(v) for k, v in nodes.items()}
        outputs = {"features": kept["avgpool"].mean((2, 3, 4)), "logits": logits}
        state = {rename(k): v for k, v in model.state_dict().items()}
        save(name, state, {"clip": clip}, nodes, outputs, network="s3d", frames=frames, size=size, **about)

    return make


def same(length, kernel, stride):
    """TensorFlow's SAME padding of an axis."""
    total = max((-(-length // stride) - 1) * stride + kernel - length, 0)
    return [total // 2, total - total // 2]


def pad_same(x, kernel, stride):
    pads = [same(n, k, s) for n, k, s in zip(x.shape[2:], kernel, stride)]
    return F.pad(x, [p for pair in reversed(pads) for p in pair])


class SamePool(nn.Module):
    def __init__(self, kernel, stride):
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x):
        return F.max_pool3d(pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


class Unit(nn.Module):
    """Unit3D of piergiaj/pytorch-i3d."""

    def __init__(self, cin, cout, kernel=1, stride=1, norm=True):
        super().__init__()
        self.conv3d = nn.Conv3d(cin, cout, kernel, stride, bias=not norm)
        self.bn = nn.BatchNorm3d(cout, eps=1e-3) if norm else None

    def forward(self, x):
        x = self.conv3d(pad_same(x, self.conv3d.kernel_size, self.conv3d.stride))
        return F.relu(self.bn(x)) if self.bn else x


class InceptionModule(nn.Module):
    """InceptionModule of piergiaj/pytorch-i3d."""

    def __init__(self, cin, widths):
        super().__init__()
        self.b0 = Unit(cin, widths[0])
        self.b1a, self.b1b = Unit(cin, widths[1]), Unit(widths[1], widths[2], 3)
        self.b2a, self.b2b = Unit(cin, widths[3]), Unit(widths[3], widths[4], 3)
        self.b3a, self.b3b = SamePool([3, 3, 3], [1, 1, 1]), Unit(cin, widths[5])

    def forward(self, x):
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], 1)


class InceptionI3d(nn.Module):
    """InceptionI3d of piergiaj/pytorch-i3d; the last pooling covers a map smaller than 7x7."""

    def __init__(self, channels, classes, stem=STEM, widths_of_modules=MODULES):
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(channels, stem[0], 7, 2)
        self.MaxPool3d_2a_3x3 = SamePool([1, 3, 3], [1, 2, 2])
        self.Conv3d_2b_1x1 = Unit(stem[0], stem[1])
        self.Conv3d_2c_3x3 = Unit(stem[1], stem[2], 3)
        self.MaxPool3d_3a_3x3 = SamePool([1, 3, 3], [1, 2, 2])
        cin = stem[2]
        for name, widths in zip(NAMES, widths_of_modules):
            if name == "Mixed_4b":
                self.MaxPool3d_4a_3x3 = SamePool([3, 3, 3], [2, 2, 2])
            if name == "Mixed_5b":
                self.MaxPool3d_5a_2x2 = SamePool([2, 2, 2], [2, 2, 2])
            setattr(self, name, InceptionModule(cin, widths))
            cin = outputs_of(widths)
        self.logits = Unit(cin, classes, norm=False)

    def forward(self, x):
        """Features and logits, the means over time of those of each window of two frames."""
        for name, layer in self.named_children():
            if name != "logits":
                x = layer(x)
        x = F.avg_pool3d(x, (2, min(x.shape[3], 7), min(x.shape[4], 7)), stride=1)
        return x.mean((2, 3, 4)), self.logits(x).squeeze(3).squeeze(3).mean(2)


def hassony2(name):
    """hassony2/kinetics_i3d_pytorch's name of piergiaj/pytorch-i3d's."""
    units = {"b0": "0", "b1a": "1.0", "b1b": "1.1", "b2a": "2.0", "b2b": "2.1", "b3b": "3.1"}
    block, *inner = name.replace(".bn.", ".batch3d.").split(".")
    if block == "logits":
        block = "conv3d_0c_1x1"
    if block.startswith("Mixed"):
        inner[0] = f"branch_{units[inner[0]]}"
    return ".".join([block[0].lower() + block[1:], *inner])


def i3d(channels, rename, frames, size, seed, **about):
    def make(name):
        model = randomise(InceptionI3d(channels, 6), seed)
        clip = values(1, frames, size, size, channels, seed=seed + 1)
        kept = record(model, ["Conv3d_1a_7x7", "MaxPool3d_3a_3x3", "Mixed_3c", "Mixed_4f", "Mixed_5c"])
        with torch.no_grad():
            features, logits = model(clip.permute(0, 4, 1, 2, 3))
        nodes = {
            "Conv3d_1a_7x7/activation": kept["Conv3d_1a_7x7"],
            "MaxPool3d_3a_3x3/pool3d": kept["MaxPool3d_3a_3x3"],
            "Mixed_3c/concat": kept["Mixed_3c"],
            "Mixed_4f/concat": kept["Mixed_4f"],
            "Mixed_5c/concat": kept["Mixed_5c"],
        }
        nodes = {k: channels_last(v) for k, v in nodes.items()}
        outputs = {"features": features, "logits": logits}
        state = {rename(k): v for k, v in model.state_dict().items()}
        key = "flow" if channels == 2 else "clip"
        save(name, state, {key: clip}, nodes, outputs, network="i3d", frames=frames, size=size,
             oracle="a transcription of piergiaj/pytorch-i3d", **about)

    return make


class StConv(nn.Module):
    """STConv3D of antoine77340/S3D_HowTo100M."""

    def __init__(self, cin, cout, kernel=1, stride=1, padding=0, separable=False):
        super().__init__()
        if separable:
            self.conv1 = nn.Conv3d(cin, cout, (1, kernel, kernel), padding=(0, padding, padding), bias=False)
            self.conv2 = nn.Conv3d(cout, cout, (kernel, 1, 1), padding=(padding, 0, 0), bias=False)
            self.bn2 = nn.BatchNorm3d(cout)
        else:
            self.conv1 = nn.Conv3d(cin, cout, kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm3d(cout)
        self.separable = separable

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x))) if self.separable else x


class Gate(nn.Module):
    """SelfGating of antoine77340/S3D_HowTo100M."""

    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x):
        return torch.sigmoid(self.fc(x.mean((2, 3, 4))))[:, :, None, None, None] * x


class PerStridePool(nn.Module):
    """MaxPool3dTFPadding of antoine77340/S3D_HowTo100M: the padding forgets the lengths."""

    def __init__(self, kernel, stride):
        super().__init__()
        pads = [[(k - s) // 2, k - s - (k - s) // 2] for k, s in zip(kernel, stride)]
        self.pads = [p for pair in reversed(pads) for p in pair]
        self.pool = nn.MaxPool3d(kernel, stride, ceil_mode=True)

    def forward(self, x):
        return self.pool(F.pad(x, self.pads))


class GatedBlock(nn.Module):
    """InceptionBlock of antoine77340/S3D_HowTo100M."""

    def __init__(self, cin, widths):
        super().__init__()
        self.conv_b0 = StConv(cin, widths[0])
        self.conv_b1_a = StConv(cin, widths[1])
        self.conv_b1_b = StConv(widths[1], widths[2], 3, padding=1, separable=True)
        self.conv_b2_a = StConv(cin, widths[3])
        self.conv_b2_b = StConv(widths[3], widths[4], 3, padding=1, separable=True)
        self.maxpool_b3 = nn.MaxPool3d(3, stride=1, padding=1)
        self.conv_b3_b = StConv(cin, widths[5])
        self.gating_b0, self.gating_b1 = Gate(widths[0]), Gate(widths[2])
        self.gating_b2, self.gating_b3 = Gate(widths[4]), Gate(widths[5])

    def forward(self, x):
        b1 = self.conv_b1_b(self.conv_b1_a(x))
        b2 = self.conv_b2_b(self.conv_b2_a(x))
        b3 = self.conv_b3_b(self.maxpool_b3(x))
        branches = self.gating_b0(self.conv_b0(x)), self.gating_b1(b1), self.gating_b2(b2), self.gating_b3(b3)
        return torch.cat(branches, 1)


class S3dG(nn.Module):
    """The video half of S3D of antoine77340/S3D_HowTo100M."""

    def __init__(self, space_to_depth, length, stem=STEM, widths_of_modules=MODULES):
        super().__init__()
        self.space_to_depth = space_to_depth
        if space_to_depth:
            self.conv1 = StConv(24, stem[0], (2, 4, 4), 1, (1, 2, 2))
        else:
            self.conv1 = StConv(3, stem[0], (3, 7, 7), 2, (1, 3, 3))
        self.conv_2b = StConv(stem[0], stem[1])
        self.conv_2c = StConv(stem[1], stem[2], 3, padding=1, separable=True)
        self.gating = Gate(stem[2])
        self.maxpool_2a = PerStridePool((1, 3, 3), (1, 2, 2))
        self.maxpool_3a = PerStridePool((1, 3, 3), (1, 2, 2))
        self.maxpool_4a = PerStridePool((3, 3, 3), (2, 2, 2))
        self.maxpool_5a = PerStridePool((2, 2, 2), (2, 2, 2))
        cin = stem[2]
        for name, widths in zip(NAMES, widths_of_modules):
            setattr(self, name.lower(), GatedBlock(cin, widths))
            cin = outputs_of(widths)
        self.fc = nn.Linear(cin, length)

    def blocks(self, x):
        """Blocks of 2x2x2 pixels as channels, in the order T, H, W, C."""
        n, c, t, h, w = x.shape
        x = x.view(n, c, t // 2, 2, h // 2, 2, w // 2, 2).permute(0, 3, 5, 7, 1, 2, 4, 6)
        return x.reshape(n, 8 * c, t // 2, h // 2, w // 2)

    def forward(self, x):
        x = self.conv1(self.blocks(x))[:, :, 1:, 1:, 1:] if self.space_to_depth else self.conv1(x)
        x = self.conv_2b(self.maxpool_2a(x))
        x = self.maxpool_3a(self.gating(self.conv_2c(x)))
        x = self.maxpool_4a(self.mixed_3c(self.mixed_3b(x)))
        for name in NAMES[2:7]:
            x = getattr(self, name.lower())(x)
        x = self.mixed_5c(self.mixed_5b(self.maxpool_5a(x)))
        x = x.mean((2, 3, 4))
        return x, self.fc(x)


def open_gates(model):
    """Half-open gates in every module would leave nothing of the clip at the end."""
    for module in model.modules():
        gate = module.fc if isinstance(module, Gate) else module.gate if isinstance(module, GatedUnit) else None
        if gate is not None:
            gate.bias.data += 2
            gate.bias.data = gate.bias.half().double()
    return model


def s3d_g(space_to_depth, frames, size, seed):
    def make(name):
        model = open_gates(randomise(S3dG(space_to_depth, 6), seed))
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        kept = record(model, ["maxpool_2a", "gating", "mixed_3b", "mixed_4f", "mixed_5c"])
        with torch.no_grad():
            features, embedding = model(clip.permute(0, 4, 1, 2, 3))
        nodes = {
            "MaxPool3d_2a_3x3/pool3d": kept["maxpool_2a"],
            "Conv3d_2c_3x3.gate/binary": kept["gating"],
            "Mixed_3b/concat": kept["mixed_3b"],
            "Mixed_4f/concat": kept["mixed_4f"],
            "Mixed_5c/concat": kept["mixed_5c"],
        }
        nodes = {k: channels_last(v) for k, v in nodes.items()}
        state = dict(model.state_dict())
        # What the published file holds of the texts' half.
        state["text_module.fc1.weight"] = torch.zeros(4, 3)
        save(name, state, {"clip": clip}, nodes, {"features": features, "embedding": embedding}, network="s3d",
             convention="howto100m", frames=frames, size=size,
             oracle="a transcription of antoine77340/S3D_HowTo100M")

    return make


class Same(nn.Module):
    """A convolution or pooling with TensorFlow's SAME padding."""

    def __init__(self, layer, kernel, stride):
        super().__init__()
        self.layer, self.kernel, self.stride = layer, kernel, stride

    def forward(self, x):
        pads = []
        for length, k, s in reversed(list(zip(x.shape[2:], self.kernel, self.stride))):
            total = max((-(-length // s) - 1) * s + k - length, 0)
            pads += [total // 2, total - total // 2]
        # What is pooled is never negative.
        return self.layer(F.pad(x, pads))


class FactoredUnit(nn.Module):
    """Convolution, batch normalisation, ReLU; longer than 1 factored into space and time, whose steps are of 1 frame."""

    def __init__(self, cin, cout, k=1, stride=1):
        super().__init__()
        self.parts = [("spatial", (1, k, k), stride), ("temporal", (k, 1, 1), 1)] if k > 1 else [("", (1, 1, 1), 1)]
        for part, kernel, s in self.parts:
            half = nn.Module()
            half.conv3d = nn.Conv3d(cin, cout, kernel, (1, s, s), bias=False)
            half.bn = nn.BatchNorm3d(cout, eps=1e-3)
            self.add_module(part or "whole", half)
            cin = cout

    def forward(self, x):
        for part, kernel, s in self.parts:
            half = self._modules[part or "whole"]
            x = F.relu(half.bn(Same(half.conv3d, kernel, (1, s, s))(x)))
        return x


class GatedUnit(FactoredUnit):
    def __init__(self, cin, cout, k=1):
        super().__init__(cin, cout, k)
        self.gate = nn.Linear(cout, cout)

    def forward(self, x):
        x = super().forward(x)
        return torch.sigmoid(self.gate(x.mean((2, 3, 4))))[:, :, None, None, None] * x


class SpeedModule(nn.Module):
    def __init__(self, cin, w):
        super().__init__()
        self.b0, self.b3b = GatedUnit(cin, w[0]), GatedUnit(cin, w[5])
        self.b1a, self.b1b = FactoredUnit(cin, w[1]), GatedUnit(w[1], w[2], 3)
        self.b2a, self.b2b = FactoredUnit(cin, w[3]), GatedUnit(w[3], w[4], 3)

    def forward(self, x):
        pooled = F.max_pool3d(x, 3, 1, 1)
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)], 1)


class SpeedNet(nn.Module):
    """The paper's: an S3D-G whose steps in time are of 1 frame, largest of space, mean of time, one logit."""

    POOLS = {"Mixed_4b": (3, 3, 3), "Mixed_5b": (2, 2, 2)}

    def __init__(self, stem=STEM, widths_of_modules=MODULES):
        super().__init__()
        self.base = nn.ModuleDict({
            "Conv3d_1a_7x7": FactoredUnit(3, stem[0], 7, 2), "Conv3d_2b_1x1": FactoredUnit(stem[0], stem[1]),
            "Conv3d_2c_3x3": GatedUnit(stem[1], stem[2], 3),
        })  # fmt: skip
        cin = stem[2]
        for name, widths in zip(NAMES, widths_of_modules):
            self.base[name] = SpeedModule(cin, widths)
            cin = outputs_of(widths)
        self.speed = nn.Linear(cin, 1)

    def forward(self, x):
        for name, module in self.base.items():
            kernel = self.POOLS.get(name, (1, 3, 3))
            if name in ("Conv3d_2b_1x1", "Mixed_3b", *self.POOLS):
                x = Same(nn.MaxPool3d(kernel, (1, 2, 2)), kernel, (1, 2, 2))(x)
            x = module(x)
        x = x.amax((3, 4)).mean(2)
        return x, self.speed(x)


def speednet_name(name):
    return name.replace(".whole.", ".")


def speednet(name):
    seed, frames, size = 185, 5, 38
    model = open_gates(randomise(SpeedNet(), seed))
    clip = values(1, frames, size, size, 3, seed=seed + 1)
    kept = record(model, ["base.Conv3d_2c_3x3", "base.Mixed_3c", "base.Mixed_4f", "base.Mixed_5c"])
    with torch.no_grad():
        features, speed = model(clip.permute(0, 4, 1, 2, 3))
    nodes = {f"base/{k[5:]}/concat": channels_last(v) for k, v in kept.items() if "Mixed" in k}
    nodes["base/Conv3d_2c_3x3.gate/binary"] = channels_last(kept["base.Conv3d_2c_3x3"])
    state = {speednet_name(k): v for k, v in model.state_dict().items()}
    save(name, state, {"clip": clip}, nodes, {"features": features, "speed": speed}, network="speednet",
         convention="torch", frames=frames, size=size, oracle="PyTorch, a transcription of the paper's text on S3D-G")


WHOLE, SPATIAL, FACTORED = resnet.Conv3DSimple, resnet.Conv3DNoTemporal, resnet.Conv2Plus1D

GOLDENS = {
    "i3d-rgb": i3d(3, lambda n: n, 20, 34, seed=100, convention="piergiaj"),
    "i3d-flow": i3d(2, hassony2, 19, 36, seed=110, convention="hassony2"),
    "mc3": r3d([WHOLE] + [SPATIAL] * 3, [1, 1, 2, 1], "mc3-18", seed=120),
    "r2plus1d": r3d([FACTORED] * 4, [1, 2, 1, 1], "r2plus1d-18", seed=130),
    "r3d": r3d([WHOLE] * 4, [2, 1, 1, 1], "r3d-18", seed=140),
    "s3d": s3d(21, lambda n: n, seed=150, convention="torchvision", oracle=TORCHVISION),
    "s3d-base": s3d(
        13, lambda n: f"module.{kylemin(n)}", seed=160, convention="kylemin", oracle=f"{TORCHVISION}, names of kylemin/S3D"
    ),
    "s3d-g": s3d_g(True, 12, 36, seed=170),
    "s3d-g-whole": s3d_g(False, 12, 34, seed=180),
    "speednet": speednet,
}
