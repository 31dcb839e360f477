// SPDX-License-Identifier: GPL-3.0-or-later
// export.c: a checkpoint as a file for other programs, in the formats of export/exports.def.
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "cmd/cmd.h"
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
    {"shape", 0, OPT_TEXT, "SIZES",
     "coreml: its fixed sizes, \"batch=1,time=150\"; one item, as long as in training, if not said",
     false},
    {"f32", 0, OPT_FLAG, NULL, "coreml: all in f32, at twice the size", false},
    {"probe", 0, OPT_FLAG, NULL, "safetensors: the training-only probe head too", false},
    {"data", 'd', OPT_TEXT, "GLOB",
     "onnx-fp16, onnx-int8, coreml: shards on which the rounded weights are held against f32",
     false},
    {0},
};

// How large the file is, and how far the output of an example is from f32's.
static void report_rounded(cmd *c, json *j, const export_task *t)
{
    struct stat st;
    int64_t whole = 4 * params_count(t->from->p, false);
    char bytes[32], f32[32];
    if (!t->most || stat(t->out, &st))
        return;
    int64_t size = t->bytes ? t->bytes : st.st_size;
    json_set_int(j, "bytes", size);
    json_set_num(j, "difference", t->difference);
    json_set_num(j, "output_max", t->most);
    cmd_print(c,
              "%s, where weights in f32 are %s; output of an example off by %.2g at most, of %.3g",
              str_human_bytes((uint64_t)size, bytes), str_human_bytes((uint64_t)whole, f32),
              t->difference, t->most);
}

static void report(cmd *c, const export_def *f, const export_task *t)
{
    char hex[65];
    json *j = json_object();
    const trained *d = t->from;
    int64_t count = t->count ? t->count : params_count(d->p, false);
    params_fingerprint(d->p, hex);
    json_set_str(j, "file", t->out);
    json_set_str(j, "format", f->name);
    json_set_str(j, "model", d->model->name);
    json_set_int(j, "params", count);
    json_set_str(j, "fingerprint", hex);
    cmd_print(c, "%s: %s, %lld parameters, as %s", t->out, d->model->name, (long long)count,
              f->name);
    report_rounded(c, j, t);
    cmd_json(c, j);
}

// Both forms of the weights on the same data, figure by figure.
static bool compare(cmd *c, const export_def *f, const char *pattern, err *e)
{
    evaluation v[2];
    metrics_figure m;
    evaluate_request r = {.patterns = &pattern, .n_patterns = 1, .rows = 16};
    json *j = json_object();
    r.checkpoint = checkpoint_find(c->arena, c->args[0], "best", e);
    bool ok = r.checkpoint && evaluate_checkpoint(&r, &c->env, c->arena, &v[0], e);
    r.form = f->form;
    ok = ok && evaluate_checkpoint(&r, &c->env, c->arena, &v[1], e);
    for (int i = 0; ok && (m = metrics_at(&v[0].result, i)).name; i++) {
        double rounded = metrics_find(&v[1].result, m.name).value;
        json *both = json_object();
        json_set_num(both, "f32", m.value);
        json_set_num(both, "rounded", rounded);
        json_set(j, m.name, both);
        cmd_print(c, "%-10s %.4f in f32, %.4f as %s", m.name, m.value, rounded, f->name);
    }
    if (ok)
        json_set_int(j, "items", v[0].items), cmd_json(c, j);
    else
        json_free(j);
    return ok;
}

static bool check_data(const export_def *f, const char *pattern, err *e)
{
    return !pattern || f->form ||
           err_set(e, ERR_USAGE, "--data compares rounded weights with f32, and %s rounds none",
                   f->name);
}

static bool write_as(cmd *c, const export_def *f, const char *out, err *e)
{
    const char *pattern = option_text(c, "data", NULL);
    if (!check_data(f, pattern, e))
        return false;
    if (!f->folder && !cmd_output(c, out, false, e))
        return err_trail(e, "--out");
    trained *d = trained_open(c->args[0], c->arena, e);
    export_task t = {.from = d,
                     .out = out,
                     .arena = c->arena,
                     .env = &c->env,
                     .front_end = option_given(c, "front-end"),
                     .with_past = option_given(c, "with-past"),
                     .no_probe = option_given(c, "no-probe"),
                     .probe = option_given(c, "probe"),
                     .wide = option_given(c, "f32"),
                     .shape = option_text(c, "shape", NULL)};
    bool ok = d && (!f->runs || products_open(&c->env, c->arena, e)) && f->write(&t, e);
    if (ok)
        report(c, f, &t);
    trained_close(d);
    return ok && (!pattern || compare(c, f, pattern, e));
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
    .summary = "Writes a checkpoint as ONNX, Core ML or safetensors, or its adapter as PEFT's",
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
               "iOS 16 and macOS 13 for one shape, computed in halves but for an LSTM.",
    .example = "kmidi export runs/emotion/checkpoints/best.h5 --format onnx -o emotion.onnx",
    .run = export_run,
};
