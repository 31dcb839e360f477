# SPDX-License-Identifier: GPL-3.0-or-later
"""The yardstick of configs/emotion_recognizer.yaml: the same network and recipe in PyTorch on real
emotional speech.

    python bench/emodb_yardstick.py [--data ../shared/data/emodb]
        [--reference ../shared/reference] [--seeds 0,1,2] [--KEY VALUE ...]

Needs PyTorch and librosa. EmoDB, four emotions; five speakers train, one validates (35 utterances:
one of them is 0.029 of accuracy). Log-mel frames, standardised by band with the training frames'
mean and deviation; in training an utterance longer than `frames` is cut to a random window, a
shorter one gets zeros (the mean) in front; one band of frequencies is masked. The network reads its
last frame's LSTM state, so what counts is that real sound comes last. Prints one JSON line a seed
(accuracy of the last epoch, of the best one, and of the last under other ways to cut the validation
utterances), then their means.
"""

import argparse
import importlib.util
import json
import math
import os
import sys
import time
import numpy as np
import torch
import torch.nn.functional as F

CLASSES = ["anger", "happiness", "neutral", "sadness"]


def arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    ap = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    ap.add_argument("--data", default=os.path.join(here, "../../shared/data/emodb"))
    ap.add_argument("--reference", default=os.path.join(here, "../../shared/reference"))
    ap.add_argument("--seeds", default="0,1,2,3,4")
    ap.add_argument(
        "--hold", default="11", help="the speaker to validate on; 11 is the split of the data set"
    )
    ap.add_argument("--threads", type=int, default=1)
    for key, value in dict(
        n_fft=1024,
        hop=320,
        bands=128,
        htk=0,
        norm="slaney",
        power=2.0,
        log="ln",
        floor=1e-6,
        top_db=0.0,
        frames=150,
        epochs=60,
        batch=16,
        drop_last=0,
        lr=1e-3,
        min_lr_ratio=0.0,
        warmup=0,
        schedule="cosine",
        weight_decay=0.01,
        clip=1.0,
        smoothing=0.1,
        mask=20,
        time_mask=0,
        eval="last",
    ).items():
        ap.add_argument("--" + key, type=type(value), default=value)
    return ap.parse_args()


def recognizer(folder):
    spec = importlib.util.spec_from_file_location(
        "reference_models", os.path.join(folder, "models.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EmotionRecognizer()


def features(a):
    """Two lists of (frames [T, bands], class), not yet standardised: those to train on and those of
    the speaker held out."""
    import librosa

    train, valid = [], []
    for line in open(os.path.join(a.data, "manifest.jsonl")):
        row = json.loads(line)
        x, rate = librosa.load(os.path.join(a.data, row["path"]), sr=None)
        assert rate == 16000
        mel = librosa.feature.melspectrogram(
            y=x,
            sr=rate,
            n_fft=a.n_fft,
            hop_length=a.hop,
            n_mels=a.bands,
            power=a.power,
            pad_mode="reflect",
            htk=bool(a.htk),
            norm=a.norm if a.norm != "none" else None,
        )
        if a.log == "ln":
            mel = np.log(mel + a.floor)
        elif a.log == "lnmax":
            mel = np.log(np.maximum(mel, a.floor))
        else:
            mel = librosa.power_to_db(mel, amin=a.floor, top_db=a.top_db or None)
        item = torch.from_numpy(mel.T.astype(np.float32)), CLASSES.index(row["label"])
        (valid if row["speaker"] == a.hold else train).append(item)
    return train, valid


def window(x, n, begin):
    """n frames from `begin`; a shorter clip gets zeros in front."""
    if len(x) < n:
        return F.pad(x, (0, 0, n - len(x), 0))
    return x[begin : begin + n]


def train_batch(a, items, rng):
    out = []
    for x, _ in items:
        x = window(x, a.frames, int(rng.integers(0, max(len(x) - a.frames, 0) + 1))).clone()
        width = int(rng.integers(0, a.mask + 1))
        begin = int(rng.integers(0, a.bands - width + 1))
        x[:, begin : begin + width] = 0
        width = int(rng.integers(0, a.time_mask + 1))
        begin = int(rng.integers(0, a.frames - width + 1))
        x[begin : begin + width] = 0
        out.append(x)
    return torch.stack(out), torch.tensor([y for _, y in items])


def predict(a, model, probe, items, how):
    """Log-probabilities [N, classes]: the last frames, the centre, the mean over windows half a
    window apart, or the whole clip."""
    run = lambda x: probe(model(x)).log_softmax(-1)
    if how == "whole":
        return torch.cat(
            [run(window(x, a.frames, 0)[None] if len(x) < a.frames else x[None]) for x, _ in items]
        )
    rest = [max(len(x) - a.frames, 0) for x, _ in items]
    if how == "windows":
        starts = [sorted({*range(0, r + 1, a.frames // 2), r}) for r in rest]
        return torch.stack(
            [
                run(torch.stack([window(x, a.frames, s) for s in ss])).mean(0)
                for (x, _), ss in zip(items, starts)
            ]
        )
    return run(
        torch.stack(
            [window(x, a.frames, r if how == "last" else r // 2) for (x, _), r in zip(items, rest)]
        )
    )


def scores(a, model, probe, items, how):
    truth = torch.tensor([y for _, y in items])
    with torch.no_grad():
        p = predict(a, model, probe, items, how)
    hit, guess = p.argmax(1) == truth, p.argmax(1)
    f1 = np.mean(
        [
            2
            * int((hit & (truth == c)).sum())
            / max(int((guess == c).sum() + (truth == c).sum()), 1)
            for c in range(len(CLASSES))
        ]
    )
    return {
        "accuracy": float(hit.float().mean()),
        "loss": float(F.nll_loss(p, truth)),
        "macro_f1": float(f1),
    }


def rate_at(a, step, steps):
    if step < a.warmup:
        return a.lr * (step + 1) / a.warmup
    if a.schedule == "constant":
        return a.lr
    t = (step - a.warmup) / max(steps - a.warmup, 1)
    return a.lr * (a.min_lr_ratio + (1 - a.min_lr_ratio) * 0.5 * (1 + math.cos(math.pi * t)))


def train(a, seed, data, valid):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model, probe = recognizer(a.reference), torch.nn.Linear(64, len(CLASSES))
    params = [*model.parameters(), *probe.parameters()]
    opt = torch.optim.AdamW(params, lr=a.lr, weight_decay=a.weight_decay)
    per_epoch = len(data) // a.batch if a.drop_last else -(-len(data) // a.batch)
    step, history, begin = 0, [], time.time()
    for _ in range(a.epochs):
        order, total = rng.permutation(len(data)), 0.0
        for k in range(per_epoch):
            x, y = train_batch(a, [data[i] for i in order[k * a.batch : (k + 1) * a.batch]], rng)
            for g in opt.param_groups:
                g["lr"] = rate_at(a, step, per_epoch * a.epochs)
            loss = F.cross_entropy(probe(model(x)), y, label_smoothing=a.smoothing)
            loss.backward()
            if a.clip:
                torch.nn.utils.clip_grad_norm_(params, a.clip)
            opt.step()
            opt.zero_grad()
            step, total = step + 1, total + loss.item()
        history.append({**scores(a, model, probe, valid, a.eval), "train_loss": total / per_epoch})
    acc = [h["accuracy"] for h in history]
    row = {
        "seed": seed,
        "last": acc[-1],
        "best": max(acc),
        "best_epoch": acc.index(max(acc)) + 1,
        "tail10": float(np.mean(acc[-10:])),
        "macro_f1": history[-1]["macro_f1"],
        "valid_loss": history[-1]["loss"],
        "train_loss": history[-1]["train_loss"],
        "lowest_loss_epoch": int(np.argmin([h["loss"] for h in history])) + 1,
        "seconds": time.time() - begin,
    }
    others = {
        "last_" + how: scores(a, model, probe, valid, how)["accuracy"]
        for how in ("last", "centre", "windows", "whole")
    }
    return {**row, **others, "curve": [round(h["accuracy"], 3) for h in history[4::5]]}


def main():
    a = arguments()
    torch.set_num_threads(a.threads)
    data, valid = features(a)
    frames = torch.cat([x for x, _ in data])
    mean, deviation = frames.mean(0), frames.std(0, unbiased=False).clamp(min=1e-5)
    data, valid = ([((x - mean) / deviation, y) for x, y in s] for s in (data, valid))
    rows = []
    for seed in map(int, a.seeds.split(",")):
        rows.append(train(a, seed, data, valid))
        print(
            json.dumps(
                {k: round(v, 4) if isinstance(v, float) else v for k, v in rows[-1].items()}
            ),
            flush=True,
        )
    summary = {"seeds": len(rows), "train_items": len(data), "valid_items": len(valid)}
    for k in (
        "last",
        "best",
        "tail10",
        "macro_f1",
        "last_last",
        "last_centre",
        "last_windows",
        "last_whole",
    ):
        v = [r[k] for r in rows]
        summary[k] = {
            "mean": round(float(np.mean(v)), 4),
            "min": round(min(v), 4),
            "max": round(max(v), 4),
        }
    print(json.dumps(summary))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
