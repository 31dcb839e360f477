// SPDX-License-Identifier: GPL-3.0-or-later
// safetensors.c: the weights by PyTorch's names, as a format of `kmidi export`.
#include "export/safetensors.h"

#include "export/formats/again.h"

static bool write(export_task *t, err *e)
{
    model_meta meta = export_weights_meta(t);
    return safetensors_save_params(t->out, t->from->p, t->probe, &meta, e);
}

const export_def export_safetensors = {
    .name = "safetensors", .runs = true, .write = write, .check = export_check_weights};
