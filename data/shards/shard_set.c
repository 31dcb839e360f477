// SPDX-License-Identifier: GPL-3.0-or-later
// shard_set.c: one shard after the other into counters (shard_set.h). Counters by name are members
// of JSON objects: they keep the order in which names came, and are what is told in the end.
#include "data/shards/shard_set.h"

#include <stdlib.h>
#include <string.h>

#include "data/music/chords.h"
#include "data/music/harmony.h"
#include "data/music/tokens.h"
#include "data/shards/shard.h"

enum { BLOCK = 1 << 14, PITCHES = 128 }; // rows at a time

struct shard_set {
    int64_t shards, items;
    double seconds;
    bool synthetic;
    json *datasets, *splits, *sources, *rejected, *columns, *classes;
    int64_t tokens[TOKENS_COUNT], pitches[PITCHES], chords[CHORD_IDS];
    bool has_tokens, has_melody, has_harmony;
};

shard_set *shard_set_open(arena *a)
{
    shard_set *t = NEW(a, shard_set, 1);
    t->datasets = json_object(), t->splits = json_object(), t->sources = json_object();
    t->rejected = json_object(), t->columns = json_object();
    t->classes = json_object();
    return t;
}

static void count(json *o, const char *name, int64_t n)
{
    json_set_int(o, name, json_int(json_get(o, name), 0) + n);
}

static void count_num(json *o, const char *name, double x)
{
    json_set_num(o, name, json_num(json_get(o, name), 0) + x);
}

// The object `name` of o, made where it is not there. json_get's answer belongs to us, and may be
// changed.
static json *member(json *o, const char *name)
{
    if (!json_get(o, name))
        json_set(o, name, json_object());
    return (json *)json_get(o, name);
}

static double seconds_of(const shard *s)
{
    double seconds = 0;
    for (int64_t i = 0; s->seconds && i < s->items; i++)
        seconds += s->seconds[i];
    if (s->info.n_mels) {
        json *j = json_parse(s->info.settings, strlen(s->info.settings), NULL);
        const json *mel = json_get(j, "mel");
        double rate = json_num(json_get(mel, "sample_rate"), 0),
               hop = json_num(json_get(mel, "hop_length"), 0);
        seconds = rate > 0 && hop > 0 ? (double)s->frames * hop / rate : 0;
        json_free(j);
    }
    return seconds;
}

static void add_split(shard_set *t, const shard *s, double seconds)
{
    json *split = member(t->splits, s->info.split);
    count(split, "shards", 1);
    count(split, "items", s->items);
    count_num(split, "hours", seconds / 3600);
    json *labels = member(split, "labels");
    for (size_t i = 0; i < s->info.n_labels; i++)
        count(labels, s->info.labels[i], s->label_count[i]);
    count(split, "without_label", s->label_count[s->info.n_labels]);
}

static bool add_rejected(shard_set *t, const char *path, err *e)
{
    arena a = {.name = "shard set"};
    char **lines;
    size_t n;
    bool ok = shard_rejected(path, &a, &lines, &n, e);
    for (size_t i = 0; ok && i < n; i++) {
        json *j = json_parse(lines[i], strlen(lines[i]), NULL);
        count(t->rejected, json_str(json_get(j, "reason"), "unknown"), 1);
        json_free(j);
    }
    arena_free(&a);
    return ok;
}

// ---- Rows

typedef void count_row(shard_set *t, const void *rows, int64_t i);

static void count_token(shard_set *t, const void *rows, int64_t i)
{
    t->tokens[((const uint16_t *)rows)[i]]++;
    t->has_tokens = true;
}

static void count_pitch(shard_set *t, const void *rows, int64_t i)
{
    t->pitches[((const uint16_t *)rows)[i] % PITCHES]++;
    t->has_melody = true;
}

static void count_chord(shard_set *t, const void *rows, int64_t i)
{
    float id = ((const float *)rows)[i * (HARMONY_CONTEXT + 1) + HARMONY_CONTEXT];
    if (id >= 0 && id < CHORD_IDS)
        t->chords[(int)id]++;
    t->has_harmony = true;
}

static const struct {
    const char *column;
    int width;
    bool u16;
    count_row *count;
} counters[] = {{"tokens", 1, true, count_token},
                {"melody", 1, true, count_pitch},
                {"harmony", HARMONY_CONTEXT + 1, false, count_chord}};

static bool add_rows(shard_set *t, shard *s, int k, count_row *each, err *e)
{
    const shard_column *c = &s->info.columns[k];
    void *rows = base_checked(malloc(BLOCK * shard_row_bytes(c)), BLOCK * shard_row_bytes(c));
    bool ok = true;
    for (int64_t at = 0; ok && at < c->rows; at += BLOCK) {
        int64_t n = c->rows - at < BLOCK ? c->rows - at : BLOCK;
        ok = shard_rows(s, k, at, n, rows, e);
        for (int64_t i = 0; ok && i < n; i++)
            each(t, rows, i);
    }
    free(rows);
    return ok;
}

static bool add_columns(shard_set *t, shard *s, err *e)
{
    for (int k = 0; k < s->info.n_columns; k++) {
        const shard_column *c = &s->info.columns[k];
        if (shard_column_is_mel(c))
            continue; // told as hours
        json *o = member(t->columns, c->name);
        count(o, "rows", c->rows);
        if (c->longest > json_int(json_get(o, "longest"), -1))
            json_set_int(o, "longest", c->longest);
        for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
            if (!strcmp(c->name, counters[i].column) && c->width == counters[i].width &&
                c->u16 == counters[i].u16 && !add_rows(t, s, k, counters[i].count, e))
                return false;
    }
    return true;
}

// Of each group that some item has a class of.
static void add_classes(shard_set *t, const shard *s)
{
    const int64_t *n = s->class_count;
    for (int k = 0; k < s->info.n_groups; n += s->info.groups[k++].n)
        for (int c = 0; c < s->info.groups[k].n; c++)
            if (n[c])
                count(member(t->classes, s->info.groups[k].name), s->info.groups[k].classes[c],
                      n[c]);
}

bool shard_set_add(shard_set *t, const char *path, err *e)
{
    shard *s = shard_open(path, e);
    bool ok = s && add_rejected(t, path, e) && add_columns(t, s, e);
    if (ok) {
        double seconds = seconds_of(s);
        t->shards++, t->items += s->items, t->seconds += seconds;
        t->synthetic |= s->info.synthetic;
        count(t->datasets, s->info.dataset, s->items);
        add_split(t, s, seconds);
        add_classes(t, s);
        for (int64_t i = 0; i < s->items; i++)
            count(t->sources, s->sources[i], 1);
    }
    shard_close(s);
    return ok;
}

// ---- Facts

static json *numbers(const int64_t *x, int n)
{
    json *list = json_array();
    for (int i = 0; i < n; i++)
        json_push_int(list, x[i]);
    return list;
}

static int64_t sum_of(const int64_t *x, int from, int past)
{
    int64_t sum = 0;
    for (int i = from; i < past; i++)
        sum += x[i];
    return sum;
}

static json *token_facts(const shard_set *t)
{
    json *o = json_object(), *kinds = json_object();
    json_set_int(kinds, "on", sum_of(t->tokens, TOKENS_ON, TOKENS_OFF));
    json_set_int(kinds, "off", sum_of(t->tokens, TOKENS_OFF, TOKENS_SHIFT));
    json_set_int(kinds, "shift", sum_of(t->tokens, TOKENS_SHIFT, TOKENS_VELOCITY));
    json_set_int(kinds, "velocity", sum_of(t->tokens, TOKENS_VELOCITY, TOKENS_COUNT));
    json_set(o, "kinds", kinds);
    json_set(o, "histogram", numbers(t->tokens, TOKENS_COUNT));
    return o;
}

// The most frequent first; of equals the lower number.
static json *chord_facts(const shard_set *t)
{
    json *o = json_object();
    bool told[CHORD_IDS] = {false};
    for (;;) {
        int best = -1;
        char name[8];
        for (int i = 0; i < CHORD_IDS; i++)
            if (!told[i] && t->chords[i] && (best < 0 || t->chords[i] > t->chords[best]))
                best = i;
        if (best < 0)
            return o;
        told[best] = true;
        json_set_int(o, chord_name(best, name), t->chords[best]);
    }
}

json *shard_set_facts(shard_set *t)
{
    json *o = json_object();
    json_set_int(o, "shards", t->shards);
    json_set_int(o, "items", t->items);
    json_set_num(o, "hours", t->seconds / 3600);
    json_set_bool(o, "synthetic", t->synthetic);
    json_set(o, "datasets", t->datasets);
    json_set(o, "splits", t->splits);
    json_set(o, "label_sources", t->sources);
    json_set(o, "rejected", t->rejected);
    json_set(o, "columns", t->columns);
    json_set(o, "classes", t->classes);
    if (t->has_tokens)
        json_set(o, "tokens", token_facts(t));
    if (t->has_melody)
        json_set(o, "melody_pitches", numbers(t->pitches, PITCHES));
    if (t->has_harmony)
        json_set(o, "chords", chord_facts(t));
    return o;
}

void shard_set_close(shard_set *t)
{
    if (t)
        json_free(shard_set_facts(t));
}
