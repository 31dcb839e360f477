# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden of the MIDI transformer at its own size, 24,984,192 parameters, from its PyTorch
definition: transformer.json.

    python tests/golden/transformer.py [FOLDER]
        FOLDER holds the reference models.py (default ../shared/reference); needs PyTorch

As models.py, and small in git: 64 logits and the largest, and of each gradient its norm, sum, 4
elements and the largest. So that every part of so deep a model bears on the outcome, weights of
norms are 1 + fill(..., 0.25), and what is made of the emotion is LOUD times as large as a fan-in
asks. 70 tokens are more than a tile of attention. The trajectory is 100 steps on shorter windows at
lr 5e-5; it starts and stays where rounding is not magnified: at 1e-5 PyTorch's own f32 leaves its
f64 by 5e-3 of the loss.
"""

import math
import numpy as np
import torch
import models as M
from fill import f32, fill, write

NAME, WINDOW, SHORT, STEPS, LR, LOUD = "emotion_midi_transformer", 70, 24, 100, 5e-5, 4.0
M.BATCH = 2


def build(dtype):
    """The model with filled parameters, and their description."""
    model, table = M.R.MODELS[NAME][0](), []
    sizes = dict(model.named_parameters())
    for k, (n, p) in enumerate(sizes.items()):
        norm = n.endswith("norm.weight")
        scale = (
            0.25
            if norm
            else (LOUD if n.startswith("emotion") else 1)
            / math.sqrt(sizes[n.rpartition(".")[0] + ".weight"].shape[-1])
        )
        p.data = torch.from_numpy(np.float32(norm) + fill(100 + k, tuple(p.shape), scale))
        table.append(
            {
                "name": n,
                "shape": list(p.shape),
                "seed": 100 + k,
                "scale": float(np.float32(scale)),
                "offset": int(norm),
            }
        )
    assert sum(p.numel() for p in model.parameters()) == 24984192
    return model.to(dtype), table


def few(x, n):
    """(indices, values) of n elements at even strides and of the largest."""
    x = x.detach().double().flatten()
    index = sorted(
        {i * x.numel() // n + x.numel() // n // 3 for i in range(n)} | {int(x.abs().argmax())}
    )
    return {"index": index, "value": f32(x[index].numpy())}


def step(dtype):
    specs = M.DATA[NAME](WINDOW)
    model = build(dtype)[0]
    *x, y = M.tensors(specs, dtype)
    out = model(*x)
    loss = M.R.loss_of(NAME, out, y)
    loss.backward()
    return model, out.detach().double(), loss.item(), specs


def trajectory(dtype):
    specs = M.DATA[NAME](SHORT)
    model = build(dtype)[0]
    *x, y = M.tensors(specs, dtype)
    return specs, M.descend(
        list(model.parameters()), lambda: M.R.loss_of(NAME, model(*x), y), STEPS, LR
    )


def main():
    torch.set_num_threads(2)
    low, low_out, low_loss, _ = step(torch.float32)
    model, out, loss, specs = step(torch.float64)
    far = max(
        (float((a.grad.double() - b.grad).abs().max() / b.grad.abs().max()), n)
        for (n, b), a in zip(model.named_parameters(), low.parameters())
        if b.grad.norm() > 1e-9
    )
    whole = {
        "length": WINDOW,
        "inputs": specs[:-1],
        "target": specs[-1],
        "output_shape": list(out.shape),
        "output": few(out, 64),
        "float32_distance": float((low_out - out).abs().max() / out.abs().max()),
        "loss_f32": low_loss,
        "loss_f64": loss,
        "grad_norm": M.norm_of(list(model.named_parameters())),
        "grads": [
            {"name": n, "norm": float(p.grad.norm()), "sum": float(p.grad.sum()), **few(p.grad, 4)}
            for n, p in model.named_parameters()
        ],
    }
    specs, a = trajectory(torch.float32)
    _, b = trajectory(torch.float64)
    short = {
        "length": SHORT,
        "inputs": specs[:-1],
        "target": specs[-1],
        "trajectory_f32": a,
        "trajectory_f64": b,
    }
    write(
        "transformer",
        {
            "made_by": "tests/golden/transformer.py, PyTorch " + torch.__version__,
            "name": NAME,
            "batch": M.BATCH,
            "params": build(torch.float32)[1],
            "optimizer": M.optimizer(LR),
            "cases": [whole, short],
        },
    )
    print(
        "    distance %.1e" % whole["float32_distance"],
        "loss %.6f" % loss,
        "gradients of f32 off by at most %.1e (%s)" % far,
    )
    print(
        "    trajectory %.4f -> %.4f, f32 off by at most %.1e of the loss"
        % (b[0], b[-1], max(abs(p - q) / q for p, q in zip(a, b)))
    )


if __name__ == "__main__":
    main()
