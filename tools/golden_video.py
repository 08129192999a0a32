"""Writes tests/golden/video: pictures and films of our own, and what public programs make of them.

    python tools/golden_video.py

`recipes.safetensors`: one picture, resized and prepared by torch and torchvision; read by src/video/recipe.rs.
`film.{mp4,mkv,webm}` and `films.safetensors`: a small film in three codings, and its RGB frames according to
ffmpeg (exact arithmetic, chroma repeated); read by src/video/tests.rs.

Needs torch, torchvision, safetensors, and ffmpeg with libx264 and libvpx-vp9.
"""

import subprocess
from pathlib import Path

import torch
import torchvision.transforms.functional as F
from safetensors.torch import save_file
from torch.nn.functional import interpolate
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import VideoClassification

OUT = Path(__file__).parent.parent / "tests/golden/video"


def picture(height, width):
    """Smooth colour, hard edges and noise: what filters treat differently. [H, W, 3] bytes."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    smooth = torch.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], -1)
    stripes = ((x // 3 + y // 5) % 2 * 200)[..., None].expand(-1, -1, 3)
    noise = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(1))
    third = (x * 3 // width)[..., None]
    return torch.where(third == 0, smooth, torch.where(third == 1, stripes, noise)).to(torch.uint8)


def ffmpeg(*arguments, stdin=b""):
    command = ["ffmpeg", "-v", "error", "-y", "-fflags", "+bitexact", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout


def films():
    """A bright block crosses a gradient: 10 frames of 54x38, in BT.709 (mp4: full range), with B-frames."""
    t, h, w = 10, 38, 54
    film = torch.zeros(t, h, w, 3, dtype=torch.uint8)
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    for i in range(t):
        film[i] = torch.stack([x * 4, y * 6, (x + y + 9 * i) % 256], -1)
        film[i, 8:24, 4 * i : 4 * i + 14] = torch.tensor([250, 220, 20 * i])
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", "10", "-i", "-"]
    plain = ["-flags:v", "+bitexact", "-map_metadata", "-1"]

    def tags(range):
        convert = f"scale=out_color_matrix=bt709:out_range={range},format=yuv420p"
        return ["-vf", convert, "-colorspace", "bt709", "-color_range", range]

    x264 = ["-c:v", "libx264", "-threads", "1", "-g", "6", "-bf", "3", "-movflags", "+faststart"]
    vp9 = ["-c:v", "libvpx-vp9", "-threads", "1", "-b:v", "300k", "-auto-alt-ref", "1", "-lag-in-frames", "8"]
    data = film.numpy().tobytes()
    ffmpeg(*raw, *tags("pc"), *x264, *plain, str(OUT / "film.mp4"), stdin=data)
    ffmpeg("-i", str(OUT / "film.mp4"), "-c", "copy", *plain, str(OUT / "film.mkv"))
    ffmpeg(*raw, *tags("tv"), *vp9, *plain, str(OUT / "film.webm"), stdin=data)

    out = {}
    for name in ["mp4", "mkv", "webm"]:
        exact = ["-sws_flags", "neighbor+accurate_rnd+full_chroma_int", "-fps_mode", "passthrough"]
        rgb = ffmpeg("-i", str(OUT / f"film.{name}"), *exact, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
        out[name] = torch.frombuffer(bytearray(rgb), dtype=torch.uint8).reshape(t, h, w, 3)
    save_file(out, OUT / "films.safetensors")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    films()
    frame = picture(150, 212)
    chw = frame.permute(2, 0, 1)[None].contiguous()
    floats = chw.float()
    out = {"picture": frame}

    def last(x):
        return x[0].permute(1, 2, 0).contiguous()

    for name, size, mode, antialias in [
        ("bilinear", (45, 61), "bilinear", False),
        ("bilinear_up", (170, 230), "bilinear", False),
        ("bilinear_antialias", (45, 61), "bilinear", True),
        ("bicubic_antialias", (45, 61), "bicubic", True),
    ]:
        big = interpolate(floats, size, mode=mode, antialias=antialias)
        out[f"resize/{name}"] = last(big[..., : min(size[0], 45), : min(size[1], 61)])

    # Recipe::with_size(56): sizes before the crop are halved.
    r3d = VideoClassification(crop_size=(56, 56), resize_size=(64, 86))
    out["recipe/kinetics-112"] = r3d(chw)[:, 0].permute(1, 2, 0).contiguous()

    scale = 64 / 150
    size = (int(150 * scale + 0.5), int(212 * scale + 0.5))
    resized = interpolate(floats, size, mode="bilinear", antialias=False).round()
    top, left = (size[0] - 56) // 2, (size[1] - 56) // 2
    cropped = last(resized[..., top : top + 56, left : left + 56])
    out["recipe/c3d-mmaction"] = cropped - torch.tensor([104.0, 117.0, 128.0])

    plain = F.resize(floats, 64, interpolation=InterpolationMode.BILINEAR, antialias=True)
    out["recipe/plain-64"] = (last(F.center_crop(plain, 64)) / 255 - 0.5) / 0.5

    save_file(out, OUT / "recipes.safetensors")


if __name__ == "__main__":
    main()
