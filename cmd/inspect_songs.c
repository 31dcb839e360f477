// SPDX-License-Identifier: GPL-3.0-or-later
// inspect_songs.c: a folder of MIDI as one would like to know it before preparing it: how much, how
// fast, by which instruments, what cannot be read.
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/inspect.h"
#include "cmd/progress.h"
#include "data/midi/midi.h"

enum { PROGRAMS = 129, DRUMS = 128, MOST_BAD = 20, MOST_PROGRAMS = 12 };

typedef struct folder_sum {
    int64_t files, bad, empty, notes, dropped, program[PROGRAMS], formats[3];
    double seconds, longest, slowest, fastest; // tempo: of each song's first
    json *damaged;
} folder_sum;

// Without shards among it: those would be told as a set.
bool inspect_is_songs(cmd *c, const char *argument)
{
    static const char *const shards[] = {".h5", NULL};
    struct stat st;
    err e = {0};
    char **paths;
    size_t n;
    if (stat(argument, &st) != 0 || !inspect_is_set(argument) ||
        inspect_files(c->arena, argument, shards, &paths, &n, &e))
        return false;
    return inspect_files(c->arena, argument, midi_endings, &paths, &n, &e);
}

static void add_song(folder_sum *t, const midi_song *s)
{
    double bpm = 6e7 / s->tempos[0].us_per_quarter;
    t->empty += s->n_notes == 0;
    t->notes += (int64_t)s->n_notes;
    t->dropped += s->dropped;
    t->seconds += s->seconds;
    t->longest = fmax(t->longest, s->seconds);
    t->slowest = t->slowest > 0 ? fmin(t->slowest, bpm) : bpm;
    t->fastest = fmax(t->fastest, bpm);
    if (s->format >= 0 && s->format < 3)
        t->formats[s->format]++;
    for (size_t i = 0; i < s->n_instruments; i++)
        t->program[s->instruments[i].is_drum ? DRUMS : s->instruments[i].program & 127] +=
            s->instruments[i].notes;
}

static void add_file(cmd *c, folder_sum *t, const char *path)
{
    arena a = {.name = "song"};
    err e = {0};
    const midi_song *s = midi_read(&a, path, &e);
    t->files++;
    if (s)
        add_song(t, s);
    else {
        if (t->bad++ < MOST_BAD)
            json_push_str(t->damaged, e.text);
        cmd_complain(c, "%s", e.text);
    }
    arena_free(&a);
}

// The programs with the most notes, counted from 1 as musicians do.
static json *programs(const folder_sum *t, arena *a)
{
    json *o = json_object();
    bool told[PROGRAMS] = {false};
    for (int k = 0; k < MOST_PROGRAMS; k++) {
        int most = -1;
        for (int p = 0; p < PROGRAMS; p++)
            if (!told[p] && t->program[p] && (most < 0 || t->program[p] > t->program[most]))
                most = p;
        if (most < 0)
            break;
        told[most] = true;
        json_set_int(o, most == DRUMS ? "drums" : arena_printf(a, "program %d", most + 1),
                     t->program[most]);
    }
    return o;
}

static void tell(cmd *c, const folder_sum *t)
{
    json *o = json_object(), *tempo = json_object();
    int64_t sound = t->files - t->bad;
    json_set_str(o, "folder", c->args[0]);
    json_set_str(o, "kind", "midi");
    json_set_int(o, "files", t->files);
    json_set_int(o, "readable", sound);
    json_set_int(o, "damaged", t->bad);
    json_set_int(o, "without_notes", t->empty);
    json_set_num(o, "hours", t->seconds / 3600);
    json_set_num(o, "seconds_mean", sound ? t->seconds / (double)sound : 0);
    json_set_num(o, "seconds_longest", t->longest);
    json_set_int(o, "notes", t->notes);
    json_set_int(o, "dropped", t->dropped);
    json_set_num(tempo, "least", t->slowest);
    json_set_num(tempo, "most", t->fastest);
    json_set(o, "tempo", tempo);
    json_set(o, "notes_by_instrument", programs(t, c->arena));
    if (t->bad)
        json_set(o, "errors", t->damaged);
    else
        json_free(t->damaged);
    inspect_facts(c, o);
}

bool inspect_songs(cmd *c, err *e)
{
    folder_sum t = {.damaged = json_array()};
    char **paths;
    size_t n;
    bool ok = inspect_files(c->arena, c->args[0], midi_endings, &paths, &n, e);
    progress *line = ok ? progress_open(c, "inspect", n) : NULL;
    for (size_t i = 0; ok && i < n; i++) {
        ok = !env_stop(&c->env) || err_set(e, ERR_STOPPED, "stopped after %zu of %zu files", i, n);
        if (ok)
            add_file(c, &t, paths[i]), progress_at(line, i + 1, "%lld notes", (long long)t.notes);
    }
    progress_close(line);
    if (ok)
        tell(c, &t);
    else
        json_free(t.damaged);
    return ok;
}
