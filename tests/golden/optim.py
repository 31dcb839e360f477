# SPDX-License-Identifier: GPL-3.0-or-later
"""Goldens of the optimisers, the global-norm clip and the moving average, from PyTorch in float64.
Writes optim.json.

    python tests/golden/optim.py                 needs PyTorch

Every case moves one vector of 37 elements, fill(1, i, 1) at first, by 20 steps; the gradient of
step k (1, 2, ...) is fill(100 + k, i, 2), not depending on the vector. "values" has the vector
after steps 1, 2, 10 and 20. With "clip" c the gradient is scaled by min(1, c / (norm + 1e-6))
first, and "norms" are the norms before. With "ema" d, average = d average + (1 - d) vector after
each step, starting from the first vector; "average" is given at the same steps.

"matrices": a matrix [rows, cols], fill(1, i, 1) at first, under torch.optim.Muon with
adjust_lr_fn="match_rms_adamw", gradients as above. PyTorch's Newton-Schulz iteration rounds to
bf16; here the same iteration runs in float64. With "row_beta" b its result goes through NorMuon's
rows (Li et al. 2025) before the step, brought back to the size that it had.
"""

import torch
import torch.optim._muon as muon
from fill import f32, fill, write

N, STEPS, SHOWN = 37, 20, (1, 2, 10, 20)


def run(name, make, clip=0.0, ema=0.0, **attrs):
    p = torch.nn.Parameter(torch.from_numpy(fill(1, [N])).double())
    opt, average, norms, values, averages = make([p]), p.detach().clone(), [], [], []
    for k in range(1, STEPS + 1):
        p.grad = torch.from_numpy(fill(100 + k, [N], 2.0)).double()
        if clip:
            norms.append(float(torch.nn.utils.clip_grad_norm_([p], clip)))
        opt.step()
        average = ema * average + (1 - ema) * p.detach()
        if k in SHOWN:
            values.append(f32(p.detach().numpy())), averages.append(f32(average.numpy()))
    case = {
        "optimizer": name,
        "attrs": attrs,
        "clip": clip,
        "ema": ema,
        "steps": list(SHOWN),
        "values": values,
    }
    return {
        **case,
        **({"norms": f32(norms)} if clip else {}),
        **({"average": averages} if ema else {}),
    }


def newton_schulz(grad, coefficients, steps, eps):
    a, b, c = coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if grad.size(0) > grad.size(1) else x


def with_even_rows(beta):
    """newton_schulz, each row over the root of its mean square so far."""
    square = 0

    def update(grad, *told):
        nonlocal square
        x = newton_schulz(grad, *told)
        square = beta * square + (1 - beta) * x.pow(2).mean(1, keepdim=True)
        even = x / (square.sqrt() + 1e-8)
        return even * (x.norm() / even.norm())

    return update


def run_matrix(rows, cols, row_beta=0.0, **attrs):
    muon._zeropower_via_newtonschulz = with_even_rows(row_beta) if row_beta else newton_schulz
    p, values = torch.nn.Parameter(torch.from_numpy(fill(1, [rows, cols])).double()), []
    opt = muon.Muon([p], adjust_lr_fn="match_rms_adamw", **attrs)
    for k in range(1, STEPS + 1):
        p.grad = torch.from_numpy(fill(100 + k, [rows, cols], 2.0)).double()
        opt.step()
        if k in SHOWN:
            values.append(f32(p.detach().numpy()))
    attrs = {**attrs, **({"row_beta": row_beta} if row_beta else {})}
    return {"rows": rows, "cols": cols, "attrs": attrs, "steps": list(SHOWN), "values": values}


adam = dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8)
told = dict(lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8)
O = torch.optim
cases = [
    run("adamw", lambda p: O.AdamW(p, **adam, weight_decay=0.1), **told, weight_decay=0.1),
    run("adamw", lambda p: O.AdamW(p, **adam, weight_decay=0.0), **told, weight_decay=0.0),
    run("adam", lambda p: O.Adam(p, **adam, weight_decay=0.1), **told, weight_decay=0.1),
    run("adam", lambda p: O.Adam(p, **adam), **told, weight_decay=0.0),
    run(
        "sgd",
        lambda p: O.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1),
        lr=0.01,
        momentum=0.9,
        weight_decay=0.1,
        nesterov=False,
    ),
    run(
        "sgd",
        lambda p: O.SGD(p, lr=0.01, momentum=0.9, nesterov=True),
        lr=0.01,
        momentum=0.9,
        weight_decay=0.0,
        nesterov=True,
    ),
    run(
        "sgd", lambda p: O.SGD(p, lr=0.01), lr=0.01, momentum=0.0, weight_decay=0.0, nesterov=False
    ),
    run(
        "adamw", lambda p: O.AdamW(p, **adam, weight_decay=0.1), clip=1.0, **told, weight_decay=0.1
    ),
    run(
        "sgd",
        lambda p: O.SGD(p, lr=0.01, momentum=0.9),
        clip=1.0,
        lr=0.01,
        momentum=0.9,
        weight_decay=0.0,
        nesterov=False,
    ),
    run(
        "sgd",
        lambda p: O.SGD(p, lr=0.01),
        clip=100.0,
        lr=0.01,
        momentum=0.0,
        weight_decay=0.0,
        nesterov=False,
    ),
    run(
        "adamw", lambda p: O.AdamW(p, **adam, weight_decay=0.1), ema=0.99, **told, weight_decay=0.1
    ),
]
matrices = [
    run_matrix(5, 9, lr=0.01, momentum=0.95, nesterov=True, weight_decay=0.1),
    run_matrix(9, 5, lr=0.01, momentum=0.95, nesterov=True, weight_decay=0.0),
    run_matrix(5, 6, lr=0.01, momentum=0.95, nesterov=True, weight_decay=0.1),
    run_matrix(6, 5, lr=0.01, momentum=0.95, nesterov=True, weight_decay=0.0),
    run_matrix(6, 6, lr=0.02, momentum=0.9, nesterov=False, weight_decay=0.05),
    run_matrix(5, 9, row_beta=0.95, lr=0.01, momentum=0.95, nesterov=True, weight_decay=0.1),
    run_matrix(9, 5, row_beta=0.9, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.0),
]
write(
    "optim",
    {
        "made_by": "tests/golden/optim.py, PyTorch " + torch.__version__,
        "elements": N,
        "cases": cases,
        "matrices": matrices,
    },
)
