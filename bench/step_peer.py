# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference's train_step.py, with a transformer of other sizes where they are given.

    python bench/step_peer.py REFERENCE SIZES MODEL [--channels-last] [options of train_step.py]

--channels-last: pictures and convolutions in PyTorch's other memory layout. SIZES as `kmidi bench --sizes` has them, "layers=4 dim=128 heads=4 ffn=512 cross=0"; "" is the model
as it is.
"""

import functools
import os
import sys

reference, sizes = os.path.abspath(sys.argv[1]), dict(p.split("=") for p in sys.argv[2].split())
sys.path.insert(0, reference)
del sys.argv[1:3]
import models  # noqa: E402

if sizes:
    chosen = {
        k: tuple(int(i) for i in v.split(",")) if k == "cross" else int(v) for k, v in sizes.items()
    }
    models.MODELS[sys.argv[1]] = (functools.partial(models.MODELS[sys.argv[1]][0], **chosen), 0)
if "--channels-last" in sys.argv:
    import torch

    sys.argv.remove("--channels-last")
    build, sample = models.MODELS[sys.argv[1]][0], models.sample_batch

    def turned(x):
        return x.to(memory_format=torch.channels_last) if x.dim() == 4 else x

    def turned_batch(*of):
        x, y = sample(*of)
        return tuple(map(turned, x)), y

    models.MODELS[sys.argv[1]] = (lambda: build().to(memory_format=torch.channels_last), 0)
    models.sample_batch = turned_batch
import train_step  # noqa: E402

train_step.main()
