"""Video Swin Transformers: torchvision's, with the names of the original repository too."""

import torch
import torchvision
from torchvision.models.video.swin_transformer import SwinTransformer3d

from common import randomise, record, save, values

TORCHVISION = f"torchvision {torchvision.__version__}"


def swin(depths, frames, size, window, rename=lambda name: name, seed=0, **about):
    def make(name):
        heads = [2 << i for i in range(len(depths))]
        model = randomise(SwinTransformer3d([2, 4, 4], 8, depths, heads, window, num_classes=7), seed)
        clip = values(1, frames, size, size, 3, seed=seed + 1)
        last = 2 * len(depths) - 2
        kept = record(model, ["patch_embed", "features.0.1.attn", "features.1", f"features.{last}", "avgpool"])
        with torch.no_grad():
            logits = model(clip.permute(0, 4, 1, 2, 3))
        nodes = {
            "patch_embed/norm/norm": kept["patch_embed"],
            "features.0.1/attn/proj/linear": kept["features.0.1.attn"],
            "features.1/reduction/linear": kept["features.1"],
            f"features.{last}.{depths[-1] - 1}/binary.2": kept[f"features.{last}"],
        }
        outputs = {"features": kept["avgpool"].flatten(1), "logits": logits}
        state = {rename(k): v for k, v in model.state_dict().items()}
        save(name, state, {"clip": clip}, nodes, outputs, network="swin", frames=frames, size=size, **about)

    return make


def mmaction(name):
    first, rest = name.split(".", 1)
    if first == "head":
        return f"cls_head.fc_cls.{rest}"
    if first != "features":
        return f"backbone.{name}"
    feature, rest = rest.split(".", 1)
    place = "downsample" if int(feature) % 2 else "blocks"
    rest = rest.replace(".mlp.0.", ".mlp.fc1.").replace(".mlp.3.", ".mlp.fc2.")
    return f"backbone.layers.{int(feature) // 2}.{place}.{rest}"


GOLDENS = {
    # 5 frames are 3 patches, 36 pixels 9 and then 5: what lacks of whole patches and windows is padded, and the second
    # stage's window is higher and wider than what a shift leaves.
    "swin": swin([2, 2], 5, 36, [2, 3, 3], seed=100, convention="torchvision", oracle=TORCHVISION),
    # The 4 patches of time are less than a window; in the second stage they are one in all axes.
    "swin-mmaction": swin(
        [2, 1], 8, 32, [5, 4, 4], rename=mmaction, seed=110, convention="mmaction",
        oracle=f"{TORCHVISION}, names of SwinTransformer/Video-Swin-Transformer",
    ),
}
