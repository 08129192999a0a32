"""How the command is given an input that PyTorch has too, and how it gives its answer back.

A way prepares the input, as tensors for the PyTorch network, and later asks the command, whose answers have names.
"""

import json

import numpy
import torch
import torchvision
from safetensors.torch import load_file, save_file


def drawn(shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(2))


def read(path):
    return torch.from_numpy(numpy.load(path))


def frames(folder, count, height, width):
    """A clip of random pixels as a folder of pictures; gives the levels [T, H, W, 3]."""
    generator = torch.Generator().manual_seed(3)
    levels = torch.randint(0, 256, (count, 3, height, width), generator=generator, dtype=torch.uint8)
    (folder / "clip").mkdir()
    for i, frame in enumerate(levels):
        torchvision.io.write_png(frame, str(folder / "clip" / f"{i:05}.png"), compression_level=1)
    return levels.permute(0, 2, 3, 1)


def normalised(levels, mean, std):
    return (levels.float() / 255 - torch.tensor(mean)) / torch.tensor(std)


class Run:
    """`run` on a tensor of random numbers; `to_clip` makes it of the PyTorch network's input."""

    def __init__(self, to_clip, *flags, output="logits"):
        self.to_clip, self.flags, self.output = to_clip, flags, output

    def prepare(self, command, folder, shape):
        x = drawn(shape)
        numpy.save(folder / "clip.npy", self.to_clip(x).contiguous().numpy())
        return [x]

    def answer(self, command, folder, weights):
        clip, out = folder / "clip.npy", folder / "y.npy"
        command("run", "--input", clip, "--weights", weights, *self.flags, "--output", out)
        return {self.output: read(out)}


class Inflate(Run):
    """`inflate` on weights of single frames, then `run` with what it writes."""

    def __init__(self, network, to_clip, mode):
        super().__init__(to_clip)
        self.network, self.mode = network, mode

    def answer(self, command, folder, weights):
        made = folder / "inflated.safetensors"
        command("inflate", self.network, "--weights", weights, "--output", made, "--mode", self.mode, device=False)
        return super().answer(command, folder, made)


class Detect:
    """`detect` on pictures, boxes and perhaps a feature bank. The scores of the boxes are turned back to logits; the
    features are what --save-bank writes."""

    BOXES = [[3.5, 6.25, 150.75, 233.0], [152.0, 2.0, 330.5, 250.0], [0.0, 0.0, 340.0, 256.0], [201.25, 99.0, 222.5, 111.25]]

    def __init__(self, stride, mean, std, actions, bank=None, flags=()):
        self.stride, self.mean, self.std, self.actions, self.bank, self.flags = stride, mean, std, actions, bank, flags

    def prepare(self, command, folder, shape):
        t, h, w = shape
        levels = frames(folder, t * self.stride, h, w)[:: self.stride]
        # The key frame is that which the clip has in its middle.
        key = {"frame": t * self.stride // 2, "boxes": self.BOXES}
        (folder / "boxes.json").write_text(json.dumps({"frames": [key]}))
        inputs = [normalised(levels, self.mean, self.std)[None], torch.tensor(self.BOXES)]
        if self.bank:
            seconds, persons, channels = self.bank
            # About as large as the features that the network makes.
            held = 8 * drawn((seconds, persons, channels)).abs()
            # Of most seconds there are fewer persons.
            there = torch.arange(persons) < (torch.arange(seconds) % (persons + 1))[:, None]
            held[~there] = 0
            # Pictures count as 25 a second.
            first = round(key["frame"] / 25) - seconds // 2
            of = (torch.arange(seconds) + first)[:, None].expand(-1, persons)[there]
            save_file({"features": held[there], "seconds": of.int()}, folder / "bank.safetensors")
            inputs.append(held.reshape(1, -1, channels))
        return inputs

    def answer(self, command, folder, weights):
        arguments = ["--input", folder / "clip", "--weights", weights, "--boxes", folder / "boxes.json"]
        kept = folder / "kept.safetensors"
        arguments += ["--bank", folder / "bank.safetensors"] if self.bank else ["--save-bank", kept]
        said = command("detect", *arguments, *self.flags, "--threshold", 0, "--top", self.actions)
        found = {}
        for tube in said["tubes"]:
            (moment,) = tube["moments"]
            scores = {a["index"]: a["score"] for a in moment["actions"]}
            found[tuple(moment["box"])] = [scores[i] for i in range(self.actions)]
        logits = torch.logit(torch.tensor([found[tuple(box)] for box in self.BOXES], dtype=torch.float64))
        return {"logits": logits} if self.bank else {"logits": logits, "features": load_file(kept)["features"]}


class Speedup:
    """`speedup` on one window of pictures, whose probability of natural speed is turned back to a logit; and the features
    that `run` gives for the same window."""

    def prepare(self, command, folder, shape):
        t, h, w = shape
        clip = normalised(frames(folder, t, h, w), [0.5] * 3, [0.5] * 3)[None]
        numpy.save(folder / "clip.npy", clip.numpy())
        return [clip]

    def answer(self, command, folder, weights):
        out = folder / "y.npy"
        command("run", "--input", folder / "clip.npy", "--weights", weights, "--output", out)
        said = command("speedup", folder / "clip", "--weights", weights, "--fastest", 1)
        ((window,),) = [curve["windows"] for curve in said["curves"]]
        natural = torch.tensor(window["natural"], dtype=torch.float64)
        return {"logits": -torch.logit(natural), "features": read(out)}


class TwoStreams:
    """`run` on a video of which flow is estimated. What the streams see is what two small networks of the same preprocessing
    see, which --save-input writes."""

    def __init__(self, make_small, state, times):
        self.make_small, self.state, self.times = make_small, state, times

    def prepare(self, command, folder, shape):
        count, height, width = shape
        # A picture that moves to the right and down.
        picture = drawn((1, 3, height // 8, width // 8)).sigmoid() * 255
        picture = torch.nn.functional.interpolate(picture, (height + count, width + 2 * count), mode="bicubic")
        picture = picture.clamp(0, 255).round().byte()[0]
        (folder / "clip").mkdir()
        for i in range(count):
            frame = picture[:, i : i + height, 2 * i : 2 * i + width].contiguous()
            torchvision.io.write_png(frame, str(folder / "clip" / f"{i:05}.png"))
        inputs = []
        for channels in (3, 20):
            weights, seen = folder / f"small{channels}.pth", folder / f"seen{channels}.npy"
            torch.save(self.state(self.make_small(channels)), weights)
            # Each frame that the network sees is a clip of the small one.
            views = ["--views", f"{self.times}x1", "--save-input", seen]
            command("run", "--input", folder / "clip", "--weights", weights, "--flow-method", "farneback", *views)
            inputs.append(read(seen).transpose(0, 1))
        return inputs

    def answer(self, command, folder, weights):
        out = folder / "y.npy"
        flags = ["--flow-method", "farneback", "--views", "1x1", "--output", out]
        command("run", "--input", folder / "clip", "--weights", weights, *flags)
        return {"logits": read(out)}
