# SPDX-License-Identifier: GPL-3.0-or-later
"""arrays.py: the arrays that tests in C write for the checks beside this file."""
import json
import struct
import numpy as np


def load(path):
    """A safetensors file of F32 arrays, in plain Python."""
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + n])
    header.pop("__metadata__", None)
    return {
        k: np.frombuffer(
            data[8 + n + v["data_offsets"][0] : 8 + n + v["data_offsets"][1]], "<f4"
        ).reshape(v["shape"])
        for k, v in header.items()
    }
