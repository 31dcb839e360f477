// SPDX-License-Identifier: GPL-3.0-or-later
// verify.c: are these files what they were when they were written? Every checksum and structure, every file, one line each.
#include "cmd/cmd.h"
#include "cmd/kinds.h"

static bool verify(cmd *c, const char *path)
{
    err e = {0};
    arena a = {.name = "verify"};
    const file_kind *kind = kind_of(path, &e);
    bool ok = kind && kind->verify(path, &a, &e);
    json *o = json_object();
    json_set_str(o, "file", path);
    json_set_str(o, "kind", kind ? kind->name : "unknown");
    json_set_bool(o, "ok", ok);
    if (ok)
        cmd_print(c, "%s: ok (%s)", path, kind->name);
    else {
        json_set_str(o, "reason", err_name(e.code));
        json_set_str(o, "error", e.text);
        cmd_complain(c, "%s", e.text);
    }
    cmd_json(c, o);
    arena_free(&a);
    return ok;
}

static bool run(cmd *c, err *e)
{
    int bad = 0;
    for (int i = 0; i < c->n_args; i++) {
        if (env_stop(&c->env))
            return err_set(e, ERR_STOPPED, "stopped after %d of %d files", i, c->n_args);
        bad += !verify(c, c->args[i]);
    }
    return !bad || err_set(e, ERR_DAMAGED, "%d of %d files did not pass", bad, c->n_args);
}

const command cmd_verify = {
    .name = "verify",
    .summary = "Checks every checksum and structure of files",
    .usage = "FILE...",
    .args_min = 1,
    .args_max = -1,
    .polls_stop = true,
    .details = "FILE is a shard, a checkpoint, another HDF5 file that kmidi wrote, an ONNX or safetensors model, an adapter's folder, "
               "MIDI, or audio.",
    .example = "kmidi verify shards/train-00000.h5 shards/valid-00000.h5",
    .run = run,
};
