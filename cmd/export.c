// SPDX-License-Identifier: GPL-3.0-or-later
// export.c: a checkpoint as a file for other programs, in the formats of export/exports.def.
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/str.h"
#include "cmd/card.h"
#include "cmd/cmd.h"
#include "cmd/registry.h"
#include "export/formats/format.h"
#include "train/evaluate.h"
#include "train/products.h"

#define EXPORT(name) extern const export_def export_##name;
#include "export/exports.def"
#undef EXPORT

static const export_def *const formats[] = {
#define EXPORT(name) &export_##name,
#include "export/exports.def"
#undef EXPORT
};

enum { CARD_MAX = 4 << 20 };
enum { FORMATS = (int)(sizeof formats / sizeof *formats) };

// "onnx, safetensors or adapter"
static void name_formats(strbuf *out)
{
    for (int i = 0; i < FORMATS; i++)
        strbuf_printf(out, "%s%s", i == 0 ? "" : i + 1 < FORMATS ? ", " : " or ", formats[i]->name);
}

static const option options[] = {
    {"format", 'f', OPT_TEXT, "FORMAT", "{}", true},
    {"out", 'o', OPT_TEXT, "OUT", "the file to write; of coreml and adapters, the folder", true},
    {"front-end", 0, OPT_FLAG, NULL,
     "onnx: waveform in; mel, logarithm, standardisation and windows are inside", false},
    {"with-past", 0, OPT_FLAG, NULL,
     "onnx: for generation: a cache of keys and values goes in and comes out", false},
    {"no-probe", 0, OPT_FLAG, NULL, "onnx, coreml: only the embedding, without 'probabilities'",
     false},
    {"quant", 0, OPT_TEXT, "HOW",
     "onnx-int8: weights (the rule), or dynamic: products in whole numbers, faster and less exact",
     false},
    {"shape", 0, OPT_TEXT, "SIZES",
     "coreml: its fixed sizes, \"batch=1,time=150\"; one item, as long as in training, if not said",
     false},
    {"f32", 0, OPT_FLAG, NULL, "coreml: all in f32, at twice the size", false},
    {"probe", 0, OPT_FLAG, NULL, "pt, safetensors: the training-only probe head too", false},
    {"data", 'd', OPT_TEXT, "GLOB",
     "shards on which what is in the file is held against the checkpoint in f32", false},
    {"card", 0, OPT_FLAG, NULL,
     "beside it a model card, NAME.md, and the model's entry in registry.json", false},
    {"overwrite", 0, OPT_FLAG, NULL, "replace what is there", false},
    {0},
};

// Of a file, or of all files in a folder; 0 where there are none (a pipe).
static int64_t bytes_of(const char *path, arena *a)
{
    struct stat st;
    size_t n = 0;
    int64_t sum = 0;
    if (stat(path, &st) || (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)))
        return 0;
    if (S_ISREG(st.st_mode))
        return st.st_size;
    char **list = file_list(a, path, "*", &n);
    for (size_t i = 0; i < n; i++)
        sum += bytes_of(list[i], a);
    return sum;
}

// How large the file is, and how far the output of an example is from f32's.
static void report_file(cmd *c, json *j, const export_task *t)
{
    int64_t bytes = t->bytes ? t->bytes : bytes_of(t->out, c->arena),
            whole = 4 * params_count(t->from->p, false);
    char size[32], f32[32];
    if (!bytes)
        return;
    json_set_int(j, "bytes", bytes);
    str_human_bytes((uint64_t)bytes, size), str_human_bytes((uint64_t)whole, f32);
    if (!t->most) {
        cmd_print(c, "%s, where weights in f32 are %s", size, f32);
        return;
    }
    json_set_num(j, "max_difference", t->difference);
    json_set_num(j, "output_max", t->most);
    cmd_print(c,
              "%s, where weights in f32 are %s; output of an example off by %.2g at most, of %.3g",
              size, f32, t->difference, t->most);
    if (t->checked) {
        json_set_str(j, "checked", t->checked);
        cmd_print(c, "checked: %s", t->checked);
    }
}

static json *report(cmd *c, const export_def *f, const export_task *t)
{
    json *j = json_object();
    const trained *d = t->from;
    int64_t count = t->count ? t->count : params_count(d->p, false);
    json_set_str(j, "file", t->out);
    json_set_str(j, "format", f->name);
    json_set_str(j, "model", d->model->name);
    json_set_int(j, "params", count);
    json_set_str(j, "fingerprint", t->fingerprint);
    cmd_print(c, "%s: %s, %lld parameters, as %s", t->out, d->model->name, (long long)count,
              f->name);
    report_file(c, j, t);
    return j;
}

// A file's network in place of ours.
typedef struct exported {
    const export_def *format;
    export_task *task;
} exported;

static bool say(void *with, session *s, err *e)
{
    exported *x = with;
    return x->format->say(x->task, s, e);
}

// The network of the checkpoint and that of the file on the same data, figure by figure: "loss" is
// the file's, "loss_f32" the checkpoint's. A pipe's weights are those that went into it.
static bool compare(cmd *c, const export_def *f, export_task *t, const char *pattern, json *j,
                    err *e)
{
    evaluation v[2];
    metrics_figure m;
    exported with = {f, t};
    evaluate_request r = {
        .checkpoint = t->from->path, .patterns = &pattern, .n_patterns = 1, .rows = 16};
    if (!evaluate_checkpoint(&r, &c->env, c->arena, &v[0], e))
        return false;
    bool file = f->say && t->checked, exact = t->again || (t->wide && f->folder); // --f32
    r.with = &with, r.say = file ? say : NULL, r.weights = t->again;
    r.form = file || exact ? QUANTISE_NONE : t->dynamic ? QUANTISE_DYNAMIC : f->form;
    if (!evaluate_checkpoint(&r, &c->env, c->arena, &v[1], e))
        return false;
    for (int i = 0; (m = metrics_at(&v[0].result, i)).name; i++) {
        double given = metrics_find(&v[1].result, m.name).value;
        json_set_num(j, m.name, given);
        json_set_num(j, arena_printf(c->arena, "%s_f32", m.name), m.value);
        cmd_print(c, "%-10s %.4f in f32, %.4f as %s", m.name, m.value, given, f->name);
    }
    json_set_int(j, "items", v[0].items);
    return true;
}

static bool is_folder_with_files(const char *path, arena *a)
{
    size_t n = 0;
    return file_is_folder(path) && file_list(a, path, "*", &n) && n;
}

// What is there stays, unless --overwrite says otherwise; pipes and devices are written into.
static bool check_out(cmd *c, const export_def *f, const char *out, err *e)
{
    bool there = f->folder ? is_folder_with_files(out, c->arena) ||
                                 (file_exists(out) && !file_is_folder(out))
                           : file_exists(out) && !file_is_folder(out) && !file_special(out);
    if (there && !option_given(c, "overwrite"))
        return err_set(e, ERR_USAGE,
                       "'%s' is there already; add --overwrite to replace it, or name another",
                       out);
    return f->folder || cmd_output(c, out, false, e) || err_trail(e, "--out");
}

// --quant is for the format that has both.
static bool check_quant(cmd *c, const export_def *f, bool *dynamic, err *e)
{
    const char *how = option_text(c, "quant", NULL);
    *dynamic = how && !strcmp(how, "dynamic");
    if (how && f->form != QUANTISE_INT8)
        return err_set(e, ERR_USAGE, "--quant is for --format onnx-int8, not %s", f->name);
    return !how || *dynamic || !strcmp(how, "weights") ||
           err_set(e, ERR_USAGE, "--quant takes weights or dynamic, not '%s'", how);
}

// ---- The card

// A card of ours is written anew; a page that a person wrote stays, unless --overwrite says
// otherwise.
static bool check_card(cmd *c, const char *out, err *e)
{
    const char *path = registry_card(out, c->arena);
    size_t n = 0;
    if (!option_given(c, "card"))
        return true;
    if (file_special(out))
        return err_set(e, ERR_USAGE, "--card goes beside a file, and '%s' is none", out);
    char *text = file_exists(path) ? file_read(c->arena, path, CARD_MAX, &n, e) : NULL;
    if (file_exists(path) && !text)
        return false;
    if (text && !str_starts(text, CARD_MARK) && !option_given(c, "overwrite"))
        return err_set(e, ERR_USAGE,
                       "'%s' is no card of kmidi's; add --overwrite to replace it, or name another "
                       "export",
                       path);
    json *registry = registry_open(out, c->arena, e);
    json_free(registry);
    return registry != NULL;
}

static bool write_card(cmd *c, const export_def *f, const export_task *t, json *j, err *e)
{
    if (!option_given(c, "card"))
        return true;
    const char *card = registry_card(t->out, c->arena), *list = registry_path(t->out, c->arena);
    const registry_note note = {t, f->name, json_int(json_get(j, "bytes"), 0)};
    strbuf page = {0};
    int held = registry_hold(t->out, c->arena);
    json *registry = registry_open(t->out, c->arena, e);
    const json *entry = registry ? registry_add(registry, &note, c->arena, e) : NULL;
    if (entry)
        card_write(t->from, entry, c->arena, &page);
    bool ok = entry && file_write(card, page.s, page.len, e) &&
              registry_save(registry, t->out, c->arena, e);
    registry_release(held);
    if (ok) {
        json_set_str(j, "card", card), json_set_str(j, "registry", list);
        cmd_print(c, "%s and %s", card, list);
    }
    strbuf_free(&page);
    json_free(registry);
    return ok;
}

static bool write_as(cmd *c, const export_def *f, const char *out, err *e)
{
    const char *pattern = option_text(c, "data", NULL);
    bool dynamic;
    if (!check_quant(c, f, &dynamic, e) || !check_out(c, f, out, e) || !check_card(c, out, e))
        return false;
    trained *d = trained_open(c->args[0], c->arena, e);
    char hex[65] = "";
    if (d)
        params_fingerprint(d->p, hex);
    export_task t = {.from = d,
                     .fingerprint = hex,
                     .out = out,
                     .arena = c->arena,
                     .env = &c->env,
                     .front_end = option_given(c, "front-end"),
                     .with_past = option_given(c, "with-past"),
                     .no_probe = option_given(c, "no-probe"),
                     .probe = option_given(c, "probe"),
                     .wide = option_given(c, "f32"),
                     .dynamic = dynamic,
                     .shape = option_text(c, "shape", NULL)};
    bool ok = d && (!(f->runs || pattern) || products_open(&c->env, c->arena, e)) &&
              f->write(&t, e) && (!f->check || file_special(out) || f->check(&t, e));
    json *j = ok ? report(c, f, &t) : NULL;
    ok = ok && (!pattern || compare(c, f, &t, pattern, j, e)) && write_card(c, f, &t, j, e);
    if (ok)
        cmd_json(c, j);
    else
        json_free(j);
    if (t.again)
        params_release(t.again);
    onnx_runner_close(t.runner);
    trained_close(d);
    return ok;
}

static bool export_run(cmd *c, err *e)
{
    const char *format = option_text(c, "format", "");
    for (int i = 0; i < FORMATS; i++)
        if (!strcmp(formats[i]->name, format))
            return write_as(c, formats[i], option_text(c, "out", ""), e);
    strbuf names = {0};
    name_formats(&names);
    (void)err_set(e, ERR_USAGE, "--format takes %s, not '%s'", names.s, format);
    strbuf_free(&names);
    return false;
}

const command cmd_export = {
    .name = "export",
    .summary = "Writes a checkpoint for other programs, or its adapter as PEFT's",
    .usage = "CHECKPOINT --format FORMAT -o OUT",
    .options = options,
    .told = name_formats,
    .args_min = 1,
    .args_max = 1,
    .details = "CHECKPOINT is a file, or a run folder (its best checkpoint). ONNX is of opset "
               "17, one file, with batch and length free; its metadata carries labels, "
               "feature settings, mean and deviation, and the fingerprint of the weights. "
               "Without --front-end the input 'mel' is log-mel frames standardised by "
               "(log_mel - mean) / deviation; with it, 'waveform' is audio. With --with-past, "
               "for the transformer, 'past_key_values.N.key' and '.value' go in, of length 0 "
               "at first, and 'present.N' comes out: the past of the next step, which takes "
               "the tokens behind it alone. coreml is a package, NAME.mlpackage: an ML program of "
               "iOS 16 and macOS 13 for one shape, computed in halves but for LSTMs and the last "
               "product.",
    .example = "kmidi export runs/emotion/checkpoints/best.h5 --format onnx -o emotion.onnx",
    .run = export_run,
};
