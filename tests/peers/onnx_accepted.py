# SPDX-License-Identifier: GPL-3.0-or-later
"""What tools ask of an ONNX file beside that it runs: for onnx_check.py and onnx_past_check.py."""

import logging
import os
import shutil
import tempfile
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

logging.disable(logging.WARNING)


def check_shapes(model):
    """Type and shape of every value are given, and are what onnx's own inference finds, where that
    finds something."""
    given = {v.name: v.type.tensor_type for v in [*model.graph.value_info, *model.graph.output]}
    missing = [o for n in model.graph.node for o in n.output if o and o not in given]
    assert not missing, f"no shape is given for {missing[:4]}"
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    for v in onnx.shape_inference.infer_shapes(bare, data_prop=True).graph.value_info:
        mine, theirs = given[v.name], v.type.tensor_type
        assert mine.elem_type == theirs.elem_type, v.name
        if not theirs.HasField("shape"):
            continue
        assert len(mine.shape.dim) == len(theirs.shape.dim), v.name
        for a, b in zip(mine.shape.dim, theirs.shape.dim):
            assert not (a.dim_value and b.dim_value) or a.dim_value == b.dim_value, (v.name, a, b)


def check_quantised(path):
    """ONNX Runtime's pre-processing takes the file, and quantize_dynamic finds its matrices: a
    large file becomes a quarter."""
    folder = tempfile.mkdtemp()
    pre, small = os.path.join(folder, "pre.onnx"), os.path.join(folder, "small.onnx")
    try:
        quant_pre_process(path, pre, skip_symbolic_shape=False)
        sizes = [os.path.getsize(path)]
        for source in (path, pre):
            quantize_dynamic(source, small, weight_type=QuantType.QInt8)
            sizes.append(os.path.getsize(small))
        return sizes
    finally:
        shutil.rmtree(folder)
