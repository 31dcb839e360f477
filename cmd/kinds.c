// SPDX-License-Identifier: GPL-3.0-or-later
// kinds.c: which kind of file a path is, and what there is to say about data: shards, other HDF5
// files, audio (kinds.h).
#include "cmd/kinds.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/h5.h"
#include "data/audio/clip.h"
#include "data/midi/midi.h"
#include "data/shards/shard.h"
#include "export/mil.h"
#include "export/torch_file.h"
#include "lora/adapter.h"

enum { HEAD = 64, MOST_FIELDS = 100 };

// ---- Shards

static void put_labels(const shard *s, json *o)
{
    json *labels = json_object();
    for (size_t i = 0; i < s->info.n_labels; i++)
        json_set_int(labels, s->info.labels[i], s->label_count[i]);
    json_set(o, "labels", labels);
    json_set_int(o, "without_label", s->label_count[s->info.n_labels]);
}

// How many items have each field that the index had besides.
static bool put_attributes(shard *s, json *o, arena *a, err *e)
{
    const char *const *texts;
    json *fields = NULL;
    if (!shard_attributes(s, a, &texts, e))
        return false;
    for (int64_t i = 0; texts && i < s->items; i++) {
        json *j = json_parse(texts[i], strlen(texts[i]), NULL);
        fields = fields ? fields : json_object();
        for (void *it = json_first(j); it; it = json_next(j, it))
            if (json_len(fields) < MOST_FIELDS || json_get(fields, json_key(it)))
                json_set_int(fields, json_key(it), json_int(json_get(fields, json_key(it)), 0) + 1);
        json_free(j);
    }
    if (fields)
        json_set(o, "attributes", fields);
    return true;
}

static void put_sources(const shard *s, json *o)
{
    json *sources = json_object();
    for (int64_t i = 0; i < s->items; i++)
        json_set_int(sources, s->sources[i], json_int(json_get(sources, s->sources[i]), 0) + 1);
    json_set(o, "label_sources", sources);
}

static void put_columns(const shard *s, json *o)
{
    json *columns = json_object();
    for (int k = 0; k < s->info.n_columns; k++) {
        const shard_column *c = &s->info.columns[k];
        if (shard_column_is_mel(c))
            continue; // told as frames
        json *x = json_object();
        json_set_int(x, "rows", c->rows);
        json_set_int(x, "longest", c->longest);
        json_set_int(x, "width", c->width);
        json_set(columns, c->name, x);
    }
    json_set(o, "columns", columns);
}

static void put_sizes(const shard *s, json *o)
{
    double seconds = 0;
    for (int64_t i = 0; s->seconds && i < s->items; i++)
        seconds += s->seconds[i];
    if (s->info.n_mels) {
        json_set_int(o, "frames", s->frames);
        json_set_int(o, "longest", s->longest);
        json_set_int(o, "bands", s->info.n_mels);
    }
    if (shard_has_songs(&s->info)) {
        put_columns(s, o);
        json_set_num(o, "hours", seconds / 3600);
        put_sources(s, o);
    }
}

static bool describe_shard(const char *path, json *o, arena *a, err *e)
{
    char **lines;
    size_t rejected;
    shard *s = shard_open(path, e);
    bool ok = s && shard_rejected(path, a, &lines, &rejected, e) && put_attributes(s, o, a, e);
    if (ok) {
        json_set_str(o, "dataset", s->info.dataset);
        json_set_str(o, "split", s->info.split);
        json_set_bool(o, "synthetic", s->info.synthetic);
        json_set_int(o, "items", s->items);
        json_set_int(o, "rejected", (int64_t)rejected);
        put_labels(s, o);
        put_sizes(s, o);
        json_set(o, "settings", json_parse(s->info.settings, strlen(s->info.settings), NULL));
        if (s->info.augment)
            json_set(o, "augment", json_parse(s->info.augment, strlen(s->info.augment), NULL));
        json_set_str(o, "licence", s->info.licence);
        json_set_str(o, "citation", s->info.citation);
        json_set_str(o, "key", s->info.key);
    }
    shard_close(s);
    return ok;
}

static bool verify_h5(const char *path, arena *a, err *e)
{
    size_t n;
    (void)a;
    h5 *f = h5_open(path, e);
    bool ok = f && h5_verify(f, &n, e);
    h5_close(f);
    return ok;
}

// Every item, as training would read it.
static bool verify_items(shard *s, arena *a, err *e)
{
    bool ok = true;
    for (int64_t i = 0; ok && i < s->items; i++) {
        arena_mark m = arena_save(a);
        for (int k = 0; ok && k < s->info.n_columns; k++) {
            size_t numbers = (size_t)shard_item_count(s, k, i) * (size_t)s->info.columns[k].width;
            ok = shard_item_rows(s, k, i, NEW(a, float, numbers), e);
        }
        arena_rewind(a, m);
    }
    return ok;
}

static bool verify_shard(const char *path, arena *a, err *e)
{
    if (!verify_h5(path, a, e))
        return false;
    shard *s = shard_open(path, e);
    const char *const *attributes;
    bool ok = s && verify_items(s, a, e) && shard_attributes(s, a, &attributes, e);
    shard_close(s);
    return ok;
}

const file_kind kind_shard = {.name = "shard", .describe = describe_shard, .verify = verify_shard};

// ---- Audio. Decoded to its end, so that every checksum is compared.

static bool describe_audio(const char *path, json *o, arena *a, err *e)
{
    clip c;
    (void)a;
    if (!clip_read(path, 0, 0, 0, &c, e))
        return false;
    double sum = 0, peak = 0;
    for (int64_t i = 0; i < c.frames; i++) {
        double x = (double)c.samples[i];
        sum += x * x;
        peak = fabs(x) > peak ? fabs(x) : peak;
    }
    json_set_int(o, "rate", c.source_rate);
    json_set_int(o, "channels", c.source_channels);
    json_set_int(o, "samples", c.frames);
    json_set_num(o, "seconds", c.seconds);
    json_set_num(o, "peak", peak);
    json_set_num(o, "rms", sqrt(sum / (double)c.frames));
    json *remarks = json_array();
    for (int k = 0; k < CLIP_MARKS; k++)
        if (c.marks & 1u << k)
            json_push_str(remarks, clip_mark_text((clip_mark)k));
    if (json_len(remarks))
        json_set(o, "remarks", remarks);
    else
        json_free(remarks);
    clip_free(&c);
    return true;
}

static bool verify_audio(const char *path, arena *a, err *e)
{
    clip c;
    (void)a;
    bool ok = clip_read(path, 0, 0, 0, &c, e);
    clip_free(&c);
    return ok;
}

const file_kind kind_audio = {.name = "audio", .describe = describe_audio, .verify = verify_audio};

// ---- Which is it?

static const file_kind *kind_of_h5(const char *path, arena *a, err *e)
{
    static const struct {
        const char *format;
        const file_kind *kind;
    } formats[] = {{"kmidi-shard", &kind_shard}, {"kmidi-checkpoint", &kind_checkpoint}};
    char *format;
    h5 *f = h5_open(path, e);
    if (!f)
        return NULL;
    const file_kind *kind = &kind_hdf5;
    bool named = h5_get_text(f, "/", "format", a, &format, NULL);
    for (size_t i = 0; named && i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(format, formats[i].format))
            kind = formats[i].kind;
    h5_close(f);
    return kind;
}

static bool is_h5(const unsigned char *head, size_t n, const char *path)
{
    (void)path;
    return n >= 8 && !memcmp(head, "\x89HDF\r\n\x1a\n", 8);
}

// The length of the header, then JSON.
static bool is_safetensors(const unsigned char *head, size_t n, const char *path)
{
    return str_ends(path, ".safetensors") ||
           (n > 9 && head[8] == '{' && head[5] == 0 && head[6] == 0 && head[7] == 0);
}

static bool is_torch(const unsigned char *head, size_t n, const char *path)
{
    return torch_file_is(path, head, n);
}

// A ModelProto has no mark of its own; its first field is the IR version, a small number.
static bool is_onnx(const unsigned char *head, size_t n, const char *path)
{
    return str_ends(path, ".onnx") ||
           (n > 2 && head[0] == 8 && head[1] > 0 && head[1] < 32 && head[2] == 0x12);
}

// Whatever is called so is judged as MIDI: a damaged one has a better sentence from there than from
// audio.
static bool is_midi(const unsigned char *head, size_t n, const char *path)
{
    return (n >= 4 && !memcmp(head, "MThd", 4)) ||
           (n >= 12 && !memcmp(head, "RIFF", 4) && !memcmp(head + 8, "RMID", 4)) ||
           str_ends_any(path, midi_endings);
}

// What is left is judged as audio, which has bytes in its head that no text has; of a text its
// reader could only say that it was to be converted.
static bool is_text(const unsigned char *head, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++)
        if (!head[i] || head[i] == 0x7f || (head[i] < ' ' && !strchr("\t\n\f\r", head[i])))
            return false;
    return !str_ends_any(path, clip_endings);
}

static bool read_head(const char *path, unsigned char head[HEAD], size_t *n, err *e)
{
    uint64_t size;
    int fd = file_open(path, &size, e);
    if (fd < 0)
        return false;
    int64_t got = size ? file_read_at(fd, head, HEAD, 0) : 1;
    int why = errno;
    close(fd);
    errno = why;
    *n = got > 0 ? (size_t)got : 0;
    if (!size)
        return err_set(e, ERR_EMPTY, "'%s' is empty (0 bytes)", path);
    if (got < 0)
        return err_errno(e, "'%s' cannot be read; check the disk and try again", path);
    return *n > 0 || err_set(e, ERR_IO, "'%s' became empty while it was read; try again", path);
}

const file_kind *kind_of(const char *path, err *e)
{
    static const struct {
        bool (*is)(const unsigned char *head, size_t n, const char *path);
        const file_kind *kind;
    } kinds[] = {{is_h5, &kind_hdf5},
                 {is_torch, &kind_torch},
                 {is_safetensors, &kind_safetensors},
                 {is_onnx, &kind_onnx},
                 {is_midi, &kind_midi}};
    unsigned char head[HEAD];
    size_t n = 0;
    const file_kind *kind = &kind_audio;
    if (lora_is_adapter(path))
        return &kind_adapter;
    if (mil_is_package(path))
        return &kind_coreml;
    if (!read_head(path, head, &n, e))
        return NULL;
    for (size_t i = sizeof kinds / sizeof *kinds; i-- > 0;)
        if (kinds[i].is(head, n, path))
            kind = kinds[i].kind;
    if (kind == &kind_audio && is_text(head, n, path)) {
        err_set(e, ERR_FORMAT,
                "'%s' is text, and not a file of music or of a model; a configuration is for "
                "'kmidi plan', an index or labels for 'kmidi prepare'",
                path);
        return NULL;
    }
    if (kind != &kind_hdf5)
        return kind;
    arena a = {.name = "kind"};
    kind = kind_of_h5(path, &a, e);
    arena_free(&a);
    return kind;
}
