"""The networks at their published sizes: public implementations, and the transcriptions of golden_networks with published
measures. Libraries that may be missing are imported where a network is made."""

import dataclasses
import importlib
import re
from collections.abc import Callable

import torch
import torchvision
from golden_c3d import C3D
from torch import nn
from torch.nn import functional as F
from torchvision.models import video
from torchvision.models.resnet import BasicBlock, Bottleneck

import boxes
import correspondence as self_supervised
import frames as on_frames
import fusion as karpathy
import recurrent
import spatiotemporal
from common import randomise
from ways import Detect, Inflate, Run, Speedup, TwoStreams

V = f"torchvision {torchvision.__version__.split('+')[0]}"
PTV = "pytorchvideo 0.1.5"


def by_name(rename):
    return lambda model: {rename(k): v for k, v in model.state_dict().items()}


def logits(y):
    """Transcriptions give their features before the logits."""
    return y[-1] if isinstance(y, tuple) else getattr(y, "logits", y)


@dataclasses.dataclass
class Network:
    """What is compared with what, how the PyTorch network is made, the shape that `way` draws an input of, what is done to
    the random weights, how the network is called, and its tensors by the publisher's names."""

    oracle: str
    make: Callable
    shape: tuple
    way: object
    settle: Callable = lambda model: model
    call: Callable = lambda model, x: {"logits": logits(model(x))}
    state: Callable = lambda model: model.state_dict()
    hugging_face: bool = False


# How the command's clip [N, T, H, W, C] is made of the input of a network.


def clip(x):
    """Of [N, C, T, H, W]."""
    return x.permute(0, 2, 3, 4, 1)


def hf_clip(x):
    """Of [N, T, C, H, W]."""
    return x.permute(0, 1, 3, 4, 2)


def along_batch(x):
    """Of the frames [T, C, H, W] of one clip."""
    return x.permute(0, 2, 3, 1)[None]


def same(x):
    return x


def pytorchvideo(name, **measures):
    return lambda: getattr(importlib.import_module("pytorchvideo.models.hub"), name)(pretrained=False, **measures)


def transformers(kind, config, shape, **settings):
    def make():
        library = importlib.import_module("transformers")
        return getattr(library, kind)(getattr(library, config)(**settings, num_labels=400))

    return Network("transformers", make, shape, Run(hf_clip), hugging_face=True)


def module(name):
    """One of golden_networks that needs such a library."""
    return importlib.import_module(name)


# Single frames, and what is put together of them.


def flow_resnet():
    model = torchvision.models.resnet101(num_classes=101)
    model.conv1 = nn.Conv2d(20, 64, 7, 2, 3, bias=False)
    return model


def flow_vgg():
    model = torchvision.models.vgg16(num_classes=101)
    model.features[0] = nn.Conv2d(20, 64, 3, padding=1)
    return model


def mean_of_segments(model, x):
    return {"logits": model(x).mean(0)}


def small_vgg(channels):
    """A VGG of bryanyzhu's for frames or flow, of which only its preprocessing is used."""
    return randomise(on_frames.SmallVgg([1, 1, 2, 2, 2], 4, channels, 24, 101, False), 5).float()


def two_streams(fuse):
    return Network(
        "transcription of arXiv:1604.06573", lambda: on_frames.Fusion([2, 2, 3, 3, 3], 64, 10, 4096, 101, fuse, 49),
        (24, 256, 340), TwoStreams(small_vgg, by_name(on_frames.action), 5),
        call=lambda model, rgb, flow: {"logits": model(rgb, flow)[-1]},
    )  # fmt: skip


RESNET18 = dict(blocks=[2, 2, 2, 2], width=64, classes=487)


class CnnLstm(recurrent.CnnLstm):
    """On frames [T, 3, H, W]."""

    def __init__(self, variant):
        super().__init__(512, 1, variant == "hierarchical", 400, [3, 4, 6, 3], 64)
        self.variant = variant

    def forward(self, x):
        x = self.features(along_batch(x))
        if self.variant == "hierarchical":
            # An LSTM over each four frames, and one over its last states.
            x = self.lstm(x.unflatten(1, (-1, 4)).flatten(0, 1))[0][:, -1]
            return self.fc(self.upper(x[None])[0][:, -1])
        x = self.lstm(x)[0]
        return recurrent.mean_of_probabilities(self.fc(x)) if self.variant == "lrcn" else self.fc(x[:, -1])


def small_residuals(model):
    """What blocks add is less than what they add it to: else the features of random residual networks are in the thousands,
    gates open or closed, and products of features beyond f32."""
    for name, p in model.named_parameters():
        if re.search(r"\b(bn3|conv3\.bn|norm_c)\.(weight|bias)$", name):
            p.data /= 4
    return model


def halfway_gates(model):
    """Gates that are neither open nor closed, and states in which rounding does not grow from step to step."""
    for name, p in model.named_parameters():
        if ".weight_hh" in name or ".weight_ih" in name:
            p.data /= 256 if name == "lstm.weight_ih_l0" else 16
    return small_residuals(model)


def cnn_lstm(variant):
    way = Run(along_batch, *([] if variant == "lrcn" else ["--variant", variant]))
    return Network(f"{V} and torch.nn.LSTM", lambda: CnnLstm(variant), (16, 3, 224, 224), way, halfway_gates)


class GruRcn(recurrent.GruRcn):
    """Of the paper's measures; gives the mean of the levels' probabilities."""

    def __init__(self):
        super().__init__(64, 4096, [64, 128, 256, 256, 512], 101)

    def forward(self, x):
        maps = []
        for i, layer in enumerate(self.cnn.features):
            x = layer(x)
            if i in (9, 16, 23, 30):
                maps.append(x)
        x = self.cnn.classifier(self.cnn.avgpool(x).flatten(1))
        levels = [getattr(self, f"level{i}") for i in range(5)]
        states = [level.gru(x)[-1:].mean((2, 3)) for level, x in zip(levels, [*maps, x[:, :, None, None]])]
        return recurrent.mean_of_probabilities(torch.stack([level.fc(h) for level, h in zip(levels, states)], 1))


# 3D convolutions.

# Channels of the nine units of the Inception network: GoogLeNet's.
GOOGLENET = [64, 64, 192], [
    [64, 96, 128, 16, 32, 32], [128, 128, 192, 32, 96, 64], [192, 96, 208, 16, 48, 64], [160, 112, 224, 24, 64, 64],
    [128, 128, 256, 24, 64, 64], [112, 144, 288, 32, 64, 64], [256, 160, 320, 32, 128, 128],
    [256, 160, 320, 32, 128, 128], [384, 192, 384, 48, 128, 128],
]  # fmt: skip


def c3d(pool5, places):
    def make():
        return C3D(64, 4096, 487, pool5, places)

    return Network("transcription", make, (1, 3, 16, 112, 112), Run(clip, "--variant", pool5))


def i3d(channels):
    return Network(
        "transcription of piergiaj/pytorch-i3d", lambda: spatiotemporal.InceptionI3d(channels, 400, *GOOGLENET),
        (1, channels, 64, 224, 224), Run(clip),
    )  # fmt: skip


def speednet(model, x):
    features, speed = model(x.permute(0, 4, 1, 2, 3))
    return {"logits": speed, "features": features}


class Inflated(nn.Module):
    """torchvision's R3D-18 with the weights of its ResNet-18: every tap of a window the same, or the middle one alone."""

    def __init__(self, mode):
        super().__init__()
        self.flat, self.mode = torchvision.models.resnet18(num_classes=400), mode

    def forward(self, x):
        volume = video.r3d_18().to(x.dtype).eval()
        held = self.flat.state_dict()
        state = {}
        for name, there in volume.state_dict().items():
            # conv1.0 is the convolution and conv1.1 its norm, the stem one of them.
            flat = name.replace("stem.0", "conv1").replace("stem.1", "bn1")
            if "downsample" not in name:
                flat = flat.replace("conv1.0.0", "conv1").replace("conv2.0.0", "conv2").replace("conv2.0.", "conv2.")
                flat = flat.replace("conv1.0.", "conv1.").replace("conv1.1", "bn1").replace("conv2.1", "bn2")
            value = held[flat]
            if there.dim() == 5:
                taps = there.shape[2]
                share = torch.zeros(taps) if self.mode == "centre" else torch.full((taps,), 1 / taps)
                share[taps // 2] = share[taps // 2] if self.mode == "repeat" else 1
                value = value[:, :, None] * share.to(value)[:, None, None]
            state[name] = value
        volume.load_state_dict(state)
        return volume(x)


def inflated(mode):
    return Network(
        f"{V} with weights inflated in PyTorch", lambda: Inflated(mode), (1, 3, 16, 112, 112), Inflate("r3d", clip, mode),
        state=lambda model: model.flat.state_dict(),
    )  # fmt: skip


# 3D ResNets.


def resnet3d(name):
    return Network(PTV, pytorchvideo(name), (1, 3, 8, 256, 256), Run(clip))


PLACES = [("blocks.3", 1), ("blocks.3", 3), ("blocks.4", 1), ("blocks.4", 3), ("blocks.4", 5)]


def non_local(affinity, publisher, frames, *flags):
    """The paper's five blocks. PySlowFast averages the probabilities of windows of 7x7 places, mmaction2 all places."""

    def make():
        head = {"head_pool": nn.AdaptiveAvgPool3d} if publisher == "mmaction" else {"head_activation": nn.Softmax}
        model = pytorchvideo("i3d_r50", **head)()
        return module("resnet3d").with_non_local(model, affinity, publisher, PLACES)

    def call(model, x):
        if publisher == "mmaction":
            return {"logits": model(x)}
        head = model.blocks[-1]
        # In logarithms, for the probabilities of random networks may be too small for f32.
        head.activation, pool, head.output_pool = None, head.output_pool, None
        places = model(x).flatten(2).log_softmax(1)
        head.output_pool = pool
        return {"logits": places.logsumexp(2) - torch.log(torch.tensor(float(places.shape[2])))}

    return Network(
        f"{PTV}; the non-local block is a transcription", make, (1, 3, frames, 256, 256), Run(clip, *flags),
        lambda model: module("resnet3d").small_products(small_residuals(model), affinity, PLACES), call,
        lambda model: module("resnet3d").non_local_state(model, publisher),
    )  # fmt: skip


def slow_and_fast(x, ratio):
    t = x.shape[2]
    return [x[:, :, torch.linspace(0, t - 1, t // ratio).long()], x]


def slowfast(ratio, name="slowfast_r50", **measures):
    return Network(
        PTV, pytorchvideo(name, **measures), (1, 3, 32, 256, 256), Run(clip),
        call=lambda model, x: {"logits": model(slow_and_fast(x, ratio))},
    )  # fmt: skip


def slowfast_4x16():
    create = module("pytorchvideo.models.slowfast").create_slowfast
    return create(
        slowfast_fusion_conv_kernel_size=(5, 1, 1), slowfast_fusion_conv_stride=(8, 1, 1),
        head_pool_kernel_sizes=((4, 7, 7), (32, 7, 7)),
    )  # fmt: skip


# Boxes.

IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
R50 = (3, 4, 6, 3)
ROI = f"transcription of mmaction2, {V}"


def small_logits(layer):
    """Such that a score tells its logit: near 1 it does not."""

    def settle(model):
        model.get_submodule(layer).weight.data /= 16
        return small_residuals(model)

    return settle


def detector(network, frames, stride, bank=None):
    slow = network == "slow"
    channels = 2048 if slow else 2304

    def make():
        backbone = boxes.Path(64, 1, (1, 1, 3, 3), counts=R50) if slow else boxes.SlowFast(64, 8, 4, 7, R50)
        return boxes.Detector(backbone, channels, bank, 81)

    def call(model, x, corners, held=None):
        _, features, logits = model(x, corners, held)
        return {"logits": logits, "features": features}

    flags = ["--variant", "lfb-avg"] if bank == "avg" else ["--variant", "r50-8x8"] if (slow, frames) == (True, 8) else []
    way = Detect(stride, *IMAGENET, 81, (60, 5, channels) if bank else None, flags)
    return Network(ROI, make, (frames, 256, 340), way, small_logits("roi_head.bbox_head.fc_cls"), call)


def slowfast_ava(model, x, corners):
    kept = {}
    model.detection_head.pool_spatial.register_forward_hook(lambda _m, _i, o: kept.__setitem__("features", o.flatten(1)))
    rois = torch.cat([corners.new_zeros(len(corners), 1), corners], 1)
    return {"logits": model(slow_and_fast(x.permute(0, 4, 1, 2, 3), 4), rois)} | kept


# Transformers.


def space_only():
    network = transformers(
        "TimesformerForVideoClassification", "TimesformerConfig", (1, 8, 3, 224, 224), attention_type="space_only"
    )

    def call(model, x):
        net = model.timesformer
        # The library leaves out that the original averages frames before the last normalisation.
        x = net.encoder(net.embeddings(x)).last_hidden_state.mean(0, keepdim=True)
        return {"logits": model.classifier(net.layernorm(x)[:, 0])}

    return dataclasses.replace(network, call=call)


def vivit(model):
    def make():
        return module("video_transformers").FactorisedViViT(
            model, 32, 224, width=768, heads=12, hidden=3072, depth=12, classes=400, patch=16, temporal_depth=4
        )

    return Network(
        "transcribed from google-research/scenic", make, (1, 32, 224, 224, 3), Run(same),
        call=lambda net, x: {"logits": net.head(net.features(x))},
    )  # fmt: skip


def vtn():
    image = dict(img_size=224, patch_size=16)
    temporal = dict(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=3, num_attention_heads=12, max_position_embeddings=288
    )
    return module("video_transformers").Vtn(image, temporal, 768, 400)


def mvit_v2_b():
    kind = module("torchvision.models.video.mvit").MViT
    return kind(
        (224, 224), 32, module("mvit").blocks(96, 24, [2, 5, 21], True, True), residual_pool=True,
        residual_with_cls_embed=False, rel_pos_embed=True, proj_after_attn=True, num_classes=400,
    )  # fmt: skip


def torchvision_video(name, frames=16, size=224):
    return Network(V, getattr(video, name), (1, 3, frames, size, size), Run(clip))


def videomae(width, depth):
    return transformers(
        "VideoMAEForVideoClassification", "VideoMAEConfig", (1, 16, 3, 224, 224), hidden_size=width,
        intermediate_size=4 * width, num_hidden_layers=depth, num_attention_heads=width // 64,
    )  # fmt: skip


def timesformer(**more):
    return transformers("TimesformerForVideoClassification", "TimesformerConfig", (1, 8, 3, 224, 224), **more)


# Self-supervised networks.


class Order(nn.Module):
    """torchvision's ResNet on frames [T, 3, H, W], whose features side by side are classified."""

    def __init__(self, depth, frames):
        super().__init__()
        self.backbone = getattr(torchvision.models, f"resnet{depth}")()
        self.head = nn.Linear(frames * self.backbone.fc.in_features, 2)
        self.backbone.fc = nn.Identity()

    def forward(self, x):
        return self.head(self.backbone(x).reshape(1, -1))


def caffenet():
    return self_supervised.CaffeNet([96, 256, 384, 384, 256], 4096, 36)


def with_nodes(result):
    """Calls a transcription that writes its intermediate values into what it is given; `result` makes the answer of what it
    returns."""
    return lambda model, x: result(model(x, {}))


def crw_node(model, x):
    kept = {}
    model.avgpool.register_forward_hook(lambda _m, _i, o: kept.__setitem__("pooled", o.flatten(1)))
    model(x)
    return {"features": F.normalize(model.fc(kept["pooled"]), dim=1).mean(0)}


def timecycle():
    return self_supervised.TimeCycle(512, 30, 10, [3, 4, 6, 3], 64, (128, 64))


def tcc(base):
    return Network(
        "transcription of google-research/tcc and Keras' ResNet V2",
        lambda: self_supervised.Tcc(base(), (512, 512), (512, 512), 128), (2, 3, 224, 224),
        Run(along_batch, output="features"), call=with_nodes(lambda y: {"features": y}),
        state=by_name(self_supervised.tcc_name),
    )  # fmt: skip


IMAGE, STACK = (1, 3, 224, 224), (1, 20, 224, 224)
KARPATHY = (1, 10, 112, 112, 3)

NETWORKS = {
    "resnet 50": Network(V, torchvision.models.resnet50, IMAGE, Run(along_batch)),
    "resnet 101, flow": Network(V, flow_resnet, STACK, Run(along_batch), state=by_name(on_frames.custom)),
    "vgg 16": Network(V, torchvision.models.vgg16, IMAGE, Run(along_batch)),
    "vgg 16, flow": Network(V, flow_vgg, STACK, Run(along_batch), state=by_name(on_frames.action)),
    "two-stream fusion, sum": two_streams("sum"),
    "two-stream fusion, concatenation": two_streams("concat"),
    "tsn": Network(
        V, lambda: torchvision.models.resnet50(num_classes=400), (25, 3, 224, 224), Run(along_batch),
        call=mean_of_segments, state=by_name(on_frames.mmaction),
    ),
    "early fusion": Network(V, lambda: karpathy.Early(10, **RESNET18), KARPATHY, Run(same)),
    "late fusion, linear": Network(
        V, lambda: karpathy.Late(10, 16, 256, **RESNET18), KARPATHY, Run(same, "--variant", "linear")
    ),
    "late fusion, pooling": Network(V, lambda: karpathy.Late(10, 16, 0, **RESNET18), KARPATHY, Run(same)),
    "slow fusion": Network(
        "transcription of Karpathy et al. 2014", lambda: karpathy.Slow([96, 256, 384, 384, 256], 36, 4096, 487),
        (1, 10, 170, 170, 3), Run(same),
    ),
    "lrcn": cnn_lstm("lrcn"),
    "cnn and lstm, last": cnn_lstm("last"),
    "cnn and lstm, hierarchical": cnn_lstm("hierarchical"),
    "gru-rcn": Network(f"{V}, transcription", GruRcn, (10, 3, 224, 224), Run(along_batch)),
    "c3d, padded": c3d("pool5-padded", 16),
    "c3d, ceil": c3d("pool5-ceil", 16),
    "c3d, floor": c3d("pool5-floor", 9),
    "r3d-18": torchvision_video("r3d_18", size=112),
    "mc3-18": torchvision_video("mc3_18", size=112),
    "r2plus1d-18": torchvision_video("r2plus1d_18", size=112),
    "r3d-18 inflated, repeat": inflated("repeat"),
    "r3d-18 inflated, centre": inflated("centre"),
    "s3d": torchvision_video("s3d", 128),
    "s3d-g": Network(
        "transcription of antoine77340/S3D_HowTo100M", lambda: spatiotemporal.S3dG(True, 512, *GOOGLENET),
        (1, 3, 32, 224, 224), Run(clip, output="features"), spatiotemporal.open_gates,
        lambda model, x: {"features": model(x)[0]},
    ),
    "i3d": i3d(3),
    "i3d, flow": i3d(2),
    "slow-r50": resnet3d("slow_r50"),
    "i3d-r50": resnet3d("i3d_r50"),
    "c2d-r50": resnet3d("c2d_r50"),
    "i3d-r50, non-local": non_local("embedded", "slowfast", 8),
    "i3d-r50, non-local, mmaction2": non_local("embedded", "mmaction", 32),
    "i3d-r50, non-local, dot product": non_local("dot", "mmaction", 32, "--variant", "i3d-nonlocal-dot"),
    "i3d-r50, non-local, gaussian": non_local("gaussian", "mmaction", 32, "--variant", "i3d-nonlocal-gaussian"),
    "i3d-r50, non-local, concatenation": non_local(
        "concatenation", "mmaction", 32, "--variant", "i3d-nonlocal-concatenation"
    ),
    "slowfast-r50": slowfast(4),
    "slowfast-r50 4x16": dataclasses.replace(slowfast(8), make=slowfast_4x16),
    "slowfast-r101": slowfast(4, "slowfast_r101"),
    "slowfast-ava": Network(
        PTV, pytorchvideo("slowfast_r50_detection", head_activation=None), (32, 256, 340),
        Detect(2, [0.45] * 3, [0.225] * 3, 80), small_logits("detection_head.proj"), slowfast_ava,
    ),
    "slowfast-ava, mmaction2": detector("slowfast", 32, 2),
    "slow-ava 4x16": detector("slow", 4, 16),
    "slow-ava 8x8": detector("slow", 8, 8),
    "slow-ava, bank, non-local": detector("slow", 4, 16, 512),
    "slow-ava, bank, maximum": detector("slow", 4, 16, "max"),
    "slow-ava, bank, mean": detector("slow", 4, 16, "avg"),
    "timesformer": timesformer(),
    "timesformer, joint": timesformer(attention_type="joint_space_time"),
    "timesformer, space only": space_only(),
    "vivit": transformers("VivitForVideoClassification", "VivitConfig", (1, 32, 3, 224, 224)),
    "vivit 2": vivit(2),
    "vivit 3": vivit(3),
    "vivit 4": vivit(4),
    "videomae": videomae(768, 12),
    "videomae-s": videomae(384, 12),
    "videomae-l": videomae(1024, 24),
    "vtn": Network(
        "timm, transformers", vtn, (250, 3, 224, 224), Run(along_batch), state=lambda model: model.published(),
    ),
    "mvit-v1-b": torchvision_video("mvit_v1_b"),
    "mvit-v1-b 32x3": Network(PTV, pytorchvideo("mvit_base_32x3"), (1, 3, 32, 224, 224), Run(clip)),
    "mvit-v2-s": torchvision_video("mvit_v2_s"),
    "mvit-v2-b": Network(
        V, mvit_v2_b, (1, 3, 32, 224, 224), Run(clip), state=lambda model: by_name(module("mvit").slowfast)(model),
    ),
    "swin3d-t": torchvision_video("swin3d_t", 32),
    "swin3d-s": torchvision_video("swin3d_s", 32),
    "swin3d-b": torchvision_video("swin3d_b", 32),
    "shuffle and learn": Network(
        "layers of imisra/shuffle-tuple in PyTorch", caffenet, (3, 3, 227, 227), Run(along_batch),
        call=with_nodes(lambda y: {"logits": y[1]}),
    ),
    "frame order, resnet 18": Network(V, lambda: Order(18, 3), (3, 3, 224, 224), Run(along_batch)),
    "frame order, resnet 50": Network(V, lambda: Order(50, 3), (3, 3, 224, 224), Run(along_batch)),
    "crw": Network(
        V, lambda: self_supervised.crw_model([2, 2, 2, 2], 64, 128), (1, 3, 320, 320), Run(along_batch, output="features"),
        call=crw_node, state=by_name(self_supervised.crw_name),
    ),
    "timecycle": Network(
        V, timecycle, (1, 3, 240, 240), Run(along_batch, output="features"),
        call=lambda model, x: {"features": model.encode(x).mean((0, 2, 3))}, state=self_supervised.timecycle_state,
    ),
    "tcc, resnet 50": tcc(lambda: self_supervised.ResNetV2(64, [3, 4, 3])),
    "tcc, vgg-m": tcc(lambda: self_supervised.VggM(64)),
    "colorizer": Network(
        "transcription of LapTQ/tracking-emerges-by-colorizing-videos",
        lambda: self_supervised.Colorizer(64, (64, 128, 256, 256), 256, 64), (4, 3, 256, 256),
        Run(along_batch, output="features"), call=with_nodes(lambda y: {"features": y.mean((2, 3, 4))}),
    ),
    "speednet": Network(
        "transcription of the paper's text", lambda: spatiotemporal.SpeedNet(*GOOGLENET), (64, 224, 224), Speedup(),
        spatiotemporal.open_gates, speednet, by_name(spatiotemporal.speednet_name),
    ),
}  # fmt: skip
