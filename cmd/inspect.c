// SPDX-License-Identifier: GPL-3.0-or-later
// inspect.c: what is in a file, or in a set of shards. One list of facts, as JSON for scripts and
// as indented lines for people.
#include <string.h>

#include "base/file.h"
#include "cmd/inspect.h"
#include "cmd/kinds.h"
#include "data/music/cloud.h"
#include "data/music/cloud_write.h"
#include "data/music/roll.h"
#include "data/shards/shard.h"

enum { SHORT = 100, MOST_LINES = 400 };

static void print_fact(cmd *c, int depth, const char *key, const json *v, int *left);

static void print_facts(cmd *c, int depth, const json *o, int *left)
{
    for (void *it = json_first(o); it; it = json_next(o, it))
        print_fact(c, depth, json_key(it), json_value(it), left);
}

// Objects a key a line, everything else on its key's line; long lists and texts are cut.
static void print_fact(cmd *c, int depth, const char *key, const json *v, int *left)
{
    strbuf text = {0};
    if (--*left < 0)
        return;
    if (json_type(v) == JSON_OBJECT) {
        cmd_print(c, "%*s%s", 2 * depth, "", key);
        print_facts(c, depth + 1, v, left);
        return;
    }
    if (json_type(v) == JSON_STRING)
        strbuf_printf(&text, "%s", json_str(v, ""));
    else
        json_dump(v, 0, &text);
    bool cut = text.len > SHORT;
    for (size_t i = 0; i < text.len; i++)
        text.s[i] = text.s[i] == '\n' ? ' ' : text.s[i];
    cmd_print(c, "%*s%-*s %.*s%s", 2 * depth, "", 20 - 2 * depth, key, cut ? SHORT : (int)text.len,
              text.s ? text.s : "", cut ? "..." : "");
    strbuf_free(&text);
}

void inspect_fact(cmd *c, const char *key, const json *v, int *left)
{
    print_fact(c, 0, key, v, left);
}

void inspect_facts(cmd *c, json *o)
{
    int left = MOST_LINES;
    print_facts(c, 0, o, &left);
    if (left < 0)
        cmd_print(c, "... and %d lines more; --json shows all", -left);
    cmd_json(c, o);
}

static const option options[] = {
    {"svg", 0, OPT_TEXT, "FILE", "of MIDI: draw its piano roll; of a shard with points: a cloud",
     false},
    {"item", 0, OPT_INT, "N", "of a shard with --svg: whose cloud, counted from 0 (default 0)",
     false},
    {0},
};

static bool draw_song(cmd *c, const char *path, strbuf *out, err *e)
{
    const midi_song *s = midi_read(c->arena, path, e);
    bool ok = s && (s->n_notes > 0 || err_set(e, ERR_EMPTY, "'%s' has no notes to draw", path));
    if (ok)
        roll_svg(s, path_base(path), out);
    return ok;
}

// The cloud of an item, as `kmidi prepare` made it.
static bool draw_cloud(cmd *c, const char *path, strbuf *out, err *e)
{
    int64_t i = option_int(c, "item", 0);
    float *points = NEW(c->arena, float, CLOUD_POINTS *CLOUD_WIDTH);
    shard *s = shard_open(path, e);
    int column = s ? shard_find_column(&s->info, "points") : -1;
    bool ok = s &&
              (column >= 0 || err_set(e, ERR_MISMATCH,
                                      "'%s' has no points to draw; prepare it with features: "
                                      "[mel, midi_stats, points]",
                                      path)) &&
              ((i >= 0 && i < s->items) ||
               err_set(e, ERR_USAGE, "--item: '%s' has %lld items, counted from 0", path,
                       (long long)s->items)) &&
              shard_item_rows(s, column, i, points, e);
    if (ok) {
        const float *v = s->emotion + i * SHARD_EMOTION;
        cloud_svg(
            points, s->paths[i],
            arena_printf(c->arena, "valence %+.2f, arousal %+.2f", (double)v[0], (double)v[1]),
            out);
    }
    shard_close(s);
    return ok;
}

static bool draw(cmd *c, const char *path, const file_kind *kind, json *o, err *e)
{
    const char *svg = option_text(c, "svg", NULL);
    strbuf text = {0};
    if (!svg)
        return true;
    if (kind != &kind_midi && kind != &kind_shard)
        return err_set(e, ERR_USAGE,
                       "--svg draws the notes of MIDI and the clouds of shards, and '%s' is %s",
                       path, kind->name);
    bool ok = kind == &kind_midi ? draw_song(c, path, &text, e) : draw_cloud(c, path, &text, e);
    if (ok) {
        ok = file_write(svg, text.s, text.len, e);
        json_set_str(o, "svg", svg);
    }
    strbuf_free(&text);
    return ok;
}

static bool run_file(cmd *c, err *e)
{
    const char *path = c->args[0];
    const file_kind *kind = kind_of(path, e);
    if (!kind)
        return false;
    json *o = json_object();
    json_set_str(o, "file", path);
    json_set_str(o, "kind", kind->name);
    if (!kind->describe(path, o, c->arena, e) || !draw(c, path, kind, o, e)) {
        json_free(o);
        return false;
    }
    inspect_facts(c, o);
    return true;
}

static bool run(cmd *c, err *e)
{
    bool one = c->n_args == 1;
    if (option_given(c, "svg") &&
        (!one || inspect_is_run(c->args[0]) || inspect_is_set(c->args[0])))
        return err_set(e, ERR_USAGE, "--svg draws one file of MIDI or one shard; name that alone");
    if (one && inspect_is_run(c->args[0]))
        return inspect_run(c, e);
    if (one && inspect_is_songs(c, c->args[0]))
        return inspect_songs(c, e);
    return !one || inspect_is_set(c->args[0]) ? inspect_set(c, e) : run_file(c, e);
}

const command cmd_inspect = {
    .name = "inspect",
    .summary = "Shows what is in a file, a run, a folder of MIDI or a set of shards",
    .usage = "FILE [--svg OUT.svg [--item N]] | RUN | FOLDER | SHARDS...",
    .options = options,
    .args_min = 1,
    .args_max = -1,
    .polls_stop = true,
    .details = "FILE is a shard, a checkpoint, another HDF5 file, an ONNX, PyTorch or "
               "safetensors model, a package of Core ML, an adapter's folder, MIDI, or audio. "
               "SHARDS are a folder, a pattern or "
               "several files: then what they hold together is told, by split: items, hours, "
               "labels, what was rejected, tokens, chords. RUN is the folder of a training "
               "run: how it stands, its best figures beside the baseline, its checkpoints. "
               "FOLDER is one of MIDI: songs, hours, notes, tempo, instruments, and which "
               "files cannot be read.",
    .example = "kmidi inspect shards/maestro\nkmidi inspect runs/first\nkmidi inspect joy.mid "
               "--svg joy.svg",
    .run = run,
};
