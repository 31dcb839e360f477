// SPDX-License-Identifier: GPL-3.0-or-later
// generate.c: music out of a trained model (infer/piece.h), written as MIDI, played as sound
// (render.h). What is asked, and what came of it.
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "cmd/adapters.h"
#include "cmd/ranges.h"
#include "cmd/render.h"
#include "compose/theory.h"
#include "data/midi/midi_write.h"
#include "data/music/bars.h"
#include "data/music/chords.h"
#include "data/music/roll.h"
#include "infer/best.h"
#include "infer/generate.h"
#include "infer/voice.h"
#include "train/products.h"

// bars by default; pieces; seconds of a note that are told
enum { BARS = 8, COUNT_MOST = 100000, LONG_NOTE = 10, VOICES = 3, SECONDS_MOST = 86400 };

typedef struct order {
    cmd *c;
    trained *by, *voices[VOICES];
    const char *emotion; // as it was given; "of the prompt"
    piece piece;         // as it is asked
    int best_of;         // candidates of each piece; 1: it is as it comes
} order;

static const option options[] = {
    {"out", 'o', OPT_OUT, "OUT.mid", "the MIDI file to write", true},
    {"emotion", 'e', OPT_TEXT, "NAME|V,A",
     "a name (joy, grief, calm ...), or valence and arousal from -1 to 1; default: the prompt's",
     false},
    {"bars", 'b', OPT_INT, "N", "how many bars of 4/4 (default 8)", false},
    {"seconds", 's', OPT_NUM, "S", "how long instead (a melody: to the nearest bar)", false},
    {"prompt", 'p', OPT_TEXT, "FILE.mid",
     "what came before: it is continued, in its tempo (a melody: its top line)", false},
    {"tempo", 0, OPT_NUM, "BPM",
     "quarters a minute (default: from the groove, the prompt or the arousal)", false},
    {"temperature", 0, OPT_NUM, "T",
     "above 1 wilder, below tamer, 0 always the likeliest (default 0.85)", false},
    {"top-k", 0, OPT_INT, "K", "only the K likeliest; 0: all (default 40)", false},
    {"top-p", 0, OPT_NUM, "P", "only the likeliest that have P together (default 0.92)", false},
    {"penalty", 0, OPT_NUM, "X", "above 1: what was just heard becomes less likely (default 1)",
     false},
    {"penalty-notes", 0, OPT_INT, "N",
     "how far the penalty looks back; 0: to the beginning (default 8)", false},
    {"seed", 0, OPT_INT, "K",
     "another seed, another piece; the same seed, the same bytes (default 0)", false},
    {"count", 'n', OPT_INT, "N",
     "so many pieces, OUT-1.mid, OUT-2.mid ..., of the seeds K, K + 1 ...", false},
    {"best-of", 0, OPT_INT, "N",
     "of N pieces, of the seeds K, K + 1000000 ..., the one whose notes are nearest to the emotion "
     "(1 to 64, default 1)",
     false},
    {"max-note", 0, OPT_NUM, "S",
     "no note lasts longer than so many seconds (default: as long as the model likes)", false},
    {"harmony", 0, OPT_TEXT, "CKPT", "harmony_predictor: chords under the melody", false},
    {"groove", 0, OPT_TEXT, "CKPT", "groove_predictor: tempo, timing and accents", false},
    {"dynamics", 0, OPT_TEXT, "CKPT", "dynamics_engine: loudness over each phrase", false},
    {"program", 0, OPT_INT, "N",
     "General MIDI program of the melody, 1 to 128 (default 1, a piano)", false},
    {"key", 'k', OPT_TEXT, "KEY",
     "of a model whose songs were brought to C (tokens.to_c): the tonic, as Eb (default: the "
     "prompt's, or C)",
     false},
    {"guidance", 0, OPT_NUM, "G",
     "above 1: the emotion counts so many times over, loudness and density more than the mode; of "
     "a model trained with train.condition_dropout (default 1)",
     false},
    ADAPTER_OPTION,
    {"precision", 0, OPT_TEXT, "P",
     "fp32; bf16 or int8: weights in half or a quarter of the room, so that a token takes less "
     "time "
     "(default fp32)",
     false},
    RENDER_OPTIONS,
    {0},
};

// ---- What is asked

static bool take_emotion(order *o, err *e)
{
    piece *p = &o->piece;
    arrange_style *y = &p->style;
    const char *text = option_text(o->c, "emotion", NULL);
    double intensity = NAN;
    if (text && !emotion_parse(text, &y->valence, &y->arousal, &intensity, e))
        return false;
    if (!text && !p->prompt)
        return err_set(e, ERR_USAGE,
                       "what should it feel like? Add --emotion joy, or --emotion VALENCE,AROUSAL, "
                       "or a --prompt");
    if (!text) {
        song_affect heard = affect_estimate(p->arena, p->prompt);
        y->valence = heard.valence, y->arousal = heard.arousal;
    }
    o->emotion = text ? text : "of the prompt";
    emotion_vector(y->valence, y->arousal, intensity, p->vector);
    return true;
}

static const option_range ranges[] = {{"tempo", 20, 400},
                                      {"seconds", 0.1, SECONDS_MOST},
                                      {"bars", 1, ARRANGE_BARS},
                                      {"program", 1, 128},
                                      {"count", 1, COUNT_MOST},
                                      {"best-of", 1, BEST_MOST},
                                      {"max-note", 0.05, 3600},
                                      {"guidance", 1, GENERATOR_GUIDANCE},
                                      {"top-k", 0, 1e6},
                                      {"penalty-notes", 0, 1e6},
                                      {0}};

static void say_guidance(const order *o)
{
    if (o->piece.guidance > 1 && !o->by->hear.untold)
        cmd_say(o->c,
                "'%s' was not trained with train.condition_dropout, so what --guidance leads away "
                "from is strange to it",
                o->by->path);
}

static bool take_style(order *o, err *e)
{
    piece *p = &o->piece;
    const cmd *c = o->c;
    double tempo = option_num(c, "tempo", 0);
    int64_t bars = option_int(c, "bars", BARS), program = option_int(c, "program", 1),
            top_k = option_int(c, "top-k", 40);
    int64_t memory = option_int(c, "penalty-notes", 8);
    o->best_of = (int)option_int(c, "best-of", 1);
    if (option_given(c, "bars") && option_given(c, "seconds"))
        return err_set(e, ERR_USAGE, "give --bars or --seconds, not both");
    if (!ranges_hold(c, ranges, e))
        return false;
    p->bars = (int)bars, p->longest = option_num(c, "max-note", 0);
    p->seconds = option_num(c, "seconds", 0);
    p->guidance = option_num(c, "guidance", 1);
    p->sampling = (sampler_options){.temperature = option_num(c, "temperature", 0.85),
                                    .top_k = (int)top_k,
                                    .top_p = option_num(c, "top-p", 0.92),
                                    .penalty = option_num(c, "penalty", 1),
                                    .memory = (int)memory,
                                    .seed = (uint64_t)option_int(c, "seed", 0)};
    p->style.tempo = tempo > 0 ? tempo : p->prompt ? bars_tempo(p->prompt).mean : 0;
    p->style.seed = p->sampling.seed, p->style.program = (int)program - 1;
    return sampler_check(&p->sampling, e);
}

static bool take_key(order *o, err *e)
{
    const char *text = option_text(o->c, "key", NULL);
    key_name k;
    if (text && !key_parse(text, &k, e))
        return false;
    o->piece.tonic = text ? k.root + 1 : 0;
    return true;
}

static bool take_prompt(order *o, err *e)
{
    piece *p = &o->piece;
    const char *path = option_text(o->c, "prompt", NULL);
    if (!path)
        return true;
    p->prompt = midi_read(p->arena, path, e);
    return p->prompt &&
           (p->prompt->n_notes > 0 || err_set(e, ERR_EMPTY, "'%s' has no notes to continue", path));
}

static bool open_voice(order *o, const char *name, model_makes makes, trained **out, err *e)
{
    const char *from = option_text(o->c, name, NULL);
    *out = from ? trained_open(from, o->c->arena, e) : NULL;
    return !from || (*out && voice_fits(*out, makes, e));
}

// The models around a melody. What plays events plays all parts itself.
static bool take_voices(order *o, err *e)
{
    static const char *const names[VOICES] = {"harmony", "groove", "dynamics"};
    static const model_makes makes[VOICES] = {MAKES_CHORDS, MAKES_GROOVE, MAKES_DYNAMICS};
    const model_def *m = o->by->model;
    for (int i = 0; i < VOICES; i++)
        if (m->makes == MAKES_EVENTS && option_given(o->c, names[i]))
            return err_set(e, ERR_USAGE, "--%s is for %s; %s plays all parts itself", names[i],
                           model_making(MAKES_NOTES)->name, m->name);
    for (int i = 0; i < VOICES; i++)
        if (!open_voice(o, names[i], makes[i], &o->voices[i], e))
            return false;
    o->piece.harmony = o->voices[0], o->piece.groove = o->voices[1];
    o->piece.dynamics = o->voices[2], o->piece.by = o->by;
    say_guidance(o);
    return m->makes != MAKES_EVENTS || cmd_threads(o->c, 0, e);
}

// ---- What came of it

static void say_heard(cmd *c, const piece *p)
{
    if (p->heard < p->prompt_events)
        cmd_say(c, "of the prompt's %lld events the last %d are heard, the context of the model",
                (long long)p->prompt_events, p->heard);
    if (p->dense)
        cmd_say(c, "the music is denser than %d events a second; it ends after %zu events",
                PIECE_EVENTS_A_SECOND, p->drawn);
}

static void say_long(cmd *c, const piece *p)
{
    double most = piece_longest_note(p->song);
    if (p->longest == 0 && most >= LONG_NOTE)
        cmd_say(c,
                "a note lasts %.1f of the %.1f s: the model never ended it; --max-note 8 ends such "
                "notes",
                most, p->song->seconds);
}

static json *chord_names(const piece *p)
{
    json *list = json_array();
    char name[8];
    for (int i = 0; i < p->bars; i++)
        json_push_str(list, chord_name(p->chords[i], name));
    return list;
}

static void report(const order *o, const piece *p, const song_affect *heard, const char *out,
                   const char *wav, const char *by)
{
    const midi_song *s = p->song;
    double tempo = 60e6 / s->tempos[0].us_per_quarter;
    json *j = json_object();
    json_set_str(j, "file", out);
    json_set_str(j, "model", o->by->model->name);
    json_set_num(j, "valence", p->style.valence);
    json_set_num(j, "arousal", p->style.arousal);
    json_set_num(j, "heard_valence", heard->valence);
    json_set_num(j, "heard_arousal", heard->arousal);
    json_set_int(j, "best_of", o->best_of);
    json_set_num(j, "tempo", tempo);
    json_set_int(j, "bars", p->bars);
    json_set_num(j, "seconds", s->seconds);
    json_set_int(j, "notes", (int64_t)s->n_notes);
    json_set_num(j, "longest_note", piece_longest_note(s));
    json_set_int(j, o->by->model->makes == MAKES_EVENTS ? "prompt_events" : "prompt_notes",
                 p->prompt ? p->heard : 0);
    json_set_int(j, "tokens", (int64_t)p->drawn);
    json_set_int(j, "seed", (int64_t)p->sampling.seed);
    json_set_num(j, "ms_a_token",
                 p->drawn ? 1000 * p->took / (double)(p->drawn + (size_t)p->heard) : 0);
    if (p->chords)
        json_set(j, "chords", chord_names(p));
    if (wav)
        json_set_str(j, "wav", wav), json_set_str(j, "played_by", by);
    cmd_json(o->c, j);
    cmd_print(o->c,
              "%s: %zu notes in %d bars, %.1f s at %.0f quarters a minute, for %s (valence %+.2f, "
              "arousal %+.2f)",
              out, s->n_notes, p->bars, s->seconds, tempo, o->emotion, p->style.valence,
              p->style.arousal);
    if (o->best_of > 1)
        cmd_print(o->c, "%s: the nearest of %d: valence %+.2f, arousal %+.2f; of seed %llu", out,
                  o->best_of, heard->valence, heard->arousal, (unsigned long long)p->sampling.seed);
    if (wav)
        cmd_print(o->c, "%s: played by %s", wav,
                  strcmp(by, "built-in") ? by
                                         : "simple tones (no fluidsynth with a sound font here)");
}

// "x/joy.mid" -> "x/joy-3.mid"
static const char *numbered(arena *a, const char *path, int64_t k)
{
    const char *dot = strrchr(path_base(path), '.');
    size_t n = dot ? (size_t)(dot - path) : strlen(path);
    return arena_printf(a, "%.*s-%lld%s", (int)n, path, (long long)k, dot ? dot : "");
}

// Writes the k-th piece, from 1; 0: the only one.
static bool keep(const order *o, const piece *p, const song_affect *heard, int64_t k, err *e)
{
    cmd *c = o->c;
    const char *out = option_text(c, "out", NULL), *wav = option_text(c, "wav", NULL), *by = NULL;
    const char *svg = option_text(c, "svg", NULL);
    if (k) {
        out = numbered(c->arena, out, k), wav = wav ? numbered(c->arena, wav, k) : NULL;
        svg = svg ? numbered(c->arena, svg, k) : NULL;
    }
    render_request r = {.midi = out,
                        .wav = wav,
                        .sound_font = option_text(c, "soundfont", NULL),
                        .built_in = option_given(c, "simple-tones")};
    if (!midi_write(out, p->song, e) || (wav && !render(&r, &by, e)) ||
        !roll_write(svg, p->song, path_base(out), e))
        return false;
    report(o, p, heard, out, wav, by);
    say_long(c, p);
    return true;
}

// n pieces side by side from the first-th on; 0: the only one.
static bool make_some(const order *o, int64_t first, int n, err *e)
{
    piece p[GENERATOR_LANES];
    song_affect heard[GENERATOR_LANES];
    for (int k = 0; k < n; k++) {
        p[k] = o->piece;
        p[k].sampling.seed += (uint64_t)(first ? first - 1 + k : 0);
        p[k].style.seed = p[k].sampling.seed;
    }
    bool ok = piece_make_best(p, n, o->best_of, heard, e);
    for (int k = 0; k < n; k++)
        say_heard(o->c, &p[k]);
    for (int k = 0; ok && k < n; k++)
        ok = keep(o, &p[k], &heard[k], first ? first + k : 0, e);
    return ok;
}

static bool make_all(const order *o, err *e)
{
    cmd *c = o->c;
    bool many = option_given(c, "count"), ok = true;
    int64_t lanes = piece_lanes(o->by) / o->best_of;
    lanes = lanes > 0 ? lanes : 1; // pieces whose candidates are made at once
    for (int64_t k = 1, n = option_int(c, "count", 1); ok && k <= n; k += lanes) {
        arena_mark m = arena_save(c->arena);
        ok = !env_stop(&c->env) || err_set(e, ERR_STOPPED, "stopped behind %lld of %lld pieces",
                                           (long long)k - 1, (long long)n);
        ok = ok && make_some(o, many ? k : 0, (int)(n - k + 1 < lanes ? n - k + 1 : lanes), e);
        arena_rewind(c->arena, m);
    }
    return ok;
}

static bool run(cmd *c, err *e)
{
    order o = {.c = c, .piece = {.arena = c->arena, .env = &c->env}};
    bool ok = render_names(c, e) && take_prompt(&o, e) && take_emotion(&o, e) &&
              take_style(&o, e) && take_key(&o, e) &&
              cmd_narrow(c, "precision", true, &o.piece.precision, e) &&
              products_open(&c->env, c->arena, e) &&
              (o.by = trained_open(c->args[0], c->arena, e)) != NULL &&
              adapters_apply(c, o.by, e) && take_voices(&o, e) && make_all(&o, e);
    trained_close(o.by);
    for (int i = 0; i < VOICES; i++)
        trained_close(o.voices[i]);
    return ok;
}

const command cmd_generate = {
    .name = "generate",
    .summary = "Makes music with a trained model",
    .usage = "CHECKPOINT [--adapter DIR[:WEIGHT] ...] --emotion NAME|V,A -o OUT.mid [--bars N]",
    .options = options,
    .args_min = 1,
    .args_max = 1,
    .polls_stop = true,
    .details = "CHECKPOINT is a file, or a run folder (its best checkpoint). An "
               "emotion_midi_transformer plays, event by event. A melody_transformer gives "
               "pitches; rhythm, tempo and touch follow the emotion (docs/generate.md), or "
               "come from models of groove, harmony and dynamics.",
    .example = "kmidi generate runs/melody --emotion joy --bars 16 -o joy.mid --wav joy.wav\n"
               "kmidi generate runs/melody --emotion=-0.6,-0.4 --harmony runs/harmony --seed 7 -o "
               "sad.mid\n"
               "kmidi generate runs/transformer --prompt begun.mid --seconds 30 -o goes_on.mid\n"
               "kmidi generate runs/transformer --emotion calm --seconds 20 --count 5 --max-note 6 "
               "-o calm.mid",
    .run = run,
};
