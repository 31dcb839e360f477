// SPDX-License-Identifier: GPL-3.0-or-later
// hparams.c: the messages of TensorBoard's hparams plugin (hparams.h). Each is the content of a
// summary's metadata, whose tensor is empty.
#include "train/hparams.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "train/config_lines.h"
#include "train/events_internal.h"

// Bytes of a message besides the texts in it; of a whole event besides its content.
enum { FIELDS = 64, EVENT = 256 };
enum { TYPE_STRING = 1, TYPE_BOOL, TYPE_NUMBER }; // api.proto's DataType

static wire wire_open(arena *a, size_t room)
{
    return (wire){.p = arena_alloc(a, room, 1)};
}

static void put_text(wire *w, int field, const char *text)
{
    wire_bytes(w, field, text, strlen(text));
}

static void put_message(wire *w, int field, const wire *m)
{
    wire_bytes(w, field, m->p, m->n);
}

// ---- Values

static bool is_number(const char *text, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return *text && !*end && isfinite(*number);
}

static int type_of(const char *value)
{
    double number;
    return is_number(value, &number)                           ? TYPE_NUMBER
           : !strcmp(value, "true") || !strcmp(value, "false") ? TYPE_BOOL
                                                               : TYPE_STRING;
}

// google.protobuf.Value
static wire value_of(const char *value, int type, arena *a)
{
    wire w = wire_open(a, strlen(value) + FIELDS);
    double number;
    if (type == TYPE_NUMBER && is_number(value, &number))
        wire_double(&w, 2, number);
    else if (type == TYPE_BOOL)
        wire_int(&w, 4, !strcmp(value, "true"));
    else
        put_text(&w, 3, value);
    return w;
}

// ---- Records

// Event{1 wall, 5 summary{1 value{1 tag, 8 tensor, 9 metadata{1 plugin{1 name, 2 content}}}}}
static wire record_of(const char *tag, int field, const wire *message, arena *a)
{
    static const uint8_t nothing[] = {0x08, 0x01, 0x12, 0x02, 0x12, 0x00}; // of floats, [0]
    size_t room = message->n + EVENT;
    wire content = wire_open(a, room), plugin = wire_open(a, room), metadata = wire_open(a, room),
         value = wire_open(a, room), summary = wire_open(a, room), event = wire_open(a, room),
         out = wire_open(a, room + EVENTS_FRAME);
    put_message(&content, field, message); // HParamsPluginData, version 0
    put_text(&plugin, 1, "hparams");
    put_message(&plugin, 2, &content);
    put_message(&metadata, 1, &plugin);
    put_text(&value, 1, tag);
    wire_bytes(&value, 8, nothing, sizeof nothing);
    put_message(&value, 9, &metadata);
    put_message(&summary, 1, &value);
    wire_double(&event, 1, events_wall_time());
    put_message(&event, 5, &summary);
    out.n = events_frame(&event, out.p);
    return out;
}

// A file of its own, with one record.
static bool write_file(const char *path, const wire *record, arena *a, err *e)
{
    wire all = wire_open(a, record->n + EVENTS_RECORD);
    all.n = events_version_record(events_wall_time(), all.p);
    wire_put(&all, record->p, record->n);
    return file_write(path, all.p, all.n, e);
}

// ---- A run

const char *hparam_plain(const char *value, size_t n, arena *a)
{
    bool quoted = n > 1 && value[0] == '"' && value[n - 1] == '"';
    return arena_printf(a, "%.*s", (int)(quoted ? n - 2 : n), quoted ? value + 1 : value);
}

size_t hparams_of(const char *yaml, hparam **list, arena *a)
{
    config_lines l = {.at = yaml}, again = l;
    const char *value;
    size_t size, n = 0;
    while (config_lines_next(&l, &value, &size))
        n++;
    *list = NEW(a, hparam, n + 1);
    n = 0;
    while (config_lines_next(&again, &value, &size))
        if (size && (size != 4 || memcmp(value, "null", 4)))
            (*list)[n++] = (hparam){arena_strdup(a, again.name), hparam_plain(value, size, a)};
    return n;
}

static bool start(events *v, const hparam *list, size_t n, arena *a, err *e)
{
    size_t room = FIELDS;
    for (size_t i = 0; i < n; i++)
        room += strlen(list[i].name) + strlen(list[i].value) + 2 * FIELDS;
    wire w = wire_open(a, room);
    for (size_t i = 0; i < n; i++) {
        wire entry = wire_open(a, strlen(list[i].name) + strlen(list[i].value) + 2 * FIELDS);
        wire value = value_of(list[i].value, type_of(list[i].value), a);
        put_text(&entry, 1, list[i].name);
        put_message(&entry, 2, &value);
        put_message(&w, 1, &entry);
    }
    wire_double(&w, 5, events_wall_time());
    wire record = record_of("_hparams_/session_start_info", 3, &w, a);
    return events_record(v, record.p, record.n, e) && events_flush(v, e);
}

bool hparams_start(events *v, const hparam *list, size_t n, err *e)
{
    arena a = {.name = "hparams"};
    bool ok = start(v, list, n, &a, e);
    arena_free(&a);
    return ok;
}

static bool end(const char *dir, bool failed, arena *a, err *e)
{
    size_t n;
    double now = events_wall_time();
    char **list = file_list(a, dir, "events.out.tfevents.*", &n);
    if (!n || str_ends(list[n - 1], EVENTS_END))
        return true;
    wire w = wire_open(a, FIELDS);
    wire_int(&w, 1, failed ? 2 : 1); // STATUS_FAILURE, STATUS_SUCCESS
    wire_double(&w, 2, now);
    wire record = record_of("_hparams_/session_end_info", 4, &w, a);
    return write_file(events_file_name(dir, EVENTS_END, now, a), &record, a, e);
}

bool hparams_end(const char *dir, bool failed, err *e)
{
    arena a = {.name = "hparams"};
    bool ok = end(dir, failed, &a, e);
    arena_free(&a);
    return ok;
}

// ---- A sweep

static int type_of_all(const hparam_info *k)
{
    int type = k->n ? type_of(k->values[0]) : TYPE_STRING;
    for (size_t i = 1; i < k->n; i++)
        if (type_of(k->values[i]) != type)
            type = TYPE_STRING;
    return type;
}

// HParamInfo{1 name, 4 type, 5 values{1 value ...}, 7 differs}
static wire info_of(const hparam_info *k, arena *a)
{
    size_t room = strlen(k->name) + 2 * FIELDS;
    int type = type_of_all(k);
    for (size_t i = 0; i < k->n; i++)
        room += strlen(k->values[i]) + FIELDS;
    wire w = wire_open(a, room), values = wire_open(a, room);
    for (size_t i = 0; i < k->n; i++) {
        wire value = value_of(k->values[i], type, a);
        put_message(&values, 1, &value);
    }
    put_text(&w, 1, k->name);
    wire_int(&w, 4, (uint64_t)type);
    if (!k->many)
        put_message(&w, 5, &values);
    wire_int(&w, 7, k->n > 1);
    return w;
}

// MetricInfo{1 name{2 tag}, 3 display_name}
static wire metric_of(const char *tag, arena *a)
{
    size_t room = 2 * strlen(tag) + FIELDS;
    wire w = wire_open(a, room), name = wire_open(a, room);
    put_text(&name, 2, tag);
    put_message(&w, 1, &name);
    put_text(&w, 3, tag);
    return w;
}

static bool experiment(const char *dir, const hparam_experiment *x, arena *a, err *e)
{
    size_t room = strlen(x->description) + FIELDS;
    wire *parts = NEW(a, wire, x->n_keys + x->n_tags + 1);
    for (size_t i = 0; i < x->n_keys + x->n_tags; i++) {
        parts[i] = i < x->n_keys ? info_of(&x->keys[i], a) : metric_of(x->tags[i - x->n_keys], a);
        room += parts[i].n + FIELDS;
    }
    wire w = wire_open(a, room);
    put_text(&w, 1, x->description);
    wire_double(&w, 3, events_wall_time());
    for (size_t i = 0; i < x->n_keys + x->n_tags; i++)
        put_message(&w, i < x->n_keys ? 4 : 5, &parts[i]);
    wire record = record_of("_hparams_/experiment", 2, &w, a);
    return write_file(arena_printf(a, "%s/events.out.tfevents.0000000001.sweep", dir), &record, a,
                      e);
}

bool hparams_experiment(const char *dir, const hparam_experiment *x, err *e)
{
    arena a = {.name = "hparams"};
    bool ok = experiment(dir, x, &a, e);
    arena_free(&a);
    return ok;
}
