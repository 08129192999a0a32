"""Recurrent networks on a CNN's features: transcriptions of the papers on torchvision's networks and PyTorch's LSTM."""

import torch
from torch import nn
from torchvision.models.resnet import Bottleneck

from common import channels_last, randomise, record, save, values
from frames import TORCHVISION, SmallResNet, SmallVgg


def mean_of_probabilities(logits):
    """The logarithm of the mean over axis 1 of the softmax."""
    return torch.log(torch.softmax(logits, -1).mean(1))


class CnnLstm(nn.Module):
    """The CNN's features of each frame, an LSTM, perhaps one above it, and a linear layer."""

    def __init__(self, hidden, layers, upper, classes, blocks=(2, 3, 4, 2), width=4):
        super().__init__()
        self.cnn = SmallResNet(Bottleneck, blocks, width, 3, classes)
        self.cnn.fc = nn.Identity()
        self.lstm = nn.LSTM(32 * width, hidden, layers, batch_first=True)
        if upper:
            self.upper = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def features(self, clip):
        n, t = clip.shape[:2]
        return self.cnn(clip.flatten(0, 1).permute(0, 3, 1, 2)).unflatten(0, (n, t))


def cnn_lstm(variant, frames, layers=1, seed=0):
    def make(name):
        model = randomise(CnnLstm(12, layers, variant == "hierarchical", 7), seed)
        # Gates that are neither open nor closed.
        with torch.no_grad():
            model.lstm.weight_ih_l0 /= 16
        clip = values(1, frames, 40, 40, 3, seed=seed + 1)
        kept = record(model, ["cnn.maxpool", "cnn.layer3"])
        with torch.no_grad():
            x = model.features(clip)
            if variant == "hierarchical":
                parts = x.unflatten(1, (-1, 4)).flatten(0, 1)
                states = model.lstm(parts)[0]
                x = model.upper(states[:, -1].unflatten(0, (1, -1)))[0]
                last = {"lstm/lstm/l0/t1/lstm_cell": states[:, 1], "upper/lstm/l0/t0/lstm_cell": x[:, 0]}
            else:
                x = model.lstm(x)[0]
                top = layers - 1
                last = {f"lstm/lstm/l{top}/t{t}/lstm_cell": x[:, t] for t in (0, 2)}
            outputs = {"features": x[:, -1]}
            if variant == "lrcn":
                each = model.fc(x)
                outputs = {"features": x.mean(1), "frame_logits": each, "logits": mean_of_probabilities(each)}
            else:
                outputs["logits"] = model.fc(outputs["features"])
        nodes = {
            "cnn/maxpool/pool3d": channels_last(kept["cnn.maxpool"])[None],
            "cnn/layer3.3/activation": channels_last(kept["cnn.layer3"])[None],
            **last,
        }
        save(
            name, model.state_dict(), {"clip": clip}, nodes, outputs,
            network="cnn-lstm", convention="torch", variant=variant, frames=frames, size=40,
            oracle=f"{TORCHVISION} and torch.nn.LSTM, put together as the papers say",
        )  # fmt: skip

    return make


class ConvGru(nn.Module):
    """Ballas et al. 2016, equations 7 to 10: the state is reset before its convolution, z weighs the new state."""

    def __init__(self, inputs, hidden, kernel):
        super().__init__()
        self.input = nn.Conv2d(inputs, 3 * hidden, kernel, padding=kernel // 2)
        self.hidden = nn.Conv2d(hidden, 2 * hidden, kernel, padding=kernel // 2, bias=False)
        self.candidate = nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2, bias=False)

    def forward(self, x):
        """All states [T, C, H, W] of frames [T, Cin, H, W]."""
        states = []
        for frame in x:
            wr, wz, w = self.input(frame[None]).chunk(3, 1)
            h = states[-1] if states else torch.zeros_like(w)
            ur, uz = self.hidden(h).chunk(2, 1)
            z, r = torch.sigmoid(wz + uz), torch.sigmoid(wr + ur)
            states.append((1 - z) * h + z * torch.tanh(w + self.candidate(r * h)))
        return torch.cat(states)


class Level(nn.Module):
    def __init__(self, inputs, hidden, kernel, classes):
        super().__init__()
        self.gru = ConvGru(inputs, hidden, kernel)
        self.fc = nn.Linear(hidden, classes)


class GruRcn(nn.Module):
    def __init__(self, width, features, hidden, classes):
        super().__init__()
        self.cnn = SmallVgg([2, 2, 3, 3, 3], width, 3, features, classes, False)
        self.cnn.classifier[6] = nn.Identity()
        inputs = [2 * width, 4 * width, 8 * width, 8 * width, features]
        for i, (cin, c) in enumerate(zip(inputs, hidden)):
            setattr(self, f"level{i}", Level(cin, c, 1 if i == 4 else 3, classes))


def gru_rcn(frames=3, seed=0):
    def make(name):
        model = randomise(GruRcn(2, 12, [3, 4, 5, 6, 7], 7), seed)
        clip = values(1, frames, 40, 40, 3, seed=seed + 1)
        poolings = ["cnn.features.9", "cnn.features.16", "cnn.features.23", "cnn.features.30"]
        kept = record(model, [*poolings, "cnn.classifier.4"])
        with torch.no_grad():
            model.cnn(clip[0].permute(0, 3, 1, 2))
            maps = [kept[p] for p in poolings] + [kept["cnn.classifier.4"][:, :, None, None]]
            features, logits, nodes = [], [], {}
            for i, x in enumerate(maps):
                level = getattr(model, f"level{i}")
                states = level.gru(x)
                features.append(states[-1:].mean((2, 3)))
                logits.append(level.fc(features[-1]))
                if i in (0, 4):
                    # A step has two of these nodes: the first gives r·h.
                    nodes[f"level{i}/gru/conv_gru/t0/gru_cell"] = channels_last(states[:1])
        nodes["cnn/features/pool2/pool3d"] = channels_last(maps[0])[None]
        outputs = {
            "features": torch.cat(features, 1),
            "logits": mean_of_probabilities(torch.stack(logits, 1)),
        }
        save(
            name, model.state_dict(), {"clip": clip}, nodes, outputs,
            network="gru-rcn", convention="torch", frames=frames, size=40,
            oracle=f"{TORCHVISION} and a transcription of arXiv:1511.06432",
        )  # fmt: skip

    return make


GOLDENS = {
    "lrcn": cnn_lstm("lrcn", 4, seed=400),
    "cnn-lstm-last": cnn_lstm("last", 3, layers=2, seed=410),
    "cnn-lstm-hierarchical": cnn_lstm("hierarchical", 8, seed=420),
    "gru-rcn": gru_rcn(seed=430),
}
