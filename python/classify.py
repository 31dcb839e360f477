# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sound expresses, by the ONNX file that hears waveforms:

    kmidi export runs/emotion_recognizer --format onnx --front-end -o emotion.onnx
    python python/classify.py emotion.onnx speech.wav

Needs onnxruntime, numpy; the wav is of 16 bits at the file's sample_rate (ffmpeg -i x.mp3 -ar RATE
-ac 1 speech.wav).
"""

import json
import sys
import wave
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
said = session.get_modelmeta().custom_metadata_map
with wave.open(sys.argv[2]) as file:
    if file.getframerate() != int(said["sample_rate"]) or file.getsampwidth() != 2:
        sys.exit(f"{sys.argv[2]}: {said['sample_rate']} Hz and 16 bits are needed")
    sound = (
        np.frombuffer(file.readframes(file.getnframes()), "<i2")
        .reshape(-1, file.getnchannels())
        .mean(1)
        / 32768
    )
outputs = dict(
    zip(
        (o.name for o in session.get_outputs()),
        session.run(None, {"waveform": sound.astype(np.float32)[None]}),
    )
)
print(f"valence {outputs['embedding'][0, 0]:+.2f}, arousal {outputs['embedding'][0, 1]:+.2f}")
for label, p in sorted(
    zip(json.loads(said["labels"]), outputs.get("probabilities", [[]])[0]), key=lambda x: -x[1]
):
    print(f"{label:20s} {100 * p:5.1f}%")
