"""Self-supervised networks without a package: torchvision's ResNet as the contrastive random walk changes it, and the layers
of Shuffle and Learn."""

import torch
import torchvision
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

from common import channels_last, randomise, record, save, values
from frames import SmallResNet

TORCHVISION = f"torchvision {torchvision.__version__}"


def crw(blocks, rename=lambda name: name, seed=0, **about):
    def make(name):
        model = SmallResNet(BasicBlock, blocks, 8, 3, 7)
        for m in list(model.layer3.modules()) + list(model.layer4.modules()):
            if isinstance(m, nn.Conv2d):
                m.stride = (1, 1)
        for m in model.modules():
            if isinstance(m, nn.Conv2d) and m.padding[0] > 0:
                m.padding_mode, m._reversed_padding_repeated_twice = "reflect", [m.padding[0]] * 4
        model.fc = nn.Linear(64, 12)
        randomise(model, seed)
        frames, size = 2, 40
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        kept = record(model, ["maxpool", "layer1", "layer3", "layer4"])
        with torch.no_grad():
            model(clip[0].permute(0, 3, 1, 2))
            node = F.normalize(model.fc(kept["layer4"].mean((2, 3))), dim=1)
        nodes = {
            "encoder.model/maxpool/pool3d": channels_last(kept["maxpool"])[None],
            f"encoder.model/layer1.{blocks[0] - 1}/activation": channels_last(kept["layer1"])[None],
            f"encoder.model/layer4.{blocks[3] - 1}/activation": channels_last(kept["layer4"])[None],
        }
        outputs = {
            "maps": channels_last(F.normalize(kept["layer3"], dim=1))[None],
            "features": node.mean(0, keepdim=True),
        }
        state = {}
        for k, v in model.state_dict().items():
            k = k.replace("fc.", "selfsim_fc.0.") if k.startswith("fc.") else f"encoder.model.{k}"
            state[rename(k)] = v
        save(name, state, {"clip": clip}, nodes, outputs, network="crw", frames=frames, size=size, **about)

    return make


def padded(name):
    if name.endswith(("conv1.weight", "conv2.weight")):
        return name.replace(".weight", ".1.weight")
    return name


class CaffeNet(nn.Module):
    """The layers of imisra/shuffle-tuple's prototxt, fewer channels; frames lie along the batch."""

    def __init__(self, c, features):
        super().__init__()
        self.conv1 = nn.Conv2d(3, c[0], 11, 4)
        self.conv2 = nn.Conv2d(c[0], c[1], 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(c[1], c[2], 3, padding=1)
        self.conv4 = nn.Conv2d(c[2], c[3], 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(c[3], c[4], 3, padding=1, groups=2)
        for i in (3, 4, 5):
            setattr(self, f"batch_norm_{i}", nn.BatchNorm2d(c[i - 1], affine=False))
        self.fc6 = nn.Linear(c[4] * 4, features)
        self.batch_norm_6 = nn.BatchNorm1d(features, affine=False)
        self.fc7 = nn.Linear(features, features)
        self.batch_norm_7 = nn.BatchNorm1d(features, affine=False)
        self.fc8_tri = nn.Linear(3 * features, 2)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

    def forward(self, x, kept):
        x = self.norm(self.pool(F.relu(self.conv1(x))))
        kept["norm1/local_response_norm"] = channels_last(x)[None]
        x = self.norm(self.pool(F.relu(self.conv2(x))))
        x = F.relu(self.batch_norm_3(self.conv3(x)))
        kept["relu3/activation"] = channels_last(x)[None]
        x = F.relu(self.batch_norm_4(self.conv4(x)))
        x = self.pool(F.relu(self.batch_norm_5(self.conv5(x))))
        kept["pool5/pool3d"] = channels_last(x)[None]
        x = F.relu(self.batch_norm_6(self.fc6(x.flatten(1))))
        x = F.relu(self.batch_norm_7(self.fc7(x)))
        # Caffe slices the batch into the frames and joins their channels.
        x = torch.cat(list(x), 0)[None]
        return x, self.fc8_tri(x)


def shuffle_and_learn(name):
    seed, size = 130, 71
    model = randomise(CaffeNet([8, 12, 16, 16, 12], 20), seed)
    clip = values(1, 3, size, size, 3, seed=seed + 1)
    nodes = {}
    with torch.no_grad():
        features, logits = model(clip[0].permute(0, 3, 1, 2), nodes)
    save(
        name, model.state_dict(), {"clip": clip}, nodes, {"features": features, "logits": logits},
        network="frame-order", convention="layers", frames=3, size=size, oracle="PyTorch, layers of imisra/shuffle-tuple",
    )


def order_of_resnet(name):
    seed, size, frames = 140, 40, 4
    model = randomise(SmallResNet(BasicBlock, [1, 1, 1, 1], 8, 3, 7), seed)
    head = randomise(nn.Linear(frames * 64, 2), seed + 2)
    clip = values(1, frames, size, size, 3, seed=seed + 1)
    kept = record(model, ["maxpool", "layer2", "layer4", "avgpool"])
    with torch.no_grad():
        model(clip[0].permute(0, 3, 1, 2))
        features = kept["avgpool"].reshape(1, -1)
        logits = head(features)
    nodes = {
        "backbone/maxpool/pool3d": channels_last(kept["maxpool"])[None],
        "backbone/layer2.0/activation": channels_last(kept["layer2"])[None],
        "backbone/layer4.0/activation": channels_last(kept["layer4"])[None],
    }
    state = {f"backbone.{k}": v for k, v in model.state_dict().items() if not k.startswith("fc.")}
    state |= {f"head.{k}": v for k, v in head.state_dict().items()}
    save(
        name, state, {"clip": clip}, nodes, {"features": features, "logits": logits},
        network="frame-order", convention="layers", frames=frames, size=size, oracle=TORCHVISION,
    )


GOLDENS = {
    "crw": crw([1, 1, 2, 1], seed=120, convention="videowalk", oracle=f"{TORCHVISION}, changed as ajabri/videowalk does"),
    "crw-padded": crw(
        [1, 1, 1, 1], rename=padded, seed=124, convention="videowalk-padded",
        oracle=f"{TORCHVISION}, changed as ajabri/videowalk does",
    ),
    "frame-order-resnet": order_of_resnet,
    "shuffle-and-learn": shuffle_and_learn,
}
