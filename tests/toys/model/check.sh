# SPDX-License-Identifier: GPL-3.0-or-later
# A model and its size: explained, listed, refused where it is wrong, trained, kept in the run's
# configuration and in its checkpoint.
has ./kmidi help toy.width -- "32: numbers between its two layers" "a whole number from 1 to 4096"
has ./kmidi train --help -- "toy: toy: its size"
has ./kmidi models -- "toy "
./kmidi prepare -q configs/data/synth.yaml --out set 'features=[dynamics]' synth.items=24 \
    synth.seconds=20 jobs=1
cat >toy.yaml <<'END'
model: toy
data: {train: set}
toy: {width: 48}
train: {epochs: 1, max_steps: 3}
END
./kmidi train -q toy.yaml --run-dir run
has cat run/config.yaml -- "toy:" "  width: 48"
has ./kmidi inspect run/checkpoints/last.h5 -- "width=48"
./kmidi train -q toy.yaml --run-dir plain toy=null
has cat plain/config.yaml -- "  width: null"
has ./kmidi inspect plain/checkpoints/last.h5 -- "width=32"
fails ./kmidi train toy.yaml toy.width=0 -- "'toy.width' must be a whole number from 1 to 4096"
fails ./kmidi train toy.yaml toy.widht=8 -- "did you mean 'toy.width'?"
fails ./kmidi train toy.yaml init_from=run toy.width=8 -- "width=48" "width=8"
