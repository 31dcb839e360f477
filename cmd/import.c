// SPDX-License-Identifier: GPL-3.0-or-later
// import.c: weights that another program trained, as a checkpoint.
#include <string.h>

#include "checkpoint/checkpoint.h"
#include "cmd/cmd.h"
#include "export/weights.h"

static const option options[] = {
    {"model", 'm', OPT_TEXT, "NAME", "which network the weights are of (see 'kmidi models')", true},
    {"sizes", 0, OPT_TEXT, "TEXT",
     "of a model whose sizes are options, as \"layers=4 dim=128\"; by default the file's, or the "
     "usual ones",
     false},
    {"strip", 0, OPT_TEXT, "PREFIX",
     "what stands before the names of tensors, as module. or _orig_mod. or model.", false},
    {"out", 'o', OPT_OUT_H5, "OUT.h5", "the checkpoint to write", true},
    {0},
};

// Rows of the file's probe, 0 when it has none.
static int probe_classes(const weights *s)
{
    int i = weights_find(s, "probe.bias");
    const weights_entry *t = i >= 0 ? &s->index->list[i] : NULL;
    return t && t->rank == 1 && t->dim[0] > 0 && t->dim[0] <= 4096 ? (int)t->dim[0] : 0;
}

// The metadata of the file that a checkpoint carries too.
static model_meta kept_meta(const weights *s, arena *a)
{
    model_meta meta = {.arena = a};
    const model_meta *had = &s->index->meta;
    for (int i = 0; i < had->n; i++)
        if (strcmp(had->keys[i], "format") && strcmp(had->keys[i], "fingerprint") &&
            strcmp(had->keys[i], "model"))
            meta_set(&meta, had->keys[i], had->values[i]);
    return meta;
}

static bool check_meant(const weights *s, const model_def *m, const char *path, err *e)
{
    const char *meant = meta_get(&s->index->meta, "model");
    return !meant || !strcmp(meant, m->name) ||
           err_set(e, ERR_MISMATCH, "'%s' holds a model called %s, not %s", path, meant, m->name);
}

static bool import_file(cmd *c, const model_def *m, weights *s, const char *path, const char *out,
                        err *e)
{
    params *p = params_open(c->arena);
    int converted = 0, classes = m->probe ? probe_classes(s) : 0;
    model_meta meta = kept_meta(s, c->arena);
    m = model_configure(m, option_text(c, "sizes", meta_get(&meta, "sizes")), c->arena, e);
    if (!m)
        return false;
    checkpoint_content content = {.model = m, .meta = &meta, .params = p};
    bool ok =
        check_meant(s, m, path, e) &&
        model_build(m, p, &(model_dims){.batch = 1, .time = 1, .classes = classes}, c->arena, e) &&
        params_allocate(p, 0, e) && weights_load(s, p, &converted, e) &&
        checkpoint_save(out, &content, e);
    if (ok && converted)
        cmd_say(c, "%d tensors were converted to f32", converted);
    if (ok) {
        char hex[65];
        json *j = json_object();
        params_fingerprint(p, hex);
        json_set_str(j, "file", out);
        json_set_str(j, "model", m->name);
        json_set_int(j, "params", params_count(p, false));
        json_set_int(j, "converted", converted);
        json_set_str(j, "fingerprint", hex);
        cmd_json(c, j);
        cmd_print(c, "%s: %s, %lld parameters from '%s'", out, m->name,
                  (long long)params_count(p, false), path);
    }
    params_release(p);
    return ok;
}

static bool import_run(cmd *c, err *e)
{
    const model_def *m = model_named(option_text(c, "model", ""), e);
    weights *s = m ? weights_open(c->args[0], c->arena, e) : NULL;
    const char *prefix = option_text(c, "strip", NULL);
    bool ok = s && (!prefix || weights_strip(s, prefix, c->arena, e)) &&
              import_file(c, m, s, c->args[0], option_text(c, "out", ""), e);
    weights_close(s);
    return ok;
}

const command cmd_import = {
    .name = "import",
    .summary = "Makes a checkpoint from PyTorch weights, a .pt or a safetensors file",
    .usage = "FILE --model NAME -o OUT.h5",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .details = "FILE is safetensors, or what torch.save(model.state_dict(), FILE) wrote; a pickle "
               "that holds more than tensors by name is refused. Names and shapes must be those of "
               "the PyTorch model, one to one; F16, BF16 and F64 become f32.",
    .example = "kmidi import weights.pt --model emotion_recognizer -o weights.h5",
    .run = import_run,
};
