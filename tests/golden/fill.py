# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that the golden scripts and the C tests make alike (test_fill in tests/test.h), and
small helpers to write goldens.

Element i of the tensor that belongs to `seed` is float32((h(i + h(seed)) / 2^32 * 2 - 1) * scale),
h being the 32-bit mixer "lowbias32" of Chris Wellons' hash prospector. Integers below n are
floor(h(i + h(seed)) / 2^32 * n).
"""

import json
import os
import numpy as np


def mix(x):
    x = np.asarray(x, np.uint64) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def unit(seed, n):
    return mix(np.arange(n, dtype=np.uint64) + mix(seed)).astype(np.float64) / 2.0**32


def fill(seed, shape, scale=1.0):
    scale = float(np.float32(scale))  # the C side takes a float
    return ((unit(seed, int(np.prod(shape))) * 2 - 1) * scale).astype(np.float32).reshape(shape)


def below(seed, shape, n):
    return np.floor(unit(seed, int(np.prod(shape))) * n).astype(np.int64).reshape(shape)


def f32(x):
    """Numbers for JSON: the shortest decimals that read back as the same float32."""
    return [float(str(v)) for v in np.asarray(x, np.float32).ravel()]


def write(name, value, here=os.path.dirname(os.path.abspath(__file__))):
    path = os.path.join(here, name + ".json")
    with open(path, "w") as f:
        json.dump(value, f, separators=(",", ":"))
        f.write("\n")
    print(name, os.path.getsize(path), "bytes")
