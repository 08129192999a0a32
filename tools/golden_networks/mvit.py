"""MViT and MViTv2: torchvision's, with SlowFast's names too, and PyTorchVideo's."""

import pytorchvideo
import torch
import torchvision
from pytorchvideo.models.vision_transformers import create_multiscale_vision_transformers
from torchvision.models.video.mvit import MSBlockConfig, MViT

from common import randomise, record, save, values

TORCHVISION = f"torchvision {torchvision.__version__}"
FRAMES, SIZE = 4, 40
"""40 pixels are 10, 5, then 3 places, though the tables of relative positions count 10, 5, 2: they are resampled."""


def blocks(width, depth, stages, in_attention, pool_all):
    """The settings of blocks of which those in `stages` halve height and width."""

    def stage(i):
        return sum(first <= i for first in stages)

    settings = []
    for i in range(depth):
        heads = 1 << stage(i)
        stride = [1, 2, 2] if i in stages else [1, 1, 1]
        pools = pool_all or i in stages
        before, after = (stage(i - 1) if i else 0, stage(i)) if in_attention else (stage(i), stage(min(i + 1, depth - 1)))
        kv = 1 << (len(stages) - stage(i))
        settings.append(MSBlockConfig(
            num_heads=heads, input_channels=width << before, output_channels=width << after,
            kernel_q=[3, 3, 3] if pools else [], stride_q=stride if pools else [],
            kernel_kv=[3, 3, 3], stride_kv=[1, kv, kv],
        ))
    return settings


def features_of(module):
    """Keeps the first token that `module` gives."""
    kept = {}
    module.register_forward_hook(lambda _m, _i, o: kept.__setitem__("features", o[:, 0]))
    return kept


def small(version, depth, stages, rename=lambda name: name, seed=0, **about):
    second = version == 2

    def make(name):
        model = randomise(MViT(
            (SIZE, SIZE), FRAMES, blocks(8, depth, stages, second, second), residual_pool=second,
            residual_with_cls_embed=False, rel_pos_embed=second, proj_after_attn=second, num_classes=7,
        ), seed)
        clip = values(1, FRAMES, SIZE, SIZE, 3, seed=seed + 1)
        # The first to be pooled.
        pooled = f"blocks.{stages[0]}"
        kept = record(model, [f"{pooled}.attn.pool_q", f"{pooled}.attn", f"{pooled}", f"blocks.{depth - 1}.mlp.1"])
        features = features_of(model.norm)
        with torch.no_grad():
            logits = model(clip.permute(0, 4, 1, 2, 3))
        query = kept[f"{pooled}.attn.pool_q"][0].transpose(1, 2)
        nodes = {
            f"{pooled}/attn/pool_q/norm_act.0/norm": query,
            f"{pooled}/attn/project.0/linear": kept[f"{pooled}.attn"][0],
            f"{pooled}/binary.2": kept[pooled][0],
            f"blocks.{depth - 1}/mlp.0/activation": kept[f"blocks.{depth - 1}.mlp.1"],
        }
        state = {rename(k): v for k, v in model.state_dict().items()}
        save(
            name, state, {"clip": clip}, nodes, {"features": features["features"], "logits": logits},
            network="mvit", frames=FRAMES, size=SIZE, **about,
        )

    return make


def slowfast(name):
    for a, b in [
        ("conv_proj.", "patch_embed.proj."), ("pos_encoding.class_token", "cls_token"), ("head.1.", "head.projection."),
        (".mlp.0.", ".mlp.fc1."), (".mlp.3.", ".mlp.fc2."), (".project.0.", ".proj."), (".project.", ".proj."),
    ]:
        name = name.replace(a, b)
    for part in "qkv":
        name = name.replace(f"pool_{part}.pool.", f"pool_{part}.").replace(f"pool_{part}.norm_act.0.", f"norm_{part}.")
    return name


def of_pytorchvideo(name):
    seed = 90
    stages = [1, 2]
    model = randomise(create_multiscale_vision_transformers(
        spatial_size=32, temporal_size=FRAMES, depth=3, num_heads=1, patch_embed_dim=8, head_num_classes=7,
        embed_dim_mul=[[i, 2.0] for i in stages], atten_head_mul=[[i, 2.0] for i in stages],
        pool_q_stride_size=[[i, 1, 2, 2] for i in stages], pool_kv_stride_adaptive=[1, 4, 4], pool_kvq_kernel=[3, 3, 3],
    ), seed)
    clip = values(1, FRAMES, 32, 32, 3, seed=seed + 1)
    kept = record(model, ["cls_positional_encoding", "blocks.1.attn", "blocks.1"])
    features = features_of(model.norm_embed)
    with torch.no_grad():
        logits = model(clip.permute(0, 4, 1, 2, 3))
    nodes = {
        "pos_encoding/concat": kept["cls_positional_encoding"],
        "blocks.1/attn/project.0/linear": kept["blocks.1.attn"][0],
        "blocks.1/binary.2": kept["blocks.1"][0],
    }
    save(
        name, model.state_dict(), {"clip": clip}, nodes, {"features": features["features"], "logits": logits},
        network="mvit", convention="pytorchvideo", frames=FRAMES, size=32,
        oracle=f"pytorchvideo {pytorchvideo.__version__}",
    )


GOLDENS = {
    "mvit-v1": small(1, 4, [1, 3], seed=80, convention="torchvision", oracle=TORCHVISION),
    "mvit-v1-pytorchvideo": of_pytorchvideo,
    "mvit-v2": small(2, 4, [1, 3], seed=82, convention="torchvision", oracle=TORCHVISION),
    "mvit-v2-slowfast": small(
        2, 4, [2], rename=slowfast, seed=84, convention="slowfast", oracle=f"{TORCHVISION}, names of facebookresearch/SlowFast"
    ),
}
