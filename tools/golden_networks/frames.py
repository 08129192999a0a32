"""Networks that look at single frames: ResNet and VGG of torchvision, TSN as mmaction2 names it, two-stream's."""

import torch
import torchvision
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from common import channels_last, randomise, record, save, values

TORCHVISION = f"torchvision {torchvision.__version__}"


class SmallResNet(torchvision.models.ResNet):
    """torchvision's, with fewer channels and blocks."""

    def __init__(self, block, blocks, width, channels, classes):
        super().__init__(block, [1, 1, 1, 1], num_classes=classes)
        self.inplanes = width
        self.conv1 = nn.Conv2d(channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for i, n in enumerate(blocks):
            stage = self._make_layer(block, width << i, n, stride=1 if i == 0 else 2)
            setattr(self, f"layer{i + 1}", stage)
        self.fc = nn.Linear((width << 3) * block.expansion, classes)



def resnet(block, blocks, channels, frames=1, rename=lambda name: name, seed=0, **about):
    def make(name):
        model = randomise(SmallResNet(block, blocks, 8, channels, 7), seed)
        size = 40
        clip = values(1, frames, size, size, channels, seed=seed + 1)
        kept = record(model, ["maxpool", "layer1", "layer3", "avgpool"])
        with torch.no_grad():
            logits = model(clip[0].permute(0, 3, 1, 2)).mean(0, keepdim=True)
        nodes = {
            "maxpool/pool3d": channels_last(kept["maxpool"])[None],
            f"layer1.{blocks[0] - 1}/activation": channels_last(kept["layer1"])[None],
            f"layer3.{blocks[2] - 1}/activation": channels_last(kept["layer3"])[None],
        }
        outputs = {"features": kept["avgpool"].flatten(1).mean(0, keepdim=True), "logits": logits}
        state = {rename(k): v for k, v in model.state_dict().items()}
        key = "clip" if channels == 3 else "flow"
        save(name, state, {key: clip}, nodes, outputs, network="resnet", frames=frames, size=size, **about)

    return make


def mmaction(name):
    parts = name.split(".")
    if parts[0] == "fc":
        return f"cls_head.fc_cls.{parts[1]}"
    *block, layer, parameter = parts
    if block and block[-1] == "downsample":
        block, layer = block[:-1], "downsample.conv" if layer == "0" else "downsample.bn"
    elif layer.startswith("bn"):
        layer = f"conv{layer[2:]}.bn"
    else:
        layer = f"{layer}.conv"
    return ".".join(["backbone", *block, layer, parameter])


def custom(name):
    first, rest = name.split(".", 1)
    return f"{first}_custom.{rest}" if first in ("conv1", "fc") else name


class SmallVgg(torchvision.models.VGG):
    """torchvision's, with fewer channels and features."""

    def __init__(self, stages, width, channels, features, classes, batch_norm):
        layers = []
        cin = channels
        for multiple, n in zip([1, 2, 4, 8, 8], stages):
            for _ in range(n):
                layers.append(nn.Conv2d(cin, width * multiple, 3, padding=1))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(width * multiple))
                layers.append(nn.ReLU())
                cin = width * multiple
            layers.append(nn.MaxPool2d(2, 2))
        super().__init__(nn.Sequential(*layers), num_classes=classes, init_weights=False)
        self.classifier = nn.Sequential(
            nn.Linear(cin * 49, features), nn.ReLU(), nn.Dropout(),
            nn.Linear(features, features), nn.ReLU(), nn.Dropout(), nn.Linear(features, classes),
        )


def vgg(stages, channels, batch_norm=False, rename=lambda name: name, seed=0, **about):
    def make(name):
        model = randomise(SmallVgg(stages, 4, channels, 24, 7, batch_norm), seed)
        size = 64
        clip = values(1, 1, size, size, channels, seed=seed + 1)
        last = len(model.features) - 1
        first = [i for i, layer in enumerate(model.features) if isinstance(layer, nn.MaxPool2d)][0]
        kept = record(model, [f"features.{first}", f"features.{last}", "classifier.1", "classifier.4"])
        with torch.no_grad():
            logits = model(clip[0].permute(0, 3, 1, 2))
        nodes = {
            "features/pool1/pool3d": channels_last(kept[f"features.{first}"])[None],
            "pool5/pool3d": channels_last(kept[f"features.{last}"])[None],
            "classifier.0/activation": kept["classifier.1"],
        }
        outputs = {"features": kept["classifier.4"], "logits": logits}
        state = {rename(k): v for k, v in model.state_dict().items()}
        key = "clip" if channels == 3 else "flow"
        save(name, state, {key: clip}, nodes, outputs, network="vgg", frames=1, size=size, **about)

    return make


class Fusion(nn.Module):
    """Two VGG streams whose last maps are fused by a convolution over space and time, then pooled over both."""

    def __init__(self, stages, width, flows, features, classes, fuse, places=4):
        super().__init__()
        self.fuse = fuse
        self.spatial = SmallVgg(stages, width, 3, features, classes, False).features[:-1]
        self.temporal = SmallVgg(stages, width, 2 * flows, features, classes, False).features[:-1]
        c = 8 * width
        self.fusion = nn.Conv3d(2 * c if fuse == "concat" else c, c, 3, padding=1)
        self.classifier = nn.Sequential(
            nn.Linear(c * places, features), nn.ReLU(), nn.Dropout(),
            nn.Linear(features, features), nn.ReLU(), nn.Dropout(), nn.Linear(features, classes),
        )

    def forward(self, clip, flow):
        t = clip.shape[1]

        def maps(net, x):
            return net(x[0].permute(0, 3, 1, 2)).permute(1, 0, 2, 3)[None]

        a, b = maps(self.spatial, clip), maps(self.temporal, flow)
        x = torch.relu(self.fusion(torch.cat([a, b], 1) if self.fuse == "concat" else a + b))
        x = nn.functional.max_pool3d(x, (t, 2, 2))
        return a, b, x, self.classifier(x.flatten(1))


def fusion(fuse, seed):
    def make(name):
        model = Fusion([1, 1, 1, 1, 1], 4, 5, 24, 7, fuse)
        state = randomise(model, seed).state_dict()
        size, frames = 64, 2
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        flow = values(1, frames, size, size, 10, seed=seed + 2)
        kept = record(model, ["classifier.1", "classifier.4"])
        with torch.no_grad():
            a, b, x, logits = model(clip, flow)
        nodes = {
            "spatial/13/activation": channels_last(a), "temporal/13/activation": channels_last(b),
            "fusion/pool3d": channels_last(x), "classifier.0/activation": kept["classifier.1"],
        }
        outputs = {"features": kept["classifier.4"], "logits": logits}
        save(
            name, state, {"clip": clip, "flow": flow}, nodes, outputs,
            network="two-stream-fusion", convention="kinetograph", frames=frames, size=size,
            oracle=f"transcription of arXiv:1604.06573 in torch {torch.__version__}",
        )

    return make


def action(name):
    return name.replace("classifier.6.", "fc_action.") if name.startswith("classifier") else name.replace("fc.", "fc_action.")


GOLDENS = {
    "two-stream-fusion-concat": fusion("concat", 80),
    "two-stream-fusion-sum": fusion("sum", 90),
    "resnet-basic": resnet(BasicBlock, [2, 1, 2, 1], 3, convention="torchvision", oracle=TORCHVISION),
    "resnet-bottleneck": resnet(
        Bottleneck, [1, 2, 1, 1], 3, rename=lambda n: f"module.{n}", seed=10, convention="torchvision", oracle=TORCHVISION
    ),
    "resnet-flow": resnet(
        Bottleneck, [1, 1, 2, 1], 20, rename=custom, seed=20, convention="jeffreyyihuang",
        oracle=f"{TORCHVISION}, names of jeffreyyihuang/two-stream-action-recognition",
    ),
    "resnet-flow-action": resnet(
        Bottleneck, [1, 1, 1, 2], 20, rename=action, seed=30, convention="bryanyzhu",
        oracle=f"{TORCHVISION}, names of bryanyzhu/two-stream-pytorch",
    ),
    "tsn": resnet(
        Bottleneck, [1, 1, 1, 1], 3, frames=3, rename=mmaction, seed=40, convention="mmaction",
        oracle=f"{TORCHVISION} and the mean over segments, names of mmaction2",
    ),
    "vgg": vgg([1, 1, 2, 2, 2], 3, seed=50, convention="torchvision", oracle=TORCHVISION),
    "vgg-bn": vgg([2, 2, 3, 3, 3], 3, batch_norm=True, seed=60, convention="torchvision", oracle=TORCHVISION),
    "vgg-flow": vgg(
        [2, 2, 3, 3, 3], 20, rename=action, seed=70, convention="bryanyzhu",
        oracle=f"{TORCHVISION}, names of bryanyzhu/two-stream-pytorch",
    ),
}
