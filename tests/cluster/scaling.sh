#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# scaling.sh: the table of docs/cluster.md: how much of N nodes a run gets whose ranks add up their
# gradients over a network, by the model that is written there. Each node keeps its share of the
# batch (N nodes take N times as many rows), and nothing is sent while it computes.
# usage: tests/cluster/scaling.sh STEP_SECONDS PARAMETERS [SUM_SECONDS]
# STEP: of one node and its rows. SUM: what adding up takes on one machine (kmidi bench sum).
awk -v step="$1" -v n="$2" -v sum="${3:-0}" 'BEGIN {
    bytes = 4 * n; pieces = int((n - 1) / 2097152) + 1
    split("10 100", gbit); split("10e-6 2e-6", message); split("8 32 128", nodes); split("1 16", faster)
    for (f = 1; f <= 2; f++) for (g = 1; g <= 2; g++) {
        printf "| %s | %d Gb/s |", faster[f] == 1 ? "as measured" : faster[f] " times as fast", gbit[g]
        for (k = 1; k <= 3; k++) {
            wire = 1.1 * 2 * (nodes[k] - 1) / nodes[k] * 8 * bytes / (gbit[g] * 1e9)
            wait = pieces * 2 * (nodes[k] - 1) * message[g]
            own = step / faster[f]
            printf " %.0f%% |", 100 * own / (own + sum + wire + wait)
        }
        print ""
    }
}'
