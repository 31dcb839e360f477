# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges an exported adapter from outside: mlx-lm loads it onto linear layers of MLX.

    python tests/peers/mlx_check.py FOLDER       needs mlx and mlx_lm (on Linux "mlx[cpu]")

FOLDER holds base.safetensors, mlx/ and merged.safetensors, all written by kmidi. MLX's layers with
the adapter beside them, and fused by it, must be the merged ones. Called by tests/cmd/adapters.c.
"""

import json
import os
import sys
import mlx.core as mx
import mlx.nn as nn
from mlx_lm.tuner.utils import load_adapters

FOLDER = sys.argv[1]
base = mx.load(os.path.join(FOLDER, "base.safetensors"))
merged = mx.load(os.path.join(FOLDER, "merged.safetensors"))
with open(os.path.join(FOLDER, "mlx", "adapter_config.json")) as f:
    keys = json.load(f)["lora_parameters"]["keys"]


def linear(weights, key):
    out, into = weights[key + ".weight"].shape
    layer = nn.Linear(into, out)
    layer.weight, layer.bias = weights[key + ".weight"], weights[key + ".bias"]
    return layer


class Layers(nn.Module):
    """The layers that the adapter names."""

    def __init__(self):
        super().__init__()
        self.layers = []
        for key in keys:
            self[key] = linear(base, key)


model = Layers()
load_adapters(model, os.path.join(FOLDER, "mlx"))
model.eval()
for k in keys:
    want, layer = linear(merged, k), model[k]
    x = mx.random.normal((5, want.weight.shape[1]))
    y = want(x)
    for name, got in (("beside", layer(x)), ("fused", layer.fuse()(x))):
        off = float(mx.abs(got - y).max() / mx.abs(y).max())
        moved = float(mx.abs(linear(base, k)(x) - y).max() / mx.abs(y).max())
        print(f"MLX {name} {k}: {off:.1e} of the largest output off, the adapter moves it {moved:.1e}")
        assert off < 1e-5 < moved
