// SPDX-License-Identifier: GPL-3.0-or-later
// export.c: a checkpoint as a file for other programs.
#include <string.h>

#include "autograd/gemm.h"
#include "cmd/cmd.h"
#include "cmd/deploy.h"
#include "cmd/selftest.h"
#include "export/safetensors.h"

static const option options[] = {
    {"format", 'f', OPT_TEXT, "FORMAT", "onnx or safetensors", true},
    {"out", 'o', OPT_TEXT, "OUT", "the file to write", true},
    {"front-end", 0, OPT_FLAG, NULL, "onnx: waveform in; mel, logarithm, standardisation and windows are inside", false},
    {"no-probe", 0, OPT_FLAG, NULL, "onnx: only the embedding, without 'probabilities'", false},
    {"probe", 0, OPT_FLAG, NULL, "safetensors: the training-only probe head too", false},
    {0},
};

// What the checkpoint carries; exports add to a copy of it.
static model_meta copied_meta(cmd *c, const deploy *d)
{
    model_meta meta = {.arena = c->arena};
    for (int i = 0; i < d->file->meta.n; i++)
        meta_set(&meta, d->file->meta.keys[i], d->file->meta.values[i]);
    return meta;
}

static bool export_onnx(cmd *c, deploy *d, const char *out, err *e)
{
    onnx_front front;
    model_meta meta = copied_meta(c, d);
    onnx_options o = {.classes = d->classes, .probabilities = d->classes > 0 && !option_given(c, "no-probe"), .meta = &meta};
    if (!gemm_choose(e))
        return false;
    if (!option_given(c, "front-end"))
        return selftest_network(d, o.probabilities, &meta, e) && onnx_export(out, d->model, d->p, &o, e);
    o.front = &front;
    return deploy_mel(d, e) && deploy_front(d, &front, e) && selftest_front(d, o.probabilities, &meta, e) &&
           onnx_export(out, d->model, d->p, &o, e);
}

static bool export_safetensors(cmd *c, deploy *d, const char *out, err *e)
{
    model_meta meta = copied_meta(c, d);
    char hex[65];
    params_fingerprint(d->p, hex);
    meta_set(&meta, "model", d->model->name);
    meta_set(&meta, "fingerprint", hex);
    return safetensors_save_params(out, d->p, option_given(c, "probe"), &meta, e);
}

static const struct {
    const char *name;
    bool (*write)(cmd *c, deploy *d, const char *out, err *e);
} formats[] = {{"onnx", export_onnx}, {"safetensors", export_safetensors}};

static bool report(cmd *c, const deploy *d, const char *format, const char *out)
{
    char hex[65];
    json *j = json_object();
    params_fingerprint(d->p, hex);
    json_set_str(j, "file", out);
    json_set_str(j, "format", format);
    json_set_str(j, "model", d->model->name);
    json_set_int(j, "params", params_count(d->p, false));
    json_set_str(j, "fingerprint", hex);
    cmd_json(c, j);
    cmd_print(c, "%s: %s, %lld parameters, as %s", out, d->model->name, (long long)params_count(d->p, false), format);
    return true;
}

static bool export_run(cmd *c, err *e)
{
    const char *format = option_text(c, "format", ""), *out = option_text(c, "out", "");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, format))
            continue;
        deploy *d = deploy_open(c->args[0], c->arena, e);
        bool ok = d && formats[i].write(c, d, out, e) && report(c, d, format, out);
        deploy_close(d);
        return ok;
    }
    return err_set(e, ERR_USAGE, "--format takes onnx or safetensors, not '%s'", format);
}

const command cmd_export = {
    .name = "export",
    .summary = "Writes a checkpoint as ONNX or safetensors",
    .usage = "CHECKPOINT --format FORMAT -o OUT",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .details =
        "CHECKPOINT is a file, or a run folder (its best checkpoint). ONNX is of opset 17, one file, with batch and length free;\n"
        "its metadata carries labels, feature settings, mean and deviation, and the fingerprint of the weights. Without --front-end\n"
        "the input 'mel' is log-mel frames standardised by (log_mel - mean) / deviation; with it, 'waveform' is audio.",
    .example = "kmidi export runs/emotion/checkpoints/best.h5 --format onnx -o emotion.onnx",
    .run = export_run,
};
