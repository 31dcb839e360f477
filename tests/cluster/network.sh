#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The sum of gradients over a network: 2 and 4 ranks of this machine, each alone in its network and
# its list of processes, behind links of a given rate (tc), against what docs/cluster.md predicts:
# 2 (N - 1) / N of the buffer over each link in both directions. Needs root, and a kmidi made with
# MPICH, whose ranks need no network to their starter.
# usage: tests/cluster/network.sh KMIDI [MBIT...] (make MPI=1 MPIPKG=mpich BUILD=build/mpich)
set -eu
kmidi=$(realpath "$1")
shift
[ "$(id -u)" = 0 ] || { echo "skipped: networks are made by root"; exit 0; }
for tool in ip tc unshare mpirun.mpich; do
    command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 0; }
done
ldd "$kmidi" | grep -q libmpich || { echo "skipped: '$kmidi' is not made with MPICH"; exit 0; }
top=$(mktemp -d)
clear_away() {
    for ((i = 0; i < 4; i++)); do ip netns del "kmidi$i" 2>/dev/null || true; done
    ip link del kmidi-switch 2>/dev/null || true
}
trap 'clear_away; rm -rf "$top"' EXIT
printf '#!/bin/sh\nexec ip netns exec kmidi$PMI_RANK unshare --pid --fork --mount-proc "$@"\n' >"$top/within"
chmod +x "$top/within"

network() { # MBIT RANKS
    clear_away
    ip link add kmidi-switch type bridge
    ip link set kmidi-switch up
    for ((i = 0; i < $2; i++)); do
        ip netns add "kmidi$i"
        ip link add "kmidi-$i" type veth peer name eth0 netns "kmidi$i"
        ip link set "kmidi-$i" master kmidi-switch up
        ip -n "kmidi$i" addr add "10.77.0.$((i + 1))/24" dev eth0
        ip -n "kmidi$i" link set eth0 up
        ip -n "kmidi$i" link set lo up
        tc -n "kmidi$i" qdisc add dev eth0 root tbf rate "$1mbit" burst 256kb latency 50ms
    done
}
echo "| link, Mb/s | ranks | predicted, ms | measured, ms | ratio |"
echo "|---|---|---|---|---|"
for rate in "${@:-200}"; do
    for n in 2 4; do
        network "$rate" $n
        FI_PROVIDER=tcp FI_TCP_IFACE=eth0 MPIR_CVAR_NOLOCAL=1 mpirun.mpich -n $n "$top/within" "$kmidi" bench sum \
            --length 25000000 --seconds 1 --json >"$top/line"
        sed -n 's/.*"seconds": \([0-9.e+-]*\).*/\1/p' "$top/line" | awk -v n=$n -v rate="$rate" '{
            wire = 2 * (n - 1) / n * 25e6 * 4 * 8 / (rate * 1e6)
            printf "| %d | %d | %.0f | %.0f | %.2f |\n", rate, n, 1000 * wire, 1000 * $1, $1 / wire }'
    done
done
