#!/usr/bin/env python3
"""Makes tests/golden/video/flow_recipes.safetensors: what the loaders of public repositories make of flow.

Each function does what the loader named in it does, with the libraries that it uses (OpenCV, PIL, NumPy), at a sixteenth
of its sizes. JPEG between flow and loader is left out. Needs numpy, opencv, pillow, torch and safetensors.
"""

import argparse

import cv2
import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

CROP = 14  # 224 / 16
HEIGHT, WIDTH = 16, 21  # 256 / 16 and 340 / 16
FLOWS = 3


def levels(flow, bound):
    """`CAST` of yjxiong/dense_flow, src/common.cpp; cvRound rounds halves to even."""
    v = flow.astype(np.float64)
    inside = np.rint(255 * (v - -bound) / (bound - -bound))
    return np.where(v > bound, 255, np.where(v < -bound, 0, inside)).astype(np.uint8)


def middle(size, crop=CROP):
    return [(n - crop) / 2 for n in size]


def bryanyzhu(flows):
    """datasets/ucf101.py ReadSegmentFlow, video_transforms.py CenterCrop, ToTensor, Normalize."""
    sampled = []
    for flow in flows:
        for c in range(2):
            image = cv2.resize(levels(flow[..., c], 20), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
            sampled.append(np.expand_dims(image, 2))
    clip = np.concatenate(sampled, axis=2)
    y, x = (int(round(n)) for n in middle(clip.shape[:2]))
    tensor = torch.from_numpy(clip[y : y + CROP, x : x + CROP].transpose(2, 0, 1)).float().div(255.0)
    return tensor.sub(0.5).div(0.226).permute(1, 2, 0).numpy()


def jeffreyyihuang(flows):
    """dataloader/motion_dataloader.py stackopf with Scale([224, 224]) and ToTensor."""
    stack = torch.empty(2 * len(flows), CROP, CROP)
    for j, flow in enumerate(flows):
        for c in range(2):
            image = Image.fromarray(levels(flow[..., c], 20)).resize((CROP, CROP), Image.BILINEAR)
            stack[2 * (j - 1) + c] = torch.from_numpy(np.array(image)).float().div(255)
    return stack.permute(1, 2, 0).numpy()


def tsn_caffe(flows):
    """tools/eval_net.py eval_video, pyActionRecog/utils/io.py flow_stack_oversample: the fifth crop."""
    stack = np.array([levels(flow[..., c], 20) for flow in flows for c in range(2)])
    y, x = (int(n) for n in middle(stack.shape[1:]))
    return (stack[:, y : y + CROP, x : x + CROP] - np.float32(128.0)).transpose(1, 2, 0)


def mmaction(flows):
    """Resize (mmcv rescale_size), CenterCrop, FormatShape NCHW_Flow, then mean and std of 128."""
    h, w = flows[0].shape[:2]
    scale = HEIGHT / min(h, w)
    size = (int(w * scale + 0.5), int(h * scale + 0.5))
    images = [cv2.resize(levels(f[..., c], 20), size, interpolation=cv2.INTER_LINEAR) for f in flows for c in range(2)]
    y, x = (size[1] - CROP) // 2, (size[0] - CROP) // 2
    images = [image[y : y + CROP, x : x + CROP] for image in images]
    x_flow, y_flow = np.array(images[0::2], np.float32), np.array(images[1::2], np.float32)
    stacked = np.stack([x_flow, y_flow], axis=-1).transpose(0, 3, 1, 2).reshape(-1, CROP, CROP)
    return ((stacked - 128) / 128).transpose(1, 2, 0)


def deepmind_i3d(flows):
    """README of deepmind/kinetics-i3d: truncated to [-20, 20], rescaled to -1 to 1, the centre crop."""
    clip = np.clip(np.array(flows), -20, 20) / np.float32(20)
    y, x = (int(np.round(n)) for n in middle(clip.shape[1:3]))
    return clip[:, y : y + CROP, x : x + CROP]


def piergiaj_i3d(flows):
    """charades_dataset.py load_flow_frames, videotransforms.py CenterCrop."""
    frames = []
    for flow in flows:
        image_x, image_y = ((levels(flow[..., c], 20) / 255.0) * 2 - 1 for c in range(2))
        frames.append(np.asarray([image_x, image_y]).transpose([1, 2, 0]))
    clip = np.asarray(frames, dtype=np.float32)
    y, x = (int(np.round(n)) for n in middle(clip.shape[1:3]))
    return clip[:, y : y + CROP, x : x + CROP]


def edges(bound):
    """Components on the edge between two levels, at the bound, at zero, and the floats beside all of them."""
    exact = [(k + 0.5) * 2 * bound / 255 - bound for k in range(255)] + [-bound, bound, 0.0, -0.0]
    exact = np.array(exact, np.float32)
    beside = [np.nextafter(exact, np.float32(to)) for to in (-np.inf, np.inf)]
    return np.concatenate([exact, *beside, np.array([1e-30], np.float32)]).reshape(1, -1, 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default="tests/golden/video/flow_recipes.safetensors")
    options = parser.parse_args()
    random = np.random.default_rng(7)
    flows = random.normal(0, 10, (FLOWS, 20, 27, 2)).astype(np.float32)
    flows[:, ::5, ::4] = random.choice(np.array([-16, -8, 0, 8, 16, -20, 20], np.float32), flows[:, ::5, ::4].shape)
    tensors = {
        "flows": flows,
        "i3d-flow": deepmind_i3d(flows),
        "i3d-flow-jpg": piergiaj_i3d(flows),
        "tsn-caffe-flow": tsn_caffe(flows),
        "tsn-mmaction-flow": mmaction(flows),
        "two-stream-bryanyzhu-flow": bryanyzhu(flows),
        "two-stream-jeffreyyihuang-flow": jeffreyyihuang(flows),
    }
    for bound in (15, 20):
        tensors[f"edges{bound}"] = edges(bound)
        tensors[f"levels{bound}"] = levels(edges(bound), bound)
    save_file({k: np.ascontiguousarray(v, np.float32) for k, v in tensors.items()}, options.output)


if __name__ == "__main__":
    main()
