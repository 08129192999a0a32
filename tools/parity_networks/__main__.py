"""Compares networks at their published sizes with public implementations: random weights, one input, the largest difference
of the outputs relative to the largest.

    cargo build --release
    python tools/parity_networks target/release/kinetograph [--device DEVICE] [--double] [NAME ...]

Prints a row of docs/parity.md for each; with --double also how far both lie from the same network in f64. Needs torch and
torchvision; the networks of pytorchvideo, timm and transformers are passed over, and said to be, where these are not
installed.
"""

import argparse
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import torch

TOOLS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TOOLS / "golden_networks"), str(TOOLS)]
from common import randomise  # noqa: E402
from published import NETWORKS  # noqa: E402


class Failed(Exception):
    """The command failed."""


class Command:
    """The program under test: where it runs, and how long it has taken."""

    def __init__(self, binary, device):
        self.binary, self.device, self.where, self.seconds = binary, device, None, 0.0

    def __call__(self, *arguments, device=True):
        """Runs it with these arguments; gives what it says in JSON."""
        more = ["--device", self.device, "--json"] if device else []
        start = time.time()
        done = subprocess.run([self.binary, *map(str, arguments), *more], capture_output=True, text=True)
        self.seconds = time.time() - start
        if done.returncode:
            raise Failed(done.stderr.strip().splitlines()[-1])
        if device:
            said = json.loads(done.stdout)
            self.where = said["device"]
            return said
        return None


def write(model, network, folder):
    """The weights as the publisher has them, for the command to read."""
    if network.hugging_face:
        model.save_pretrained(folder / "weights")
        return folder / "weights"
    torch.save(network.state(model), folder / "weights.pth")
    return folder / "weights.pth"


def relative(got, want):
    return float((got - want).abs().max() / want.abs().max())


def compare(name, command, double):
    network = NETWORKS[name]
    try:
        model = network.make()
    except ImportError as e:
        print(f"SKIPPED: {name}: {e}")
        return
    model = network.settle(randomise(model, 1)).float()
    oracle = network.oracle
    if oracle == "transformers":
        oracle += f" {importlib.import_module('transformers').__version__}"
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        folder = pathlib.Path(folder)
        weights = write(model, network, folder)
        try:
            inputs = network.way.prepare(command, folder, network.shape)
            start = time.time()
            want = network.call(model, *inputs)
            theirs = time.time() - start
            if double:
                exact = network.call(model.double(), *(x.double() for x in inputs))
            del model
            got = network.way.answer(command, folder, weights)
        except Failed as e:
            print(f"FAILED: {name}: {e}", flush=True)
            return
    errors = {}
    for what, ours in got.items():
        ours, other = ours.double().reshape(-1), want[what].double().reshape(-1)
        if ours.shape != other.shape:
            print(f"FAILED: {name}: {what} has {len(ours)} values, the other {len(other)}", flush=True)
            return
        errors[what] = relative(ours, other)
        if double:
            truth = exact[what].reshape(-1)
            print(f"  {what} against f64: {relative(ours, truth):.1e}, PyTorch in f32 {relative(other, truth):.1e}")
    each = ", ".join(f"{error:.1e}" + ("" if what == "logits" else f" ({what})") for what, error in errors.items())
    print(
        f"| {name} | {oracle} | {command.where} | {each} | {command.seconds:.1f} s, loading too; torch {theirs:.1f} s |",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, if none is given")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--double", action="store_true")
    arguments = parser.parse_intermixed_args()
    unknown = [name for name in arguments.names if name not in NETWORKS]
    if unknown:
        sys.exit(f"no network {unknown[0]!r}; there are {'; '.join(NETWORKS)}")
    for name in arguments.names or NETWORKS:
        compare(name, Command(arguments.binary, arguments.device), arguments.double)
