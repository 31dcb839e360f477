# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges exported ONNX files from outside: onnx.checker with full shape inference, then ONNX
Runtime against our own outputs.

    python tests/peers/onnx_check.py FOLDER      needs onnx, onnxruntime, numpy

FOLDER holds NAME.onnx and NAME.*.safetensors with that model's inputs and outputs at some size; a
`selftest` in a model's metadata is judged too. With PEERS_QUANTISE=1, shapes of all values and what
quantisation makes of a file as well. Called by tests/export/onnx.c, tests/infer/listen.c and
tests/cmd/exchange.c.
"""

import glob
import json
import os
import sys
import numpy as np
import onnx
import onnxruntime as ort
from arrays import load
from onnx_accepted import check_quantised, check_shapes

TOLERANCE, DYNAMIC = 1e-5, 0.01
VALUES = {
    "sin(0.37 * i)": lambda i: np.sin(0.37 * i),
    "0.5 * sin(1e-5 * i * i)": lambda i: 0.5 * np.sin(1e-5 * i * i),
}


def selftest(session, within=TOLERANCE):
    """The example in the model's own metadata; None when it has none. `within` None: as it says."""
    text = session.get_modelmeta().custom_metadata_map.get("selftest")
    if not text:
        return None
    example, feed, worst = json.loads(text), {}, 0.0
    for one, port in zip(example["inputs"], session.get_inputs()):
        i = np.arange(np.prod(one["shape"]), dtype=np.float64)
        v = (
            VALUES[one["value"]](i)
            if one["value"] in VALUES
            else i % int(one["value"].rsplit(" ", 1)[1])
        )
        feed[one["name"]] = v.reshape(one["shape"]).astype(
            np.int64 if "int64" in port.type else np.float32
        )
    for one in example["outputs"]:
        got = session.run([one["name"]], feed)[0]
        assert list(got.shape) == one["shape"]
        worst = max(worst, float(np.abs(got.ravel() - np.array(one["values"])).max()))
    within = within or example["tolerance"]
    assert worst < within, f"selftest differs by {worst:.2e}"
    return worst


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    if os.environ.get("PEERS_QUANTISE"):
        check_shapes(model)
        whole, *small = check_quantised(path)
        print(f"{os.path.basename(path):28s} {whole} bytes, quantised {small}")
        assert whole < 1 << 20 or max(small) < 0.4 * whole
    assert model.ir_version == 8 and [(o.domain, o.version) for o in model.opset_import] == [
        ("", 17)
    ]
    options = ort.SessionOptions()
    options.log_severity_level = 3
    rounded = any(p.key == "weights" for p in model.metadata_props)
    if rounded:
        # as it is fused by default, too, where int8 weights may have activations rounded
        selftest(ort.InferenceSession(path, options, providers=["CPUExecutionProvider"]), None)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    # a norm that is folded into rounded filters rounds them again
    folded = rounded and any(n.op_type == "Conv" for n in model.graph.node)
    # activations are rounded to 8 bits, each by its own range
    dynamic = any(n.op_type == "MatMulInteger" for n in model.graph.node)
    if dynamic:
        check_shapes(model)
    example = selftest(session, None if folded or dynamic else TOLERANCE)
    worst, cases = 0.0, sorted(glob.glob(path[: -len(".onnx")] + ".*.safetensors"))
    assert cases or example is not None, f"no cases for {path}"
    for case in cases:
        arrays = load(case)
        feed = {
            i.name: arrays[i.name].astype(np.int64 if "int64" in i.type else np.float32)
            for i in session.get_inputs()
        }
        names = [o.name for o in session.get_outputs()]
        for name, got in zip(names, session.run(names, feed)):
            want = arrays[name]
            assert got.shape == want.shape, f"{case}: {name} is {got.shape}, ours {want.shape}"
            distance = float(np.abs(got - want).max() / np.abs(want).max())
            within = DYNAMIC if dynamic else 1e-4 if folded else TOLERANCE
            assert distance < within, f"{case}: {name} differs by {distance:.2e}"
            worst = max(worst, distance)
    print(
        f"{os.path.basename(path):28s} {len(cases)} sizes, largest difference {worst:.1e}"
        + ("" if example is None else f", selftest {example:.1e}")
    )


for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.onnx"))):
    check(path)
