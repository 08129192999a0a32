"""3D ResNets and SlowFast of pytorchvideo, and I3D with non-local blocks."""

import pytorchvideo.models.resnet as ptv_resnet
import pytorchvideo.models.slowfast as ptv_slowfast
import torch
from torch import nn

from common import channels_last, randomise, record, save, values

PYTORCHVIDEO = "pytorchvideo 0.1.5"

# pytorchvideo knows depths by name only; this is none of its own.
SHALLOW = 10
ptv_resnet._MODEL_STAGE_DEPTH[SHALLOW] = (2, 3, 4, 2)
ptv_slowfast._MODEL_STAGE_DEPTH[SHALLOW] = (1, 2, 1, 1)

MEASURES = {
    "i3d": dict(
        stem_conv_kernel_size=(5, 7, 7),
        stage1_pool=nn.MaxPool3d,
        stage_conv_a_kernel_size=((3, 1, 1), [(3, 1, 1), (1, 1, 1)], [(3, 1, 1), (1, 1, 1)], [(1, 1, 1), (3, 1, 1)]),
    ),
    "slow": dict(stem_conv_kernel_size=(1, 7, 7)),
    "c2d": dict(
        stem_conv_kernel_size=(1, 7, 7), stage1_pool=nn.MaxPool3d, stage_conv_a_kernel_size=((1, 1, 1),) * 4
    ),
}


def published(width=4, classes=7, **measures):
    """pytorchvideo's network, whose head averages all positions of maps as small as these."""
    return ptv_resnet.create_resnet(
        model_depth=SHALLOW, model_num_class=classes, stem_dim_out=width, dropout_rate=0.0,
        head_pool=nn.AdaptiveAvgPool3d, **measures,
    )  # fmt: skip


def stage_names(model):
    """pytorchvideo's modules of the four stages."""
    return [f"blocks.{i}" for i, b in enumerate(model.blocks) if hasattr(b, "res_blocks")]


def slowfast_name(name, model):
    """The name of facebookresearch/SlowFast for one of pytorchvideo's."""
    parts = name.split(".")
    stages = stage_names(model)
    block = ".".join(parts[:2])
    if parts[1] == "0":
        return f"s1.pathway0_stem.{parts[2].replace('norm', 'bn')}.{parts[3]}"
    if block not in stages:
        return f"head.projection.{parts[-1]}"
    rest = ".".join(parts[4:])
    for letter in "abc":
        rest = rest.replace(f"conv_{letter}", letter).replace(f"norm_{letter}", f"{letter}_bn")
    rest = rest.replace("branch1_conv", "branch1").replace("branch1_norm", "branch1_bn")
    return f"s{stages.index(block) + 2}.pathway0_res{parts[3]}.{rest}"


def mmaction_name(name, model):
    """The name of mmaction2 for one of pytorchvideo's."""
    name = slowfast_name(name, model)
    stage, rest = name.split(".", 1)
    if stage == "head":
        return name.replace("head.projection", "cls_head.fc_cls")
    module, rest = rest.split(".", 1)
    if stage == "s1":
        return f"backbone.conv1.{rest}"
    layer = f"backbone.layer{int(stage[1:]) - 1}.{module.removeprefix('pathway0_res')}"
    for i, letter in enumerate("abc"):
        rest = rest.replace(f"branch2.{letter}_bn", f"conv{i + 1}.bn").replace(f"branch2.{letter}.", f"conv{i + 1}.conv.")
    rest = rest.replace("branch1_bn", "downsample.bn").replace("branch1.", "downsample.conv.")
    return f"{layer}.{rest}"


def run(model, clip):
    """Logits, features, and what the stages give, in this project's layouts."""
    stages = stage_names(model)
    head = f"blocks.{len(model.blocks) - 1}"
    kept = record(model, ["blocks.0", *stages, f"{head}.pool"])
    with torch.no_grad():
        logits = model(clip.permute(0, 4, 1, 2, 3))
    nodes = {"s1.pathway0_stem/pool3d": channels_last(kept["blocks.0"])}
    for i, stage in enumerate(stages):
        last = len(model.get_submodule(stage).res_blocks) - 1
        nodes[f"s{i + 2}/pathway0_res{last}/activation"] = channels_last(kept[stage])
    return nodes, {"features": kept[f"{head}.pool"].flatten(1), "logits": logits}


def resnet3d(variant, names="pytorchvideo", frames=4, size=40, seed=0, clips=1):
    def make(name):
        model = randomise(published(**MEASURES[variant]), seed)
        oracle = PYTORCHVIDEO
        state = model.state_dict()
        if names == "slowfast":
            state = {slowfast_name(k, model): v for k, v in state.items()}
            oracle += ", names of facebookresearch/SlowFast"
        elif names.startswith("mmaction"):
            state = {mmaction_name(k, model): v for k, v in state.items()}
            oracle += ", names of mmaction2"
            if MEASURES[variant].get("stage1_pool"):
                # mmaction2's I3D also skips every second frame in the stem, twice.
                model.blocks[0].conv.stride = (2, 2, 2)
                model.blocks[0].pool.stride = (2, 2, 2)
                oracle += " and its strides"
        clip = values(clips, frames, size, size, 3, seed=seed + 1)
        nodes, outputs = run(model, clip)
        save(
            name, state, {"clip": clip}, nodes, outputs,
            network="resnet3d", convention=names, frames=frames, size=size, oracle=oracle,
        )  # fmt: skip

    return make


class NonLocal(nn.Module):
    """The block of arXiv:1711.07971, transcribed from its formulas. `publisher` says how keys are pooled, products scaled
    and whether the last convolution has a bias."""

    def __init__(self, channels, affinity, publisher):
        super().__init__()
        inner = channels // 2
        self.affinity, self.publisher = affinity, publisher
        self.conv_g = nn.Conv3d(channels, inner, 1)
        if affinity != "gaussian":
            self.conv_theta = nn.Conv3d(channels, inner, 1)
            self.conv_phi = nn.Conv3d(channels, inner, 1)
        if affinity == "concatenation":
            self.conv_concat = nn.Conv2d(2 * inner, 1, 1, bias=False)
        self.conv_out = nn.Conv3d(inner, channels, 1, bias=publisher == "slowfast")
        self.bn = nn.BatchNorm3d(channels)
        self.pool = nn.MaxPool3d((1, 2, 2))

    def forward(self, x):
        def keys(conv):
            return conv(self.pool(x)) if self.publisher == "slowfast" else self.pool(conv(x))

        nothing = nn.Identity()
        g = keys(self.conv_g).flatten(2)
        theta = getattr(self, "conv_theta", nothing)(x).flatten(2)
        phi = keys(getattr(self, "conv_phi", nothing)).flatten(2)
        count = phi.shape[2]
        if self.affinity == "concatenation":
            # All pairs of positions at once are too many for the memory at the published size.
            parts = []
            for part in theta.split(128, 2):
                some = part.shape[2]
                both = [part[:, :, :, None].expand(-1, -1, -1, count), phi[:, :, None, :].expand(-1, -1, some, -1)]
                parts.append(self.conv_concat(torch.cat(both, 1))[:, 0])
            weights = torch.relu(torch.cat(parts, 1)) / count
        else:
            weights = torch.einsum("ncq,nck->nqk", theta, phi)
            if self.affinity == "dot":
                weights = weights / count
            else:
                scale = theta.shape[1] ** -0.5 if self.publisher == "slowfast" else 1.0
                weights = torch.softmax(weights * scale, 2)
        y = torch.einsum("nqk,nck->ncq", weights, g).unflatten(2, x.shape[2:])
        return x + self.bn(self.conv_out(y))


class WithNonLocal(nn.Module):
    """A residual block and the non-local block behind it."""

    def __init__(self, block, non_local):
        super().__init__()
        self.block, self.non_local = block, non_local

    def forward(self, x):
        return self.non_local(self.block(x))


MMACTION_BLOCK = {
    "conv_theta": "theta.conv", "conv_phi": "phi.0.conv", "conv_g": "g.0.conv",
    "conv_concat": "concat_project.conv", "conv_out": "conv_out.conv", "bn": "conv_out.bn",
}  # fmt: skip


def with_non_local(model, affinity, publisher, places):
    """pytorchvideo's I3D with a block behind the residual blocks at `places`, and the publisher's strides."""
    for stage, i in places:
        blocks = model.get_submodule(stage).res_blocks
        channels = blocks[i].branch2.norm_c.num_features
        blocks[i] = WithNonLocal(blocks[i], NonLocal(channels, affinity, publisher))
    if publisher == "mmaction":
        model.blocks[0].conv.stride = (2, 2, 2)
        model.blocks[0].pool.stride = (2, 2, 2)
    return model


def small_products(model, affinity, places):
    """So that no key has all the weight, nor what is added grows with a power of the input."""
    with torch.no_grad():
        if affinity != "gaussian":
            for stage, i in places:
                block = model.get_submodule(stage).res_blocks[i].non_local
                for conv in (block.conv_theta, block.conv_phi, block.conv_g):
                    conv.weight /= 16
        else:
            # Products of the features themselves.
            for stage in dict(places):
                for key, parameter in model.get_submodule(stage).named_parameters():
                    if "norm_c." in key or "branch1_norm." in key:
                        parameter /= 16
    return model


def non_local_state(model, publisher):
    """The tensors by the publisher's names."""
    state, stages = {}, stage_names(model)
    for key, value in model.state_dict().items():
        stage, i = ".".join(key.split(".")[:2]), key.split(".")[3:4]
        if ".non_local." in key:
            own = key.split(".non_local.")[1]
            module, rest = own.split(".", 1)
            n = stages.index(stage)
            if publisher == "slowfast":
                state[f"s{n + 2}.pathway0_nonlocal{i[0]}.{own}"] = value
            else:
                state[f"backbone.layer{n + 1}.{i[0]}.non_local_block.{MMACTION_BLOCK[module]}.{rest}"] = value
        else:
            rename = slowfast_name if publisher == "slowfast" else mmaction_name
            state[rename(key.replace(".block.", "."), model)] = value
    return state


def non_local(affinity, publisher, variant=None, frames=4, size=40, seed=0):
    def make(name):
        model = published(**MEASURES["i3d"])
        stages = stage_names(model)
        places = [(stages[1], 1), (stages[2], 1)]
        model = randomise(with_non_local(model, affinity, publisher, places), seed)
        small_products(model, affinity, places)
        state = non_local_state(model, publisher)
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        kept = record(model, [f"{stage}.res_blocks.{i}.non_local" for stage, i in places])
        nodes, outputs = run(model, clip)
        # Stages with a block end with its sum.
        for n, (stage, i) in zip((3, 4), places):
            nodes.pop(f"s{n}/pathway0_res{i}/activation", None)
            nodes[f"s{n}/pathway0_nonlocal{i}/binary"] = channels_last(kept[f"{stage}.res_blocks.{i}.non_local"])
        about = {"variant": variant} if variant else {}
        save(
            name, state, {"clip": clip}, nodes, outputs,
            network="resnet3d", convention=publisher, frames=frames, size=size,
            oracle=f"{PYTORCHVIDEO}; the non-local block is a transcription of arXiv:1711.07971", **about,
        )  # fmt: skip

    return make


def slow_frames(clip, count):
    """The frames of the slow path, as PySlowFast packs them."""
    return clip[:, torch.linspace(0, clip.shape[1] - 1, count).long()]


def slowfast_names(name):
    """The name of facebookresearch/SlowFast for one of pytorchvideo's SlowFast."""
    parts = name.split(".")
    stage = f"s{int(parts[1]) + 1}"
    if parts[2] == "multipathway_fusion":
        return f"{stage}_fuse.{parts[3].replace('conv_fast_to_slow', 'conv_f2s').replace('norm', 'bn')}.{parts[4]}"
    if parts[2] == "proj":
        return f"head.projection.{parts[3]}"
    if stage == "s1":
        return f"s1.pathway{parts[3]}_stem.{parts[4].replace('norm', 'bn')}.{parts[5]}"
    rest = ".".join(parts[6:])
    for letter in "abc":
        rest = rest.replace(f"conv_{letter}", letter).replace(f"norm_{letter}", f"{letter}_bn")
    rest = rest.replace("branch1_conv", "branch1").replace("branch1_norm", "branch1_bn")
    return f"{stage}.pathway{parts[3]}_res{parts[5]}.{rest}"


def mmaction_slowfast_name(name):
    """The name of mmaction2 for one of pytorchvideo's SlowFast."""
    name = slowfast_names(name)
    stage, rest = name.split(".", 1)
    if stage == "head":
        return name.replace("head.projection", "cls_head.fc_cls")
    if stage.endswith("_fuse"):
        n = int(stage[1])
        layer = "conv1" if n == 1 else f"layer{n - 1}"
        return f"backbone.slow_path.{layer}_lateral.{rest.replace('conv_f2s', 'conv')}"
    module, rest = rest.split(".", 1)
    path = "slow_path" if module.startswith("pathway0") else "fast_path"
    if stage == "s1":
        return f"backbone.{path}.conv1.{rest}"
    for i, letter in enumerate("abc"):
        rest = rest.replace(f"branch2.{letter}_bn", f"conv{i + 1}.bn").replace(f"branch2.{letter}.", f"conv{i + 1}.conv.")
    rest = rest.replace("branch1_bn", "downsample.bn").replace("branch1.", "downsample.conv.")
    return f"backbone.{path}.layer{int(stage[1]) - 1}.{module.split('_res')[1]}.{rest}"


def slowfast(names="pytorchvideo", taps=7, ratio=4, frames=8, size=40, seed=0):
    def make(name):
        bare = names == "mmaction"
        model = ptv_slowfast.create_slowfast(
            slowfast_channel_reduction_ratio=(2,), slowfast_fusion_conv_kernel_size=(taps, 1, 1),
            slowfast_fusion_conv_stride=(ratio, 1, 1), model_depth=SHALLOW, model_num_class=7, dropout_rate=0.0,
            stem_dim_outs=(4, 2), head_pool=nn.AdaptiveAvgPool3d, head_output_size=((1, 1, 1), (1, 1, 1)),
        )  # fmt: skip
        if bare:
            for block in model.blocks:
                fusion = getattr(block, "multipathway_fusion", None)
                if hasattr(fusion, "norm"):
                    fusion.norm = fusion.activation = None
        model = randomise(model, seed)
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        slow = clip[:, ::ratio] if bare else slow_frames(clip, frames // ratio)
        kept = record(model, [f"blocks.{i}" for i in range(6)])
        # Blocks write their results into the list that they are given.
        for block in model.blocks:
            if hasattr(block, "inplace"):
                block.inplace = False
        with torch.no_grad():
            logits = model([x.permute(0, 4, 1, 2, 3) for x in (slow, clip)])
        nodes = {
            "slow_frames/gather": slow,
            "s1_fuse/concat": channels_last(kept["blocks.0"][0]),
            "s3_fuse/concat": channels_last(kept["blocks.2"][0]),
            "s4/pathway1_res0/activation": channels_last(kept["blocks.3"][1]),
        }
        outputs = {"features": kept["blocks.5"].flatten(1), "logits": logits}
        rename = {"pytorchvideo": lambda k: k, "slowfast": slowfast_names, "mmaction": mmaction_slowfast_name}[names]
        state = {rename(k): v for k, v in model.state_dict().items()}
        own = {"pytorchvideo": "", "slowfast": ", names of facebookresearch/SlowFast"}
        oracle = PYTORCHVIDEO + own.get(names, ", names, frames and bare lateral connections of mmaction2")
        about = {"variant": "r50-4x16"} if ratio == 8 and taps != 5 else {}
        save(
            name, state, {"clip": clip}, nodes, outputs,
            network="slowfast", convention=names, frames=frames, size=size, oracle=oracle, **about,
        )  # fmt: skip

    return make


def detection(frames=8, size=48, seed=0):
    def make(name):
        measures = dict(
            slowfast_channel_reduction_ratio=(2,), model_depth=SHALLOW, model_num_class=7, dropout_rate=0.0,
            stem_dim_outs=(4, 2), head_pool_kernel_sizes=((frames // 4, 1, 1), (frames, 1, 1)), head_activation=None,
        )  # fmt: skip
        model = randomise(ptv_slowfast.create_slowfast_with_roi_head(**measures), seed)
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        # Within, over the edge, smaller than a cell, and all.
        boxes = [[3.5, 6.25, 30.75, 41.0], [20.0, -5.5, 52.0, 30.0], [17.0, 9.0, 22.5, 13.25], [0.0, 0.0, size, size]]
        boxes = torch.tensor(boxes, dtype=torch.float64)
        slow = slow_frames(clip, frames // 4)
        kept = record(model, [*[f"model.blocks.{i}" for i in (0, 3, 5)], "detection_head.pool_spatial"])
        for block in model.model.blocks:
            if hasattr(block, "inplace"):
                block.inplace = False
        owners = torch.zeros(len(boxes), 1, dtype=torch.float64)
        with torch.no_grad():
            logits = model([x.permute(0, 4, 1, 2, 3) for x in (slow, clip)], torch.cat([owners, boxes], 1))
        nodes = {
            "s1_fuse/concat": channels_last(kept["model.blocks.0"][0]),
            "head/concat": channels_last(kept["model.blocks.5"][:, :, 0]),
            "s4/pathway1_res0/activation": channels_last(kept["model.blocks.3"][1]),
        }
        outputs = {"features": kept["detection_head.pool_spatial"].flatten(1), "logits": logits}
        save(
            name, model.state_dict(), {"clip": clip, "boxes": boxes}, nodes, outputs, network="slowfast-ava",
            convention="pytorchvideo", frames=frames, size=size, boxes=len(boxes), oracle=PYTORCHVIDEO,
        )  # fmt: skip

    return make


def slow_detection(frames=4, size=48, seed=0):
    def make(name):
        model = ptv_resnet.create_resnet_with_roi_head(
            model_depth=SHALLOW, model_num_class=7, stem_dim_out=4, dropout_rate=0.0,
            head_pool_kernel_size=(frames, 1, 1), head_activation=None,
        )  # fmt: skip
        model = randomise(model, seed)
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        # Within, over the edge, smaller than a cell, and all.
        boxes = [[3.5, 6.25, 30.75, 41.0], [20.0, -5.5, 52.0, 30.0], [17.0, 9.0, 22.5, 13.25], [0.0, 0.0, size, size]]
        boxes = torch.tensor(boxes, dtype=torch.float64)
        kept = record(model, [*[f"model.blocks.{i}" for i in (0, 2, 4)], "detection_head.pool_spatial"])
        owners = torch.zeros(len(boxes), 1, dtype=torch.float64)
        with torch.no_grad():
            logits = model(clip.permute(0, 4, 1, 2, 3), torch.cat([owners, boxes], 1))
        stages = {"s1.pathway0_stem/pool3d": 0, "s3/pathway0_res2/activation": 2, "s5/pathway0_res1/activation": 4}
        nodes = {node: channels_last(kept[f"model.blocks.{i}"]) for node, i in stages.items()}
        features = kept["detection_head.pool_spatial"].flatten(1)
        outputs = {"roi": features, "features": features, "logits": logits}
        save(
            name, model.state_dict(), {"clip": clip, "boxes": boxes}, nodes, outputs, network="slow-ava",
            convention="pytorchvideo", frames=frames, size=size, boxes=len(boxes), oracle=PYTORCHVIDEO,
        )  # fmt: skip

    return make


GOLDENS = {
    "i3d-r50": resnet3d("i3d", seed=200),
    "i3d-r50-mmaction": resnet3d("i3d", "mmaction", frames=16, size=34, seed=210),
    "slow-r50": resnet3d("slow", "pytorchvideo-slow", seed=220),
    "c2d-r50": resnet3d("c2d", "slowfast", seed=240),
    "nonlocal-slowfast": non_local("embedded", "slowfast", seed=250),
    "nonlocal-mmaction": non_local("embedded", "mmaction", frames=8, seed=270),
    "nonlocal-mmaction-dot": non_local("dot", "mmaction", variant="i3d-nonlocal-dot", frames=8, seed=280),
    "nonlocal-mmaction-gaussian": non_local("gaussian", "mmaction", variant="i3d-nonlocal-gaussian", frames=8, seed=290),
    "nonlocal-mmaction-concatenation": non_local(
        "concatenation", "mmaction", variant="i3d-nonlocal-concatenation", frames=8, seed=300
    ),
    "slowfast-r50": slowfast(seed=310),
    "slowfast-r50-names": slowfast("slowfast", taps=5, ratio=8, frames=16, size=34, seed=320),
    "slowfast-ava": detection(seed=340),
    "slow-ava-pytorchvideo": slow_detection(seed=345),
    "slowfast-r50-mmaction": slowfast("mmaction", seed=330),
}
