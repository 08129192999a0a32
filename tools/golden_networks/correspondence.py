"""Self-supervised networks without a package: torchvision's ResNet as the contrastive random walk and TimeCycle change it, and
transcriptions of the layers of Shuffle and Learn, of tracking by colorizing and of temporal cycle consistency."""

import re

import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, Bottleneck

from common import FOLDER, channels_last, randomise, record, save, values
from frames import SmallResNet

TORCHVISION = f"torchvision {torchvision.__version__}"


def crw_model(blocks, width=8, embedding=12):
    model = SmallResNet(BasicBlock, blocks, width, 3, 7)
    for m in list(model.layer3.modules()) + list(model.layer4.modules()):
        if isinstance(m, nn.Conv2d):
            m.stride = (1, 1)
    for m in model.modules():
        if isinstance(m, nn.Conv2d) and m.padding[0] > 0:
            m.padding_mode, m._reversed_padding_repeated_twice = "reflect", [m.padding[0]] * 4
    model.fc = nn.Linear(8 * width, embedding)
    return model


def crw_name(name):
    return name.replace("fc.", "selfsim_fc.0.") if name.startswith("fc.") else f"encoder.model.{name}"


def crw(blocks, rename=lambda name: name, seed=0, **about):
    def make(name):
        model = randomise(crw_model(blocks), seed)
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
        state = {rename(crw_name(k)): v for k, v in model.state_dict().items()}
        save(name, state, {"clip": clip}, nodes, outputs, network="crw", frames=frames, size=size, **about)

    return make


def padded(name):
    if name.endswith(("conv1.weight", "conv2.weight")):
        return name.replace(".weight", ".1.weight")
    return name


class CaffeNet(nn.Module):
    """The layers of imisra/shuffle-tuple's prototxt, fewer channels; frames lie along the batch."""

    def __init__(self, c, features, places=4):
        super().__init__()
        self.conv1 = nn.Conv2d(3, c[0], 11, 4)
        self.conv2 = nn.Conv2d(c[0], c[1], 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(c[1], c[2], 3, padding=1)
        self.conv4 = nn.Conv2d(c[2], c[3], 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(c[3], c[4], 3, padding=1, groups=2)
        for i in (3, 4, 5):
            setattr(self, f"batch_norm_{i}", nn.BatchNorm2d(c[i - 1], affine=False))
        self.fc6 = nn.Linear(c[4] * places, features)
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


def constant_size(stage):
    for m in stage.modules():
        if isinstance(m, nn.Conv2d):
            m.stride = (1, 1)


def resnet_maps(name):
    seed, size = 150, (40, 48)
    model = SmallResNet(BasicBlock, [1, 1, 2, 1], 8, 3, 7)
    constant_size(model.layer3)
    randomise(model, seed)
    clip = values(1, 2, *size, 3, seed=seed + 1)
    kept = record(model, ["maxpool", "layer1", "layer2", "layer3"])
    with torch.no_grad():
        model(clip[0].permute(0, 3, 1, 2))
    nodes = {
        "maxpool/pool3d": channels_last(kept["maxpool"])[None],
        "layer1.0/activation": channels_last(kept["layer1"])[None],
        "layer2.0/activation": channels_last(kept["layer2"])[None],
        "layer3.1/activation": channels_last(kept["layer3"])[None],
    }
    save(
        name, model.state_dict(), {"clip": clip}, nodes, {"maps": channels_last(F.normalize(kept["layer3"], dim=1))[None]},
        network="resnet", convention="torchvision", frames=2, maps_height=size[0], maps_width=size[1],
        oracle=TORCHVISION,
    )


class TimeCycle(nn.Module):
    """The layers of xiaolonw/TimeCycle's models/videos/model_simple.py, fewer channels; frames lie along the batch."""

    def __init__(self, embedding=16, places=8, patch=7, blocks=(1, 1, 2, 1), width=4, tracker=(10, 6)):
        super().__init__()
        self.encoderVideo = SmallResNet(Bottleneck, blocks, width, 3, 7)
        constant_size(self.encoderVideo.layer3)
        self.afterconv1 = nn.Conv2d(16 * width, embedding, 1, bias=False)
        self.afterconv3_trans = nn.Conv2d(places**2, tracker[0], 4, bias=False)
        self.afterconv4_trans = nn.Conv2d(*tracker, 4, bias=False)
        self.linear2 = nn.Linear(tracker[1] * (patch - 6) ** 2, 3)
        self.temperature = embedding**-0.5

    def encode(self, x, kept=None):
        r = self.encoderVideo
        x = r.maxpool(r.relu(r.bn1(r.conv1(x))))
        stages = {"maxpool/pool3d": x}
        for i in (1, 2, 3):
            x = getattr(r, f"layer{i}")(x)
            stages[f"layer{i}.{1 if i == 3 else 0}/activation"] = x
        if kept is not None:
            kept.update({f"encoderVideo/{k}": channels_last(v)[None] for k, v in stages.items()})
        return F.relu(self.afterconv1(x))

    def track(self, patch, frames):
        """Of one patch in several frames: affinity, transform, crop."""
        query = F.normalize(self.encode(patch), dim=1).expand(len(frames), -1, -1, -1)
        base = self.encode(frames)
        # The places of a frame are counted column by column.
        columns = F.normalize(base, dim=1).transpose(2, 3).flatten(2)
        affinity = torch.einsum("nck,ncp->nkp", columns, query.flatten(2)) / self.temperature
        affinity = F.softmax(affinity, dim=1).unflatten(2, query.shape[2:])
        x = F.leaky_relu(self.afterconv3_trans(affinity), 0.1)
        x = F.leaky_relu(self.afterconv4_trans(x), 0.1)
        tx, ty, angle = self.linear2(x.flatten(1)).T
        cos, sin = angle.cos() / 3, angle.sin() / 3
        transform = torch.stack([cos, -sin, tx, sin, cos, ty], 1).view(-1, 2, 3)
        side = torch.linspace(-1, 1, query.shape[2], dtype=torch.float64)
        y, x = torch.meshgrid(side, side, indexing="ij")
        grid = torch.einsum("nij,hwj->nhwi", transform, torch.stack([x, y, torch.ones_like(x)], -1))
        return affinity, transform, F.grid_sample(base, grid, align_corners=True)


def timecycle_model():
    return randomise(TimeCycle(), 160)


def timecycle_state(model):
    state = {f"module.{k}": v for k, v in model.state_dict().items() if ".fc." not in k}
    # The publisher's convolutions of the encoder are 3D ones.
    return {k: v.unsqueeze(2) if v.dim() == 4 and "_trans" not in k else v for k, v in state.items()}


def timecycle(name):
    model, frames, size = timecycle_model(), 2, 40
    clip = values(1, frames, size, size, 3, seed=161)
    nodes = {}
    with torch.no_grad():
        maps = model.encode(clip[0].permute(0, 3, 1, 2), nodes)
    state = timecycle_state(model)
    outputs = {"maps": channels_last(F.normalize(maps, dim=1))[None], "features": maps.mean((0, 2, 3))[None]}
    save(
        name, state, {"clip": clip}, nodes, outputs, network="timecycle", convention="timecycle", frames=frames,
        size=size, oracle=f"{TORCHVISION}, changed as xiaolonw/TimeCycle does",
    )


class PreactivatedBlock(nn.Module):
    """Keras' block2 of resnet_v2: normalises before it convolves; a stage's last block may halve the maps."""

    def __init__(self, cin, c, stride, first):
        super().__init__()
        self.first, self.stride = first, stride
        self.preact_bn = nn.BatchNorm2d(cin, eps=1.001e-5)
        if first:
            setattr(self, "0_conv", nn.Conv2d(cin, 4 * c, 1, stride))
        setattr(self, "1_conv", nn.Conv2d(cin, c, 1, bias=False))
        setattr(self, "1_bn", nn.BatchNorm2d(c, eps=1.001e-5))
        setattr(self, "2_conv", nn.Conv2d(c, c, 3, stride, bias=False))
        setattr(self, "2_bn", nn.BatchNorm2d(c, eps=1.001e-5))
        setattr(self, "3_conv", nn.Conv2d(c, 4 * c, 1))

    def forward(self, x):
        layer = self._modules
        y = F.relu(self.preact_bn(x))
        skip = layer["0_conv"](y) if self.first else F.max_pool2d(x, 1, self.stride)
        y = F.relu(layer["1_bn"](layer["1_conv"](y)))
        y = F.relu(layer["2_bn"](layer["2_conv"](F.pad(y, (1, 1, 1, 1)))))
        return skip + layer["3_conv"](y)


class ResNetV2(nn.ModuleDict):
    """Keras' ResNet V2 to its third stage, without that stage's last block."""

    def __init__(self, width, blocks):
        layers, cin = {"conv1_conv": nn.Conv2d(3, width, 7, 2, padding=3)}, width
        for stage, count in enumerate(blocks):
            for i in range(1, count + 1):
                stride = 2 if i == count and stage < 2 else 1
                layers[f"conv{stage + 2}_block{i}"] = PreactivatedBlock(cin, width << stage, stride, i == 1)
                cin = 4 * (width << stage)
        super().__init__(layers)
        self.channels = cin

    def forward(self, x, kept):
        # Keras pads with zeros, which may be larger than what is pooled.
        x = F.max_pool2d(F.pad(self["conv1_conv"](x), (1, 1, 1, 1)), 3, 2)
        kept["cnn/pool1_pool/pool3d"] = channels_last(x)[None]
        for name, block in list(self.items())[1:]:
            x = block(x)
            kept[f"cnn/{name}_out/binary"] = channels_last(x)[None]
        return x


class VggM(nn.ModuleDict):
    """The VGG-M of google-research/tcc."""

    def __init__(self, width):
        layers, cin = {}, 3
        names = [("conv1", width, 7)] + [(f"conv{s}_{i}", width << s - 1, 3) for s in (2, 3, 4) for i in (1, 2)]
        for name, cout, kernel in names:
            layers[name] = nn.Conv2d(cin, cout, kernel, 2 if name == "conv1" else 1, kernel // 2)
            layers[f"{name}_bn"] = nn.BatchNorm2d(cout, eps=1e-3)
            cin = cout
        super().__init__(layers)
        self.channels = cin

    def forward(self, x, kept):
        for name in list(self)[::2]:
            x = F.relu(self[f"{name}_bn"](self[name](x)))
            kept[f"cnn/{name}_relu/activation"] = channels_last(x)[None]
            if name == "conv1":
                x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
                kept["cnn/pool1_pool/pool3d"] = channels_last(x)[None]
            elif name in ("conv2_2", "conv3_2"):
                # SAME: a last window of an odd length hangs over.
                x = F.max_pool2d(x, 2, 2, ceil_mode=True)
        return x


class Tcc(nn.Module):
    """BaseModel and ConvEmbedder of google-research/tcc's models.py, fewer channels; frames lie along the batch."""

    def __init__(self, cnn, convolutions=(12, 10), linear=(14, 9), embedding=6):
        super().__init__()
        self.cnn, self.emb = cnn, nn.Module()
        cs = [cnn.channels, *convolutions]
        self.emb.conv_layers = nn.ModuleList(nn.Conv3d(a, b, 3, padding=1) for a, b in zip(cs, cs[1:]))
        self.emb.bn_layers = nn.ModuleList(nn.BatchNorm3d(c, eps=1e-3) for c in convolutions)
        cs = [cs[-1], *linear]
        self.emb.fc_layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(cs, cs[1:]))
        self.emb.embedding_layer = nn.Linear(cs[-1], embedding)

    def forward(self, frames, kept):
        """The embedding [1, C] of frames [T, 3, H, W]."""
        x = self.cnn(frames, kept).movedim(1, 0)[None]
        for i, (conv, norm) in enumerate(zip(self.emb.conv_layers, self.emb.bn_layers)):
            x = F.relu(norm(conv(x)))
            kept[f"emb/activations.{i}/activation"] = channels_last(x)
        x = x.amax((2, 3, 4))
        for layer in self.emb.fc_layers:
            x = F.relu(layer(x))
        return self.emb.embedding_layer(x)


def tcc_name(name):
    """Keras joins a block's name and a layer's."""
    return re.sub(r"(_block\d+)\.", r"\1_", name)


def tcc(base, variant, keep, seed):
    def make(name):
        model, frames, size = randomise(Tcc(base()), seed), 3, 38
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        nodes = {}
        with torch.no_grad():
            features = model(clip[0].permute(0, 3, 1, 2), nodes)
        nodes = {k: v for k, v in nodes.items() if any(part in k for part in keep)}
        state = {tcc_name(k): v for k, v in model.state_dict().items()}
        save(
            name, state, {"clip": clip}, nodes, {"features": features}, network="tcc", convention="modules",
            variant=variant, frames=frames, size=size,
            oracle="PyTorch, a transcription of google-research/tcc and Keras' ResNet V2",
        )

    return make


class Colorizer(nn.Module):
    """The layers of LapTQ/tracking-emerges-by-colorizing-videos, fewer channels; frames lie along the batch."""

    def __init__(self, stem=4, stages=(4, 8, 12, 12), head=10, embedding=6):
        super().__init__()

        def norm_conv(cin, cout, kernel, stride=1):
            return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(cout)

        self.backbone, self.head = nn.Module(), nn.Module()
        self.backbone.conv1, self.backbone.bn1 = norm_conv(1, stem, 7, 2)
        cin = stem
        for i, (cout, stride) in enumerate(zip(stages, [1, 2, 1, 1])):
            blocks = nn.Sequential()
            for j in range(2):
                block, stride = nn.Module(), stride if j == 0 else 1
                block.conv1, block.bn1 = norm_conv(cin, cout, 3, stride)
                block.conv2, block.bn2 = norm_conv(cout, cout, 3)
                block.downsample = None
                if (cin, stride) != (cout, 1):
                    block.downsample = nn.Sequential(*norm_conv(cin, cout, 3, stride))
                blocks.append(block)
                cin = cout
            setattr(self.backbone, f"layer{i + 1}", blocks)
        for i in range(5):
            d, layer = 2**i, nn.Module()
            layer.conv1 = nn.Conv3d(cin, head, (1, 3, 3), padding=(0, d, d), dilation=(1, d, d), bias=False)
            layer.bn1, layer.bn2 = nn.BatchNorm3d(head), nn.BatchNorm3d(head)
            layer.conv2 = nn.Conv3d(head, head, (3, 1, 1), padding=(1, 0, 0), bias=False)
            setattr(self.head, f"layer{i + 1}", layer)
            cin = head
        self.head.conv = nn.Conv3d(head, embedding, 1)

    def forward(self, frames, kept):
        """The embeddings [1, C, T, H, W] of frames [T, 3, H, W]."""
        b = self.backbone
        x = torch.einsum("tchw,c->thw", frames, torch.tensor([0.299, 0.587, 0.114]).to(frames))[:, None]
        x = F.max_pool2d(F.relu(b.bn1(b.conv1(x))), 3, 2, 1)
        kept["backbone/maxpool/pool3d"] = channels_last(x)[None]
        for i in range(4):
            for block in getattr(b, f"layer{i + 1}"):
                y = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))
                x = F.relu(y + (x if block.downsample is None else block.downsample(x)))
            kept[f"backbone/layer{i + 1}.1/activation"] = channels_last(x)[None]
        x = x.movedim(1, 0)[None]
        for i in range(5):
            layer = getattr(self.head, f"layer{i + 1}")
            x = F.relu(layer.bn1(layer.conv1(x)))
            x = F.relu(layer.bn2(layer.conv2(x)))
            kept[f"head/layer{i + 1}/activation"] = channels_last(x)
        return self.head.conv(x)


def colorizer_model():
    return randomise(Colorizer(), 170)


def colorizer(name):
    model, frames, size = colorizer_model(), 3, 64
    clip = values(1, frames, size, size, 3, seed=171)
    nodes = {}
    with torch.no_grad():
        maps = channels_last(model(clip[0].permute(0, 3, 1, 2), nodes))
    nodes = {k: v for k, v in nodes.items() if "maxpool" in k or "layer2" in k or "layer5" in k}
    save(
        name, model.state_dict(), {"clip": clip}, nodes, {"maps": maps, "features": maps.mean((1, 2, 3))},
        network="colorizer", convention="laptq", frames=frames, size=size,
        oracle="PyTorch, a transcription of LapTQ/tracking-emerges-by-colorizing-videos",
    )


def training():
    """What the networks run in training: tests/golden/correspondence_training.safetensors."""
    model = timecycle_model()
    clip, patch = values(1, 2, 64, 64, 3, seed=180), values(1, 1, 56, 56, 3, seed=181)
    with torch.no_grad():
        affinity, transform, crop = model.track(patch[0].permute(0, 3, 1, 2), clip[0].permute(0, 3, 1, 2))
    tensors = {"timecycle.clip": clip, "timecycle.patch": patch, "timecycle.transform": transform[None]}
    tensors |= {"timecycle.affinity": channels_last(affinity)[None], "timecycle.crop": channels_last(crop)[None]}
    model = colorizer_model()
    clip = values(1, 3, 64, 64, 3, seed=182)
    colors = F.softmax(values(1, 2, 8, 8, 5, seed=183), -1)
    with torch.no_grad():
        maps = channels_last(model(clip[0].permute(0, 3, 1, 2), {}))[0]
        scores = maps[2].flatten(0, 1) @ maps[:2].flatten(0, 2).T
        predicted = (F.softmax(scores, -1) @ colors.flatten(0, 3)).view(1, 8, 8, 5)
    tensors |= {"colorizer.clip": clip, "colorizer.colors": colors, "colorizer.predicted": predicted}
    file = FOLDER.parent / "correspondence_training.safetensors"
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, file)


GOLDENS = {
    "crw": crw([1, 1, 2, 1], seed=120, convention="videowalk", oracle=f"{TORCHVISION}, changed as ajabri/videowalk does"),
    "crw-padded": crw(
        [1, 1, 1, 1], rename=padded, seed=124, convention="videowalk-padded",
        oracle=f"{TORCHVISION}, changed as ajabri/videowalk does",
    ),
    "colorizer": colorizer,
    "frame-order-resnet": order_of_resnet,
    "resnet-maps": resnet_maps,
    "shuffle-and-learn": shuffle_and_learn,
    "tcc": tcc(lambda: ResNetV2(4, [2, 3, 2]), "resnet50", ["pool1", "conv2_block2", "conv3_block3", "activations.1"], seed=190),
    "tcc-vgg-m": tcc(lambda: VggM(4), "vgg-m", ["pool1", "conv2_2", "conv4_2", "activations.0"], seed=195),
    "timecycle": timecycle,
}


if __name__ == "__main__":
    training()
