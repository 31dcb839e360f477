# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch's files both ways.

    python tests/peers/torch_check.py make FOLDER      state_dicts as people save them, and what not
    python tests/peers/torch_check.py check FOLDER     what kmidi wrote of them, against them

`make` writes FOLDER/NAME.pt and FOLDER/list, a line each: "NAME MODEL PREFIX ok" or "NAME MODEL -
WORDS", words of the sentence by which it is refused. `check` loads FOLDER/NAME.back.pt with
weights_only, by reading and by mmap. Called by tests/cmd/torch.c; needs PyTorch.
"""

import collections
import os
import sys
import warnings
import torch

warnings.filterwarnings("ignore")
what, FOLDER = sys.argv[1:3]
sys.path.insert(0, "python")
import kmidi_models  # noqa: E402



def network(name):
    torch.manual_seed(5)
    m = kmidi_models.MODELS[name]()
    for k, b in m.named_buffers():
        if k.endswith("num_batches_tracked"):
            b.fill_(12)
    return m


def path(name, end=".pt"):
    return os.path.join(FOLDER, name + end)


class Command:
    def __reduce__(self):
        return (os.system, ("touch " + path("called", ""),))


def views(state):
    flat = torch.cat([v.flatten() for v in state.values()])
    out, at = {}, 0
    for k, v in state.items():
        out[k] = flat[at : at + v.numel()].view(v.shape)
        at += v.numel()
    return out


def by_columns(state):
    return {k: v.t().contiguous().t() if v.dim() == 2 else v for k, v in state.items()}


def prefixed(state, prefix):
    return collections.OrderedDict((prefix + k, v) for k, v in state.items())


def make():
    lines = []

    def put(name, value, said="ok", model="dynamics_engine", prefix="-", **how):
        torch.save(value, path(name), **how)
        lines.append(f"{name} {model} {prefix} {said}")

    m = network("dynamics_engine")
    s = m.state_dict()
    for name in kmidi_models.MODELS:
        put(name, network(name).state_dict(), model=name)
    put("views", views(s))
    put("columns", by_columns(s))
    put("half", {k: v.half() for k, v in s.items()})
    put("brain", {k: v.bfloat16() for k, v in s.items()})
    put("double", {k: v.double() for k, v in s.items()})
    put("protocol3", s, pickle_protocol=3)
    put("protocol4", s, pickle_protocol=4)
    put("protocol5", s, pickle_protocol=5)
    for i, prefix in enumerate(["module.", "_orig_mod.", "model.", "module._orig_mod."]):
        put(f"taken{i}", prefixed(s, prefix), prefix=prefix)
        put(f"offered{i}", prefixed(s, prefix), f"--strip {prefix} takes that off")
    put("nested", {"epoch": 3, "state_dict": s}, "has its tensors in 'state_dict'")
    put("whole", m, "holds kmidi_models.DynamicsEngine")
    put("parameters", dict(m.named_parameters()), "holds torch._utils._rebuild_parameter")
    put("old", s, "is of PyTorch before 1.6", _use_new_zipfile_serialization=False)
    put("command", {**s, "x": Command()}, "system, and of a pickle only tensors")
    put("number", {**s, "x": 1}, "holds a number called 'x'")
    put("other", network("groove_predictor").state_dict(), "is not of this model")
    put("whole_numbers", {k: v.long() for k, v in s.items()}, "is of type I64")
    put("nan", {k: v * float("nan") for k, v in s.items()}, "is no finite number")
    put("sparse", {**s, "fc1.weight": s["fc1.weight"].to_sparse()}, "_rebuild_sparse_tensor")
    with open(path("list", ""), "w") as f:
        print(*lines, sep="\n", file=f)


def check():
    n = 0
    for line in open(path("list", "")):
        name, model, prefix, said = line.split(maxsplit=3)
        if said.strip() != "ok":
            continue
        was = torch.load(path(name), weights_only=False)  # protocol 4 and 5, too
        for how in (dict(), dict(mmap=True)):
            now = torch.load(path(name, ".back.pt"), weights_only=True, **how)
            assert isinstance(now, collections.OrderedDict), name
            kmidi_models.MODELS[model]().load_state_dict(now, strict=True)
            assert len(now) == len(was), name
            for k, v in now.items():
                old = was[k if prefix == "-" else prefix + k]
                want = old if old.dtype == torch.int64 else old.float()
                assert v.dtype == want.dtype and torch.equal(v, want), f"{name}: {k}"
        n += 1
    print(n, "files agree")
    assert n >= 20 and not os.path.exists(path("called", ""))


make() if what == "make" else check()
