# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers of `kmidi bench emotion_midi_transformer --generate`: PyTorch behind a cache of keys and
values, and ONNX Runtime.

    python bench/generate_peer.py [--context 512] [--threads 2] [--onnx STEP.onnx [--alone]]
        [--reference FOLDER] [--count 8] [--weights f32|bf16|int8|dynamic]

FOLDER holds the reference models.py (default ../shared/reference), whose weights and layers are
used, one token at a time: caches allocated once, the emotion's keys and values and the angles of
all positions made beforehand, inference mode. What it says equals the reference on the whole
sequence, which is checked first. STEP.onnx is `kmidi export --format onnx --with-past`, or
`--format onnx-int8 --quant dynamic --with-past`: products in whole numbers; --alone leaves PyTorch
out. A median of five slices of 64 tokens behind the context, as kmidi has it; the likeliest token
is taken. One JSON line a peer. --count: so many sequences at once.

--weights, of PyTorch, for the same bytes as ours: bf16 (F.linear of bf16), int8 (a scale for each
output, torch._weight_int8pack_mm, activations in bf16), or dynamic (what
torch.ao.quantization.quantize_dynamic makes: products in whole numbers).
"""

import argparse
import json
import os
import statistics
import sys
import time
import numpy as np
import torch
import torch.nn.functional as F

SLICES, SLICE_TOKENS, WARM_UP = 5, 64, 4
here = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser()
ap.add_argument("--context", type=int, default=512)
ap.add_argument("--threads", type=int, default=2)
ap.add_argument("--count", type=int, default=1)
ap.add_argument("--weights", choices=["f32", "bf16", "int8", "dynamic"], default="f32")
ap.add_argument("--onnx")
ap.add_argument("--alone", action="store_true")
ap.add_argument("--reference", default=os.path.join(here, "../../shared/reference"))
a = ap.parse_args()
sys.path.insert(0, a.reference)
from models import EmotionMIDITransformer  # noqa: E402

CAPACITY = a.context + WARM_UP + SLICES * SLICE_TOKENS


class Narrow(torch.nn.Module):
    """A linear layer, its weights in fewer bytes."""

    def __init__(self, weight, bias):
        super().__init__()
        self.bias = bias
        if a.weights == "int8":
            self.scale = weight.abs().amax(1) / 127
            self.w = torch.round(weight / self.scale[:, None]).to(torch.int8)
            self.scale = self.scale.bfloat16()
        else:
            self.w = weight.bfloat16()

    def forward(self, x):
        rows = x.reshape(-1, x.shape[-1]).bfloat16()
        if a.weights == "int8":
            y = torch._weight_int8pack_mm(rows, self.w, self.scale)
        else:
            y = F.linear(rows, self.w)
        y = y.float().view(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias


def narrowed(module):
    """Every linear layer in place, but those that are heard once."""
    for name, child in module.named_children():
        if not isinstance(child, torch.nn.Linear):
            narrowed(child)
        elif a.weights == "dynamic":
            layer = torch.nn.Sequential(child)
            layer = torch.ao.quantization.quantize_dynamic(layer, {torch.nn.Linear}, torch.qint8)
            setattr(module, name, layer)
        elif not name.startswith("emotion_"):
            setattr(module, name, Narrow(child.weight.detach(), child.bias))


class Stepper:
    """The reference one token at a time."""

    def __init__(self, model, emotion):
        self.m, self.n, self.at = model, model.embed.weight.shape[1], 0
        heads = model.layers[0].self_attn.heads
        self.shape = (a.count, heads, 1, self.n // heads)
        self.head = lambda x: F.linear(x, model.embed.weight)
        d = self.n // heads
        inv = 10000.0 ** (-torch.arange(0, d, 2, dtype=torch.float32) / d)
        angle = torch.outer(torch.arange(CAPACITY, dtype=torch.float32), inv)
        self.cos, self.sin = torch.cat([angle.cos()] * 2, -1), torch.cat([angle.sin()] * 2, -1)
        self.k = [torch.zeros(a.count, heads, CAPACITY, d) for _ in model.layers]
        self.v = [torch.zeros(a.count, heads, CAPACITY, d) for _ in model.layers]
        e = model.emotion_fc2(F.gelu(model.emotion_fc1(emotion))).view(1, model.emotion_tokens, -1)
        split = lambda t: t.view(1, -1, heads, d).transpose(1, 2).repeat(a.count, 1, 1, 1)
        self.cross = [
            (split(l.cross_attn.k_proj(e)), split(l.cross_attn.v_proj(e))) if l.cross else None
            for l in model.layers
        ]

    def turn(self, x):
        d = x.shape[-1]
        return (
            x * self.cos[self.at]
            + torch.cat([-x[..., d // 2 :], x[..., : d // 2]], -1) * self.sin[self.at]
        )

    def step(self, token):
        x, t = F.embedding(token, self.m.embed.weight), self.at
        for i, layer in enumerate(self.m.layers):
            s, h = layer.self_attn, layer.self_attn_norm(x)
            q, k = self.turn(s.q_proj(h).view(self.shape)), self.turn(s.k_proj(h).view(self.shape))
            self.k[i][:, :, t : t + 1], self.v[i][:, :, t : t + 1] = k, s.v_proj(h).view(self.shape)
            o = F.scaled_dot_product_attention(
                q, self.k[i][:, :, : t + 1], self.v[i][:, :, : t + 1]
            )
            x = x + s.out_proj(o.view(a.count, 1, self.n))
            if layer.cross:
                c = layer.cross_attn
                q = c.q_proj(layer.cross_attn_norm(x)).view(self.shape)
                x = x + c.out_proj(
                    F.scaled_dot_product_attention(q, *self.cross[i]).view(a.count, 1, self.n)
                )
            h = layer.ffn_norm(x)
            x = x + layer.down_proj(F.silu(layer.gate_proj(h)) * layer.up_proj(h))
        self.at += 1
        return self.head(self.m.norm(x))[:, 0]


def measure(peer, heard, step, count=1):
    """step(token) -> the likeliest next one, behind what it heard; of `count` sequences."""
    token = torch.zeros(count, 1, dtype=torch.long)
    for _ in range(WARM_UP):
        token = step(token)
    rates, took = [], []
    cpu = time.process_time()
    for _ in range(SLICES):
        began = last = time.perf_counter()
        for _ in range(SLICE_TOKENS):
            token = step(token)
            now = time.perf_counter()
            took.append(1e3 * (now - last))
            last = now
        rates.append(SLICE_TOKENS / (last - began))
    cpu = 1e3 * (time.process_time() - cpu) / len(took) / count
    took.sort()
    rate = statistics.median(rates)
    print(
        json.dumps(
            {
                "peer": peer,
                "context": heard,
                "threads": a.threads,
                "count": count,
                "tokens_per_s": round(count * rate, 2),
                "ms_per_token": round(1000 / rate / count, 3),
                **{f"p{p}_ms": round(took[len(took) * p // 100], 3) for p in (50, 90, 99)},
                "cpu_ms": round(cpu, 3),
            }
        ),
        flush=True,
    )


def by_torch(prompt, emotion):
    model = EmotionMIDITransformer().eval()
    stepper = Stepper(model, emotion)
    want = model(prompt, emotion)[0] if a.context else torch.zeros(1, 388)
    if a.weights != "f32":
        head = torch.nn.Linear(stepper.n, 388, bias=False)
        head.weight.copy_(model.embed.weight)
        others = torch.nn.ModuleDict({"model": model, "head": head})
        narrowed(others)
        stepper.head = others["head"]
    for i in range(a.context):
        said = stepper.step(prompt[:, i : i + 1].expand(a.count, 1))
    if a.context:
        off = float((said - want[-1]).abs().max() / want.abs().max())
        most = 1e-4 if a.weights == "f32" else 0.1
        assert off < most, f"a step differs from the whole sequence by {off:.1e}"
    measure(
        f"pytorch {torch.__version__} {a.weights}",
        a.context,
        lambda t: stepper.step(t).argmax(-1, keepdim=True),
        a.count,
    )


def by_onnx(prompt, emotion):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, a.threads
    session = ort.InferenceSession(a.onnx, options, providers=["CPUExecutionProvider"])
    caches = [i for i in session.get_inputs() if i.name.startswith("past_key_values.")]
    past = {i.name: np.zeros((a.count, i.shape[1], 0, i.shape[3]), np.float32) for i in caches}
    feelings = emotion.numpy().repeat(a.count, 0)

    def take(tokens):
        nonlocal past
        logits, *present = session.run(
            None, {"tokens": np.asarray(tokens, np.int64), "emotion": feelings, **past}
        )
        past = dict(zip([i.name for i in caches], present))
        return logits[:, -1:].argmax(-1)

    if a.context:
        take(prompt.numpy().repeat(a.count, 0))
    name = os.path.basename(a.onnx)
    measure(f"onnxruntime {ort.__version__} {name}", a.context, take, a.count)


torch.set_num_threads(a.threads)
torch.manual_seed(0)
with torch.inference_mode():
    heard, feeling = torch.randint(0, 388, (1, a.context)), torch.randn(1, 64)
    if not a.alone:
        by_torch(heard, feeling)
    if a.onnx:
        by_onnx(heard, feeling)
