# SPDX-License-Identifier: GPL-3.0-or-later
"""Goldens of the small models, and of the transformer at a small size (transformer.py: at its own),
from their PyTorch definition: models_NAME.json. Forms that the reference lacks are defined by
python/kmidi_models.py.

    python tests/golden/models.py [FOLDER] [MODEL ...]
        FOLDER holds the reference models.py (default ../shared/reference); needs PyTorch

Every parameter (state_dict order, index k) is fill(100 + k, shape, 1 / sqrt(fan_in)), biases with
the fan-in of their weight, all four of an LSTM with 1 / sqrt(hidden). The recogniser's probe head
follows the model's own parameters. Inputs have the seeds 1001, 1002, ..., the target the next one.
Outputs and gradients are computed in float64 from those float32 numbers, so that they judge any
float32 implementation; `float32_distance` is how far PyTorch's own float32 lies from them (largest
difference / largest element). Parameters above 300 elements are recorded by L2 norm, sum and 64
elements at even strides. The trajectories are the losses before each of 100 steps of: clip at
global norm 1, AdamW (lr 1e-3 or as LR says, weight decay 0.01) on one batch. `smoothed` is the same with label
smoothing, where the loss is a cross-entropy.
"""

import math
import os
import sys
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from fill import below, f32, fill, write

FOLDER = (
    sys.argv[1]
    if len(sys.argv) > 1
    else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/reference")
)


def load_module(path):
    import importlib.util

    name = os.path.basename(path)[:-3]
    spec = importlib.util.spec_from_file_location("golden_" + name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


R = load_module(os.path.join(FOLDER, "models.py"))
# Forms that the reference does not have: the model, and who defines it.
OURS = load_module(os.path.join(os.path.dirname(__file__), "../../python/kmidi_models.py"))
FORMS = {"emotion_midi_transformer_qk_norm": "emotion_midi_transformer"}
BATCH, CLASSES = 3, 8
CLASS_WEIGHTS = [0.5, 1.0, 1.5, 2.0, 0.25, 0.75, 1.25, 3.0]
fl = lambda name, *shape: {"name": name, "dtype": "f32", "shape": [BATCH, *shape], "scale": 1.0}
it = lambda name, n, *shape: {"name": name, "dtype": "i32", "shape": [BATCH, *shape], "below": n}
# inputs, then the target
DATA = {
    "emotion_recognizer": lambda T: [fl("mel", T, 128), it("target", CLASSES)],
    "melody_transformer": lambda T: [
        fl("emotion", 64),
        {**it("prev_note", 128, T), "first": -1},
        it("target", 128, T),
    ],
    "harmony_predictor": lambda T: [fl("context", 128), it("target", 64)],
    "groove_predictor": lambda T: [fl("emotion", 64), fl("target", 32)],
    "dynamics_engine": lambda T: [fl("context", 32), fl("target", 16)],
    "emotion_midi_transformer": lambda T: [
        it("tokens", 388, T),
        fl("emotion", 64),
        it("target", 388, T),
    ],
    "emotion_midi_transformer_qk_norm": lambda T: DATA["emotion_midi_transformer"](T),
    "spectocloud_vit": lambda T: [
        fl("mel", 1, 128, 64),
        fl("emotion", 64),
        fl("midi", 32),
        fl("target", 1200, 10),
    ],
}
# Whose loss is a cross-entropy.
SMOOTHED = (
    "emotion_recognizer",
    "melody_transformer",
    "harmony_predictor",
    "emotion_midi_transformer",
    "emotion_midi_transformer_qk_norm",
)
SMOOTHING = 0.1
# Learning rates of trajectories: a recipe's, where PyTorch's own float32 leaves the path at 1e-3
# (which point of a cloud is nearest turns over).
LR = {"spectocloud_vit": 1e-4}
# Of models whose sizes are options.
SIZES = {
    "emotion_midi_transformer": dict(
        layers=2, dim=16, heads=2, ffn=24, cross=(0,), emotion_tokens=3
    ),
    "emotion_midi_transformer_qk_norm": dict(
        layers=2, dim=16, heads=2, ffn=24, cross=(0,), emotion_tokens=3, qk_norm=1
    ),
}


def tensors(specs, dtype):
    out = []
    for k, s in enumerate(specs):
        s["seed"] = 1001 + k
        if s["dtype"] == "f32":
            out.append(torch.from_numpy(fill(s["seed"], s["shape"])).to(dtype))
            continue
        v = below(s["seed"], s["shape"], s["below"])
        if "first" in s:
            v[:, 0] = s["first"]
        out.append(torch.from_numpy(v))
    return out


# Where the forward pass of spectocloud_vit meets a parameter.
BLOCK = "rel_bias norm1 q_proj k_proj v_proj out_proj norm2 fc1 fc2".split()


def met(name):
    part, stage, *rest = name.split(".")
    at = (0, int(rest[0]), BLOCK.index(rest[1])) if part == "stages" else (1,)
    return (int(stage), *at)


def in_order(named):
    first = [i for i, (n, _) in enumerate(named) if n.startswith(("stages.", "merges."))]
    if not first:
        return named
    lo, hi = first[0], first[-1] + 1
    return named[:lo] + sorted(named[lo:hi], key=lambda p: met(p[0])) + named[hi:]


def build(name, dtype):
    """The model (and probe) with filled parameters; [(name, parameter)], and their description."""
    of = OURS.MODELS[FORMS[name]] if name in FORMS else R.MODELS[name][0]
    model = of(**SIZES.get(name, {}))
    probe = nn.Linear(64, CLASSES) if name == "emotion_recognizer" else None
    named = in_order(list(model.named_parameters())) + (
        [("probe." + n, p) for n, p in probe.named_parameters()] if probe else []
    )
    sizes, table = dict(named), []
    for k, (n, p) in enumerate(named):
        fan = (
            sizes["lstm.weight_hh_l0"].shape[1]
            if n.startswith("lstm.")
            else sizes.get(n.rpartition(".")[0] + ".weight", p).shape[-1]
        )
        scale = 1 / math.sqrt(fan)
        p.data = torch.from_numpy(fill(100 + k, tuple(p.shape), scale))
        table.append(
            {"name": n, "shape": list(p.shape), "seed": 100 + k, "scale": float(np.float32(scale))}
        )
    for m in (model, probe):
        if m is not None:
            m.to(dtype)
    return model, probe, named, table


def loss_of(name, out, target, probe, **kw):
    if name == "emotion_recognizer":
        return F.cross_entropy(probe(out), target, **kw)
    if name in SMOOTHED:
        return F.cross_entropy(out.flatten(0, -2), target.flatten(), **kw)
    return R.loss_of(name, out, target)


def optimizer(lr):
    return {
        "name": "adamw",
        "lr": lr,
        "weight_decay": 0.01,
        "beta1": 0.9,
        "beta2": 0.999,
        "eps": 1e-8,
        "clip": 1.0,
    }


def descend(params, loss_now, steps, lr):
    """The loss before each of `steps` steps."""
    losses, o = [], optimizer(lr)
    opt = torch.optim.AdamW(
        params, lr=lr, weight_decay=o["weight_decay"], betas=(o["beta1"], o["beta2"]), eps=o["eps"]
    )
    for _ in range(steps):
        loss = loss_now()
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, o["clip"])
        opt.step()
        opt.zero_grad()
    return losses


def trajectory(name, specs, dtype):
    model, probe, named, _ = build(name, dtype)
    *x, y = tensors(specs, dtype)
    return descend([p for _, p in named], lambda: loss_of(name, model(*x), y, probe), 100, LR.get(name, 1e-3))


def smoothed(name, specs):
    model, probe, named, _ = build(name, torch.float64)
    *x, y = tensors(specs, torch.float64)
    loss = loss_of(name, model(*x), y, probe, label_smoothing=SMOOTHING)
    loss.backward()
    return {
        "label_smoothing": SMOOTHING,
        "loss_f64": loss.item(),
        "grad_norm": norm_of(named),
        "grads": [gradient(n, p.grad, 8) for n, p in named],
    }


def norm_of(named):
    return float(torch.stack([p.grad.norm() for _, p in named]).norm())


def gradient(name, g, whole=300):
    g = g.double().flatten()
    n, few = g.numel(), min(whole, 64)
    index = list(range(n)) if n <= whole else [i * n // few for i in range(few)]
    out = {"name": name, "norm": float(g.norm()), "sum": float(g.sum())}
    if n > whole:
        out["index"] = index
    return {**out, "value": f32(g[index].numpy())}


def some(out, whole=3000):
    """All of an output, or 1,000 elements at even strides and the largest."""
    x = out.flatten()
    if x.numel() <= whole:
        return f32(out.numpy())
    index = [i * x.numel() // 1000 for i in range(1000)] + [int(x.abs().argmax())]
    return {"index": index, "value": f32(x[index].numpy())}


def case(name, T):
    specs = DATA[name](T)
    runs = {}
    for dtype in (torch.float32, torch.float64):
        model, probe, named, _ = build(name, dtype)
        *x, y = tensors(specs, dtype)
        out = model(*x)
        loss = loss_of(name, out, y, probe)
        loss.backward()
        runs[dtype] = out.detach().double(), loss.item(), named
    out, loss, named = runs[torch.float64]
    low = runs[torch.float32][0]
    result = {
        "length": T,
        "inputs": specs[:-1],
        "target": specs[-1],
        "output_shape": list(out.shape),
        "output": some(out),
        "float32_distance": float((low - out).abs().max() / out.abs().max()),
        "loss_f32": runs[torch.float32][1],
        "loss_f64": loss,
    }
    if name == "emotion_recognizer":
        w = torch.tensor(CLASS_WEIGHTS, dtype=torch.float64)
        result["logits"] = f32(probe(out).detach().numpy())
        result["loss_class_weights"] = loss_of(name, out, y, probe, weight=w).item()
        result["loss_both"] = loss_of(name, out, y, probe, weight=w, label_smoothing=0.1).item()
    result["grad_norm"] = norm_of(named)
    result["grads"] = [gradient(n, p.grad) for n, p in named]
    if name in SMOOTHED:
        result["smoothed"] = smoothed(name, specs)
    result["trajectory_f32"] = [round(v, 8) for v in trajectory(name, specs, torch.float32)]
    result["trajectory_f64"] = [round(v, 10) for v in trajectory(name, specs, torch.float64)]
    return result


def main():
    torch.set_num_threads(1)
    for name in sys.argv[2:] or DATA:
        lengths = {
            "emotion_recognizer": (5, 20),
            "melody_transformer": (5,),
            "emotion_midi_transformer": (5,),
            "emotion_midi_transformer_qk_norm": (5,),
        }.get(name, (1,))
        golden = {
            "made_by": "tests/golden/models.py, PyTorch " + torch.__version__,
            "name": FORMS.get(name, name),
            "batch": BATCH,
            "params": build(name, torch.float32)[3],
        }
        if name == "emotion_recognizer":
            golden.update(classes=CLASSES, class_weights=CLASS_WEIGHTS)
        if name in SIZES:
            text = lambda v: ",".join(map(str, v)) if isinstance(v, tuple) else str(v)
            golden["sizes"] = " ".join(k + "=" + text(v) for k, v in SIZES[name].items())
        golden["optimizer"] = optimizer(LR.get(name, 1e-3))
        golden["cases"] = [case(name, T) for T in lengths]
        write("models_" + name, golden)
        for c in golden["cases"]:
            a, b = c["trajectory_f32"], c["trajectory_f64"]
            print(
                "   ",
                c["length"],
                "distance %.1e" % c["float32_distance"],
                "loss %.6f" % c["loss_f64"],
                "trajectory %.4f -> %.4f, f32 off by at most %.1e"
                % (b[0], b[-1], max(abs(p - q) for p, q in zip(a, b))),
            )


if __name__ == "__main__":
    main()
