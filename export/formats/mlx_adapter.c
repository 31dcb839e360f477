// SPDX-License-Identifier: GPL-3.0-or-later
// mlx_adapter.c: the low-rank factors as MLX keeps them, a format of `kmidi export`.
#include "lora/mlx.h"

#include "export/formats/adapter.h"

static bool write(export_task *t, err *e)
{
    return export_adapter_by(t, lora_save_mlx, e);
}

const export_def export_mlx_adapter = {.name = "mlx-adapter", .folder = true, .write = write};
