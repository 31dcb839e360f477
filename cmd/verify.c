// SPDX-License-Identifier: GPL-3.0-or-later
// verify.c: are these files what they were when they were written? Every checksum and structure, every file, one line each.
#include <inttypes.h>

#include "cmd/inspect.h"
#include "cmd/kinds.h"

// Of a folder's files, those that are worth a look.
static const char *const endings[] = {".h5", ".onnx", ".safetensors", ".mid", ".midi", ".wav", ".flac", ".ogg", ".aif", ".aiff", NULL};

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

typedef struct tally {
    uint64_t seen, bad;
} tally;

static bool verify_argument(cmd *c, const char *argument, tally *t, err *e)
{
    arena a = {.name = "files"};
    char **paths;
    size_t n;
    bool ok = inspect_files(&a, argument, endings, &paths, &n, e);
    for (size_t i = 0; ok && i < n; i++) {
        if (env_stop(&c->env)) {
            ok = err_set(e, ERR_STOPPED, "stopped after %" PRIu64 " files", t->seen);
            break;
        }
        t->seen++;
        t->bad += !verify(c, paths[i]);
    }
    arena_free(&a);
    return ok;
}

static bool run(cmd *c, err *e)
{
    tally t = {0};
    for (int i = 0; i < c->n_args; i++)
        if (!verify_argument(c, c->args[i], &t, e))
            return false;
    if (t.seen > 1 && !t.bad)
        cmd_print(c, "all %" PRIu64 " files passed", t.seen);
    return !t.bad || err_set(e, ERR_DAMAGED, "%" PRIu64 " of %" PRIu64 " files did not pass", t.bad, t.seen);
}

const command cmd_verify = {
    .name = "verify",
    .summary = "Checks every checksum and structure of files",
    .usage = "FILE|FOLDER...",
    .args_min = 1,
    .args_max = -1,
    .polls_stop = true,
    .details = "FILE is a shard, a checkpoint, another HDF5 file that kmidi wrote, an ONNX or safetensors model, an adapter's folder, "
               "MIDI, or audio.\n"
               "Of another FOLDER, or a pattern in quotes, all such files are checked, those below it too.",
    .example = "kmidi verify shards runs/melody/checkpoints/best.h5",
    .run = run,
};
