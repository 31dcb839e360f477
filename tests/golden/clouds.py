# SPDX-License-Identifier: GPL-3.0-or-later
"""The golden of spectocloud_vit at other sizes than its own, from its PyTorch definition:
clouds.json, one step.

    python tests/golden/clouds.py [FOLDER]
        FOLDER holds the reference models.py (default ../shared/reference); needs PyTorch

As models.py, and small in git: of each gradient its norm, sum and 8 elements.
"""

import torch
import models as M
from fill import write

NAME, SIZES = "spectocloud_vit", "dim=32 depth=3"
M.SIZES[NAME] = dict(dim=32, depths=(2, 2, 3, 2), heads=(1, 2, 4, 8))

torch.set_num_threads(1)
model, probe, named, table = M.build(NAME, torch.float64)
specs = M.DATA[NAME](1)
*x, y = M.tensors(specs, torch.float64)
out = model(*x)
loss = M.loss_of(NAME, out, y, probe)
loss.backward()
write(
    "clouds",
    {
        "made_by": "tests/golden/clouds.py, PyTorch " + torch.__version__,
        "name": NAME,
        "batch": M.BATCH,
        "sizes": SIZES,
        "params": table,
        "optimizer": M.optimizer(1e-4),
        "cases": [
            {
                "inputs": specs[:-1],
                "target": specs[-1],
                "output": M.some(out.detach()),
                "loss_f64": loss.item(),
                "grad_norm": M.norm_of(named),
                "grads": [M.gradient(n, p.grad, 8) for n, p in named],
            }
        ],
    },
)
