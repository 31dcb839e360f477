# SPDX-License-Identifier: GPL-3.0-or-later
# table_startup.sh: seconds from the command to the end of its first steps (four of dynamics_engine;
# the peer's warm-up is three), and what Python takes before it has seen a model at all.
: "${tmp:?this is a table of bench/run.sh}"

heading "Start-up"
say "Seconds from the command to its end, files in the page cache."
say ""
for _ in $(seq "$ROUNDS") warm; do
    timed help ./kmidi help
    timed steps ./kmidi bench dynamics_engine --batch 64 --length 1 --threads "$THREADS" --profile=1 --out "$tmp/profile" --json
    [ -n "$python" ] || continue
    timed import "$python" -c "import torch"
    timed peer "$python" bench/step_peer.py "$REFERENCE" "" dynamics_engine --batch 64 --length 1 --threads "$THREADS" --seconds 0.001
done
say "| kmidi help | kmidi, four steps | python -c 'import torch' | PyTorch, eight steps |"
say "|---|---|---|---|"
say "| $(figure help s) | $(figure steps s) | $(figure import s) | $(figure peer s) |"
