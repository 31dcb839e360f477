# SPDX-License-Identifier: GPL-3.0-or-later
"""Events from the transformer, one at a time behind a cache of keys and values, by ONNX Runtime
alone:

    kmidi export runs/emotion_midi_transformer --format onnx --with-past -o transformer.onnx
    python python/generate.py transformer.onnx joy 200

Prints the events' numbers (docs/tokens.md says what they mean). Needs onnxruntime, numpy.
"""

import json
import sys
import numpy as np
import onnxruntime

path, name, count = (
    sys.argv[1],
    sys.argv[2] if len(sys.argv) > 2 else "joy",
    int(sys.argv[3]) if len(sys.argv) > 3 else 200,
)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
said = json.loads(session.get_modelmeta().custom_metadata_map["emotion_vector"])
emotion = np.zeros((1, 64), np.float32)
emotion[0, :2] = point = said["presets"][name]  # valence, arousal
emotion[0, 2] = np.sqrt(np.mean(np.square(point)))  # intensity
caches = [i for i in session.get_inputs() if i.name.startswith("past_key_values.")]
past = {i.name: np.zeros((1, i.shape[1], 0, i.shape[3]), np.float32) for i in caches}
draw, events = np.random.default_rng(1), [380]  # begins with a velocity
while len(events) < count:
    new = np.array([events[-1:]])  # the cache holds those before
    logits, *present = session.run(None, {"tokens": new, "emotion": emotion, **past})
    past = {i.name: p for i, p in zip(caches, present)}
    likely = logits[0, -1].argsort()[-40:]  # top-k 40
    chance = np.exp(logits[0, -1, likely] - logits[0, -1].max())
    events.append(int(draw.choice(likely, p=chance / chance.sum())))
print(*events)
