// SPDX-License-Identifier: GPL-3.0-or-later
// adapters.h: --adapter DIR[:WEIGHT], for every command that uses a trained model: adapters are
// added to the base's weights once, when it is opened, so that using them costs nothing. And models
// that an option names, as --melody does.
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

// The model that --NAME gives, which must be of the kind that makes this; *out is NULL where it is
// not given, else the caller's, even where this fails.
bool model_asked(cmd *c, const char *name, model_makes makes, trained **out, err *e) MUST_CHECK;
// Adds them to the player where there is one, else to the melody's model; either may be NULL.
bool adapters_of_music(cmd *c, trained *player, trained *melody, err *e) MUST_CHECK;

#endif
