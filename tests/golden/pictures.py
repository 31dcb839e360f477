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
FIRST = {"instrument_recognizer": (7, 2), "emotion_node_classifier": (3, 1)}


def build(name, width, dtype):
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
            p.copy_(torch.from_numpy(np.float32(offset) + fill(100 + k, tuple(p.shape), scale)))
        table.append(
            {
                "name": n,
                "shape": list(p.shape),
                "seed": 100 + k,
                "scale": float(np.float32(scale)),
                "offset": offset,
            }
        )
    return model.to(dtype).train(), table


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


def golden(name, width, side, batch, few, steps):
    M.BATCH = batch
    groups = GROUPS[name]
    specs = [
        M.fl("mel", 1, *side),
        M.it("classes", min(s for s, _ in groups), len(groups)),
    ]
    model, table = build(name, width, torch.float64)
    x, y = M.tensors(specs, torch.float64)
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
    if steps:
        model, _ = build(name, width, torch.float64)
        losses = M.descend(
            list(model.parameters()), lambda: loss_of(name, model(x), y), steps, 1e-4
        )
        case["trajectory_f64"] = [round(v, 10) for v in losses]
        print("    trajectory %.4f -> %.4f" % (losses[0], losses[-1]))
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
