// SPDX-License-Identifier: GPL-3.0-or-later
// export.c: a checkpoint as a file for other programs, in the formats of export/exports.def.
#include <string.h>

#include "cmd/cmd.h"
#include "export/formats/format.h"
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
    {"out", 'o', OPT_TEXT, "OUT", "the file to write; for an adapter, the folder", true},
    {"front-end", 0, OPT_FLAG, NULL,
     "onnx: waveform in; mel, logarithm, standardisation and windows are inside", false},
    {"with-past", 0, OPT_FLAG, NULL,
     "onnx: for generation: a cache of keys and values goes in and comes out", false},
    {"no-probe", 0, OPT_FLAG, NULL, "onnx: only the embedding, without 'probabilities'", false},
    {"probe", 0, OPT_FLAG, NULL, "safetensors: the training-only probe head too", false},
    {0},
};

static bool report(cmd *c, const trained *d, const char *format, int64_t count, const char *out)
{
    char hex[65];
    json *j = json_object();
    params_fingerprint(d->p, hex);
    json_set_str(j, "file", out);
    json_set_str(j, "format", format);
    json_set_str(j, "model", d->model->name);
    json_set_int(j, "params", count);
    json_set_str(j, "fingerprint", hex);
    cmd_json(c, j);
    cmd_print(c, "%s: %s, %lld parameters, as %s", out, d->model->name, (long long)count, format);
    return true;
}

static bool write_as(cmd *c, const export_def *f, const char *out, err *e)
{
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
                     .probe = option_given(c, "probe")};
    bool ok = d && (!f->runs || products_open(&c->env, c->arena, e)) && f->write(&t, e) &&
              report(c, d, f->name, t.count ? t.count : params_count(d->p, false), out);
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
    .summary = "Writes a checkpoint as ONNX or safetensors, or its adapter as PEFT's",
    .usage = "CHECKPOINT --format FORMAT -o OUT",
    .options = options,
    .told = name_formats,
    .args_min = 1,
    .args_max = 1,
    .details = "CHECKPOINT is a file, or a run folder (its best checkpoint). ONNX is of opset 17, "
               "one file, with batch and length free;\n"
               "its metadata carries labels, feature settings, mean and deviation, and the "
               "fingerprint of the weights. Without --front-end\n"
               "the input 'mel' is log-mel frames standardised by (log_mel - mean) / deviation; "
               "with it, 'waveform' is audio.\n"
               "With --with-past, for the transformer, 'past_key_values.N.key' and '.value' go in, "
               "of length 0 at first, and 'present.N' comes "
               "out:\n"
               "the past of the next step, which takes the tokens behind it alone.",
    .example = "kmidi export runs/emotion/checkpoints/best.h5 --format onnx -o emotion.onnx",
    .run = export_run,
};
