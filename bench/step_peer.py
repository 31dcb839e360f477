# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference's train_step.py, with a transformer of other sizes where they are given.

    python bench/step_peer.py REFERENCE SIZES MODEL [--channels-last] [--dora] [options of train_step.py]

--channels-last: pictures and convolutions in PyTorch's other memory layout. --dora: the adapters of
--lora by Hugging Face PEFT's DoRA. SIZES as `kmidi bench --sizes` has them, "layers=4 dim=128 heads=4 ffn=512 cross=0"; "" is the model
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

if "--dora" in sys.argv:
    from peft import LoraConfig, inject_adapter_in_model

    def add_dora(model, r):
        ends = {n.rpartition(".")[2] for n, _ in model.named_modules()}
        hit = [n for n in ("q_proj", "v_proj") if n in ends] or ["fc1", "fc2", "fc3"]
        c = LoraConfig(r=r, lora_alpha=2 * r, target_modules=hit, use_dora=True)
        inject_adapter_in_model(c, model)

    sys.argv.remove("--dora")
    train_step.add_lora = add_dora

train_step.main()
