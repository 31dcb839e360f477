// SPDX-License-Identifier: GPL-3.0-or-later
// verify.c: are these files what they were when they were written? Every checksum and structure,
// every file; of a folder a summary, and its damaged files by name.
#include <inttypes.h>
#include <string.h>

#include "cmd/inspect.h"
#include "cmd/kinds.h"
#include "data/audio/clip.h"
#include "data/midi/midi.h"

// Of a folder's files, those that are worth a look.
static const char *const *worth(arena *a)
{
    static const char *const own[] = {".h5", ".onnx", ".safetensors", ".pt", ".pth", NULL},
                             *const *const lists[] = {own, midi_endings, clip_endings};
    const char **all = NEW(a, const char *, 64);
    size_t n = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const char *const *x = lists[i]; *x && n < 63; x++)
            all[n++] = *x;
    return all;
}

enum { KINDS = 16 };

// Sound files by kind, of all arguments together.
typedef struct tally {
    uint64_t seen, bad;
    bool folders; // an argument was a folder or a pattern: then sums are told, not each sound file
    struct {
        const char *name;
        uint64_t n;
    } kind[KINDS];
} tally;

static void count(tally *t, const char *name)
{
    int k = 0;
    while (k < KINDS - 1 && t->kind[k].name && strcmp(t->kind[k].name, name) != 0)
        k++;
    t->kind[k].name = name;
    t->kind[k].n++;
}

static bool verify(cmd *c, const char *path, bool each, tally *t)
{
    err e = {0};
    arena a = {.name = "verify"};
    const file_kind *kind = kind_of(path, &e);
    const char *remark = NULL;
    bool ok =
        kind && (kind->verify ? kind->verify(path, &a, &e) : kind->examine(path, &remark, &a, &e));
    json *o = json_object();
    json_set_str(o, "file", path);
    json_set_str(o, "kind", kind ? kind->name : "unknown");
    json_set_bool(o, "ok", ok);
    if (remark)
        json_set_str(o, "remark", remark);
    if (ok) {
        count(t, kind->name);
        if (each || remark)
            cmd_print(c, "%s: ok (%s)%s%s", path, kind->name, remark ? "; " : "",
                      remark ? remark : "");
    } else {
        json_set_str(o, "reason", err_name(e.code));
        json_set_str(o, "error", e.text);
        cmd_complain(c, "%s", e.text);
    }
    cmd_json(c, o);
    arena_free(&a);
    return ok;
}

static bool verify_argument(cmd *c, const char *argument, tally *t, err *e)
{
    arena a = {.name = "files"};
    char **paths;
    size_t n;
    bool set = inspect_is_set(argument);
    t->folders |= set;
    bool ok = inspect_files(&a, argument, worth(&a), &paths, &n, e);
    for (size_t i = 0; ok && i < n; i++) {
        if (env_stop(&c->env)) {
            ok = err_set(e, ERR_STOPPED, "stopped after %" PRIu64 " files", t->seen);
            break;
        }
        t->seen++;
        t->bad += !verify(c, paths[i], !set, t);
    }
    arena_free(&a);
    return ok;
}

// "all 12 files are sound: 9 shard, 3 midi"; the damaged ones were named as they came.
static void summarise(cmd *c, const tally *t)
{
    strbuf kinds = {0};
    if (t->seen < 2 && !t->folders)
        return;
    for (int k = 0; k < KINDS && t->kind[k].name; k++)
        strbuf_printf(&kinds, "%s %" PRIu64 " %s", k ? "," : ":", t->kind[k].n, t->kind[k].name);
    if (t->bad)
        cmd_print(c, "%" PRIu64 " of %" PRIu64 " files are sound%s", t->seen - t->bad, t->seen,
                  kinds.s ? kinds.s : "");
    else
        cmd_print(c, "all %" PRIu64 " files are sound%s", t->seen, kinds.s ? kinds.s : "");
    strbuf_free(&kinds);
}

static bool run(cmd *c, err *e)
{
    tally t = {0};
    for (int i = 0; i < c->n_args; i++)
        if (!verify_argument(c, c->args[i], &t, e))
            return false;
    summarise(c, &t);
    return !t.bad ||
           err_set(e, ERR_DAMAGED, "%" PRIu64 " of %" PRIu64 " files did not pass", t.bad, t.seen);
}

const command cmd_verify = {
    .name = "verify",
    .summary = "Checks every checksum and structure of files",
    .usage = "FILE|FOLDER...",
    .args_min = 1,
    .args_max = -1,
    .polls_stop = true,
    .details = "FILE is a shard, a checkpoint, another HDF5 file, an ONNX, PyTorch or safetensors "
               "model, a package of Core ML, an adapter's folder, MIDI, or audio.\n"
               "Of another FOLDER, or a pattern in quotes, all such files are checked, those below "
               "it too.",
    .example = "kmidi verify shards runs/melody/checkpoints/best.h5",
    .run = run,
};
