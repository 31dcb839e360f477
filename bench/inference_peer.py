# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers of `kmidi bench MODEL --inference`: the reference in PyTorch (inference mode), and ONNX
Runtime with the file that `kmidi export --format onnx` writes.

    python bench/inference_peer.py MODEL --save WEIGHTS.safetensors [--reference FOLDER]
    python bench/inference_peer.py MODEL --onnx FILE.onnx [--batch 1] [--length 1] [--threads 1]
        [--seconds 2] [--reference FOLDER]

--save writes random weights for `kmidi import`. Each call is timed by itself, behind a warm-up, on
one random input in memory; ONNX Runtime has its inputs and outputs bound, so that nothing is copied
or made anew. One JSON line a peer.
"""

import argparse
import json
import math
import os
import sys
import time

import torch

here = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser()
ap.add_argument("model")
ap.add_argument("--save")
ap.add_argument("--onnx")
ap.add_argument("--batch", type=int, default=1)
ap.add_argument("--length", type=int, default=1)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--seconds", type=float, default=2)
ap.add_argument("--reference", default=os.path.join(here, "../../shared/reference"))
a = ap.parse_args()
sys.path.insert(0, a.reference)
from models import MODELS, sample_batch  # noqa: E402

WARM_UP, WARM_UP_SECONDS, LEAST = 10, 0.2, 20


def measure(peer, call):
    began, n = time.perf_counter(), 0
    while n < WARM_UP or time.perf_counter() - began < WARM_UP_SECONDS:
        call()
        n += 1
    took, cpu, began = [], time.process_time(), time.perf_counter()
    last = began
    while len(took) < LEAST or last - began < a.seconds:
        call()
        now = time.perf_counter()
        took.append(1e3 * (now - last))
        last = now
    cpu = 1e3 * (time.process_time() - cpu) / len(took)
    took.sort()
    place = lambda share: round(took[max(0, math.ceil(share * len(took)) - 1)], 5)
    figures = {f"p{p}_ms": place(p / 100) for p in (50, 90, 99)}
    print(
        json.dumps(
            {
                "peer": peer,
                "model": a.model,
                "batch": a.batch,
                "length": a.length,
                "threads": a.threads,
                "mean_ms": round(sum(took) / len(took), 5),
                **figures,
                "max_ms": round(took[-1], 5),
                "cpu_ms": round(cpu, 5),
            }
        ),
        flush=True,
    )


def by_onnx(x, want):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, a.threads
    session = ort.InferenceSession(a.onnx, options, providers=["CPUExecutionProvider"])
    bound = session.io_binding()
    for port, value in zip(session.get_inputs(), x):
        bound.bind_cpu_input(port.name, value.numpy())
    held = ort.OrtValue.ortvalue_from_numpy(want.contiguous().numpy())
    bound.bind_ortvalue_output(session.get_outputs()[0].name, held)
    session.run_with_iobinding(bound)
    off = float((torch.from_numpy(held.numpy()) - want).abs().max() / want.abs().max())
    assert off < 1e-4, f"ONNX Runtime differs from PyTorch by {off:.1e}"
    measure("onnxruntime " + ort.__version__, lambda: session.run_with_iobinding(bound))


torch.set_num_threads(a.threads)
torch.manual_seed(0)
model = MODELS[a.model][0]().eval()
if a.save:
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, a.save)
    sys.exit()
x = sample_batch(a.model, a.batch, a.length)[0]
with torch.inference_mode():
    want = model(*x).clone()
    measure("pytorch " + torch.__version__, lambda: model(*x))
    if a.onnx:
        by_onnx(x, want)
