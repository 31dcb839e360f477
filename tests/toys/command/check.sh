# SPDX-License-Identifier: GPL-3.0-or-later
# A command: listed, explained, run, and its mistakes named.
has ./kmidi help -- "toy " "Says a word"
has ./kmidi toy --help -- "how often" "kmidi toy yes --times 2"
[ "$(./kmidi toy yes --times 2)" = "yes
yes" ]
fails ./kmidi toy -- "too few arguments"
fails ./kmidi toi yes -- "did you mean 'toy'"
fails ./kmidi toy yes --time 2 -- "--times"
fails ./kmidi toy yes --times -1 -- "takes a number from 0"
