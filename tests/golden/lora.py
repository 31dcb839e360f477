# SPDX-License-Identifier: GPL-3.0-or-later
"""Goldens of adapters from Hugging Face PEFT: lora.json, and lora_NAME/, four adapters as PEFT
saves them, two of them by DoRA, one of these of convolutions below batch norms.

    python tests/golden/lora.py [FOLDER]
        FOLDER holds the reference models.py (default ../shared/reference); needs PyTorch and PEFT

`matching`: which modules and parameters PEFT wraps for a configuration, with rank and scaling.
`cases`: base weights as in models.py (parameter k is fill(100 + k, shape, 1 / sqrt(fan_in))), every
lora_A and lora_B (in the sorted order of their keys, index j) fill(500 + j, shape, 0.1), whole
modules fill(600 + j, shape, 0.1); inputs with the seeds 1001, ...; outputs and the gradients of
their plain sum in float64. Of a network of pictures a convolution's fan_in is that of its windows;
weights of norms are 1 + fill(..., 0.25), their biases fill(..., 0.25), running means fill(300 + b,
0.25) and variances 1 + fill(300 + b, 0.25), buffer b of them.
`dropped`: lora_lengths in training, with masks as kmidi draws them (base/rng.c).
"""

import os
import shutil
import sys
import warnings
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from fill import below, f32, fill, write
import models as M  # the reference models, filled

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
LSTM = ["lstm.weight_ih_l0", "lstm.weight_hh_l0"]
MATCHING = [
    ("melody_transformer", dict(target_modules=["fc1", "fc3"])),
    ("melody_transformer", dict(target_modules=["fc1"], target_parameters=["weight_ih_l0"])),
    ("melody_transformer", dict(target_modules=["fc2"], target_parameters=[LSTM[1], LSTM[0]])),
    ("melody_transformer", dict(target_modules="fc[12]")),
    ("melody_transformer", dict(target_modules=r"(.*\.)?fc(1|3)")),
    (
        "melody_transformer",
        dict(target_modules=["fc1", "fc2", "fc3"], exclude_modules=["fc2"], r=4, lora_alpha=6),
    ),
    (
        "melody_transformer",
        dict(target_modules=["fc1", "fc2", "fc3"], exclude_modules="fc[13]", use_rslora=True),
    ),
    ("melody_transformer", dict(target_modules=["fc1", "fc2", "fc3"], modules_to_save=["fc3"])),
    (
        "melody_transformer",
        dict(
            target_modules=["fc1", "fc2", "fc3"],
            rank_pattern={"fc[12]": 4, "fc2": 2},
            alpha_pattern={"c3": 1, "fc3": 32},
        ),
    ),
    ("melody_transformer", dict(target_modules=["fc1", "fc2"], layers_to_transform=[0])),
    (
        "melody_transformer",
        dict(
            target_modules=["fc1"],
            target_parameters=LSTM[:1],
            rank_pattern={"weight_ih_l0": 3, "lstm": 5},
        ),
    ),
    (
        "emotion_midi_transformer",
        dict(
            target_modules=["q_proj", "v_proj"],
            rank_pattern={"layers.1.self_attn.q_proj": 3, "cross_attn.q_proj": 2},
        ),
    ),
    (
        "emotion_midi_transformer",
        dict(
            target_modules=["self_attn.q_proj", "up_proj"],
            layers_to_transform=[1, 2],
            layers_pattern="layers",
        ),
    ),
    (
        "emotion_midi_transformer",
        dict(
            target_modules=["k_proj", "layers.5.down_proj"],
            layers_to_transform=3,
            layers_pattern=["blocks", "layers"],
        ),
    ),
    (
        "emotion_midi_transformer",
        dict(
            target_modules=r".*\.[02]\.(cross_attn\.(q|v)_proj|gate_proj)", modules_to_save=["norm"]
        ),
    ),
    (
        "emotion_midi_transformer",
        dict(
            target_modules=["layers.0.self_attn.q_proj", "emotion_fc1"],
            exclude_modules=["fc1"],
            alpha_pattern={".*q_proj": 2},
        ),
    ),
    ("harmony_predictor", dict(target_modules=["fc3"], use_rslora=True, r=9, lora_alpha=5)),
]
CASES = {
    "melody": (
        "melody_transformer",
        dict(
            r=2,
            lora_alpha=3,
            target_modules=["fc1", "fc2", "fc3"],
            target_parameters=LSTM,
            rank_pattern={"fc2": 4},
            use_rslora=True,
        ),
    ),
    "dynamics": (
        "dynamics_engine",
        dict(
            r=2,
            lora_alpha=4,
            lora_dropout=0.1,
            target_modules="fc[12]",
            modules_to_save=["fc3"],
            alpha_pattern={"fc2": 7},
        ),
    ),
    "lengths": (
        "groove_predictor",
        dict(
            r=3,
            lora_alpha=5,
            target_modules=["fc1", "fc2", "fc3"],
            use_dora=True,
            use_rslora=True,
        ),
    ),
    "windows": (
        "instrument_recognizer",
        dict(
            r=2,
            lora_alpha=3,
            target_modules=["blocks.0.conv", "blocks.2.conv", "fc"],
            use_dora=True,
        ),
    ),
}
SIZES = {"instrument_recognizer": "bands=32 frames=36 width=4"}
M.DATA["instrument_recognizer"] = lambda T: [M.fl("mel", 1, 32, 36), M.it("classes", 4, 17)]


def pictures():
    """instrument_recognizer with blocks of 4, 8, 16 and 32 channels, filled."""
    m = M.R.MODELS["instrument_recognizer"][0]()
    wide = [(1, 4, 7, 2), (4, 8, 3, 2), (8, 16, 3, 2), (16, 32, 3, 2)]
    m.blocks = torch.nn.ModuleList([M.R.ConvNorm(*w) for w in wide])
    m.fc = torch.nn.Linear(32, 512)
    state = dict(m.named_parameters())
    for k, (n, p) in enumerate(state.items()):
        norm = ".norm." in n
        fan = state[n.rpartition(".")[0] + ".weight"][0].numel()
        scale = 0.25 if norm else 1 / np.sqrt(fan)
        x = fill(100 + k, tuple(p.shape), scale)
        p.data = torch.from_numpy(np.float32(norm and n.endswith("weight")) + x)
    buffers = [(n, b) for n, b in m.named_buffers() if b.dim()]
    for k, (n, b) in enumerate(buffers):
        x = fill(300 + k, tuple(b.shape), 0.25)
        b.copy_(torch.from_numpy(np.float32(n.endswith("running_var")) + x))
    return m


def based(model):
    return pictures() if model in SIZES else M.build(model, torch.float32)[0]


# ---- Masks


def mix64(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & (1 << 64) - 1
    return x ^ (x >> 31)


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011)."""
    c, k, low = list(counter), list(key), (1 << 32) - 1
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & low, p >> 32 ^ c[3] ^ k[1], p & low]
        k = [(k[0] + 0x9E3779B9) & low, (k[1] + 0xBB67AE85) & low]
    return c


class Masked(torch.nn.Module):
    """Dropout with the mask of (seed, step, name of the stream)."""

    def __init__(self, p, seed, step, name):
        super().__init__()
        h = 0xCBF29CE484222325
        for byte in name.encode():
            h = (h ^ byte) * 0x100000001B3 & (1 << 64) - 1
        key = mix64(seed + 0x9E3779B97F4A7C15 & (1 << 64) - 1) ^ mix64(h)
        self.rate, self.step = np.float32(p), step
        self.key = key & (1 << 32) - 1, key >> 32

    def forward(self, x):
        words = [philox((i, self.step, 0, 0), self.key) for i in range(-(-x.numel() // 4))]
        kept = np.array(words).ravel()[: x.numel()] >= round(float(self.rate) * 2.0**32)
        scaled = kept * (1 / (1 - float(self.rate)))
        return x * torch.from_numpy(scaled.reshape(x.shape)).to(x.dtype)


def path_of(name, module):
    """What was wrapped: a module, or for a parameter its own path."""
    name = name.replace("base_model.model.", "").replace(".base_layer", "")
    p = getattr(module, "parameter_name", None)
    return f"{name}.{p}" if p else name


def matched(model, kw):
    p = get_peft_model(M.R.MODELS[model][0](), LoraConfig(**kw))
    rows = [
        (path_of(n, m), m.r["default"], m.scaling["default"])
        for n, m in p.named_modules()
        if hasattr(m, "lora_A") and hasattr(m, "scaling")
    ]
    return {
        "model": model,
        "config": {"peft_type": "LORA", **kw},
        "paths": sorted(r[0] for r in rows),
        "ranks": [r[1] for r in sorted(rows)],
        "scales": [float(r[2]) for r in sorted(rows)],
    }


def refill(p):
    """Known numbers in all that the adapter holds."""
    state = dict(p.named_parameters())
    lora = sorted(n for n in state if "lora_" in n)
    whole = sorted(n for n in state if "modules_to_save" in n)
    for j, n in enumerate(lora):
        state[n].data = torch.from_numpy(fill(500 + j, tuple(state[n].shape), 0.1)).to(
            state[n].dtype
        )
    for j, n in enumerate(whole):
        state[n].data = torch.from_numpy(fill(600 + j, tuple(state[n].shape), 0.1)).to(
            state[n].dtype
        )


def gradients_of(p, out):
    """Of the plain sum, by the names in the file."""
    out.sum().backward()
    grads = {
        n.replace("base_model.model.", "").replace(".default", "").replace("vector.weight", "vector"):
        w.grad
        for n, w in p.named_parameters()
        if w.grad is not None
    }
    return [
        {"name": n, "norm": float(g.norm()), "sum": float(g.sum())}
        for n, g in sorted(grads.items())
    ]


def case(name, model, kw):
    p = get_peft_model(based(model), LoraConfig(**kw)).eval()
    refill(p)
    folder = os.path.join(HERE, "lora_" + name)
    shutil.rmtree(folder, ignore_errors=True)
    p.save_pretrained(folder)
    os.remove(os.path.join(folder, "README.md"))
    p.double()
    *x, _ = M.tensors(M.DATA[model](5), torch.float64)
    out = p(*x)
    gradients = gradients_of(p, out)
    merged = p.merge_and_unload()(*x)
    print(name, "merged and not:", (merged - out).abs().max().item())
    return {
        "name": name,
        "model": model,
        **({"sizes": SIZES[model]} if model in SIZES else {}),
        "length": 5,
        "batch": M.BATCH,
        "shape": list(out.shape),
        "output": f32(out.detach().numpy()),
        "gradients": gradients,
    }


def dropped(name="lengths", rate=0.4, seed=11, step=3):
    """Of that case, in training."""
    model, kw = CASES[name]
    p = get_peft_model(based(model), LoraConfig(**kw))
    refill(p)
    p.double().train()
    for n, m in p.named_modules():
        if hasattr(m, "lora_dropout"):
            stream = "0/" + n.replace("base_model.model.", "") + ".lora_A.weight"
            m.lora_dropout["default"] = Masked(rate, seed, step, stream)
    *x, _ = M.tensors(M.DATA[model](5), torch.float64)
    out = p(*x)
    return {
        "name": name,
        "model": model,
        "dropout": rate,
        "seed": seed,
        "step": step,
        "output": f32(out.detach().numpy()),
        "gradients": gradients_of(p, out),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    write(
        "lora",
        {
            "matching": [matched(*row) for row in MATCHING],
            "cases": [case(n, *row) for n, row in CASES.items()],
            "dropped": dropped(),
        },
    )
