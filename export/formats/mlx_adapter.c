// SPDX-License-Identifier: GPL-3.0-or-later
// mlx_adapter.c: the low-rank factors as MLX keeps them, a format of `kmidi export`.
#include "lora/mlx.h"

#include "export/formats/adapter.h"

static bool write(export_task *t, err *e)
{
    return export_adapter_by(t, lora_save_mlx, e);
}

static bool add(const export_task *t, params *p, err *e)
{
    return lora_add_mlx(t->out, p, e);
}

static bool check(export_task *t, err *e)
{
    return export_check_adapter(t, add, e);
}

const export_def export_mlx_adapter = {
    .name = "mlx-adapter", .folder = true, .runs = true, .write = write, .check = check};
