# SPDX-License-Identifier: GPL-3.0-or-later
"""Peer of notes.sh: the instrument recogniser in PyTorch, trained by the recipe of
configs/instrument_nsynth.yaml on the very shards that `kmidi prepare` made, and judged on the same
validation and real notes.

    bench/notes.sh DIR
    python bench/notes_peer.py REFERENCE DIR [--seeds 1 2 3] [--epochs 12] [--threads 1]

REFERENCE is the folder of models.py, whose InstrumentRecognizer it is; DIR the folder that notes.sh
left shards in. Lines are those of notes.sh: the share of notes that is right, question by question,
by the last weights. Needs torch and h5py.

What is alike: standardisation, order of items anew each epoch, masks, mixup, the loss of each
question, its weight and smoothing, norms' statistics of a short batch, clipping, AdamW, rates.
Random numbers are PyTorch's, so a seed names another run than ours.
"""

import argparse
import glob
import json
import math
import os
import sys
import time
import h5py
import numpy as np
import torch
import torch.nn.functional as F

FRAMES, BANDS = 128, 128
# As models/instrument_groups.c has them: name, classes, weight; those of LEVELS are not smoothed.
QUESTIONS = [
    ("family", 16, 1.0),
    ("specific", 32, 0.8),
    ("technique", 16, 0.6),
    ("articulation", 8, 0.4),
    ("register", 4, 0.4),
    ("brightness", 4, 0.4),
    ("style", 12, 1.0),
    ("energy", 8, 0.8),
    ("role", 8, 0.6),
    ("valence", 8, 0.8),
    ("arousal", 8, 0.8),
    ("dynamic_range", 4, 0.4),
    ("human_feel", 8, 0.4),
    ("vibrato", 4, 0.4),
    ("attack", 8, 0.4),
    ("sustain", 8, 0.4),
    ("genre", 4, 0.4),
]
LEVELS = {"energy", "valence", "arousal", "human_feel"}
# configs/instrument_nsynth.yaml, with what it extends.
BATCH, RATE, DECAY, WARMUP_EPOCHS, CLIP = 16, 1e-3, 0.01, 0.5, 1.0
MIXUP, SMOOTHING, MASK_BANDS, MASK_FRAMES = 0.3, 0.1, 16, 16


def arguments():
    ap = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    ap.add_argument("reference")
    ap.add_argument("dir")
    ap.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    ap.add_argument("--epochs", type=int, default=12)
    ap.add_argument("--threads", type=int, default=1)
    return ap.parse_args()


def read_shards(pattern):
    """The frames of each item [T, BANDS], and its classes [N, questions], -1: none."""
    notes, classes = [], []
    paths = sorted(glob.glob(pattern))
    if not paths:
        sys.exit(f"no shards are {pattern}; run bench/notes.sh first")
    for path in paths:
        with h5py.File(path) as f:
            of = {g["name"]: k for k, g in enumerate(json.loads(f.attrs["groups"]))}
            rows, at, own = f["mel"][()], f["mel_offsets"][()], f["classes"][()]
            notes += [rows[a:b] for a, b in zip(at, at[1:])]
            none = np.full(len(own), -1, own.dtype)
            told = [own[:, of[name]] if name in of else none for name, _, _ in QUESTIONS]
            classes.append(np.stack(told, 1))
    return notes, torch.from_numpy(np.concatenate(classes)).long()


def pictures(notes, mean, deviation):
    """[N, 1, BANDS, FRAMES]: the first frames; a shorter item at the end, the mean before it."""
    x = np.zeros((len(notes), FRAMES, BANDS), np.float32)
    for row, note in zip(x, notes):
        n = min(len(note), FRAMES)
        row[FRAMES - n :] = (note[:n] - mean) / deviation
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 2, 1))[:, None])


def masked(x):
    """One mask over bands and one over frames, each 0 to 16 wide, anywhere."""
    x = x.clone()
    for row in x:
        n = int(torch.randint(MASK_BANDS + 1, ()))
        first = int(torch.randint(BANDS - n + 1, ()))
        row[:, first : first + n] = 0
        n = int(torch.randint(MASK_FRAMES + 1, ()))
        first = int(torch.randint(FRAMES - n + 1, ()))
        row[:, :, first : first + n] = 0
    return x


def loss_of(logits, classes, share):
    """Each item's losses, all questions that it answers, times its share; summed."""
    total, offset = 0, 0
    for k, (name, size, weight) in enumerate(QUESTIONS):
        one = F.cross_entropy(
            logits[:, offset : offset + size],
            classes[:, k],
            ignore_index=-1,
            reduction="none",
            label_smoothing=0 if name in LEVELS else SMOOTHING,
        )
        total = total + 0.5 * weight * (one * share).sum()
        offset += size
    return total


def step_loss(model, x, classes, rows):
    """Of a batch of items, each mixed with another; a short batch is filled by its own items, which
    count for the norms alone."""
    n = len(rows)
    other = torch.randint(len(x), (n,))
    own = torch.distributions.Beta(MIXUP, MIXUP).sample((n,))
    at = own[:, None, None, None]
    batch = at * masked(x[rows]) + (1 - at) * masked(x[other])
    logits = model(batch[torch.arange(BATCH) % n])[:n]
    return (loss_of(logits, classes[rows], own) + loss_of(logits, classes[other], 1 - own)) / n


def rate_at(step, warmup, total):
    if step < warmup:
        return RATE * step / warmup
    return RATE * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def train(model, x, classes, epochs):
    per_epoch = -(-len(x) // BATCH)
    total, warmup = epochs * per_epoch, int(WARMUP_EPOCHS * per_epoch + 0.5)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    model.train()
    for step in range(total):
        if step % per_epoch == 0:
            order, said = torch.randperm(len(x)), 0
        first = step % per_epoch * BATCH
        loss = step_loss(model, x, classes, order[first : first + BATCH])
        optimiser.param_groups[0]["lr"] = rate_at(step, warmup, total)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        said += loss.item()
        if (step + 1) % per_epoch == 0:
            print(f"epoch {step // per_epoch + 1}: {said / per_epoch:.4f}", file=sys.stderr)


@torch.no_grad()
def judge(model, x, classes):
    model.eval()
    logits = torch.cat([model(part) for part in x.split(BATCH)])
    said, offset = [], 0
    for k, (name, size, _) in enumerate(QUESTIONS):
        told = classes[:, k] >= 0
        right = logits[told, offset : offset + size].argmax(1) == classes[told, k]
        if told.any():
            said.append(f"{name} {right.float().mean().item():.3f}")
        offset += size
    return ", ".join(said)


def main():
    a = arguments()
    sys.path.insert(0, os.path.abspath(a.reference))
    import models

    torch.set_num_threads(a.threads)
    torch.set_flush_denormal(True)
    notes, classes = read_shards(os.path.join(a.dir, "shards/train-*.h5"))
    frames = np.concatenate(notes).astype(np.float64)
    mean, deviation = frames.mean(0).astype(np.float32), frames.std(0).astype(np.float32)
    deviation[deviation <= 1e-5] = 1
    x = pictures(notes, mean, deviation)
    judged = {}
    for name, where in ("valid", "shards/valid-*.h5"), ("real", "real/test-*.h5"):
        others, told = read_shards(os.path.join(a.dir, where))
        judged[name] = pictures(others, mean, deviation), told
    for seed in a.seeds:
        torch.manual_seed(seed)
        model, began = models.InstrumentRecognizer(), time.process_time()
        train(model, x, classes, a.epochs)
        took = time.process_time() - began
        for name, of in judged.items():
            print(f"seed {seed}, {name}: {judge(model, *of)}", flush=True)
        print(f"seed {seed}: {took:.0f} s of processor", file=sys.stderr)


main()
