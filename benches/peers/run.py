#!/usr/bin/env python3
"""kinetograph and other programs, by turns, on the same machine and adapter: milliseconds and ratios.

    benches/peers/setup.sh                 # once: environments with pinned versions, and the crate that runs burn
    cargo build --release
    python3 benches/peers/run.py [--devices software,cpu] [--only conv3d/] [--rounds 2] [--time 1] [--output FILE.md]

Devices: `cpu` beside PyTorch and faiss on the processor; `software` (Vulkan on the processor) beside onnxruntime's WebGPU
provider and burn on the same adapter; `gpu` beside these and PyTorch on CUDA. A peer that is missing, cannot run an entry or
fails is said to be so. Every program is started anew in every round; the smallest of the rounds' medians counts. A time is
that of a whole run: inputs from the processor, outputs back (on `gpu`: ours in kernels, and PyTorch's with all on the device).
A ratio is how many times as long the peer takes. Below the tables stand the goals, how far they are reached, and what they lack.

`--prefix` is put before the programs that use Vulkan, such as a script that chooses a driver: onnxruntime needs Mesa 25.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import shlex
import subprocess
import sys

import shapes

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / ".peers"


CONVOLUTIONS, ATTENTION = list(shapes.CONV3D), list(shapes.ATTENTION)

# What is wanted of ratios: the peer, the entries, and the least that each, their geometric mean, or that of all their time is to reach.
GOALS = {
    "software": {
        "f32": [
            ("onnxruntime-webgpu", "C3D's convolutions, geometric mean", CONVOLUTIONS, "mean", 8),
            ("onnxruntime-webgpu", "C3D's convolutions, each", CONVOLUTIONS, "each", 3),
            ("onnxruntime-webgpu", "C3D from clip to classes", ["network/c3d"], "each", 6),
            ("onnxruntime-webgpu", "divided attention, space and time together", ATTENTION, "whole", 2),
            ("burn", "C3D's convolutions, geometric mean", CONVOLUTIONS, "mean", 4),
            ("burn", "the nearest of 16384 codes", list(shapes.VQ), "each", 2),
        ],
    },
    "cpu": {
        "f32": [
            ("torch", "C3D from clip to classes", ["network/c3d"], "each", 1 / 3),
            ("torch", "TimeSformer", ["network/timesformer"], "each", 1 / 3),
        ],
    },
    "gpu": {
        "f32": [
            ("torch", "C3D's convolutions, geometric mean", CONVOLUTIONS, "mean", 1),
            ("burn", "the nearest of 16384 codes", list(shapes.VQ), "each", 2),
        ],
        "f16": [
            ("torch", "C3D's convolutions, geometric mean", CONVOLUTIONS, "mean", 0.4),
            ("torch", "TimeSformer", ["network/timesformer"], "each", 0.5),
        ],
    },
}


class Failed(Exception):
    """Why a program gave no figure."""


def launched(command, limit):
    """The last line of JSON that a program prints."""
    try:
        run = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=limit)
    except FileNotFoundError:
        raise Failed("missing") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"more than {limit} s") from None
    if run.returncode != 0:
        raise Failed(reason_in(run.stderr) or f"exit code {run.returncode}")
    return run.stdout


def reason_in(errors):
    """Why a program failed: the innermost cause that a Rust program names, or its panic, else the last line."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    for mark in ("Caused by:", "panicked at"):
        after = [line for before, line in zip(lines, lines[1:]) if mark in before]
        if after:
            return after[-1][:160]
    return lines[-1][:160] if lines else None


class Kinetograph:
    def __init__(self, options, device):
        self.command = (options.prefix if device != "cpu" else []) + [options.binary, "bench"]
        self.flags = ["--device", device, "--precision", options.precision, "--time", options.time]
        self.kernels = device not in ("cpu", "software")
        self.limit = options.limit
        self.device = None

    def measure(self, name):
        record = json.loads(launched([*self.command, name, *self.flags, "--json", "--no-check"], self.limit))
        self.device = record["device"]
        entry = record["entries"][0]
        return {"seconds": entry["kernels" if self.kernels else "whole"], "first": entry["first"]}


class Python:
    """A peer that is a script in an environment of its own."""

    def __init__(self, title, options, script, environment, arguments=(), prefix=()):
        self.title, self.limit = title, options.limit
        python = PEERS / environment / "bin" / "python"
        override = getattr(options, environment)
        if override:
            python = override
        self.command = [*prefix, python, HERE / script]
        self.arguments = [options.time, *arguments]

    def measure(self, name):
        return json.loads(launched([*self.command, name, *self.arguments], self.limit).strip().splitlines()[-1])


class Burn:
    title = "burn"

    def __init__(self, options):
        self.program = [*options.prefix, options.burn]
        self.time, self.limit = options.time, options.limit

    def measure(self, name):
        if name in shapes.CONV3D:
            words = ["conv3d", self.time, *shapes.CONV3D[name]]
        elif name in shapes.MATMUL:
            words = ["matmul", self.time, shapes.MATMUL[name]]
        elif name in shapes.VQ:
            words = ["vq", self.time, *shapes.VQ[name]]
        else:
            raise Failed("not run in burn")
        return json.loads(launched([*self.program, *words], self.limit).strip().splitlines()[-1])


class Single:
    """A peer that has no other precision."""

    def __init__(self, title):
        self.title = title

    def measure(self, name):
        raise Failed("run in f32 only")


def peers_of(device, options):
    torch = lambda where: Python("torch", options, "torch_peer.py", "torch", (where, options.precision))
    webgpu, burn = Single("onnxruntime-webgpu"), Single("burn")
    if options.precision == "f32":
        webgpu = Python("onnxruntime-webgpu", options, "webgpu_peer.py", "webgpu", prefix=options.prefix)
        burn = Burn(options)
    if device == "cpu":
        return [torch("cpu"), Python("faiss", options, "faiss_peer.py", "torch")]
    if device == "software":
        return [webgpu, burn]
    return [torch("cuda"), webgpu, burn]


def check(options):
    """Whether the shapes here are those of the command."""
    ours = {e["name"]: e["flops"] for e in json.loads(launched([options.binary, "bench", "--list", "--json"], 60))}
    for name in shapes.ENTRIES:
        if name not in ours:
            raise SystemExit(f"`kinetograph bench` has no entry {name}")
        if shapes.flops(name) not in (None, ours[name]):
            raise SystemExit(f"{name}: {shapes.flops(name)} operations here, {ours[name]} in `kinetograph bench`")


def compare(device, names, options, say):
    ours, peers = Kinetograph(options, device), peers_of(device, options)
    results, titles, reasons = {}, {}, {}
    for name in names:
        best = {}
        for _ in range(options.rounds):
            for who in [ours, *peers]:
                if (name, who) in reasons:
                    continue
                try:
                    got = who.measure(name)
                    best[who] = min(best.get(who, math.inf), got["seconds"])
                    titles[who] = got.get("peer", "")
                except Failed as reason:
                    reasons[name, who] = str(reason)
        results[name] = best
        shown = ", ".join(f"{getattr(w, 'title', 'kinetograph')} {1e3 * t:.1f} ms" for w, t in best.items())
        print(f"{device} {name}: {shown or 'nothing'}", file=sys.stderr, flush=True)
    head = [titles.get(p) or p.title for p in peers]
    say(f"\n## {ours.device or device}\n")
    say("| entry | kinetograph, ms | " + " | ".join(f"{h}, ms | ratio" for h in head) + " |")
    say("|---|---:|" + "---:|---:|" * len(peers))
    for name, best in results.items():
        mine = best.get(ours)
        cells = [f"{1e3 * mine:.2f}" if mine else "-"]
        for peer in peers:
            theirs = best.get(peer)
            cells += [f"{1e3 * theirs:.2f}" if theirs else "-", f"{theirs / mine:.2f}" if theirs and mine else "-"]
        say(f"| {name} | " + " | ".join(cells) + " |")
    goals = GOALS.get(device, GOALS["gpu"]).get(options.precision, [])
    tell_goals(goals, names, ours, peers, results, say)
    grouped = {}
    for (name, who), reason in reasons.items():
        grouped.setdefault((getattr(who, "title", "kinetograph"), reason), []).append(name)
    if grouped:
        say("\nWithout a figure:\n")
        for (who, reason), where in grouped.items():
            say(f"- {who}: {reason} ({'all entries' if len(where) == len(names) else ', '.join(where)})")
    ratio = lambda best, peer: best[peer] / best[ours] if {peer, ours} <= best.keys() else None
    found = {name: (best.get(ours), [ratio(best, peer) for peer in peers]) for name, best in results.items()}
    return {"cpu": "processor", "software": "software Vulkan"}.get(device, device), [f"beside {h}" for h in head], found


def in_readme(path, tables):
    """Puts the ratios of all devices side by side into a file, between two lines of its own."""
    text = pathlib.Path(path).read_text()
    begin, end = "<!-- ratios: written by `benches/peers/run.py --readme` -->\n", "<!-- end of ratios -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"{path} needs the lines {begin.strip()} and {end}, once each")
    head, rows = ["entry"], {}
    for device, titles, results in tables:
        head += [f"{device}, ms", *titles]
        for name, (mine, ratios) in results.items():
            rows.setdefault(name, {})[device] = (mine, ratios)
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    number = lambda value, form: format(value, form) if value else "-"
    for name, of_devices in rows.items():
        cells = [f"`{name}`"]
        for device, titles, _ in tables:
            mine, ratios = of_devices.get(device, (None, [None] * len(titles)))
            cells += [number(mine and 1e3 * mine, ".1f"), *(number(r, ".2f") + (" ×" if r else "") for r in ratios)]
        lines.append("| " + " | ".join(cells) + " |")
    before, rest = text.split(begin)
    pathlib.Path(path).write_text(before + begin + "\n".join(lines) + "\n" + end + rest.split(end)[1])


def tell_goals(goals, names, ours, peers, results, say):
    """A line for each goal of which an entry was asked for; one that lacks a figure is neither reached nor missed."""
    rows = []
    for title, what, entries, kind, wanted in goals:
        asked = [n for n in entries if n in names]
        if not asked:
            continue
        [peer] = [p for p in peers if p.title == title]
        pairs = [(results[n][peer], results[n][ours]) for n in asked if {peer, ours} <= results[n].keys()]
        verdict, reached = "no figure", "-"
        if pairs:
            ratios = [theirs / mine for theirs, mine in pairs]
            got = {
                "mean": lambda: math.exp(sum(map(math.log, ratios)) / len(ratios)),
                "each": lambda: min(ratios),
                "whole": lambda: sum(theirs for theirs, _ in pairs) / sum(mine for _, mine in pairs),
            }[kind]()
            reached = f"{got:.2f}" + (f" (of {len(ratios)}: {min(ratios):.2f} to {max(ratios):.2f})" if len(ratios) > 1 else "")
            verdict = "met" if got >= wanted else f"missed: {got / wanted:.2f} of it"
            if len(pairs) < len(entries):
                verdict += f"; {len(pairs)} of {len(entries)} entries have a figure"
        rows.append(f"| {what} | {title} | {wanted:.2f} | {reached} | {verdict} |")
    if rows:
        say("\n| goal | beside | ratio wanted | ratio | |\n|---|---|---:|---:|---|")
        for row in rows:
            say(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/kinetograph", type=os.path.abspath)
    parser.add_argument("--burn", default=HERE / "burn/target/release/burn-peer", type=os.path.abspath)
    parser.add_argument("--torch", help="the Python that has torch, transformers and faiss [default: of setup.sh]")
    parser.add_argument("--webgpu", help="the Python that has onnxruntime-webgpu and onnx [default: of setup.sh]")
    parser.add_argument("--prefix", default="", type=shlex.split)
    parser.add_argument("--devices", default="software,cpu")
    parser.add_argument("--precision", default="f32", choices=["f32", "f16"])
    parser.add_argument("--only", default="", help="only entries whose name contains one of these, comma between")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--time", type=float, default=1.0, help="seconds to repeat each entry for in a round")
    parser.add_argument("--limit", type=float, default=600, help="seconds after which a program is stopped")
    parser.add_argument("--output", help="a Markdown file for the tables")
    parser.add_argument("--readme", help="a file whose table of ratios is replaced, such as README.md")
    options = parser.parse_args()
    check(options)
    names = [n for n in shapes.ENTRIES if any(part in n for part in options.only.split(","))]
    if not names:
        raise SystemExit(f"no entry's name contains {options.only}; there are {', '.join(shapes.ENTRIES)}")
    version = launched([options.binary, "--version"], 60).strip()
    lines = [
        f"# {version} beside other programs\n",
        f"{datetime.date.today()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores; {options.precision}; "
        f"{options.rounds} rounds by turns, the least counts.\n",
        "    python3 benches/peers/run.py "
        + f"--devices {options.devices} --precision {options.precision} --rounds {options.rounds} --time {options.time:g}"
        + (f" --only {options.only}" if options.only else ""),
    ]
    tables = []
    for device in options.devices.split(","):
        tables.append(compare(device, names, options, lines.append))
        if options.output:
            pathlib.Path(options.output).write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    if options.readme:
        in_readme(options.readme, tables)


if __name__ == "__main__":
    main()
