// SPDX-License-Identifier: GPL-3.0-or-later
// adapter.h: what the formats of adapters have in common: the factors of a checkpoint, apart from
// the base.
#ifndef KMIDI_EXPORT_FORMATS_ADAPTER_H
#define KMIDI_EXPORT_FORMATS_ADAPTER_H

#include "export/formats/format.h"

// Writes a folder, as lora_save (lora/adapter.h) does.
typedef bool adapter_save(const char *folder, const params *p, const adapters *sites,
                          const char *config, const model_meta *meta, err *e);

bool export_adapter_by(export_task *t, adapter_save *save, err *e) MUST_CHECK;

// Adds what is in the folder t->out to the weights of the base.
typedef bool adapter_add(const export_task *t, params *p, err *e);
bool export_check_adapter(export_task *t, adapter_add *add, err *e) MUST_CHECK;

#endif
