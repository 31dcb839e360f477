# SPDX-License-Identifier: GPL-3.0-or-later
"""Goldens of the ops: outputs and input gradients of PyTorch in float64, rounded to float32. Writes
ops.json.

    python tests/golden/ops.py                   needs PyTorch

A case: {"op", "attrs", "inputs", "grad_seed", "outputs": [{"shape", "values"}], "input_grads":
[[...] or null]}. An input is {"shape", "dtype": "f32", "seed", "scale", "offset"}: fill(seed, i,
scale) + offset (rounded once more to float32; offset 0 where absent), or {"shape", "dtype": "i32",
"values"}. The gradient that flows into output 0 is fill(grad_seed, i, 1); input_grads are those of
sum(output 0 * that), null for integers.
"""

import math
import numpy as np
import torch
import torch.nn.functional as F
from fill import below, f32, fill, write

CASES, SEED = [], [0]


def seed():
    SEED[0] += 1
    return SEED[0]


def fl(*shape, scale=1.0, offset=0.0):
    spec = {"shape": list(shape), "dtype": "f32", "seed": seed(), "scale": scale}
    return {**spec, "offset": offset} if offset else spec


def it(*values, shape=None):
    return {"shape": list(shape or [len(values)]), "dtype": "i32", "values": list(values)}


def classes(n, count):
    return it(*below(seed(), [count], n).tolist())


def tensor(spec):
    if spec["dtype"] == "i32":
        return torch.tensor(spec["values"]).reshape(spec["shape"])
    x = fill(spec["seed"], spec["shape"], spec["scale"]) + np.float32(spec.get("offset", 0))
    return torch.from_numpy(x.astype(np.float32)).double().requires_grad_()


def case(op, function, inputs, **attrs):
    x, grad_seed = [tensor(s) for s in inputs], seed()
    out = function(*x)
    (
        out * torch.from_numpy(fill(grad_seed, list(out.shape) or [1])).double().reshape(out.shape)
    ).sum().backward()
    CASES.append(
        {
            "op": op,
            "attrs": attrs,
            "inputs": inputs,
            "grad_seed": grad_seed,
            "outputs": [{"shape": list(out.shape), "values": f32(out.detach().numpy())}],
            "input_grads": [f32(t.grad.numpy()) if t.requires_grad else None for t in x],
        }
    )


ACTS = {
    "none": lambda x: x,
    "relu": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": F.gelu,
}


def linear():
    for name, act in ACTS.items():
        case(
            "linear",
            lambda x, w, b: act(F.linear(x, w, b)),
            [fl(5, 7), fl(6, 7), fl(6)],
            activation=name,
        )
    case("linear", F.linear, [fl(4, 19), fl(33, 19)], activation="none")  # no bias, odd sizes
    case(
        "linear",
        lambda x, w, b: F.relu(F.linear(x, w, b)),
        [fl(2, 3, 16), fl(17, 16), fl(17)],
        activation="relu",
    )
    case("linear", F.linear, [fl(1, 1), fl(1, 1), fl(1)], activation="none")


def elementwise():
    shapes = {
        "same": ([3, 5], [3, 5]),
        "row": ([3, 5], [5]),
        "column": ([3, 5], [3, 1]),
        "both": ([3, 1], [1, 5]),
        "middle": ([2, 1, 4], [2, 3, 4]),
        "scalar": ([3, 5], [1]),
    }
    for op, function in {"add": torch.add, "sub": torch.sub, "mul": torch.mul}.items():
        for name, (a, b) in shapes.items():
            case(op, function, [fl(*a), fl(*b)], broadcast=name)
    for op, function in {
        "relu": F.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "gelu": F.gelu,
        "silu": F.silu,
        "exp": torch.exp,
    }.items():
        case(op, function, [fl(37, scale=4.0)])
    for op, function in {"log": torch.log, "sqrt": torch.sqrt}.items():
        case(op, function, [fl(37, scale=2.0, offset=2.25)])


def shapes():
    for axis in (0, 1, 2):
        case("sum", lambda x: x.sum(axis), [fl(2, 3, 4)], axis=axis)
        case("mean", lambda x: x.mean(axis), [fl(2, 3, 4)], axis=axis)
    case("sum", lambda x: x.sum(), [fl(2, 3, 4)])
    case("mean", lambda x: x.mean(), [fl(2, 3, 4)])
    case("softmax", lambda x: x.softmax(-1), [fl(3, 9, scale=3.0)], axis=-1)
    case("softmax", lambda x: x.softmax(-1), [fl(2, 2, 5, scale=30.0)], axis=-1)
    case("concat", lambda *x: torch.cat(x, 1), [fl(2, 3), fl(2, 1), fl(2, 4)], axis=1)
    case("concat", lambda *x: torch.cat(x, 0), [fl(2, 3), fl(1, 3)], axis=0)
    case("slice", lambda x: x[:, 1:4], [fl(2, 5, 3)], axis=1, begin=1, end=4)
    case("slice", lambda x: x[..., 2:3], [fl(2, 5, 3)], axis=2, begin=2, end=3)
    case("transpose", lambda x: x.permute(1, 0), [fl(3, 5)], axes=[1, 0])
    case("transpose", lambda x: x.permute(0, 2, 1), [fl(2, 3, 4)], axes=[0, 2, 1])
    case("transpose", lambda x: x.permute(2, 0, 1), [fl(2, 3, 4)], axes=[2, 0, 1])


def losses():
    """Cross-entropy is the mean over rows whose target is not -1; with class weights, the weighted
    mean (sum w l / sum w of the targets), and label smoothing e turns row l into (1 - e) w[t] nll +
    e / C sum_c w[c] (-log p[c]), as in torch.nn.functional.cross_entropy.
    """
    ce = lambda **kw: lambda x, t, *w: F.cross_entropy(x, t, *w, ignore_index=-1, **kw)
    case("softmax_cross_entropy", ce(), [fl(5, 7, scale=3.0), classes(7, 5)])
    case(
        "softmax_cross_entropy",
        ce(label_smoothing=0.1),
        [fl(5, 7, scale=3.0), classes(7, 5)],
        label_smoothing=0.1,
    )
    case("softmax_cross_entropy", ce(), [fl(5, 4, scale=3.0), it(3, -1, 0, 2, -1)], ignore_index=-1)
    case(
        "softmax_cross_entropy",
        ce(label_smoothing=0.1),
        [fl(5, 4, scale=3.0), it(3, -1, 0, 2, -1)],
        ignore_index=-1,
        label_smoothing=0.1,
    )
    case("softmax_cross_entropy", ce(), [fl(2, 80, scale=50.0), classes(80, 2)])  # large logits
    for smooth in (0.0, 0.1):
        w = [0.5, 2.0, 1.0, 0.25]
        case(
            "softmax_cross_entropy",
            lambda x, t: F.cross_entropy(
                x, t, torch.tensor(w).double(), ignore_index=-1, label_smoothing=smooth
            ),
            [fl(6, 4, scale=2.0), it(0, 1, 2, -1, 3, 1)],
            ignore_index=-1,
            class_weights=w,
            label_smoothing=smooth,
        )
    case("mse", F.mse_loss, [fl(3, 5), fl(3, 5)])
    case("smooth_l1", F.smooth_l1_loss, [fl(4, 6, scale=2.0), fl(4, 6, scale=1.0)], beta=1.0)


def lstm():
    """Inputs: x [B, T, I], weight_ih [4H, I], weight_hh [4H, H], bias_ih [4H], bias_hh [4H]; gates
    i, f, g, o; h0 = c0 = 0; output [B, T, H]."""

    def run(x, w_ih, w_hh, b_ih, b_hh):
        zero = torch.zeros(1, x.shape[0], w_hh.shape[1], dtype=x.dtype)
        return torch.lstm(
            x, (zero, zero), [w_ih, w_hh, b_ih, b_hh], True, 1, 0.0, False, False, True
        )[0]

    for B, T, I, H in ((3, 5, 6, 4), (2, 4, 5, 20), (1, 1, 3, 16), (5, 3, 17, 8)):
        s = H**-0.5
        case(
            "lstm",
            run,
            [
                fl(B, T, I),
                fl(4 * H, I, scale=s),
                fl(4 * H, H, scale=s),
                fl(4 * H, scale=s),
                fl(4 * H, scale=s),
            ],
        )


def pitch():
    """reference/models.py pitch_code, in its float32: sin, then cos, of note * exp(-ln(10000) i /
    (dim/2)); zeros for note -1."""

    def code(note, dim):
        half = dim // 2
        freq = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32) / half)
        angle = note.clamp(min=0).unsqueeze(-1).float() * freq
        return torch.cat([angle.sin(), angle.cos()], -1) * (note >= 0).unsqueeze(-1)

    for dim, spec in ((64, it(-1, 0, 1, 60, 127, 64, shape=[2, 3])), (8, it(-1, 12, 72))):
        out = code(tensor(spec), dim)
        CASES.append(
            {
                "op": "pitch_code",
                "attrs": {"dim": dim},
                "inputs": [spec],
                "grad_seed": seed(),
                "outputs": [{"shape": list(out.shape), "values": f32(out.numpy())}],
                "input_grads": [None],
            }
        )


def transformer():
    """Attention: q [B, T, H d], k and v [B, S, H d], heads side by side; rotary positions as
    reference/models.py rope, angles in its float32."""
    case(
        "embedding", lambda w, i: F.embedding(i, w), [fl(5, 6), it(4, 0, 4, 1, 4, 2, shape=[2, 3])]
    )
    for shape in ((2, 3, 17), (70, 8)):
        case(
            "layer_norm",
            lambda x, w, b: F.layer_norm(x, shape[-1:], w, b, 1e-5),
            [fl(*shape, scale=2.0), fl(shape[-1]), fl(shape[-1])],
        )
    case("swiglu", lambda gate, up: F.silu(gate) * up, [fl(3, 14, scale=5.0), fl(3, 14)])

    def rope(x):
        T, d = x.shape[-2:]
        angle = torch.outer(
            torch.arange(T, dtype=torch.float32),
            10000.0 ** (-torch.arange(0, d, 2, dtype=torch.float32) / d),
        )
        cos, sin = torch.cat([angle.cos()] * 2, -1).to(x.dtype), torch.cat(
            [angle.sin()] * 2, -1
        ).to(x.dtype)
        return x * cos + torch.cat([-x[..., d // 2 :], x[..., : d // 2]], -1) * sin

    def attention(heads, causal, turn):
        def run(*qkv):
            q, k, v = (t.view(t.shape[0], t.shape[1], heads, -1).transpose(1, 2) for t in qkv)
            if turn:
                q, k = rope(q), rope(k)
            return (
                F.scaled_dot_product_attention(q, k, v, is_causal=causal)
                .transpose(1, 2)
                .reshape(qkv[0].shape)
            )

        return run

    for B, T, S, heads, d, causal, turn in (
        (2, 9, 9, 2, 4, True, False),
        (2, 5, 8, 3, 6, False, False),
        (1, 50, 50, 1, 8, True, True),
    ):
        case(
            "attention",
            attention(heads, causal, turn),
            [fl(B, T, heads * d, scale=2.0), fl(B, S, heads * d, scale=2.0), fl(B, S, heads * d)],
            heads=heads,
            causal=causal,
            rope=turn,
        )


def swin():
    """Windows of a map [B, H, W, C] as reference/models.py has them: cut = (high, wide, down,
    right); relative bias [(2 high - 1) (2 wide - 1), heads]."""

    def windows(x, high, wide):
        B, H, W, C = x.shape
        x = x.view(B, H // high, high, W // wide, wide, C).permute(0, 1, 3, 2, 4, 5)
        return x.reshape(-1, high * wide, C)

    def bands(n, w, s):
        return [(0, n)] if s == 0 else [(0, n - w), (n - w, n - s), (n - s, n)]

    def mask(H, W, high, wide, down, right):
        region, k = torch.zeros(1, H, W, 1), 0
        for a, b in bands(H, high, down):
            for c, d in bands(W, wide, right):
                region[:, a:b, c:d] = k
                k += 1
        m = windows(region, high, wide).squeeze(-1)
        return torch.where(m[:, :, None] == m[:, None], 0.0, -100.0).double()

    def attention(heads, high, wide, down, right):
        def run(q, k, v, bias):
            B, H, W, C = q.shape
            N = high * wide
            i = torch.arange(N)
            r, c = i // wide, i % wide
            index = (r[:, None] - r[None] + high - 1) * (2 * wide - 1) + (
                c[:, None] - c[None] + wide - 1
            )
            q, k, v = (
                windows(torch.roll(t, (-down, -right), (1, 2)), high, wide)
                .view(-1, N, heads, C // heads)
                .transpose(1, 2)
                for t in (q, k, v)
            )
            a = q @ k.transpose(-1, -2) / math.sqrt(C // heads) + bias[index].permute(2, 0, 1)
            a = a.view(B, -1, heads, N, N) + mask(H, W, high, wide, down, right)[None, :, None]
            h = (a.view(-1, heads, N, N).softmax(-1) @ v).transpose(1, 2).reshape(-1, N, C)
            h = h.view(B, H // high, W // wide, high, wide, C).permute(0, 1, 3, 2, 4, 5)
            return torch.roll(h.reshape(B, H, W, C), (down, right), (1, 2))

        return run

    for B, H, W, C, heads, *cut in (
        (2, 4, 6, 8, 2, 2, 3, 0, 0),
        (2, 8, 4, 6, 3, 4, 2, 2, 1),
        (1, 4, 4, 34, 1, 4, 4, 2, 2),
    ):
        high, wide = cut[:2]
        case(
            "window_attention",
            attention(heads, *cut),
            [fl(B, H, W, C, scale=2.0), fl(B, H, W, C, scale=2.0), fl(B, H, W, C)]
            + [fl((2 * high - 1) * (2 * wide - 1), heads)],
            heads=heads,
            cut=cut,
        )
    quarters = lambda x: [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
    case("patch_merge", lambda x: torch.cat(quarters(x), -1), [fl(2, 4, 6, 3)])

    def chamfer(a, b):
        d = (a[:, :, None] - b[:, None]).pow(2).sum(-1)
        return d.min(2).values.mean() + d.min(1).values.mean()

    case("chamfer", chamfer, [fl(2, 5, 3), fl(2, 7, 3)])
    case("chamfer", chamfer, [fl(3, 40, 3), fl(3, 23, 3)])


def pictures():
    """Convolutions: x [B, C, H, W], weight [O, C, KH, KW], bias [O], as torch.nn.Conv2d."""
    for (B, C, H, W), (O, KH, KW), stride, padding in (
        ((2, 3, 6, 7), (4, 3, 3), 2, 1),
        ((1, 2, 5, 5), (3, 3, 3), 1, 1),
        ((2, 1, 9, 8), (3, 7, 7), 2, 3),
        ((1, 1, 8, 12), (5, 4, 4), 4, 0),
        ((2, 4, 3, 2), (3, 1, 1), 1, 0),
        ((1, 2, 6, 5), (2, 2, 3), 3, 2),
    ):
        case(
            "conv2d",
            lambda x, w, b: F.conv2d(x, w, b, stride, padding),
            [fl(B, C, H, W), fl(O, C, KH, KW), fl(O)],
            stride=stride,
            padding=padding,
        )

    for (B, C, H, W), act in (
        ((2, 3, 4, 5), "none"),
        ((3, 5, 2, 3), "relu"),
        ((5, 4, 1, 1), "none"),
    ):
        case(
            "batch_norm",
            lambda x, w, b: ACTS[act](F.batch_norm(x, None, None, w, b, True)),
            [fl(B, C, H, W, scale=2.0, offset=0.5), fl(C), fl(C)],
            activation=act,
        )
    for (B, C, H, W), down, across in (
        ((2, 3, 4, 6), 1, 1),
        ((2, 3, 4, 6), 2, 2),
        ((1, 2, 5, 7), 2, 3),
    ):
        case(
            "avg_pool",
            lambda x: F.adaptive_avg_pool2d(x, (down, across)),
            [fl(B, C, H, W)],
            down=down,
            across=across,
        )


for part in (linear, elementwise, shapes, losses, lstm, pitch, transformer, swin, pictures):
    part()
write("ops", {"made_by": "tests/golden/ops.py, PyTorch " + torch.__version__, "cases": CASES})
