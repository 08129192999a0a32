"""Makes tests/golden/weights: one small network saved in every form PyTorch has had.

Run with torch installed: python tools/golden_weights.py
Every parameter is w[i] = (i mod 17) / 8 - 1, which f16 holds exactly, so the test needs no second file.
"""

import argparse
import pathlib

import torch

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "weights"


class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv3d(2, 3, (1, 2, 2))
        self.bn = torch.nn.BatchNorm3d(3)
        self.fc = torch.nn.Linear(3, 4)


def tiny():
    net = Tiny()
    with torch.no_grad():
        for name, p in net.state_dict().items():
            if name.endswith("num_batches_tracked"):
                p.fill_(5)
            else:
                p.copy_((torch.arange(p.numel()) % 17 / 8 - 1).reshape(p.shape))
    return net


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    net = tiny()
    state = net.state_dict()
    torch.save(state, OUT / "zip.pth")
    torch.save(state, OUT / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model_state": {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
                "cfg": "lr: 0.1"}, OUT / "nested_f16.pyth")
    torch.save({"state_dict": {"module." + k: v for k, v in state.items()}, "meta": {"mmaction": "1.2"},
                "hyper_parameters": argparse.Namespace(lr=0.1),
                "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}},
               OUT / "lightning.ckpt")
    torch.save(net, OUT / "module.pt")
    strided = dict(state)
    strided["fc.weight"] = state["fc.weight"].t().contiguous().t()
    strided["conv1.weight"] = state["conv1.weight"].bfloat16()
    strided["bn.weight"] = state["bn.weight"].double()
    torch.save(strided, OUT / "strided_bf16_f64.pth", _use_new_zipfile_serialization=False)
    for path in sorted(OUT.iterdir()):
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
