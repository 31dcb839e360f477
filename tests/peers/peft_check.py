# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges an exported adapter from outside: Hugging Face PEFT loads it onto the PyTorch model.

    python tests/peers/peft_check.py MODEL FOLDER [REFERENCE]
        needs PyTorch, PEFT and the reference models.py (default ../shared/reference)

FOLDER holds base.safetensors, adapter/ and merged.safetensors, all written by kmidi. PEFT's outputs
with the adapter beside the base, and merged by PEFT, must be those of kmidi's merged weights within
1e-5 of the largest. PEFT then saves the adapter anew to FOLDER/back, for kmidi to load. Called by
tests/cmd/adapters.c.
"""

import os
import sys
import warnings
import torch
from peft import PeftModel
from safetensors.torch import load_file

warnings.filterwarnings("ignore")
MODEL, FOLDER = sys.argv[1:3]
sys.path.insert(
    0,
    (
        sys.argv[3]
        if len(sys.argv) > 3
        else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/reference")
    ),
)
from models import MODELS, sample_batch  # noqa: E402


def model(name):
    m = MODELS[MODEL][0]()
    m.load_state_dict(load_file(os.path.join(FOLDER, name)))
    return m.eval()


def distance(a, b):
    return float((a - b).abs().max() / b.abs().max())


torch.manual_seed(1)
torch.set_num_threads(1)
x, _ = sample_batch(MODEL, 3, 7)
with torch.no_grad():
    want, base = model("merged.safetensors")(*x), model("base.safetensors")(*x)
    adapted = PeftModel.from_pretrained(
        model("base.safetensors"), os.path.join(FOLDER, "adapter")
    ).eval()
    beside = adapted(*x)
    adapted.save_pretrained(os.path.join(FOLDER, "back"))
    trainable = sum(
        p.numel() for n, p in adapted.named_parameters() if "lora_" in n or "modules_to_save" in n
    )
    merged = adapted.merge_and_unload()(*x)
for name, out in (("beside the base", beside), ("merged", merged)):
    print(f"PEFT {name}: {distance(out, want):.2g} of the largest output off")
    if not distance(out, want) <= 1e-5:
        sys.exit(1)
print(
    f"the adapter changes the base's outputs by {distance(want, base):.2g}; {trainable} parameters"
)
if not distance(want, base) > 1e-3:
    sys.exit("the adapter does nothing")
