# SPDX-License-Identifier: GPL-3.0-or-later
"""Peer of `kmidi bench attention`: PyTorch's scaled_dot_product_attention, causal, forward and
backward, six heads of 64.

    python bench/attention_peer.py [--batch 8] [--length 512] [--threads 2] [--seconds 5]

q, k and v are [B, T, H d] seen as heads, as in the reference's layers. Passes a second, a median of
five slices; one JSON line.
"""

import argparse
import json
import statistics
import time
import torch
import torch.nn.functional as F

HEADS, HEAD, SLICES = 6, 64, 5
ap = argparse.ArgumentParser()
ap.add_argument("--batch", type=int, default=8)
ap.add_argument("--length", type=int, default=512)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--seconds", type=float, default=5.0)
a = ap.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
qkv = [torch.randn(a.batch, a.length, HEADS * HEAD, requires_grad=True) for _ in range(3)]
dy = torch.randn(a.batch, a.length, HEADS * HEAD)


def once():
    q, k, v = (t.view(a.batch, a.length, HEADS, HEAD).transpose(1, 2) for t in qkv)
    y = (
        F.scaled_dot_product_attention(q, k, v, is_causal=True)
        .transpose(1, 2)
        .reshape(a.batch, a.length, HEADS * HEAD)
    )
    return torch.autograd.grad(y, qkv, dy)


for _ in range(2):
    once()
rates = []
for _ in range(SLICES):
    n, began = 0, time.perf_counter()
    while True:
        once()
        n += 1
        took = time.perf_counter() - began
        if took >= a.seconds / SLICES:
            break
    rates.append(n / took)
print(
    json.dumps(
        {
            "peer": "pytorch " + torch.__version__,
            "batch": a.batch,
            "length": a.length,
            "threads": a.threads,
            "passes_per_s": round(statistics.median(rates), 3),
        }
    )
)
