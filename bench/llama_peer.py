# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer of `kmidi bench emotion_midi_transformer --generate`: llama.cpp, a llama of random weights
whose matrices have the bytes of ours.

    npm i --ignore-scripts @node-llama-cpp/linux-x64     # in a scratch folder: llama.cpp, built
    pip install gguf
    python bench/llama_peer.py node_modules/@node-llama-cpp/linux-x64/bins/linux-x64 \\
        [--context 512] [--threads 1] [--count 8] [--weights f32|bf16|q8_0]
        [--cache f32|f16|q8_0]

8 layers of 384, 6 heads, 388 tokens; the feed-forward part is 1,920 wide in place of 1,792, which
is what the attention to the emotion has in ours. Caches have as many bytes as ours: f32, f16 beside
weights of bf16, q8_0 beside those of q8_0; flash attention but for f32, which is slower by it. A
batch has a token of each sequence; the likeliest is taken next. A median of five slices of 64 steps
behind the context, as kmidi has it; one JSON line. llama.cpp's structures are those of its release
v0.5.0 (node-llama-cpp 3.22.1); others are refused by what they say of their defaults.
"""

import argparse
import ctypes as ct
import glob
import json
import os
import statistics
import tempfile
import time
import gguf
import numpy as np

SLICES, SLICE_STEPS, WARM_UP, BATCH = 5, 64, 4, 512
TOKENS, LAYERS, DIM, HEADS, FFN = 388, 8, 384, 6, 1920
QUANTS = gguf.GGMLQuantizationType
ap = argparse.ArgumentParser()
ap.add_argument("folder")
ap.add_argument("--context", type=int, default=512)
ap.add_argument("--threads", type=int, default=1)
ap.add_argument("--count", type=int, default=1)
ap.add_argument("--weights", choices=["f32", "bf16", "q8_0"], default="f32")
ap.add_argument("--cache", choices=["f32", "f16", "q8_0"])
a = ap.parse_args()
a.cache = a.cache or {"bf16": "f16"}.get(a.weights, a.weights)
TYPE = QUANTS[a.weights.upper()]


def write_model(path):
    """The file; the bytes of matrices that a step reads."""
    w, rng, read = gguf.GGUFWriter(path, "llama"), np.random.default_rng(0), 0
    w.add_context_length(65536)
    w.add_embedding_length(DIM)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(FFN)
    w.add_head_count(HEADS)
    w.add_head_count_kv(HEADS)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(DIM // HEADS)
    w.add_vocab_size(TOKENS)
    w.add_tokenizer_model("no_vocab")

    def matrix(name, rows, columns):
        nonlocal read
        x = (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)
        x = x if a.weights == "f32" else gguf.quants.quantize(x, TYPE)
        w.add_tensor(name, x, raw_dtype=TYPE)
        read += x.nbytes

    matrix("token_embd.weight", TOKENS, DIM)
    w.add_tensor("output_norm.weight", np.ones(DIM, np.float32))
    for i in range(LAYERS):
        for name, rows, columns in [
            ("attn_q", DIM, DIM),
            ("attn_k", DIM, DIM),
            ("attn_v", DIM, DIM),
            ("attn_output", DIM, DIM),
            ("ffn_gate", FFN, DIM),
            ("ffn_up", FFN, DIM),
            ("ffn_down", DIM, FFN),
        ]:
            matrix(f"blk.{i}.{name}.weight", rows, columns)
        for name in ["attn_norm", "ffn_norm"]:
            w.add_tensor(f"blk.{i}.{name}.weight", np.ones(DIM, np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return read


class ModelParams(ct.Structure):
    _fields_ = [
        ("devices", ct.c_void_p),
        ("overrides", ct.c_void_p),
        ("numbers", ct.c_int32 * 5),
        ("rest", ct.c_void_p * 4),
        ("flags", ct.c_bool * 8),
    ]


class ContextParams(ct.Structure):
    _fields_ = [
        (n, ct.c_uint32)
        for n in ("ctx", "batch", "ubatch", "seq_max", "rs_seq", "outputs", "other")
    ]
    _fields_ += [
        (n, ct.c_int32)
        for n in ("threads", "threads_batch", "kind", "rope", "pooling", "attention", "flash")
    ]
    _fields_ += [
        ("floats", ct.c_float * 6),
        ("orig", ct.c_uint32),
        ("defrag", ct.c_float),
        ("eval", ct.c_void_p * 2),
        ("k", ct.c_int32),
        ("v", ct.c_int32),
        ("abort", ct.c_void_p * 2),
        ("embeddings", ct.c_bool),
        ("offload", ct.c_bool),
        ("no_perf", ct.c_bool),
        ("op_offload", ct.c_bool),
        ("swa_full", ct.c_bool),
        ("unified", ct.c_bool),
        ("samplers", ct.c_void_p),
        ("n_samplers", ct.c_size_t),
    ]


class Batch(ct.Structure):
    _fields_ = [
        ("n", ct.c_int32),
        ("token", ct.POINTER(ct.c_int32)),
        ("embd", ct.c_void_p),
        ("pos", ct.POINTER(ct.c_int32)),
        ("n_seq", ct.POINTER(ct.c_int32)),
        ("seq", ct.POINTER(ct.POINTER(ct.c_int32))),
        ("logits", ct.POINTER(ct.c_int8)),
    ]


def open_llama():
    """The library, its CPU part chosen by itself."""
    for name in ["libggml-base*", "libggml.*", "libllama.*"]:
        lib = ct.CDLL(glob.glob(os.path.join(a.folder, name))[0], mode=ct.RTLD_GLOBAL)
        if name == "libggml.*":
            lib.ggml_backend_load_all_from_path(a.folder.encode())
    quiet = ct.CFUNCTYPE(None, ct.c_int, ct.c_char_p, ct.c_void_p)
    lib.quiet = quiet(lambda *_: None)
    lib.llama_log_set(lib.quiet, None)
    for name, kind in [
        ("model_default_params", ModelParams),
        ("context_default_params", ContextParams),
        ("model_load_from_file", ct.c_void_p),
        ("init_from_model", ct.c_void_p),
        ("batch_init", Batch),
        ("get_logits_ith", ct.POINTER(ct.c_float)),
    ]:
        getattr(lib, "llama_" + name).restype = kind
    lib.llama_model_load_from_file.argtypes = [ct.c_char_p, ModelParams]
    lib.llama_init_from_model.argtypes = [ct.c_void_p, ContextParams]
    lib.llama_decode.argtypes = [ct.c_void_p, Batch]
    lib.llama_get_logits_ith.argtypes = [ct.c_void_p, ct.c_int32]
    return lib


def open_context(lib, path, capacity):
    model = lib.llama_model_load_from_file(path.encode(), lib.llama_model_default_params())
    assert model, "llama.cpp does not open the model"
    p = lib.llama_context_default_params()
    known = (p.batch, p.ubatch, p.seq_max, p.flash, p.k, p.v) == (2048, 512, 1, -1, 1, 1)
    assert known and p.n_samplers == 0, "another llama.cpp: its structures are others"
    p.ctx, p.seq_max = a.count * ((capacity + 255) // 256 * 256), a.count
    p.threads = p.threads_batch = a.threads
    p.k = p.v = int(QUANTS[a.cache.upper()])
    p.flash, p.unified = int(a.cache != "f32"), False
    context = lib.llama_init_from_model(model, p)
    assert context, "llama.cpp makes no context"
    return context


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "llama.gguf")
        read = write_model(path)
        lib = open_llama()
        context = open_context(lib, path, a.context + WARM_UP + SLICES * SLICE_STEPS)
    batch, at = lib.llama_batch_init(BATCH, 0, a.count), 0
    rng = np.random.default_rng(1)

    def put(k, token, pos, sequence, said):
        batch.token[k], batch.pos[k], batch.n_seq[k] = int(token), pos, 1
        batch.seq[k][0], batch.logits[k] = sequence, said

    def decode(n):
        batch.n = n
        assert lib.llama_decode(context, batch) == 0

    def take(tokens):
        """A token of each sequence -> the likeliest next ones."""
        nonlocal at
        for k, token in enumerate(tokens):
            put(k, token, at, k, 1)
        decode(a.count)
        at += 1
        logits = [lib.llama_get_logits_ith(context, k) for k in range(a.count)]
        return [int(np.ctypeslib.as_array(l, (TOKENS,)).argmax()) for l in logits]

    for sequence in range(a.count):
        for i in range(0, a.context, BATCH):
            n = min(BATCH, a.context - i)
            for k in range(n):
                put(k, rng.integers(0, TOKENS), i + k, sequence, int(k == n - 1))
            decode(n)
    at = a.context
    tokens = [1] * a.count
    for _ in range(WARM_UP):
        tokens = take(tokens)
    rates, took, cpu = [], [], time.process_time()
    for _ in range(SLICES):
        began = last = time.perf_counter()
        for _ in range(SLICE_STEPS):
            tokens = take(tokens)
            now = time.perf_counter()
            took.append(1e3 * (now - last))
            last = now
        rates.append(SLICE_STEPS / (last - began))
    cpu = 1e3 * (time.process_time() - cpu) / len(took) / a.count
    took.sort()
    rate = statistics.median(rates)
    print(
        json.dumps(
            {
                "peer": f"llama.cpp {a.weights}",
                "context": a.context,
                "threads": a.threads,
                "count": a.count,
                "tokens_per_s": round(a.count * rate, 2),
                "p50_ms": round(took[len(took) // 2], 3),
                "cpu_ms": round(cpu, 3),
                "weight_bytes": read,
            }
        )
    )


main()
