// SPDX-License-Identifier: GPL-3.0-or-later
// train_net.h: a network with adapters as training builds it, on one batch, and the adapters of the
// tests of training.
#ifndef KMIDI_TESTS_LORA_TRAIN_NET_H
#define KMIDI_TESTS_LORA_TRAIN_NET_H

#include "autograd/run.h"
#include "tests/train/small.h"

// r 8, alpha 16, dropout 0.1 on fc1, fc2, fc3, lstm.weight_ih_l0
extern const lora_config train_lora;

typedef struct train_net {
    arena a;
    params *p;
    network *n;
    run *r;
} train_net;

// `c` NULL: without adapters; weights are drawn, inputs those of one sample batch.
void train_net_open(train_net *f, const char *model, const lora_config *c, bool training);
void train_net_close(train_net *f);
// Known numbers in all that adapters hold.
void train_net_fill(const params *p);

#endif
