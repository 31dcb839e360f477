# SPDX-License-Identifier: GPL-3.0-or-later
# An exporter: a format of export, named where formats are; the ops say themselves to it.
has ./kmidi export --help -- "[ ,]toy$\|[ ,]toy[ ;,:]"
./kmidi prepare -q configs/data/synth.yaml --out phrases 'features=[dynamics]' synth.items=24 \
    synth.seconds=20 jobs=1
printf 'model: dynamics_engine\ndata: {train: phrases}\n' >phrases.yaml
./kmidi train -q phrases.yaml --run-dir phrase train.epochs=1 train.max_steps=3
has ./kmidi export phrase --format toy -o phrase.txt -- "13520 parameters, as toy"
has cat phrase.txt -- "fc1.bias: 128 numbers" "= Gemm(midi_stats, fc1.weight, fc1.bias)" \
    "= Relu(" "^dynamics = "
fails ./kmidi export phrase --format toi -o other.txt -- "adapter or toy, not 'toi'"
