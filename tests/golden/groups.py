# SPDX-License-Identifier: GPL-3.0-or-later
"""Goldens of the losses of models/groups.h, from PyTorch in float64. Writes groups.json.

    python tests/golden/groups.py                needs PyTorch

Logits [5, 8] are fill(1, i, 3): a group of 2 (weight 1) and one of 6, three parts of each class of
the first (weight 0.6). Row 3 has a class of the first alone, row 4 none. Label smoothing is 0.1, of
the second group half of that. Rows weigh 1, 0.5, 2, 1.5.
"""

import torch
import torch.nn.functional as F
from fill import f32, fill, write

TARGET = [[0, 2], [1, 5], [1, 3], [0, -1], [-1, -1]]
WEIGHT = [1, 0.5, 2, 1.5, 0]


def row_losses(logits, column, smoothing):
    target = torch.tensor([t[column] for t in TARGET])
    return F.cross_entropy(
        logits, target, reduction="none", ignore_index=-1, label_smoothing=smoothing
    )


x = torch.from_numpy(fill(1, [5, 8], 3.0)).double().requires_grad_()
w = torch.tensor(WEIGHT).double()
loss = (w * (row_losses(x[:, :2], 0, 0.1) + 0.6 * row_losses(x[:, 2:], 1, 0.05))).sum()
(d,) = torch.autograd.grad(loss, x)
parts = x[:, 2:].softmax(-1).view(5, 2, 3).sum(-1)
agreement = (w * (x[:, :2].softmax(-1) - parts).pow(2).mean(-1)).sum()
(da,) = torch.autograd.grad(agreement, x)
write(
    "groups",
    {
        "loss": float(loss.detach()),
        "dlogits": f32(d.numpy()),
        "agreement": float(agreement.detach()),
        "dagreement": f32(da.numpy()),
    },
)
