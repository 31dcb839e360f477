# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers of safetensors files, sound and not, and what the safetensors library says of each.

    python tests/peers/safetensors_matrix.py FOLDER      needs safetensors

Writes FOLDER/NNN.safetensors and FOLDER/list: "NNN ok" or "NNN refused". Called by
tests/export/safetensors.c.
"""

import json
import os
import struct
import sys
from safetensors import deserialize

FOLDER = sys.argv[1]
files = []


def raw(header, data=b"", length=None):
    header = header.encode() if isinstance(header, str) else header
    files.append(struct.pack("<Q", len(header) if length is None else length) + header + data)


def entry(dtype="F32", shape="[2]", offsets="[0, 8]", more=""):
    return f'"a": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": {offsets}{more}}}'


def one(data=8, **how):
    raw("{" + entry(**how) + "}", b"\0" * data)


BITS = dict(
    BOOL=8,
    U8=8,
    I8=8,
    F8_E5M2=8,
    F8_E4M3=8,
    F8_E8M0=8,
    F8_E4M3FNUZ=8,
    F8_E5M2FNUZ=8,
    I16=16,
    U16=16,
    F16=16,
    BF16=16,
    I32=32,
    U32=32,
    F32=32,
    C64=64,
    F64=64,
    I64=64,
    U64=64,
    F4=4,
    F6_E2M3=6,
    F6_E3M2=6,
    C128=128,
    I4=4,
    U4=4,
    BF32=32,
    F128=128,
    F8=8,
    f32=32,
    float32=32,
)
for name, bits in BITS.items():
    for count in (0, 1, 3, 4, 8):
        size = bits * count // 8
        one(size, dtype=name, shape=f"[{count}]", offsets=f"[0, {size}]")
        one(size + 1, dtype=name, shape=f"[{count}]", offsets=f"[0, {size + 1}]")
for number in (
    "8.0",
    "8e0",
    "0.8e1",
    "8",
    "08",
    "+8",
    "-8",
    '"8"',
    "null",
    "true",
    "[8]",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "-0",
    "-0.0",
):
    one(offsets=f"[0, {number}]")
    one(shape=f"[{number}]", offsets="[0, 8]")
    one(8, offsets=f"[{number}, 8]")
for shape, size in (
    ("[]", 4),
    ("[1,1,1,1,1,1,1,1,1,1,1,1,2]", 8),
    ("[0]", 0),
    ("[3, 0, 5]", 0),
    ("[0, 4294967296, 4294967296, 4294967296]", 0),
    ("[4294967296, 4294967296, 4294967296]", 8),
    ("[2,]", 8),
    ("2", 8),
    ("{}", 4),
    ("null", 4),
    ('"2"', 8),
    ("[[2]]", 8),
):
    one(size, shape=shape, offsets=f"[0, {size}]")
for offsets in (
    "[0, 8, 8]",
    "[8]",
    "[]",
    "8",
    "[8, 0]",
    "[0, 16]",
    "[4, 12]",
    "{}",
    "null",
    "[[0, 8]]",
):
    one(offsets=offsets)
for meta in (
    "null",
    "{}",
    '{"format": "pt"}',
    '{"format": null}',
    '{"n": 1}',
    '{"a": ["b"]}',
    "[]",
    "1",
    '"x"',
    "true",
    '{"a": "1", "a": "2"}',
    '{"\\u00e4": "\\ud834\\udd1e"}',
    '{"": ""}',
):
    raw('{"__metadata__": ' + meta + ", " + entry() + "}", b"\0" * 8)
raw('{"__metadata__": {"a": "b"}, "__metadata__": {"c": "d"}, ' + entry() + "}", b"\0" * 8)
for before in ("", " ", "  \n", "\t", "\r\n", "\0", "\ufeff", "x", "//\n", "["):
    raw(before + "{" + entry() + "}", b"\0" * 8)
for behind in (" ", "\n", "\t ", "\0", "x", "{}", ",", " " * 100):
    raw("{" + entry() + "}" + behind, b"\0" * 8)
for more in (
    ', "extra": 1',
    ', "extra": {"a": [1, 2.5, null]}',
    ', "dtype": "F32"',
    ', "shape": [2]',
    ', "": ""',
    ",",
):
    one(more=more)
two = '"b": {"dtype": "F32", "shape": [2], "data_offsets": %s}'
for offsets, size in (
    ("[8, 16]", 16),
    ("[0, 8]", 8),
    ("[4, 12]", 12),
    ("[9, 17]", 17),
    ("[12, 20]", 20),
    ("[8, 16]", 17),
    ("[8, 16]", 15),
):
    raw("{" + entry() + ", " + two % offsets + "}", b"\0" * size)
raw("{" + two % "[8, 16]" + ", " + entry() + "}", b"\0" * 16)
raw("{" + entry() + ", " + entry() + "}", b"\0" * 8)  # a name twice
raw("{" + entry() + ", " + entry(offsets="[8, 16]") + "}", b"\0" * 16)
empty = '"e%d": {"dtype": "F32", "shape": [0], "data_offsets": [%d, %d]}'
raw("{" + empty % (0, 0, 0) + ", " + entry() + ", " + empty % (1, 8, 8) + "}", b"\0" * 8)
raw("{" + empty % (0, 4, 4) + ", " + entry() + "}", b"\0" * 8)
raw("{}")
raw("{}", b"\0")
raw("")
raw("[]")
raw("null")
raw("{" + entry() + "}", b"\0" * 8, 10)
raw("{" + entry() + "}", b"\0" * 8, 1 << 40)
raw("{" + entry() + "}", b"\0" * 8, (1 << 64) - 1)
raw(b'{"\xff": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', b"\0" * 8)
raw('{"": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', b"\0" * 8)
raw('{"\\u0000": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}', b"\0" * 8)
raw('{"a": 1}')
raw('{"a": null}')
raw("{'a': 1}")
raw('{"a": {"dtype": null, "shape": [2], "data_offsets": [0, 8]}}', b"\0" * 8)
raw('{"a": {"shape": [2], "data_offsets": [0, 8]}}', b"\0" * 8)
raw('{"a": {"dtype": "F32", "data_offsets": [0, 8]}}', b"\0" * 8)
raw('{"a": {"dtype": "F32", "shape": [2]}}', b"\0" * 8)
raw('{"a": ["F32", [2], [0, 8]]}', b"\0" * 8)  # a struct as a sequence
with open(os.path.join(FOLDER, "list"), "w") as out:
    for i, data in enumerate(files):
        with open(os.path.join(FOLDER, f"{i:03d}.safetensors"), "wb") as f:
            f.write(data)
        try:
            deserialize(data)
            verdict = "ok"
        except Exception as e:
            verdict = "refused"
        print(f"{i:03d} {verdict}", file=out)
print(len(files), "files")
