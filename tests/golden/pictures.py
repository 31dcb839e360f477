# SPDX-License-Identifier: GPL-3.0-or-later
"""Goldens of the networks of spectrograms with batch norms, from their PyTorch definition:
models_NAME.json at small sizes with a trajectory, pictures_NAME.json at their own for one step.

    python tests/golden/pictures.py [FOLDER]
        FOLDER holds the reference models.py (default ../shared/reference); needs PyTorch

As models.py: norms' weights are 1 + fill(..., 0.25), running statistics begin as PyTorch's, at zeros
and ones. Nothing is dropped out. Every item has a class of every group; the loss is the mean over
items and groups of a group's weight times its cross-entropy, and of the emotions' 0.1 times how far
coarser and finer ones disagree (models/groups.h). `buffers` is what the statistics are after a
step. The trajectories are at lr 1e-4.

A ReLU has no gradient at 0: of two programs whose sums are rounded otherwise, one takes either side
where an activation lies within rounding of it. One of two million did (1.3e-7), and its side moves
gradients by 1e-3. So biases of norms are moved by `nudge` steps of 2^-16, until no activation of the
step lies within CLEAR; and a trajectory is of the first seeds with which the loss of a hundred steps
in f64 stays where it is, to 1e-4, when the weights that it begins with are moved by a millionth.
"""

import math
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import models as M
from fill import f32, fill, write

HALF = [1, 0.8, 0.6, 0.4, 0.4, 0.4, 1, 0.8, 0.6, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]
# (size, weight) of each group, in the order of the output
GROUPS = {
    "instrument_recognizer": list(
        zip([16, 32, 16, 8, 4, 4, 12, 8, 8, 8, 8, 4, 8, 4, 8, 8, 4], [w / 2 for w in HALF])
    ),
    "emotion_node_classifier": [(6, 0.5), (36, 0.3), (216, 1.0)],
}
STEP, CLEAR = 2.0**-16, 2e-5
FIRST = {"instrument_recognizer": (7, 2), "emotion_node_classifier": (3, 1)}


def clear(model, x, table):
    """Each channel's bias is moved by as few steps as leave none of its activations near 0."""
    for i, block in enumerate(model.blocks):
        conv, norm = block.conv, block.norm
        z = F.batch_norm(conv(x), None, None, norm.weight, norm.bias, training=True)
        spec = next(s for s in table if s["name"] == "blocks.%d.norm.bias" % i)
        spec["nudge"] = [nudge_of(c) for c in z.transpose(0, 1).flatten(1)]
        moved = nudged(norm.bias.float().numpy(), spec["nudge"])
        z = z + (torch.from_numpy(moved).double() - norm.bias)[:, None, None]
        assert z.abs().min() > CLEAR
        norm.bias.copy_(torch.from_numpy(moved))
        x = F.relu(z)


def nudge_of(z):
    away = (k * s for k in range(100) for s in (1, -1))
    return next(k for k in away if (z + k * STEP).abs().min() > 1.2 * CLEAR)


def nudged(x, nudge):
    return np.float32(x + np.float32(STEP) * np.float32(nudge))


def build(name, width, side, base, dtype):
    """The model with filled parameters, and the description of all that its state_dict holds."""
    model, table = M.R.MODELS[name][0](), []
    if width != 64:
        c = [width << i for i in range(4)]
        model.blocks = nn.ModuleList(
            [M.R.ConvNorm(1, c[0], *FIRST[name])]
            + [M.R.ConvNorm(a, b, 3, 2) for a, b in zip(c, c[1:])]
        )
        if name == "instrument_recognizer":
            model.fc = nn.Linear(c[3], 512)
        else:
            model.fc1 = nn.Linear(4 * c[3], 512)
    for m in model.modules():
        if isinstance(m, nn.Dropout):
            m.p = 0.0
    state = model.state_dict()
    for k, (n, p) in enumerate(state.items()):
        norm, buffer = ".norm." in n, n.rpartition(".")[2] in ("running_mean", "running_var")
        weight = state[n.rpartition(".")[0] + ".weight"]
        scale = 0.25 if norm else 1 / math.sqrt(weight[0].numel())
        offset = int((norm and n.endswith(".weight")) or n.endswith("running_var"))
        if buffer or n.endswith("tracked"):
            scale = 0.0
        else:
            p.copy_(torch.from_numpy(np.float32(offset) + fill(base + k, tuple(p.shape), scale)))
        table.append(
            {
                "name": n,
                "shape": list(p.shape),
                "seed": base + k,
                "scale": float(np.float32(scale)),
                "offset": offset,
            }
        )
    with torch.no_grad():
        clear(model.double(), inputs(name, side)[1][0], table)
    return model.to(dtype).train(), table


def inputs(name, side, dtype=torch.float64):
    groups = GROUPS[name]
    specs = [M.fl("mel", 1, *side), M.it("classes", min(s for s, _ in groups), len(groups))]
    return specs, M.tensors(specs, dtype)


def loss_of(name, out, target):
    """The mean over items and groups."""
    parts, total = out.split([s for s, _ in GROUPS[name]], 1), 0
    for k, (part, (_, weight)) in enumerate(zip(parts, GROUPS[name])):
        total = total + weight * F.cross_entropy(part, target[:, k], reduction="sum")
    if name == "emotion_node_classifier":
        base, sub, node = (p.softmax(-1) for p in parts)
        for coarse, fine in ((base, sub), (sub, node)):
            apart = coarse - fine.reshape(*coarse.shape, -1).sum(-1)
            total = total + 0.1 * apart.pow(2).mean(1).sum()
    return total / target.numel()


def trajectory(name, width, side, base, steps, moved_by=0.0, draw=0):
    model, _ = build(name, width, side, base, torch.float64)
    _, (x, y) = inputs(name, side)
    torch.manual_seed(draw)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1 + moved_by * torch.randn_like(p))
    return M.descend(list(model.parameters()), lambda: loss_of(name, model(x), y), steps, 1e-4)


def steady(name, width, side, base, steps):
    """The trajectory, or None where a millionth of the weights decides on it."""
    losses = trajectory(name, width, side, base, steps)
    for draw in range(8):
        moved = trajectory(name, width, side, base, steps, 1e-6, draw)
        if max(abs(a - b) / a for a, b in zip(losses, moved)) > 1e-4:
            return None
    return losses


def golden(name, width, side, batch, few, steps):
    M.BATCH, base, losses = batch, 100, None
    while steps and not losses:
        losses = steady(name, width, side, base, steps)
        base += 0 if losses else 100
    model, table = build(name, width, side, base, torch.float64)
    specs, (x, y) = inputs(name, side)
    out = model(x)
    loss = loss_of(name, out, y)
    loss.backward()
    named = list(model.named_parameters())
    case = {
        "inputs": specs[:1],
        "target": specs[1],
        "output": f32(out.detach().numpy()),
        "loss_f64": loss.item(),
        "grad_norm": M.norm_of(named),
        "grads": [M.gradient(n, p.grad, few) for n, p in named],
        "buffers": [{"name": n, "value": f32(b.numpy())} for n, b in model.named_buffers()],
    }
    if losses:
        case["trajectory_f64"] = [round(v, 10) for v in losses]
        print("    seeds from %d, trajectory %.4f -> %.4f" % (base, losses[0], losses[-1]))
    return {
        "made_by": "tests/golden/pictures.py, PyTorch " + torch.__version__,
        "name": name,
        "batch": batch,
        "sizes": "bands=%d frames=%d width=%d" % (*side, width),
        "params": table,
        "optimizer": M.optimizer(1e-4),
        "cases": [case],
    }


torch.set_num_threads(1)
for name in GROUPS:
    write("models_" + name, golden(name, 4, (32, 36), 3, 64, 100))
    write("pictures_" + name, golden(name, 64, (128, 128), 2, 16, 0))
