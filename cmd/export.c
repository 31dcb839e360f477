// SPDX-License-Identifier: GPL-3.0-or-later
// export.c: a checkpoint as a file for other programs.
#include <string.h>

#include "cmd/cmd.h"
#include "data/music/emotions.h"
#include "export/safetensors.h"
#include "infer/selftest.h"
#include "infer/trained.h"
#include "lora/adapter.h"
#include "train/products.h"

static const option options[] = {
    {"format", 'f', OPT_TEXT, "FORMAT", "onnx, safetensors or adapter", true},
    {"out", 'o', OPT_TEXT, "OUT", "the file to write; for an adapter, the folder", true},
    {"front-end", 0, OPT_FLAG, NULL,
     "onnx: waveform in; mel, logarithm, standardisation and windows are inside", false},
    {"with-past", 0, OPT_FLAG, NULL,
     "onnx: for generation: a cache of keys and values goes in and comes out", false},
    {"no-probe", 0, OPT_FLAG, NULL, "onnx: only the embedding, without 'probabilities'", false},
    {"probe", 0, OPT_FLAG, NULL, "safetensors: the training-only probe head too", false},
    {0},
};

// What the checkpoint carries; exports add to a copy of it.
static model_meta copied_meta(cmd *c, const trained *d)
{
    model_meta meta = {.arena = c->arena};
    for (int i = 0; i < d->file->meta.n; i++)
        if (strcmp(d->file->meta.keys[i], "bf16x3")) // of the run, not of the model
            meta_set(&meta, d->file->meta.keys[i], d->file->meta.values[i]);
    return meta;
}

// Where the vector of an emotion goes in or comes out; NULL: nowhere.
static const char *emotion_place(const model_def *m, arena *a)
{
    for (int i = 0; i < m->n_inputs; i++)
        if (!strcmp(m->inputs[i].name, "emotion"))
            return "input emotion, all 64 elements";
    if (m->makes == MAKES_CHORDS)
        return "input context, its first 64 elements";
    return m->affect ? arena_printf(a, "output %s, elements 0 and 1", m->output.name) : NULL;
}

// What the 64 numbers mean to who has nothing but the file.
static void put_emotion(const model_def *m, model_meta *meta)
{
    const char *place = emotion_place(m, meta->arena);
    if (!place)
        return;
    json *o = json_object(), *elements = json_array(), *presets = json_object();
    json_push_str(elements, "valence, -1 to 1");
    json_push_str(elements, "arousal, -1 to 1");
    json_push_str(
        elements,
        "intensity, 0 to 1: sqrt((valence^2 + arousal^2) / 2) where nothing else is known");
    json_push_str(elements, "the rest: zero, or what the emotion recogniser's embedding has there");
    for (size_t i = 0; i < emotion_count(); i++) {
        json *point = json_array();
        json_push_num(point, emotion_at(i)->valence);
        json_push_num(point, emotion_at(i)->arousal);
        json_set(presets, emotion_at(i)->name, point);
    }
    json_set_str(o, "place", place);
    json_set(o, "elements", elements);
    json_set(o, "presets", presets);
    strbuf text = {0};
    json_dump(o, 0, &text);
    meta_set(meta, "emotion_vector", text.s);
    strbuf_free(&text);
    json_free(o);
}

static bool export_onnx(cmd *c, trained *d, const char *out, int64_t *count, err *e)
{
    onnx_front front;
    (void)count;
    model_meta meta = copied_meta(c, d);
    put_emotion(d->model, &meta);
    onnx_options o = {.classes = d->classes,
                      .probabilities = d->classes > 0 && !option_given(c, "no-probe"),
                      .past = option_given(c, "with-past"),
                      .meta = &meta};
    if (!products_open(&c->env, c->arena, e))
        return false;
    if (!option_given(c, "front-end"))
        return selftest_network(d, &c->env, &o, &meta, e) &&
               onnx_export(out, d->model, d->p, &o, e);
    o.front = &front;
    if (!trained_mel(d, e))
        return false;
    trained_front(d, &front);
    return selftest_front(d, &c->env, o.probabilities, &meta, e) &&
           onnx_export(out, d->model, d->p, &o, e);
}

static bool export_safetensors(cmd *c, trained *d, const char *out, int64_t *count, err *e)
{
    model_meta meta = copied_meta(c, d);
    char hex[65];
    (void)count;
    params_fingerprint(d->p, hex);
    meta_set(&meta, "model", d->model->name);
    meta_set(&meta, "fingerprint", hex);
    return safetensors_save_params(out, d->p, option_given(c, "probe"), &meta, e);
}

// The factors by themselves, for Hugging Face PEFT or another base of the same weights. The
// checkpoint keeps them apart from the base, so its network is built anew, adapted.
static bool export_adapter(cmd *c, trained *d, const char *out, int64_t *count, err *e)
{
    const checkpoint *k = d->file;
    lora_config lora;
    if (!k->adapter)
        return err_set(e, ERR_MISMATCH,
                       "'%s' has no adapter: it was not trained with lora.target_modules", d->path);
    model_dims dims = {.batch = 1, .time = 1, .classes = d->classes};
    if (!lora_config_read(d->path, k->adapter, strlen(k->adapter), c->arena, &lora, e) ||
        !(dims.adapters = lora_match(&lora, d->model, false, c->arena, e)))
        return false;
    params *p = params_open(c->arena);
    model_meta meta = {.arena = c->arena};
    static const char *const kept[][2] = {{"adapter_base", "base_fingerprint"},
                                          {"settings", "settings"},
                                          {"adapter_dropout", "dropout"}};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (meta_get(&k->meta, kept[i][0]))
            meta_set(&meta, kept[i][1], meta_get(&k->meta, kept[i][0]));
    if (d->classes && meta_get(&k->meta, "labels"))
        meta_set(&meta, "labels", meta_get(&k->meta, "labels"));
    meta_set(&meta, "model", d->model->name);
    if (d->model->n_options)
        meta_set(&meta, "sizes", model_sizes(d->model, c->arena));
    bool ok = model_build(d->model, p, &dims, c->arena, e) && params_allocate(p, 0, e) &&
              checkpoint_weights(d->file, p, e) &&
              lora_save(out, p, dims.adapters, k->adapter, &meta, e);
    for (int i = 0; i < p->n; i++)
        *count += p->list[i].adapter || (p->list[i].counted && p->list[i].trainable)
                      ? p->list[i].count
                      : 0;
    params_release(p);
    return ok;
}

static const struct {
    const char *name;
    // count: parameters written, where not the model's
    bool (*write)(cmd *c, trained *d, const char *out, int64_t *count, err *e);
    bool file; // or a folder
} formats[] = {{"onnx", export_onnx, true},
               {"safetensors", export_safetensors, true},
               {"adapter", export_adapter, false}};

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

static bool export_run(cmd *c, err *e)
{
    const char *format = option_text(c, "format", ""), *out = option_text(c, "out", "");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, format))
            continue;
        if (formats[i].file && !cmd_output(c, out, false, e))
            return err_trail(e, "--out");
        trained *d = trained_open(c->args[0], c->arena, e);
        int64_t count = 0;
        bool ok = d && formats[i].write(c, d, out, &count, e) &&
                  report(c, d, format, count ? count : params_count(d->p, false), out);
        trained_close(d);
        return ok;
    }
    return err_set(e, ERR_USAGE, "--format takes onnx, safetensors or adapter, not '%s'", format);
}

const command cmd_export = {
    .name = "export",
    .summary = "Writes a checkpoint as ONNX or safetensors, or its adapter as PEFT's",
    .usage = "CHECKPOINT --format FORMAT -o OUT",
    .options = options,
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
