# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges exported Core ML packages from outside, on Linux, with coremltools: the package is valid,
every array of its file of numbers is there and read, the typed program is built anew (types,
shapes and arguments checked by coremltools), and its numbers are our own.

    python tests/peers/coreml_check.py FOLDER      needs coremltools 9, numpy

FOLDER holds NAME.mlpackage and NAME.safetensors, inputs and outputs of our own run; a `selftest` in
a model's metadata is judged too. Numbers come from coremltools' evaluation of constants, with inputs
as constants; what it has none for (conv, lstm, ..) is a few lines of numpy here. Apple's own
compiler is asked by none of this. Called by tests/export/coreml.c and tests/cmd/coreml.c.
"""

import glob
import json
import logging
import os
import struct
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import numpy as np
import coremltools as ct
from arrays import load
from coremltools.converters.mil.frontend.milproto import load as milproto
from coremltools.converters.mil.mil import Builder as mb
from coremltools.converters.mil.mil import Function, Program, types
from coremltools.libmilstoragepython import _BlobStorageReader as BlobReader
from coremltools.libmodelpackage import ModelPackage

WITHIN = {"f16": 1e-3, "f16 weights": 1e-3, "f32": 1e-5}


# ---- The package


def check_blobs(path, spec):
    """Every constant of the program that lies in the file, read back by coremltools' reader; and
    nothing else lies there."""
    reader = BlobReader(path)
    read = {10: reader.read_fp16_data, 11: reader.read_float_data}
    offsets = []
    for op in spec.mlProgram.functions["main"].block_specializations["CoreML6"].operations:
        key = {"const": "val", "constexpr_cast": "source_val"}.get(op.type)
        value = op.attributes[key] if key else None
        if value is None or value.WhichOneof("value") != "blobFileValue":
            # halves as numbers of the program itself crash Core ML, other arrays are slow
            kind = value.type.tensorType if value is not None else None
            assert kind is None or kind.rank == 0 or kind.dataType == 23, op.attributes["name"]
            continue
        kind = value.type.tensorType
        count = int(np.prod([d.constant.size for d in kind.dimensions]))
        assert len(read[kind.dataType](value.blobFileValue.offset)) == count
        offsets.append(value.blobFileValue.offset)
    data = open(path, "rb").read()
    count, version = struct.unpack("<II", data[:8])
    assert (count, version) == (len(set(offsets)), 2) and len(offsets) == count
    at = 64
    for offset in sorted(offsets):
        mark, _, size, place, _ = struct.unpack("<IIQQQ", data[offset : offset + 32])
        assert (mark, offset, place) == (0xDEADBEEF, at, at + 64)
        at = (place + size + 63) // 64 * 64
    assert at == len(data)


def check_arguments(program, spec):
    """No argument is left to a default: Apple's compiler has fewer of them than coremltools."""
    block = spec.mlProgram.functions["main"].block_specializations["CoreML6"]
    constant = ("const", "constexpr_cast")
    given = {o.outputs[0].name: set(o.inputs) for o in block.operations if o.type not in constant}
    for op in program.functions["main"].operations:
        if op.op_type not in constant:
            optional = {"lstm": {"peephole", "clip"}}.get(op.op_type, set())
            wanted = {k for k, v in op.inputs.items() if v is not None} - optional
            assert given[op.outputs[0].name] == wanted, (op.op_type, wanted)


# ---- Numbers


def conv(x, weight, bias, strides, pad):
    x = np.pad(x.astype(np.float32), [(0, 0), (0, 0), pad[:2], pad[2:]])
    kh, kw = weight.shape[2:]
    seen = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(2, 3))
    seen = seen[:, :, :: strides[0], :: strides[1]]
    y = np.einsum("bchwyx,ocyx->bohw", seen, weight.astype(np.float32), optimize=True)
    return y + bias.astype(np.float32)[:, None, None]


def avg_pool(x, size, strides):
    seen = np.lib.stride_tricks.sliding_window_view(x.astype(np.float32), tuple(size), axis=(2, 3))
    return seen[:, :, :: strides[0], :: strides[1]].mean(axis=(4, 5))


def lstm(x, h, c, w_ih, w_hh, bias):
    def gate(v):
        return 1 / (1 + np.exp(-v))

    out = []
    for step in x:
        i, f, o, z = np.split(step @ w_ih.T + h @ w_hh.T + bias, 4, axis=1)
        c = gate(f) * c + gate(i) * np.tanh(z)
        h = gate(o) * np.tanh(c)
        out.append(h)
    return np.stack(out), h, c


def evaluated(op, value):
    """What an operation makes of the values of its arguments: by coremltools' own evaluation of
    constants, or by the formulas above. Results have the type that the program says."""
    if op.op_type == "conv":
        out = conv(*(value[k] for k in ("x", "weight", "bias", "strides", "pad")))
        assert list(value["dilations"]) == [1, 1] and value["groups"] == 1
    elif op.op_type == "avg_pool":
        out = avg_pool(value["x"], value["kernel_sizes"], value["strides"])
        assert not np.any(value["pad"])
    elif op.op_type == "lstm":
        out = lstm(
            *(value[k] for k in ("x", "initial_h", "initial_c", "weight_ih", "weight_hh", "bias"))
        )
        assert value["direction"] == "forward" and value["output_sequence"]
    else:
        with Function({}, opset_version=ct.target.iOS16):
            args = {
                k: tuple(mb.const(val=v) for v in one) if isinstance(one, tuple) else one
                for k, one in value.items()
            }
            out = getattr(mb, op.op_type)(**args)
            out = [v.val for v in out] if isinstance(out, (list, tuple)) else out.val
        assert out is not None, f"coremltools evaluates no {op.op_type}"
    out = list(out) if isinstance(out, (list, tuple)) else [out]
    for i, var in enumerate(op.outputs):
        kind = types.nptype_from_builtin(var.dtype)
        out[i] = np.asarray(out[i]).astype(kind).reshape(var.shape)
    return out


def argument(known, var):
    if isinstance(var, (list, tuple)):
        return tuple(known[v.name] for v in var)
    return known[var.name]


def run(program, feed):
    main = program.functions["main"]
    known = {name: feed[name] for name in main.inputs}
    for op in main.operations:
        if op.op_type == "const":
            # numpy wants its own truths as Python's
            value = op.val.val
            known[op.outputs[0].name] = bool(value) if isinstance(value, np.bool_) else value
            continue
        if op.op_type == "constexpr_cast":
            assert op.source_val.val.dtype == np.float16 and op.output_dtype.val == "fp32"
            known[op.outputs[0].name] = op.source_val.val.astype(np.float32)
            continue
        value = {k: argument(known, v) for k, v in op.inputs.items() if v is not None}
        for var, got in zip(op.outputs, evaluated(op, value)):
            known[var.name] = got
    return {v.name: known[v.name] for v in main.outputs}


def cases(path, spec):
    """Inputs by name, and outputs that they must give: of a file beside the package, and of the
    example in the model's own metadata, where there are such."""
    whole = {i.name for i in spec.description.input if i.type.multiArrayType.dataType == 131104}
    names = [o.name for o in spec.description.output]
    beside = path[: -len(".mlpackage")] + ".safetensors"
    example = spec.description.metadata.userDefined.get("selftest")
    assert example or os.path.exists(beside), f"no cases for {path}"
    feeds = []
    if os.path.exists(beside):
        case = load(beside)
        feeds.append((case, {name: case[name] for name in names}))
    if example:
        example = json.loads(example)
        feed = {}
        for one in example["inputs"]:
            i = np.arange(np.prod(one["shape"]), dtype=np.float64)
            sine = one["value"] == "sin(0.37 * i)"
            values = np.sin(0.37 * i) if sine else i % int(one["value"].rsplit(" ", 1)[1])
            feed[one["name"]] = values.reshape(one["shape"])
        wanted = {one["name"]: np.array(one["values"]) for one in example["outputs"]}
        assert set(wanted) <= set(names)
        feeds.append((feed, wanted))
    for feed, wanted in feeds:
        yield {
            i.name: feed[i.name].astype(np.int32 if i.name in whole else np.float32)
            for i in spec.description.input
        }, wanted


def check(path):
    assert ModelPackage.isValid(path), "not a package"
    model = ct.models.MLModel(path, skip_model_load=True)
    spec = model.get_spec()
    assert spec.specificationVersion == 7
    check_blobs(os.path.join(model.weights_dir, "weight.bin"), spec)
    program = milproto.load(spec, specification_version=7, file_weights_dir=model.weights_dir)
    check_arguments(program, spec)
    form = spec.description.metadata.userDefined["precision"].split(",")[0]
    worst = 0.0
    for feed, wanted in cases(path, spec):
        for i in spec.description.input:
            assert list(i.type.multiArrayType.shape) == list(feed[i.name].shape), i.name
        got = run(program, feed)
        for name, want in wanted.items():
            y = got[name].ravel()[: want.size]
            assert got[name].dtype == np.float32 and y.size == want.size
            worst = max(worst, float(np.abs(y - want.ravel()).max() / np.abs(want).max()))
    size = os.path.getsize(os.path.join(model.weights_dir, "weight.bin"))
    print(f"{os.path.basename(path):44s} {size} bytes of numbers, largest difference {worst:.1e}")
    assert worst < WITHIN[form], f"{path}: differs by {worst:.2e}"


found = sorted(glob.glob(os.path.join(sys.argv[1], "*.mlpackage")))
assert found, "no packages"
for one in found:
    check(one)
