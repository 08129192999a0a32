"""What all goldens of networks share."""

import pathlib
import re

import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/networks"


def randomise(model, seed):
    """Draws every parameter and statistic: layers keep the size of what goes through, norms are about 1, no bias is
    zero. Values are those of half precision, in which the checkpoint is kept."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    model.double().eval()
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + list(model.named_buffers()):
            if not p.is_floating_point():
                continue
            last = name.rsplit(".", 1)[-1]
            if last == "running_var":
                value = 0.5 + torch.rand(p.shape, generator=generator, dtype=torch.float64)
            elif p.dim() <= 1 and re.search(r"weight|gamma|scale", last):
                value = 1 + 0.3 * draw(p.shape)
            elif p.dim() <= 1:
                value = 0.2 * draw(p.shape)
            elif last == "weight":
                value = draw(p.shape) * (2 / p[0].numel()) ** 0.5
            else:
                value = 0.5 * draw(p.shape)
            p.copy_(value.half())
    return model


def values(*shape, seed):
    """An input: normal numbers in steps of 1/64."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator) * 64).round().double() / 64


def channels_last(x):
    """PyTorch's [N, C, ...] as [N, ..., C]."""
    return x.movedim(1, -1)


def record(model, names):
    """Keeps what the modules called `names` give, while the model runs."""
    kept = {}
    modules = dict(model.named_modules())
    for name in names:
        modules[name].register_forward_hook(lambda _m, _i, o, name=name: kept.__setitem__(name, o))
    return kept


def save(name, state, inputs, nodes, outputs, **about):
    """Writes a golden. `state` has published names; `inputs`, `nodes` (by the names of this project's nodes) and
    `outputs` are in this project's layouts; `about` says which network, naming and measures are expected, and from
    where the values are."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    weights = {k: v.detach() for k, v in state.items()}
    # f16 holds the parameters exactly, see `randomise`.
    weights = {k: (v.half() if v.is_floating_point() else v).clone().contiguous() for k, v in weights.items()}
    save_file(weights, folder / "weights.safetensors", {"made_by": "tools/golden_networks"})
    tensors = {}
    for kind, some in [("input", inputs), ("node", nodes), ("output", outputs)]:
        for key, tensor in some.items():
            # Inputs come in steps that half precision holds, see `values`.
            exact = kind == "input" and torch.equal(tensor.half().double(), tensor.double())
            tensors[f"{kind}.{key}"] = (tensor.half() if exact else tensor.float()).detach().clone().contiguous()
    save_file(tensors, folder / "values.safetensors", {k: str(v) for k, v in about.items()})
    size = sum(f.stat().st_size for f in folder.iterdir())
    print(f"{name}: {size / 1024:.0f} KiB, {', '.join(f'{k} {tuple(v.shape)}' for k, v in tensors.items())}")
