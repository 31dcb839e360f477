// SPDX-License-Identifier: GPL-3.0-or-later
// registry.c: see registry.h.
#include "cmd/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/version.h"

enum { REGISTRY_MAX = 16 << 20, CHUNK = 1 << 16 };

const char *registry_id(const char *out, arena *a)
{
    return path_stem(a, out);
}

static const char *beside(const char *out, const char *name, arena *a)
{
    return path_join(a, path_dir(a, out), name);
}

const char *registry_path(const char *out, arena *a)
{
    return beside(out, "registry.json", a);
}

const char *registry_card(const char *out, arena *a)
{
    return beside(out, arena_printf(a, "%s.md", registry_id(out, a)), a);
}

int registry_hold(const char *out, arena *a)
{
    int fd = open(path_dir(a, out), O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
    while (fd >= 0 && (status = flock(fd, LOCK_EX)) != 0 && errno == EINTR)
        ;
    if (fd >= 0 && status)
        close(fd);
    return status ? -1 : fd;
}

void registry_release(int fd)
{
    if (fd >= 0)
        close(fd);
}

json *registry_open(const char *out, arena *a, err *e)
{
    const char *path = registry_path(out, a);
    size_t n;
    if (!file_exists(path)) {
        json *j = json_object();
        json_set_str(j, "registry_version", "1.1");
        json_set(j, "models", json_array());
        return j;
    }
    char *text = file_read(a, path, REGISTRY_MAX, &n, e);
    json *j = text ? json_parse(text, n, e) : NULL;
    if (!j)
        return (void)(!text || err_trail(e, "'%s'", path)), NULL;
    if (json_type(json_get(j, "models")) == JSON_ARRAY)
        return j;
    json_free(j);
    (void)err_set(e, ERR_FORMAT, "'%s' has no list of models; move it away, or export elsewhere",
                  path);
    return NULL;
}

// ---- SHA-256 of what was written

static bool digest_file(digest *d, const char *path, err *e)
{
    uint64_t size;
    uint8_t bytes[CHUNK];
    int fd = file_open(path, &size, e);
    int64_t n = 0;
    for (int64_t at = 0; fd >= 0 && (n = file_read_at(fd, bytes, CHUNK, at)) > 0; at += n)
        digest_add(d, bytes, (size_t)n);
    bool ok = fd >= 0 && (n == 0 || err_errno(e, "'%s' cannot be read", path));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool digest_folder(digest *d, const char *path, const char *below, arena *a, err *e)
{
    size_t n = 0;
    char **list = file_list(a, path, "*", &n);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++) {
        const char *name = arena_printf(a, "%s%s", below, path_base(list[i]));
        if (file_is_folder(list[i])) {
            ok = digest_folder(d, list[i], arena_printf(a, "%s/", name), a, e);
        } else {
            digest_add_str(d, name);
            ok = digest_file(d, list[i], e);
        }
    }
    return ok;
}

static bool digest_of_export(const char *path, char hex[65], arena *a, err *e)
{
    digest *d = digest_open();
    bool ok = file_is_folder(path) ? digest_folder(d, path, "", a, e) : digest_file(d, path, e);
    digest_close(d, hex);
    return ok;
}

// ---- An entry

// Milliseconds that an answer may take, as the users of these networks want it.
static int target_ms(const char *model)
{
    static const struct {
        const char *model;
        int ms;
    } targets[] = {{"emotion_recognizer", 5},       {"melody_transformer", 10},
                   {"harmony_predictor", 3},        {"groove_predictor", 2},
                   {"dynamics_engine", 1},          {"instrument_recognizer", 10},
                   {"emotion_node_classifier", 15}, {"spectocloud_vit", 16},
                   {"emotion_midi_transformer", 5}};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (!strcmp(targets[i].model, model))
            return targets[i].ms;
    return 0;
}

static const char *task_name(model_task t)
{
    static const char *const names[] = {[TASK_CLASSES] = "classes",
                                        [TASK_TOKENS] = "tokens",
                                        [TASK_REGRESSION] = "regression",
                                        [TASK_GROUPS] = "groups",
                                        [TASK_CLOUDS] = "clouds"};
    return names[t];
}

static json *port_json(const port *p)
{
    json *j = json_object(), *dims = json_array();
    json_set_str(j, "name", p->name);
    json_set_str(j, "type", p->type == DT_I32 ? "int32" : "float32");
    for (int i = 0; i < p->rank; i++)
        if (p->sym[i])
            json_push_str(dims, p->sym[i] == SYM_BATCH ? "batch" : "time");
        else
            json_push_int(dims, p->dim[i]);
    json_set(j, "shape", dims);
    return j;
}

// Numbers of a frame, or of an item.
static int64_t width(const port *p)
{
    int64_t n = 1;
    for (int i = 0; i < p->rank; i++)
        n *= p->sym[i] ? 1 : p->dim[i];
    return n;
}

static json *training_json(const export_task *t)
{
    static const char *const kept[][2] = {{"dataset", "dataset"},
                                          {"data_digest", "data_digest"},
                                          {"licence", "data_licence"},
                                          {"citation", "data_citation"}};
    const trained *d = t->from;
    json *j = json_object();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (meta_get(&d->file->meta, kept[i][0]))
            json_set_str(j, kept[i][1], meta_get(&d->file->meta, kept[i][0]));
    const char *synthetic = meta_get(&d->file->meta, "synthetic");
    if (synthetic)
        json_set_bool(j, "synthetic", !strcmp(synthetic, "true"));
    if (d->file->has_state) {
        json_set_int(j, "steps", d->file->state.step);
        json_set_int(j, "seed", d->file->state.seed);
    }
    json_set_str(j, "fingerprint", t->fingerprint);
    json_set_str(j, "exported_by", version_revision());
    return j;
}

static json *integration_json(const trained *d)
{
    json *j = json_object(), *in = json_array(), *out = json_array();
    for (int i = 0; i < d->model->n_inputs; i++)
        json_push(in, port_json(&d->model->inputs[i]));
    json_push(out, port_json(&d->model->output));
    json_set(j, "inputs", in);
    json_set(j, "outputs", out);
    if (d->labels) {
        json *labels = json_array();
        for (int i = 0; i < d->classes; i++)
            json_push_str(labels, d->labels[i]);
        json_set(j, "labels", labels);
    }
    return j;
}

// "onnx_fp16_sha256"
static const char *key_of(const char *format, const char *what, arena *a)
{
    char *key = arena_printf(a, "%s_%s", format, what);
    for (char *c = key; *c; c++)
        *c = *c == '-' ? '_' : *c;
    return key;
}

// Those that were there, and this one. *file and *format: what the entry is about.
static json *exports_json(const json *old, const registry_note *n, const char *hex,
                          const char **file, const char **format, arena *a)
{
    json *j = json_type(old) == JSON_OBJECT ? json_clone(old) : json_object();
    const char *rtneural = json_str(json_get(j, "rtneural_path"), NULL);
    *file = path_base(n->task->out), *format = n->format;
    json_set_str(j, key_of(n->format, "path", a), *file);
    json_set_str(j, key_of(n->format, "sha256", a), hex);
    json_set_int(j, key_of(n->format, "bytes", a), n->bytes);
    if (n->task->most)
        json_set_num(j, key_of(n->format, "max_difference", a), n->task->difference);
    if (rtneural && strcmp(n->format, "rtneural")) {
        *file = arena_strdup(a, rtneural), *format = "rtneural";
        hex = json_str(json_get(j, "rtneural_sha256"), "");
    }
    json_set_str(j, "sha256", arena_strdup(a, hex));
    return j;
}

static json *entry_json(const json *old, const registry_note *n, const char *hex, arena *a)
{
    const trained *d = n->task->from;
    const model_def *m = d->model;
    const char *file, *format, *licence = meta_get(&d->file->meta, "licence");
    json *j = json_object(),
         *exports = exports_json(json_get(old, "exports"), n, hex, &file, &format, a);
    json_set_str(j, "id", registry_id(n->task->out, a));
    json_set_str(j, "file", file);
    json_set_str(j, "format", strcmp(format, "rtneural") ? format : "rtneural-json");
    json_set_str(j, "model_type", m->name);
    json_set_str(j, "task", task_name(m->task));
    json_set_int(j, "input_size", width(&m->inputs[0]));
    json_set_int(j, "output_size", width(&m->output));
    json_set_str(j, "status", d->file->has_state ? "trained" : "imported");
    json_set_str(j, "arch_hint", m->summary);
    json_set_int(j, "params_estimate", params_count(d->p, false));
    if (target_ms(m->name))
        json_set_int(j, "inference_target_ms", target_ms(m->name));
    json_set(j, "training", training_json(n->task));
    json_set(j, "exports", exports);
    json_set(j, "integration", integration_json(d));
    json_set_str(j, "model_card", path_base(registry_card(n->task->out, a)));
    json_set_str(j, "license",
                 licence ? arena_printf(a, "of the data: %s", licence) : "of the data: not said");
    return j;
}

const json *registry_add(json *registry, const registry_note *n, arena *a, err *e)
{
    char hex[65];
    if (!digest_of_export(n->task->out, hex, a, e))
        return NULL;
    const json *was = json_get(registry, "models");
    const char *id = registry_id(n->task->out, a);
    json *models = json_array();
    bool found = false;
    size_t at = json_len(was);
    for (size_t i = 0; i < json_len(was); i++) {
        const json *old = json_at(was, i);
        bool same = !strcmp(json_str(json_get(old, "id"), ""), id);
        if (same && !found)
            at = json_len(models);
        if (!same || !found)
            json_push(models, same ? entry_json(old, n, hex, a) : json_clone(old));
        found |= same;
    }
    if (!found)
        json_push(models, entry_json(NULL, n, hex, a));
    json_set(registry, "models", models);
    return json_at(json_get(registry, "models"), at);
}

bool registry_save(const json *registry, const char *out, arena *a, err *e)
{
    strbuf text = {0};
    json_dump(registry, 2, &text);
    strbuf_printf(&text, "\n");
    bool ok = file_write(registry_path(out, a), text.s, text.len, e);
    strbuf_free(&text);
    return ok;
}
