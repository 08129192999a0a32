"""Early, late and slow fusion of frames: torchvision's ResNet with other ends, and a transcription of Karpathy et al. 2014,
for which there is no public implementation; the names are this project's."""

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

from common import channels_last, randomise, record, save, values
from frames import TORCHVISION, SmallResNet


def maps(model, x):
    """The maps of the last stage."""
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    return model.layer4(model.layer3(model.layer2(model.layer1(x))))


def backbone(channels, blocks, width):
    model = SmallResNet(BasicBlock, blocks, width, channels, 5)
    model.fc = nn.Identity()
    return model


SMALL = [1, 1, 2, 1]


class Early(nn.Module):
    def __init__(self, frames, blocks=SMALL, width=6, classes=5):
        super().__init__()
        self.backbone = backbone(3 * frames, blocks, width)
        self.early = nn.Linear(8 * width, classes)

    def forward(self, clip):
        """Of [N, T, H, W, 3], the features and the logits."""
        n, t, h, w, c = clip.shape
        x = clip.permute(0, 1, 4, 2, 3).reshape(n, t * c, h, w)
        x = maps(self.backbone, x).mean((2, 3))
        return x, self.early(x)


class Late(nn.Module):
    def __init__(self, frames, places, hidden, blocks=SMALL, width=6, classes=5):
        super().__init__()
        self.backbone = backbone(3, blocks, width)
        if hidden:
            first = nn.Linear(8 * width * frames * places, hidden)
            self.late = nn.ModuleDict({"fc1": first, "fc2": nn.Linear(hidden, classes)})
        else:
            self.late = nn.Linear(8 * width, classes)
        self.hidden = hidden

    def forward(self, clip):
        n, t, h, w, c = clip.shape
        x = maps(self.backbone, clip.reshape(n * t, h, w, c).permute(0, 3, 1, 2))
        # [N, C, T, H, W], as a 3D network has it.
        x = x.reshape(n, t, *x.shape[1:]).transpose(1, 2)
        if not self.hidden:
            x = x.mean((2, 3, 4))
            return x, self.late(x)
        x = F.relu(self.late["fc1"](x.flatten(1)))
        return x, self.late["fc2"](x)


class Slow(nn.Module):
    """C(96,11,3)-N-P-C(256,5,1)-N-P-C(384,3,1)-C(384,3,1)-C(256,3,1)-P-FC(4096)-FC(4096), with temporal extents 4, 2 and 2
    at a stride of 2 in the first three convolutions."""

    def __init__(self, widths, places, features, classes=5):
        super().__init__()
        kernels = [(4, 11, 11), (2, 5, 5), (2, 3, 3), (1, 3, 3), (1, 3, 3)]
        strides = [(2, 3, 3), (2, 1, 1), (2, 1, 1), 1, 1]
        self.slow = nn.ModuleDict()
        cin = 3
        for i, (cout, kernel, stride) in enumerate(zip(widths, kernels, strides)):
            padding = (0, kernel[1] // 2, kernel[2] // 2) if i else 0
            self.slow[f"conv{i + 1}"] = nn.Conv3d(cin, cout, kernel, stride, padding)
            cin = cout
        self.slow["fc6"] = nn.Linear(cin * places, features)
        self.slow["fc7"] = nn.Linear(features, features)
        self.slow["fc8"] = nn.Linear(features, classes)

    @staticmethod
    def norm(x):
        """Krizhevsky's: the sum over five channels, which torch divides by five."""
        return F.local_response_norm(x, 5, alpha=5e-4, beta=0.5, k=2.0)

    def forward(self, clip):
        x = clip.permute(0, 4, 1, 2, 3)
        x = F.max_pool3d(self.norm(F.relu(self.slow["conv1"](x))), (1, 2, 2))
        x = F.max_pool3d(self.norm(F.relu(self.slow["conv2"](x))), (1, 2, 2))
        x = F.relu(self.slow["conv4"](F.relu(self.slow["conv3"](x))))
        x = F.max_pool3d(F.relu(self.slow["conv5"](x)), (1, 2, 2)).flatten(1)
        x = F.relu(self.slow["fc7"](F.relu(self.slow["fc6"](x))))
        return x, self.slow["fc8"](x)


def fusion(model, frames, size, nodes, seed, network, variant, oracle):
    """`nodes`: this project's name, the module's, and what is done to its output."""

    def make(name):
        net = randomise(model(), seed)
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        kept = record(net, [module for _, module, _ in nodes])
        with torch.no_grad():
            features, logits = net(clip)
        wanted = {node: function(kept[module]) for node, module, function in nodes}
        save(name, net.state_dict(), {"clip": clip}, wanted, {"features": features, "logits": logits}, network=network,
             variant=variant, convention="kinetograph", frames=frames, size=size, oracle=oracle)

    return make


def frames_last(x):
    """[T, C, H, W] as [1, T, H, W, C]."""
    return channels_last(x)[None]


BACKBONE = [
    ("backbone/maxpool/pool3d", "backbone.maxpool", frames_last),
    ("backbone/layer2.0/activation", "backbone.layer2", frames_last),
    ("backbone/layer4.0/activation", "backbone.layer4", frames_last),
]
SLOW = [
    ("slow.conv1/conv3d", "slow.conv1", channels_last),
    ("slow.conv3/conv3d", "slow.conv3", channels_last),
    ("slow.conv5/conv3d", "slow.conv5", channels_last),
]

GOLDENS = {
    "early-fusion": fusion(lambda: Early(4), 4, 40, BACKBONE, 200, "early-fusion", "resnet18", TORCHVISION),
    "late-fusion-linear": fusion(lambda: Late(3, 4, 9), 3, 40, BACKBONE, 210, "late-fusion", "linear", TORCHVISION),
    "late-fusion-pooling": fusion(lambda: Late(3, 4, 0), 3, 40, BACKBONE, 220, "late-fusion", "pooling", TORCHVISION),
    "slow-fusion": fusion(
        lambda: Slow([6, 8, 9, 7, 8], 4, 10), 10, 56, SLOW, 230, "slow-fusion", "alexnet",
        "a transcription of Karpathy et al. 2014",
    ),
}
