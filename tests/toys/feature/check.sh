# SPDX-License-Identifier: GPL-3.0-or-later
# A feature and its setting: a key of a data configuration, a column of a shard, an attribute of it.
has ./kmidi help toy.times -- "both numbers are multiplied by it" "kmidi prepare"
./kmidi prepare -q configs/data/synth.yaml --out counts 'features=[toy]' toy.times=3 \
    synth.items=24 synth.seconds=5 jobs=1
has ./kmidi inspect counts -- "toy"
has ./kmidi inspect counts/train-00000.h5 -- 'times  *3'
has ./kmidi verify counts -- "sound"
fails ./kmidi prepare configs/data/synth.yaml --out other 'features=[toi]' -- "did you mean 'toy'"
fails ./kmidi prepare configs/data/synth.yaml --out other 'features=[toy]' toy.times=0 \
    -- "'toy.times' must be a whole number from 1 to 100"
