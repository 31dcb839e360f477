// SPDX-License-Identifier: GPL-3.0-or-later
// adapters.h: --adapter DIR[:WEIGHT], for every command that uses a trained model: adapters are
// added to the base's weights once, when it is opened, so that using them costs nothing.
#ifndef KMIDI_CMD_ADAPTERS_H
#define KMIDI_CMD_ADAPTERS_H

#include "cmd/cmd.h"
#include "infer/trained.h"
#include "lora/adapter.h"

#define ADAPTER_OPTION                                                                             \
    {                                                                                              \
        "adapter", 'a', OPT_TEXTS, "DIR[:W]",                                                      \
            "add this adapter to the model, W times (1); again for another", false                 \
    }

// What was asked for, in order; owned by the command's arena.
const lora_use *adapters_asked(cmd *c, int *n);
// Adds them to an opened model, and says so.
bool adapters_apply(cmd *c, trained *d, err *e) MUST_CHECK;

#endif
