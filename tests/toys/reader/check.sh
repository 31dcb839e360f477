# SPDX-License-Identifier: GPL-3.0-or-later
# A dataset: named in a data configuration, prepared, seen in what inspect tells of it.
has ./kmidi help dataset -- "toy"
printf 'dataset: toy\nfeatures: [mel]\n' >tones.yaml
has ./kmidi prepare tones.yaml --out tones jobs=1 -- "8 items prepared, 0 rejected, 2 labels"
has ./kmidi inspect tones -- "high" "low"
fails ./kmidi prepare configs/data/synth.yaml --out other dataset=toi -- "did you mean 'toy'"
fails ./kmidi prepare tones.yaml --out other 'features=[tokens]' -- "dataset toy is audio"
