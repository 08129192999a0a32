"""Recurrent networks and their cells."""

import torch
import torch.nn.functional as F

from common import Cases, rand


def lstm_cell_of(gates, recurrent, cell=None, peephole=None):
    """The last axis holds i, f, g, o; what is not there is zero."""
    i, f, g, o = (gates + recurrent).chunk(4, -1)
    cell = torch.zeros_like(i) if cell is None else cell
    pi, pf, po = (0, 0, 0) if peephole is None else peephole
    c = torch.sigmoid(f + pf * cell) * cell + torch.sigmoid(i + pi * cell) * torch.tanh(g)
    return torch.sigmoid(o + po * c) * torch.tanh(c), c


def lstm_cell():
    c = Cases("lstm_cell")

    def add(name, gates, recurrent=None, cell=None, peephole=None, step=None):
        gates = rand(*gates)
        optional = [None if s is None else rand(*s) for s in (recurrent, cell, peephole)]
        r, s, p = [None if t is None else t.double() for t in optional]
        seen = gates.double() if step is None else gates.double()[:, step]
        y = lstm_cell_of(seen, 0 if r is None else r, s, p)
        attributes = {} if step is None else {"step": step}
        if p is not None:
            attributes["peephole"] = True
        c.add(name, [gates] + [t for t in optional if t is not None], list(y), **attributes)

    add("plain", (3, 20), (3, 20), (3, 5))
    add("first", (3, 20))
    add("bias", (2, 3, 4, 16), (16,), step=2)
    add("frames", (2, 3, 4, 5, 12), (2, 4, 5, 12), (2, 4, 5, 3), step=1)
    add("peephole", (2, 3, 4, 5, 12), (2, 4, 5, 12), (2, 4, 5, 3), (3, 4, 5, 3), step=0)
    add("peephole-first", (2, 3, 20), peephole=(3, 5), step=2)
    # As torch has it, with the products made.
    cell = torch.nn.LSTMCell(4, 5).double()
    x, h, s = (rand(3, n).double() for n in (4, 5, 5))
    with torch.no_grad():
        y = cell(x, (h, s))
        gates, recurrent = F.linear(x, cell.weight_ih, cell.bias_ih), F.linear(h, cell.weight_hh, cell.bias_hh)
    c.add("torch", [t.float() for t in (gates, recurrent, s)], list(y))
    return c


def gru_cell_of(gates, recurrent, state=0, candidate=None, reset="after", update="keep", reset_state=False):
    """The last axis holds r, z, n; what is not there is zero."""
    channels = gates.shape[-1] // 3
    gr, gz, gn = gates.split(channels, -1)
    r = torch.sigmoid(gr + recurrent[..., :channels])
    z = torch.sigmoid(gz + recurrent[..., channels:2 * channels])
    if reset_state:
        return r * state
    if reset == "after":
        n = torch.tanh(gn + r * recurrent[..., 2 * channels:])
    else:
        n = torch.tanh(gn + (0 if candidate is None else candidate))
    return (1 - z) * n + z * state if update == "keep" else z * n + (1 - z) * state


def gru_cell():
    c = Cases("gru_cell")

    def add(name, gates, *others, **a):
        gates, others = rand(*gates), [rand(*s) for s in others]
        seen = gates if "step" not in a else gates[:, a["step"]]
        wide = [t.double() for t in others] or [torch.zeros_like(seen).double()]
        flags = {k: v for k, v in a.items() if k != "step"}
        c.add(name, [gates] + others, gru_cell_of(seen.double(), *wide, **flags), **a)

    add("after", (3, 15), (3, 15), (3, 5))
    add("after-first", (2, 3, 12), step=1)
    add("after-bias", (2, 3, 12), (12,), step=2)
    add("after-replace", (2, 3, 4, 5, 9), (2, 4, 5, 9), (2, 4, 5, 3), step=2, update="replace")
    add("before", (3, 15), (3, 10), (3, 5), (3, 5), reset="before")
    add("before-replace", (2, 3, 4, 12), (2, 4, 8), (2, 4, 4), (2, 4, 4), reset="before", update="replace", step=0)
    add("before-first", (2, 3, 12), reset="before", update="replace", step=1)
    add("reset-state", (2, 3, 15), (2, 10), (2, 5), reset="before", reset_state=True, step=1)
    cell = torch.nn.GRUCell(4, 5).double()
    x, h = (rand(3, n).double() for n in (4, 5))
    with torch.no_grad():
        gates, recurrent = F.linear(x, cell.weight_ih, cell.bias_ih), F.linear(h, cell.weight_hh, cell.bias_hh)
        c.add("torch", [t.float() for t in (gates, recurrent, h)], cell(x, h))
    return c


def module(kind, n, t, i, channels, layers=1, direction="forward", bias=True, initial=False):
    """A torch module with every parameter drawn anew, its inputs, weights in the door's order, and results."""
    both = direction == "bidirectional"
    net = kind(i, channels, layers, bias=bias, batch_first=True, bidirectional=both).double()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(rand(*p.shape).double() * 0.5)
    weights = [w.float() for group in net.all_weights for w in group]
    x = rand(n, t, i)
    count = 2 if kind is torch.nn.LSTM else 1
    first = [rand(layers * (2 if both else 1), n, channels) for _ in range(count)] if initial else []
    wide = [s.double() for s in first]
    state = (tuple(wide) if count == 2 else wide[0]) if first else None
    seen = x.double().flip(1) if direction == "reverse" else x.double()
    with torch.no_grad():
        y, last = net(seen, state)
    y = y.flip(1) if direction == "reverse" else y
    return [x] + weights + first, [y] + (list(last) if count == 2 else [last])


def add_modules(c, kind):
    def add(name, shape, **a):
        inputs, outputs = module(kind, *shape, **a)
        attributes = {"direction": a.get("direction", "forward"), "bias": a.get("bias", True),
                      "initial_state": a.get("initial", False)}
        c.add(name, inputs, outputs, **attributes)

    add("plain", (2, 4, 3, 4))
    add("state", (2, 3, 5, 7), initial=True)
    add("no-bias", (3, 3, 4, 5), bias=False)
    add("one-step", (2, 1, 4, 3))
    add("one-sample-one-channel", (1, 5, 2, 1), initial=True)
    add("reverse", (2, 4, 3, 5), direction="reverse", initial=True)
    add("two-layers", (2, 3, 4, 3), layers=2, initial=True)
    add("both-two-layers", (2, 3, 4, 3), layers=2, direction="bidirectional", initial=True)
    add("both", (1, 4, 3, 5), direction="bidirectional")
    return c


def lstm():
    return add_modules(Cases("lstm"), torch.nn.LSTM)


def gru():
    c = add_modules(Cases("gru"), torch.nn.GRU)

    def before(name, n, t, i, channels, initial=False, bias=True, **a):
        """The reset before the product, step by step."""
        x, w, u, un = rand(n, t, i), rand(3 * channels, i), rand(2 * channels, channels), rand(channels, channels)
        b = [rand(3 * channels)] if bias else []
        first = [rand(1, n, channels)] if initial else []
        h = first[0][0].double() if first else torch.zeros(n, channels).double()
        gates = F.linear(x.double(), w.double(), *[v.double() for v in b])
        steps = []
        for k in range(t):
            recurrent = F.linear(h, u.double())
            reset = gru_cell_of(gates[:, k], recurrent, h, reset_state=True)
            h = gru_cell_of(gates[:, k], recurrent, h, F.linear(reset, un.double()), reset="before", **a)
            steps.append(h)
        c.add(name, [x, w, u, un] + b + first, [torch.stack(steps, 1), h[None]], reset="before",
              initial_state=initial, bias=bias, **a)

    before("before", 2, 3, 4, 5)
    before("before-state", 2, 3, 4, 8, initial=True)
    before("before-replace", 1, 4, 3, 5, initial=True, bias=False, update="replace")
    return c


def frames(x, *kernels):
    """Convolutions that keep height and width, in double precision."""
    w, *b = [t.double() for t in kernels]
    return F.conv2d(x, w, *b, padding=[k // 2 for k in w.shape[2:]])


def last(x):
    """Channels last: [N, C, H, W] to [N, H, W, C]."""
    return x.movedim(1, -1)


def conv_lstm():
    c = Cases("conv_lstm")

    def add(name, n, t, h, w, i, channels, hidden=(3, 3), optional="bias", reverse=False):
        x = rand(n, i, t, h, w)
        wi, wh = rand(4 * channels, i, 3, 5) * 0.3, rand(4 * channels, channels, *hidden) * 0.3
        count = ["none", "bias", "state", "peephole", "peephole-of-channels"].index(optional)
        bias = rand(4 * channels)
        h0, c0 = rand(n, channels, h, w), rand(n, channels, h, w)
        peephole = rand(3, channels, h, w) if count == 3 else rand(3, channels)
        given = [[], [bias], [bias, h0, c0], [bias, h0, c0, peephole], [bias, h0, c0, peephole]][count]
        state = [s.double() if count >= 2 else torch.zeros_like(s).double() for s in (h0, c0)]
        p = None if count < 3 else last(peephole.double()) if count == 3 else peephole.double()
        steps = [None] * t
        for k in reversed(range(t)) if reverse else range(t):
            gates = frames(x.double()[:, :, k], wi, *([bias] if count else []))
            state[0] = frames(state[0], wh)
            new = lstm_cell_of(last(gates), last(state[0]), last(state[1]), p)
            state = [s.movedim(-1, 1) for s in new]
            steps[k] = state[0]
        c.add(name, [x, wi, wh] + given, [torch.stack(steps, 2)] + state, **({"reverse": True} if reverse else {}))

    add("plain", 2, 3, 4, 5, 2, 3)
    add("no-bias", 1, 2, 3, 4, 3, 4, optional="none")
    add("state", 1, 2, 4, 3, 2, 4, hidden=(1, 5), optional="state")
    add("peephole", 1, 3, 3, 4, 2, 3, optional="peephole")
    add("peephole-of-channels", 2, 2, 3, 4, 2, 4, optional="peephole-of-channels", reverse=True)
    add("reverse", 1, 3, 3, 4, 2, 2, reverse=True)
    return c


def conv_gru():
    c = Cases("conv_gru")

    def add(name, n, t, h, w, i, channels, optional="bias", reverse=False, **a):
        x = rand(n, i, t, h, w)
        before = a.get("reset", "before") == "before"
        wi, wh = rand(3 * channels, i, 3, 5) * 0.3, rand((2 if before else 3) * channels, channels, 3, 3) * 0.3
        wn = rand(channels, channels, 5, 1) * 0.5
        count = ["none", "bias", "state"].index(optional)
        bias, h0 = rand(3 * channels), rand(n, channels, h, w)
        state = h0.double() if count == 2 else torch.zeros_like(h0).double()
        update = a.get("update", "replace")
        steps = [None] * t
        for k in reversed(range(t)) if reverse else range(t):
            gates = last(frames(x.double()[:, :, k], wi, *([bias] if count else [])))
            recurrent = last(frames(state, wh))
            if before:
                reset = gru_cell_of(gates, recurrent, last(state), reset_state=True).movedim(-1, 1)
                new = gru_cell_of(gates, recurrent, last(state), last(frames(reset, wn)), reset="before", update=update)
            else:
                new = gru_cell_of(gates, recurrent, last(state), update=update)
            state = steps[k] = new.movedim(-1, 1)
        flags = {**a, **({"reverse": True} if reverse else {})}
        weights = [x, wi, wh] + ([wn] if before else [])
        c.add(name, weights + [[], [bias], [bias, h0]][count], [torch.stack(steps, 2), state], **flags)

    add("plain", 2, 3, 4, 5, 2, 3)
    add("no-bias", 1, 2, 3, 4, 3, 4, optional="none")
    add("state", 1, 2, 4, 3, 2, 4, optional="state")
    add("keep-reverse", 1, 3, 3, 4, 2, 3, optional="state", reverse=True, update="keep")
    add("after", 1, 3, 3, 4, 2, 4, reset="after", update="keep")
    return c


FAMILY = [lstm_cell, gru_cell, lstm, gru, conv_lstm, conv_gru]
