"""Vision transformers on video: TimeSformer, ViViT, VideoMAE, VTN.

Oracles are transformers' models and timm's, run on their own blocks. What has no public PyTorch implementation (ViViT's
models 2 to 4) is transcribed here from google-research/scenic, projects/vivit/model.py, in torch's own operators.
"""

import json
import pathlib
import tempfile

import timm
import torch
import transformers
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F
from transformers import (
    LongformerConfig, LongformerModel, TimesformerConfig, TimesformerForVideoClassification, VideoMAEConfig,
    VideoMAEForVideoClassification, VivitConfig, VivitForVideoClassification,
)

from common import randomise, record, save, values

TRANSFORMERS = f"transformers {transformers.__version__}"


def published(model):
    """The tensors by the names that the library writes them under, and the config.json it writes."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        with safe_open(f"{folder}/model.safetensors", "pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}
        return state, json.loads((pathlib.Path(folder) / "config.json").read_text())


def measures(config, **more):
    """Of a config.json only what a reader needs, and labels."""
    keep = ["model_type", "num_attention_heads", "num_frames", "image_size", "attention_type", "hidden_act", "layer_norm_eps"]
    return {k: config[k] for k in keep if k in config} | more


def frames_first(x, places):
    """TimeSformer's tokens [N, 1 + places * T, C], time the fastest, in this project's order."""
    frames = (x.shape[1] - 1) // places
    patches = x[:, 1:].unflatten(1, (places, frames)).transpose(1, 2).flatten(1, 2)
    return torch.cat([x[:, :1], patches], 1)


def original_timesformer(name):
    """A name of transformers as facebookresearch/TimeSformer has it."""
    for theirs, original in [
        ("timesformer.", ""), ("classifier.", "head."), ("embeddings.cls_token", "cls_token"),
        ("embeddings.position_embeddings", "pos_embed"), ("embeddings.time_embeddings", "time_embed"),
        ("embeddings.patch_embeddings.projection", "patch_embed.proj"), ("encoder.layer.", "blocks."),
        ("temporal_attention.attention.qkv", "temporal_attn.qkv"), ("temporal_attention.output.dense", "temporal_attn.proj"),
        ("temporal_layernorm", "temporal_norm1"), ("temporal_dense", "temporal_fc"), ("attention.attention.qkv", "attn.qkv"),
        ("attention.output.dense", "attn.proj"), ("layernorm_before", "norm1"), ("layernorm_after", "norm2"),
        ("layernorm", "norm"), ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2"),
    ]:
        name = name.replace(theirs, original)
    return name


def timesformer(attention, width=32, heads=4, frames=4, size=24, grid=None, times=None, original=False, seed=0, **about):
    """`grid` and `times` are the sizes of the tables of positions, if they are others than the clip's."""

    def make(name):
        patch = 8
        model = TimesformerForVideoClassification(TimesformerConfig(
            attention_type=attention, hidden_size=width, intermediate_size=width + 24, num_hidden_layers=2,
            num_attention_heads=heads, image_size=size, patch_size=patch, num_frames=frames, num_labels=7,
        ))
        embeddings = model.timesformer.embeddings
        if grid:
            embeddings.position_embeddings = nn.Parameter(torch.zeros(1, 1 + grid * grid, width))
        if times:
            embeddings.time_embeddings = nn.Parameter(torch.zeros(1, times, width))
        randomise(model, seed)
        places = (size // patch) ** 2
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        kept = record(model, ["timesformer.embeddings.patch_embeddings.projection", "timesformer.encoder.layer.0",
                              "timesformer.encoder.layer.1"])
        with torch.no_grad():
            net = model.timesformer
            x = net.encoder(net.embeddings(clip.permute(0, 1, 4, 2, 3))).last_hidden_state
            if attention == "space_only":
                # The library leaves out that the original averages frames before the last normalisation.
                x = x.mean(0, keepdim=True)
            features = net.layernorm(x)[:, 0]
            logits = model.classifier(features)
        first, second = (kept[f"timesformer.encoder.layer.{i}"] for i in (0, 1))
        first, second = (x[0] if isinstance(x, tuple) else x for x in (first, second))
        if attention != "space_only":
            first, second = frames_first(first, places), frames_first(second, places)
        projection = kept["timesformer.embeddings.patch_embeddings.projection"]
        nodes = {
            "patch_embed.proj/conv3d": projection.permute(0, 2, 3, 1).unflatten(0, (-1, frames)),
            "blocks.0/mlp/binary": first,
            "blocks.1/mlp/binary": second,
        }
        state, config = published(model)
        if original:
            state, config = {f"model.{original_timesformer(k)}": v for k, v in state.items()}, None
        else:
            config = measures(config, id2label={str(i): f"action {i}" for i in range(7)})
        save(
            name, state, {"clip": clip}, nodes, {"features": features, "logits": logits}, config=config,
            network="timesformer", convention="facebookresearch" if original else "huggingface", frames=frames,
            size=size, oracle=TRANSFORMERS, **about,
        )

    return make


def vivit(name):
    width, heads, frames, size = 32, 4, 4, 24
    model = randomise(VivitForVideoClassification(VivitConfig(
        hidden_size=width, intermediate_size=56, num_hidden_layers=2, num_attention_heads=heads, image_size=size,
        num_frames=frames, tubelet_size=[2, 8, 8], num_labels=7,
    )), 50)
    clip = values(1, frames, size, size, 3, seed=51)
    layers = ["vivit.layers.0", "vivit.layers.1"]
    kept = record(model, ["vivit.embeddings.patch_embeddings.projection", *layers])
    with torch.no_grad():
        x = model.vivit(clip.permute(0, 1, 4, 2, 3)).last_hidden_state
        logits = model.classifier(x[:, 0])
    first, second = (x[0] if isinstance(x, tuple) else x for x in (kept[layer] for layer in layers))
    nodes = {
        "patch_embed.proj/conv3d": kept["vivit.embeddings.patch_embeddings.projection"].movedim(1, -1),
        "blocks.0/mlp/binary": first,
        "blocks.1/mlp/binary": second,
    }
    state, config = published(model)
    config = measures(config, id2label={str(i): f"action {i}" for i in range(7)})
    save(
        name, state, {"clip": clip}, nodes, {"features": x[:, 0], "logits": logits}, config=config, network="vivit",
        convention="huggingface", frames=frames, size=size, oracle=TRANSFORMERS,
    )


class Attention(nn.Module):
    """Multi-head attention on tokens [N, T, S, C] along some of their axes: a share of the heads along each."""

    def __init__(self, width, heads, axes):
        super().__init__()
        self.heads, self.axes = heads, axes
        self.q, self.k, self.v, self.proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        # [N, T, S, heads, C / heads]
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)) for f in (self.q, self.k, self.v))
        share = self.heads // len(self.axes)
        outputs = []
        for i, axis in enumerate(self.axes):
            part = slice(i * share, (i + 1) * share)
            # The axis attended along next to the channels.
            a, b, c = (t[..., part, :].movedim(axis, -2) for t in (q, k, v))
            scores = a @ b.transpose(-1, -2) / a.shape[-1] ** 0.5
            outputs.append((scores.softmax(-1) @ c).movedim(-2, axis))
        return self.proj(torch.cat(outputs, -2).flatten(-2))


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x):
        # What jax.nn.gelu computes.
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


TIME, SPACE = 1, 2


class Block(nn.Module):
    """Attentions one after the other, each by its names and axes, then the perceptron."""

    def __init__(self, width, heads, hidden, attentions):
        super().__init__()
        self.names = [(norm, attention) for norm, attention, _ in attentions]
        for norm, attention, axes in attentions:
            self.add_module(norm, nn.LayerNorm(width, eps=1e-6))
            self.add_module(attention, Attention(width, heads, axes))
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), Mlp(width, hidden)

    def forward(self, x):
        for norm, attention in self.names:
            x = x + getattr(self, attention)(getattr(self, norm)(x))
        return x + self.mlp(self.norm2(x))


class Encoder(nn.Module):
    """Blocks on tokens [N, S, C] with a class token, of which the last normalisation is given."""

    def __init__(self, tokens, width, heads, hidden, depth):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + tokens, width))
        plain = [("norm1", "attn", [SPACE])]
        self.blocks = nn.ModuleList([Block(width, heads, hidden, plain) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        x = x[:, None]
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 0, 0])


class FactorisedViViT(nn.Module):
    """Models 2, 3 and 4 of the paper, as google-research/scenic's model.py and model_utils.py compute them."""

    def __init__(
        self, model, frames, size, width=32, heads=4, hidden=56, depth=2, classes=7, patch=8, temporal_depth=2
    ):
        super().__init__()
        self.model = model
        steps, places = frames // 2, (size // patch) ** 2
        tubelet = (2, patch, patch)
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(3, width, tubelet, tubelet)})
        if model == 2:
            self.spatial = Encoder(places, width, heads, hidden, depth)
            self.temporal = Encoder(steps, width, heads, hidden, temporal_depth)
        else:
            self.pos_embed = nn.Parameter(torch.zeros(1, steps * places, width))
            ways = {
                3: [("norm_time", "attn_time", [TIME]), ("norm_space", "attn_space", [SPACE])],
                4: [("norm1", "attn", [TIME, SPACE])],
            }[model]
            self.blocks = nn.ModuleList([Block(width, heads, hidden, ways) for _ in range(depth)])
            self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def features(self, clip):
        x = self.patch_embed["proj"](clip.movedim(-1, 1)).flatten(3).permute(0, 2, 3, 1)
        n, steps, places, width = x.shape
        if self.model == 2:
            return self.temporal(self.spatial(x.flatten(0, 1)).unflatten(0, (n, steps)))
        x = x + self.pos_embed.unflatten(1, (steps, places))
        for block in self.blocks:
            x = block(x)
        return self.norm(x).mean((1, 2))


def factorised_vivit(model, nodes, seed):
    """`nodes` are this project's names of those of a module, tokens [N, T, S, C] or [N, S, C]."""

    def make(name):
        frames, size = 6, 24
        net = randomise(FactorisedViViT(model, frames, size), seed)
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        kept = record(net, ["patch_embed.proj", *nodes.values()])
        with torch.no_grad():
            features = net.features(clip)
            logits = net.head(features)
        found = {node: kept[module].flatten(1, 2) if kept[module].dim() == 4 else kept[module] for node, module in nodes.items()}
        found["patch_embed.proj/conv3d"] = kept["patch_embed.proj"].movedim(1, -1)
        save(
            name, net.state_dict(), {"clip": clip}, found, {"features": features, "logits": logits},
            config={"num_attention_heads": 4}, network="vivit", convention="kinetograph", frames=frames, size=size,
            oracle="transcribed from google-research/scenic, projects/vivit/model.py",
        )

    return make


def videomae(pooled=True, original=False, seed=0):
    def make(name):
        width, heads = (64, 1) if original else (32, 4)
        frames, size = 4, 24
        model = randomise(VideoMAEForVideoClassification(VideoMAEConfig(
            hidden_size=width, intermediate_size=width + 24, num_hidden_layers=2, num_attention_heads=heads,
            image_size=size, patch_size=8, num_frames=frames, tubelet_size=2, num_labels=7, use_mean_pooling=pooled,
            layer_norm_eps=1e-6 if original else 1e-12,
        )), seed)
        if original:
            model.fc_norm.eps = 1e-6
        # The library keeps the positions in single precision only because of how it makes them.
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        layers = ["videomae.encoder.layer.0", "videomae.encoder.layer.1"]
        kept = record(model, ["videomae.embeddings.patch_embeddings.projection", *layers])
        with torch.no_grad():
            x = model.videomae(clip.permute(0, 1, 4, 2, 3)).last_hidden_state
            features = model.fc_norm(x.mean(1)) if pooled else x[:, 0]
            logits = model.classifier(features)
        first, second = (x[0] if isinstance(x, tuple) else x for x in (kept[layer] for layer in layers))
        nodes = {
            "patch_embed.proj/conv3d": kept["videomae.embeddings.patch_embeddings.projection"].movedim(1, -1),
            "blocks.0/mlp/binary": first,
            "blocks.1/mlp/binary": second,
        }
        state, config = published(model)
        config = measures(config)
        if original:
            state, config = original_videomae(state, 2), None
        save(
            name, state, {"clip": clip}, nodes, {"features": features, "logits": logits}, config=config,
            network="videomae", convention="mcg-nju" if original else "huggingface", frames=frames, size=size,
            oracle=f"{TRANSFORMERS}, names of MCG-NJU/VideoMAE" if original else TRANSFORMERS,
        )

    return make


def original_videomae(state, depth):
    """The tensors as MCG-NJU/VideoMAE has them: one matrix for query, key and value."""
    out = {}
    for name, tensor in state.items():
        name = name.removeprefix("videomae.").replace("classifier.", "head.").replace("encoder.layer.", "blocks.")
        for theirs, original in [
            ("embeddings.patch_embeddings.projection", "patch_embed.proj"), ("attention.attention.", "attn."),
            ("attention.output.dense", "attn.proj"), ("layernorm_before", "norm1"), ("layernorm_after", "norm2"),
            ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2"),
        ]:
            name = name.replace(theirs, original)
        out[name] = tensor
    for i in range(depth):
        parts = [out.pop(f"blocks.{i}.attn.{part}.weight") for part in ("query", "key", "value")]
        out[f"blocks.{i}.attn.qkv.weight"] = torch.cat(parts)
    return out


class Vtn(nn.Module):
    """timm's ViT on frames, transformers' Longformer of windows of 18 over them, a perceptron."""

    def __init__(self, image, temporal, head=40, classes=7):
        super().__init__()
        self.backbone = timm.create_model("vit_base_patch16_224", num_classes=0, **image)
        depth = temporal["num_hidden_layers"]
        self.temporal_encoder = LongformerModel(LongformerConfig(
            attention_window=[18] * depth, pad_token_id=1, vocab_size=8, **temporal,
        ), add_pooling_layer=False)
        width = self.backbone.embed_dim
        self.mlp_head = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, head), nn.GELU(), nn.Dropout(), nn.Linear(head, classes)
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, frames):
        """The tokens after the Longformer and the logits, of frames [T, 3, H, W]."""
        x = torch.cat([self.backbone(some) for some in frames.split(25)])[None]
        x = torch.cat([self.cls_token, x], 1)
        # As slowfast/models/vtn_helper.py and video_model_builder.py do: padding to whole windows, which nobody sees.
        tokens = x.shape[1]
        padding = -tokens % 18
        x = F.pad(x, (0, 0, 0, padding), value=-1.0)
        mask = torch.ones(1, tokens + padding)
        mask[:, 0] = 2
        mask[:, tokens:] = 0
        types = torch.zeros(1, tokens + padding, dtype=torch.long)
        types[:, 0] = 1
        most = self.temporal_encoder.config.max_position_embeddings
        places = F.pad(torch.arange(len(frames))[None], (1, padding)) % (most - 2)
        places[:, 0] = most - 2
        places[:, tokens:] = most - 1
        x = self.temporal_encoder(
            inputs_embeds=x, attention_mask=mask, token_type_ids=types, position_ids=places
        ).last_hidden_state
        return x[:, :tokens], self.mlp_head(x[:, 0])

    def published(self):
        return {k: v for k, v in self.state_dict().items() if "word_embeddings" not in k}


def vtn(name):
    # One head, as the width tells; frames for two windows of 18 tokens, the second of them part padding.
    width, frames, size, depth = 64, 22, 16, 2
    net = Vtn(
        dict(img_size=size, patch_size=8, embed_dim=width, depth=depth, num_heads=1, mlp_ratio=1.25),
        dict(hidden_size=width, intermediate_size=72, num_hidden_layers=depth, num_attention_heads=1,
             max_position_embeddings=20),
    )
    randomise(net, 90)
    clip = values(1, frames, size, size, 3, seed=91)
    layers = [f"temporal_encoder.encoder.layer.{i}" for i in range(depth)]
    kept = record(net, ["backbone.blocks.1", *layers])
    with torch.no_grad():
        x, logits = net(clip[0].permute(0, 3, 1, 2))
    tokens = x.shape[1]
    first, second = (x[0] if isinstance(x, tuple) else x for x in (kept[layer] for layer in layers))
    nodes = {
        "backbone.blocks.1/mlp/binary": kept["backbone.blocks.1"],
        "temporal_encoder.encoder.layer.0/output.LayerNorm/norm": first[:, :tokens],
        "temporal_encoder.encoder.layer.1/output.LayerNorm/norm": second[:, :tokens],
    }
    save(
        name, net.published(), {"clip": clip}, nodes, {"features": x[:, 0], "logits": logits}, network="vtn",
        convention="bomri", frames=frames, size=size, oracle=f"timm {timm.__version__}, {TRANSFORMERS}",
    )


GOLDENS = {
    "timesformer-divided": timesformer("divided_space_time"),
    "timesformer-original": timesformer("divided_space_time", width=64, heads=1, frames=3, size=24, original=True, seed=10),
    "timesformer-resized": timesformer("divided_space_time", frames=5, size=40, grid=3, times=3, seed=20),
    "timesformer-joint": timesformer("joint_space_time", seed=30),
    "timesformer-space-only": timesformer(
        "space_only", width=64, heads=1, frames=3, size=32, original=True, seed=40
    ),
    "videomae": videomae(seed=50),
    "videomae-first": videomae(pooled=False, seed=60),
    "videomae-original": videomae(original=True, seed=70),
    "vivit": vivit,
    "vivit-factorised-encoder": factorised_vivit(
        2, {"spatial/blocks.0/mlp/binary": "spatial.blocks.0", "temporal/blocks.1/mlp/binary": "temporal.blocks.1"}, seed=110
    ),
    "vivit-factorised-self-attention": factorised_vivit(
        3, {"blocks.0/attn_time/proj/linear": "blocks.0.attn_time", "blocks.1/mlp/binary": "blocks.1"}, seed=120
    ),
    "vivit-factorised-dot-product": factorised_vivit(
        4, {"blocks.0/mlp/binary": "blocks.0", "blocks.1/mlp/binary": "blocks.1"}, seed=130
    ),
    "vtn": vtn,
}
