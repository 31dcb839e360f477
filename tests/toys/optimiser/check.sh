# SPDX-License-Identifier: GPL-3.0-or-later
# An optimiser: a value of optim.name; a run learns by it.
has ./kmidi help optim.name -- "toy"
./kmidi prepare -q configs/data/synth.yaml --out curves 'features=[dynamics]' synth.items=24 \
    synth.seconds=20 jobs=1
printf 'model: dynamics_engine\ndata: {train: curves}\noptim: {name: toy}\n' >signs.yaml
./kmidi train -q signs.yaml --run-dir signs train.epochs=1 train.max_steps=3
has cat signs/config.yaml -- "  name: toy"
has ./kmidi inspect signs -- "step  *3" "loss  *0[.]"
fails ./kmidi train signs.yaml optim.name=toi -- "did you mean 'toy'?"
