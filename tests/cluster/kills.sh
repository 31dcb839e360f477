#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# KMIDI_KILLS (200) kills at random instants, a third each of sweeps, of tasks of an array and of
# runs in two processes: nothing lost, nothing twice, the same bits. Two sets of tests and program:
# as made by `make`, and with MPI=1. usage: tests/cluster/kills.sh build/release build/mpi/release
set -u
plain=$1 mpi=$2
asked=${KMIDI_KILLS:-200}
export KMIDI_KILLS=$(((asked + 2) / 3))
said=$(mktemp)
trap 'rm -f "$said"' EXIT
{
    KMIDI=$plain/kmidi "$plain/tests/all" -v sweep_program_survives || echo "FAILED: sweeps or arrays"
    KMIDI=$mpi/kmidi "$mpi/tests/all" -v ranks_make || echo "FAILED: ranks"
} 2>&1 | tee "$said"
kills=$(awk '/times killed, the same bits$/ { for (i = 1; i < NF; i++) if ($(i + 1) == "times") n += $i } END { print n + 0 }' "$said")
echo "$kills kills in all"
! grep -q '^FAILED\|^skip' "$said" && [ "$kills" -ge "$asked" ]
