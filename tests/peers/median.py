# SPDX-License-Identifier: GPL-3.0-or-later
# median.py FILE: judgements of the median rule, one a line, against Optuna's MedianPruner.
#   least from higher n, n + 1 curves (length, values; the last is judged), judgement
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def judge(least, first, higher, done, own):
    study = optuna.create_study(direction="maximize" if higher else "minimize")
    dist = {}
    for values in done:
        steps = {10 * (i + 1): v for i, v in enumerate(values)}
        study.add_trial(optuna.trial.create_trial(value=0.0, intermediate_values=steps,
                                                  params={}, distributions=dist))
    trial = study.ask()
    for i, v in enumerate(own):
        trial.report(v, 10 * (i + 1))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=least, n_warmup_steps=first)
    return pruner.prune(study, study.trials[-1])


alike = 0
for line in open(sys.argv[1]):
    words = line.split()
    least, first, higher, n = map(int, words[:4])
    at, curves = 4, []
    for _ in range(n + 1):
        length = int(words[at])
        curves.append([float(v) for v in words[at + 1:at + 1 + length]])
        at += 1 + length
    want = bool(int(words[at]))
    got = judge(least, first, bool(higher), curves[:-1], curves[-1])
    if got != want:
        sys.exit(f"Optuna says {got}: {line}")
    alike += 1
print(alike, "alike")
