# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the two ONNX forms of a token model against each other: greedy continuation with a cache
and by whole sequences.

    python tests/peers/onnx_past_check.py WHOLE.onnx PAST.onnx [TOKENS]
        needs onnx, onnxruntime, numpy

A prompt of seven tokens in two rows goes into the form with a past at once, then a token at a time,
256 of them; after each, the whole sequence goes through the other form. Tokens are equal, logits
within 1e-4 of the largest. ONNX Runtime's pre-processing for quantisation takes both. Called by
tests/export/onnx.c.
"""

import sys
import numpy as np
import onnx
import onnxruntime as ort
from onnx_accepted import check_quantised, check_shapes

TOLERANCE, PROMPT, ROWS = 1e-4, 7, 2


def open_model(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    check_shapes(model)
    check_quantised(path)
    assert model.ir_version == 8 and [(o.domain, o.version) for o in model.opset_import] == [
        ("", 17)
    ]
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


whole, step = open_model(sys.argv[1]), open_model(sys.argv[2])
count = int(sys.argv[3]) if len(sys.argv) > 3 else 256
caches = [i for i in step.get_inputs() if i.name.startswith("past_key_values.")]
assert [i.name for i in step.get_inputs()][:2] == ["tokens", "emotion"] and caches
assert [o.name for o in step.get_outputs()] == ["logits"] + [
    i.name.replace("past_key_values", "present") for i in caches
]
random = np.random.default_rng(3)
tokens, emotion = random.integers(0, 388, (ROWS, PROMPT)), random.uniform(-1, 1, (ROWS, 64)).astype(
    np.float32
)
past = {i.name: np.zeros((ROWS, i.shape[1], 0, i.shape[3]), np.float32) for i in caches}
new, worst = tokens, 0.0
for _ in range(count):
    logits, *present = step.run(None, {"tokens": new, "emotion": emotion, **past})
    want = whole.run(None, {"tokens": tokens, "emotion": emotion})[0][:, -new.shape[1] :]
    assert logits.shape == want.shape and present[0].shape[2] == tokens.shape[1]
    worst = max(worst, float(np.abs(logits - want).max() / np.abs(want).max()))
    new, other = logits[:, -1:].argmax(-1), want[:, -1:].argmax(-1)
    assert (
        new == other
    ).all(), f"token {tokens.shape[1]} is {new.ravel()}, of the whole sequence {other.ravel()}"
    past, tokens = {i.name: p for i, p in zip(caches, present)}, np.concatenate([tokens, new], 1)
assert worst < TOLERANCE, f"logits differ by {worst:.2e}"
print(f"{count} tokens equal, {len(np.unique(tokens))} different ones, logits within {worst:.1e}")
