// SPDX-License-Identifier: GPL-3.0-or-later
// pt.c: the weights as torch.load(FILE, weights_only=True) takes them, a format of `kmidi export`.
#include "export/torch_file.h"

#include "export/formats/again.h"

static bool write(export_task *t, err *e)
{
    model_meta meta = export_weights_meta(t);
    int n;
    weights_source *list = weights_sources(t->from->p, t->probe, t->arena, &n);
    return torch_file_write(t->out, list, n, &meta, e);
}

const export_def export_pt = {
    .name = "pt", .runs = true, .write = write, .check = export_check_weights};
