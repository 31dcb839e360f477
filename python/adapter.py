# SPDX-License-Identifier: GPL-3.0-or-later
"""An adapter of kmidi on its base, in PyTorch:

    kmidi export runs/melody_transformer --format safetensors -o base.safetensors
    kmidi export runs/mine --format adapter -o mine
    python python/adapter.py base.safetensors mine [merged.safetensors]

Needs torch, peft, safetensors.
"""

import sys
import torch
from peft import PeftModel
from safetensors.torch import save_file
from kmidi_models import load

base = load(sys.argv[1])
before = {name: weight.clone() for name, weight in base.state_dict().items()}
adapted = PeftModel.from_pretrained(
    base, sys.argv[2]
)  # the adapter beside the weights; .merge_and_unload() adds it to them
merged = adapted.merge_and_unload().state_dict()
for name, weight in merged.items():
    change = float((weight - before[name]).norm() / before[name].norm())
    if change:
        print(f"{name:32s} changed by {100 * change:.2f}%")
if len(sys.argv) > 3:
    save_file(
        {name: weight.contiguous() for name, weight in merged.items()},
        sys.argv[3],
        {"format": "pt"},
    )
