// SPDX-License-Identifier: GPL-3.0-or-later
// adapter_net.h: a model with the base weights of tests/golden/lora.py and adapters, run once.
#ifndef KMIDI_TESTS_LORA_ADAPTER_NET_H
#define KMIDI_TESTS_LORA_ADAPTER_NET_H

#include "autograd/run.h"
#include "models/model.h"

typedef struct net {
    arena a;
    params *p;
    network *n;
    run *r;
    tensor **grads;
} net;

// The model with the filled base on the golden's inputs, its outputs' plain sum differentiated by
// the adapters.
bool net_open(net *f, const char *model, const adapters *l);
// Of a model with sizes; `training`: with what it drops.
bool net_open_of(net *f, const model_def *m, const adapters *l, bool training);
void net_close(net *f);

#endif
