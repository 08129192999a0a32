"""Detectors of actions as open-mmlab/mmaction2 has them, transcribed: Slow R50 on given boxes, alone and with a long-term
feature bank, and SlowFast. Sources: mmaction/models/backbones/resnet3d*.py, roi_heads/roi_extractors/single_straight3d.py,
roi_heads/shared_heads/fbo_head.py, roi_heads/bbox_heads/bbox_head.py, configs/detection; RoIAlign is torchvision's."""

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import roi_align

from common import channels_last, randomise, record, save, values

ORACLE = "a transcription of open-mmlab/mmaction2 in PyTorch, torchvision 0.29.2"
BLOCKS = (1, 2, 1, 1)


class ConvModule(nn.Module):
    """Convolution and normalisation; a bare convolution with a bias where mmaction2 has no normalisation."""

    def __init__(self, inputs, outputs, kernel=(1, 1, 1), stride=1, norm=True, bias=False):
        super().__init__()
        pad = tuple(k // 2 for k in kernel)
        self.conv = nn.Conv3d(inputs, outputs, kernel, stride, pad, bias=bias)
        if norm:
            self.bn = nn.BatchNorm3d(outputs)

    def forward(self, x):
        return self.bn(self.conv(x)) if hasattr(self, "bn") else self.conv(x)


class Bottleneck(nn.Module):
    def __init__(self, inputs, inner, taps, stride):
        super().__init__()
        self.conv1 = ConvModule(inputs, inner, (taps, 1, 1))
        self.conv2 = ConvModule(inner, inner, (1, 3, 3), (1, stride, stride))
        self.conv3 = ConvModule(inner, 4 * inner)
        if inputs != 4 * inner or stride != 1:
            self.downsample = ConvModule(inputs, 4 * inner, stride=(1, stride, stride))

    def forward(self, x):
        y = self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class Path(nn.Module):
    """A stem and four stages, the last without a stride. `told` are the channels that a fast path adds before each."""

    def __init__(self, width, stem_taps, taps, told=(0, 0, 0, 0), counts=BLOCKS):
        super().__init__()
        self.conv1 = ConvModule(3, width, (stem_taps, 7, 7), (1, 2, 2))
        channels = width
        for i, stride in enumerate((1, 2, 2, 1)):
            blocks = []
            for b in range(counts[i]):
                inputs = channels + (told[i] if b == 0 else 0)
                blocks.append(Bottleneck(inputs, width << i, taps[i], stride if b == 0 else 1))
                channels = 4 * width << i
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))

    def stem(self, x):
        return F.max_pool3d(F.relu(self.conv1(x)), (1, 3, 3), (1, 2, 2), (0, 1, 1))

    def forward(self, x):
        x = self.stem(x)
        for i in range(1, 5):
            x = getattr(self, f"layer{i}")(x)
        return (x,)


class SlowFast(nn.Module):
    def __init__(self, slow, fast, alpha, taps=5, counts=BLOCKS):
        super().__init__()
        told = [2 * c for c in (fast, 4 * fast, 8 * fast, 16 * fast)]
        self.alpha = alpha
        self.slow_path = Path(slow, 1, (1, 1, 3, 3), told, counts)
        self.fast_path = Path(fast, 5, (3, 3, 3, 3), counts=counts)
        for i, name in enumerate(("conv1", "layer1", "layer2", "layer3")):
            lateral = ConvModule(told[i] // 2, told[i], (taps, 1, 1), (alpha, 1, 1), norm=False)
            setattr(self.slow_path, f"{name}_lateral", lateral)

    def forward(self, x):
        slow, fast = self.slow_path.stem(x[:, :, :: self.alpha]), self.fast_path.stem(x)
        for i, name in enumerate(("conv1", "layer1", "layer2", "layer3")):
            slow = torch.cat([slow, getattr(self.slow_path, f"{name}_lateral")(fast)], 1)
            slow = getattr(self.slow_path, f"layer{i + 1}")(slow)
            fast = getattr(self.fast_path, f"layer{i + 1}")(fast)
        return slow, fast


class NonLocalLayer(nn.Module):
    def __init__(self, channels):
        super().__init__()
        for name in ("st_feat_conv", "lt_feat_conv", "global_conv", "out_conv"):
            setattr(self, name, ConvModule(channels, channels, norm=False, bias=True))
        self.ln = nn.LayerNorm([channels, 1, 1, 1])

    def forward(self, short, long):
        theta, phi, g = (f.flatten(2) for f in (self.st_feat_conv(short), self.lt_feat_conv(long), self.global_conv(long)))
        p = (theta.transpose(1, 2) @ phi / theta.shape[1] ** 0.5).softmax(-1)
        y = (g @ p.transpose(1, 2))[..., None, None]
        return self.out_conv(F.relu(self.ln(y)))


class Fbo(nn.Module):
    def __init__(self, inputs, channels):
        super().__init__()
        self.st_feat_conv = nn.Conv3d(inputs, channels, 1)
        self.lt_feat_conv = nn.Conv3d(inputs, channels, 1)
        self.non_local_layer_1 = NonLocalLayer(channels)
        self.non_local_layer_2 = NonLocalLayer(channels)

    def forward(self, short, long):
        short, long = self.st_feat_conv(short), self.lt_feat_conv(long)
        short = short + self.non_local_layer_1(short, long)
        return short + self.non_local_layer_2(short, long)


class Detector(nn.Module):
    """`bank` is None, "max", "avg" or the channels of the non-local operator."""

    def __init__(self, backbone, channels, bank, actions=7):
        super().__init__()
        self.backbone = backbone
        self.bank = bank
        self.roi_head = nn.ModuleDict({"bbox_head": nn.ModuleDict()})
        told = {None: 0, "max": channels, "avg": channels}.get(bank, bank)
        if isinstance(bank, int):
            self.roi_head["shared_head"] = nn.ModuleDict({"fbo": Fbo(channels, bank)})
        self.roi_head["bbox_head"]["fc_cls"] = nn.Linear(channels + told, actions)

    def forward(self, clip, boxes, held):
        maps = torch.cat([x.mean(2) for x in self.backbone(clip.permute(0, 4, 1, 2, 3))], 1)
        rois = torch.cat([boxes.new_zeros(len(boxes), 1), boxes], 1)
        roi = roi_align(maps, rois, 8, 1 / 16, sampling_ratio=0, aligned=True).amax((2, 3))
        features = roi
        if self.bank is not None:
            long = held.expand(len(boxes), -1, -1).transpose(1, 2)[..., None, None]
            if self.bank == "max":
                told = long.amax(2).flatten(1)
            elif self.bank == "avg":
                told = long.mean(2).flatten(1)
            else:
                told = self.roi_head["shared_head"]["fbo"](roi[..., None, None, None], long).flatten(1)
            features = torch.cat([roi, told], 1)
        return roi, features, self.roi_head["bbox_head"]["fc_cls"](features)


def detector(network, bank=None, seed=0, **about):
    def make(name):
        # Frames are wider than high.
        height, width = 40, 72
        slow = network == "slow-ava"
        frames, stem = (4, "backbone") if slow else (16, "backbone.slow_path")
        backbone = Path(4, 1, (1, 1, 3, 3)) if slow else SlowFast(4, 2, 8)
        channels = 128 if slow else 128 + 64
        model = randomise(Detector(backbone, channels, bank), seed)
        clip = values(1, frames, height, width, 3, seed=seed + 1)
        boxes = torch.tensor([[3.5, 6.25, 50.75, 33.0], [52.0, 2.0, 70.5, 38.0], [0.0, 0.0, width, height]]).double()
        # Features are maxima of what a ReLU gives; of most seconds there are fewer than five persons.
        held = values(1, 300, channels, seed=seed + 2).abs()
        held[:, torch.arange(300) % 5 > torch.arange(300) // 5 % 6 - 1] = 0
        kept = record(model, [f"{stem}.layer{i}.0" for i in (1, 2, 3)])
        with torch.no_grad():
            roi, features, logits = model(clip, boxes, held)
        nodes = {
            f"s{i + 1}/pathway0_res0/activation": channels_last(kept[f"{stem}.layer{i}.0"]) for i in (1, 2, 3)
        }
        inputs = {"clip": clip, "boxes": boxes} | ({"bank": held} if bank else {})
        outputs = {"features": features, "logits": logits} | ({"roi": roi} if slow else {})
        save(
            name, model.state_dict(), inputs, nodes, outputs, network=network, convention="mmaction",
            frames=frames, size=height, width=width, boxes=len(boxes), oracle=ORACLE, **about,
        )  # fmt: skip

    return make


GOLDENS = {
    "slow-ava": detector("slow-ava", seed=350),
    "slow-ava-lfb": detector("slow-ava", 32, seed=360),
    "slow-ava-lfb-max": detector("slow-ava", "max", seed=370),
    "slow-ava-lfb-avg": detector("slow-ava", "avg", seed=380, variant="lfb-avg"),
    "slowfast-ava-mmaction": detector("slowfast-ava", seed=390),
}
