# SPDX-License-Identifier: GPL-3.0-or-later
"""python/ held against kmidi: the modules give what our ONNX files give, with the parameters' names
and shapes; and the examples run.

    python tests/peers/python_check.py PYTHON FOLDER [REFERENCE]
        needs torch, safetensors, peft, onnxruntime, numpy

PYTHON is the folder python/. FOLDER holds NAME.safetensors and NAME.onnx of one checkpoint each,
past.onnx (of emotion_midi_transformer), base.safetensors, adapter/ and merged.safetensors of an
adapter, front.onnx and sound.wav. Where the reference definitions are (../shared/reference), names,
shapes and outputs are held against those, too. Called by tests/cmd/python.c.
"""

import glob
import os
import subprocess
import sys
import numpy as np
import onnxruntime
import torch
from safetensors.torch import load_file

PYTHON, FOLDER = sys.argv[1:3]
REFERENCE = sys.argv[3] if len(sys.argv) > 3 else os.path.join(PYTHON, "../../shared/reference")
sys.path[:0] = [PYTHON, REFERENCE]
import kmidi_models  # noqa: E402

torch.manual_seed(2)
torch.set_num_threads(1)
reference = __import__("models") if os.path.exists(os.path.join(REFERENCE, "models.py")) else None
random = np.random.default_rng(4)


def inputs(session):
    size = {"batch": 3, "time": 7}
    return {
        p.name: (
            random.integers(
                -1 if p.name == "prev_note" else 0, 128, [size.get(d, d) for d in p.shape]
            )
            if "int64" in p.type
            else random.normal(size=[size.get(d, d) for d in p.shape]).astype(np.float32)
        )
        for p in session.get_inputs()
    }


def distance(a, b):
    return float(np.abs(a - b).max() / np.abs(b).max())


def example(name, *arguments):
    r = subprocess.run(
        [sys.executable, os.path.join(PYTHON, name), *arguments], capture_output=True, text=True
    )
    assert r.returncode == 0, r.stderr
    return r.stdout.split()


for name in kmidi_models.MODELS:
    path = os.path.join(FOLDER, name)
    network = kmidi_models.load(path + ".safetensors")
    session = onnxruntime.InferenceSession(path + ".onnx", providers=["CPUExecutionProvider"])
    feed = inputs(session)
    want = session.run([session.get_outputs()[0].name], feed)[0]
    with torch.no_grad():
        got = network(*map(torch.from_numpy, feed.values())).numpy()
    assert distance(got, want) < 1e-5, f"{name}: {distance(got, want):.2e} from ONNX"
    if reference and len(network.state_dict()) == len(reference.MODELS[name][0]().state_dict()):
        theirs = reference.MODELS[name][0]()
        fresh = kmidi_models.build(name)
        assert {k: v.shape for k, v in fresh.state_dict().items()} == {
            k: v.shape for k, v in theirs.state_dict().items()
        }, name
        theirs.load_state_dict(fresh.state_dict())
        with torch.no_grad():
            a, b = (
                m.eval()(*map(torch.from_numpy, feed.values())).numpy() for m in (fresh, theirs)
            )
        assert distance(a, b) < 1e-6, f"{name}: {distance(a, b):.2e} from the reference"
    print(f"{name}: {distance(got, want):.1e} from ONNX")

example(
    "adapter.py",
    os.path.join(FOLDER, "base.safetensors"),
    os.path.join(FOLDER, "adapter"),
    os.path.join(FOLDER, "again.safetensors"),
)
ours, theirs = (
    load_file(os.path.join(FOLDER, n)) for n in ("merged.safetensors", "again.safetensors")
)
assert all(distance(theirs[k].numpy(), v.numpy()) < 1e-6 for k, v in ours.items())
events = list(map(int, example("generate.py", os.path.join(FOLDER, "past.onnx"), "grief", "40")))
assert len(events) == 40 and all(0 <= e < 388 for e in events)
words = example(
    "classify.py", os.path.join(FOLDER, "front.onnx"), os.path.join(FOLDER, "sound.wav")
)
assert (
    words[0] == "valence" and abs(sum(float(w[:-1]) for w in words if w.endswith("%")) - 100) < 1
), words
print(" ".join(words))
