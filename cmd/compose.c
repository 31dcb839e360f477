// SPDX-License-Identifier: GPL-3.0-or-later
// compose.c: words to music: a plan (compose/song_plan.h), a piece (compose/compose.h), and both
// written down: MIDI, the plan beside it, sound and a picture where they are asked for.
#include <string.h>

#include "base/file.h"
#include "cmd/adapters.h"
#include "cmd/language.h"
#include "cmd/ranges.h"
#include "cmd/render.h"
#include "compose/compose.h"
#include "compose/intent.h"
#include "compose/mood.h"
#include "data/midi/midi_write.h"
#include "data/music/roll.h"
#include "infer/generate.h"
#include "train/products.h"

typedef struct order {
    cmd *c;
    song_plan plan;
    composition piece;
    trained *models[5]; // of each of `parts`; NULL: by rule
    const char *out, *plan_out, *wav, *by, *svg;
    ollama_host host;
    bool answers; // the language model does
    song_intent intent;
    const char *lyrics; // NULL: none
} order;

static const option options[] = {
    {"out", 'o', OPT_OUT, "OUT.mid", "the MIDI file to write; the plan goes to OUT.plan.json",
     true},
    {"emotion", 'e', OPT_TEXT, "NAME|V,A",
     "a name (grief, joy, awe ...), or valence and arousal from -1 to 1; default: the words'",
     false},
    {"genre", 'g', OPT_TEXT, "NAME",
     "how it is played: ballad, jazz, waltz ... (default: the words', else plain)", false},
    {"bars", 'b', OPT_INT, "N", "how many bars (default: 16, 32 or 64, by the tempo)", false},
    {"key", 'k', OPT_TEXT, "KEY",
     "as Am, \"F# minor\", Bb, \"D dorian\" (default: the words', else on C in the emotion's mode)",
     false},
    {"tempo", 0, OPT_NUM, "BPM", "quarters a minute (default: by emotion and genre)", false},
    {"seed", 0, OPT_INT, "K",
     "another seed, another piece; the same seed, the same bytes (default 0)", false},
    {"plan", 'p', OPT_TEXT, "FILE.plan.json", "play this plan, as it was written or edited since",
     false},
    LANGUAGE_OPTIONS,
    {"lyrics", 0, OPT_OUT, "OUT.txt", "words to sing, by the language model", false},
    {"melody", 0, OPT_TEXT, "CKPT", "melody_transformer: the melody's pitches", false},
    {"harmony", 0, OPT_TEXT, "CKPT", "harmony_predictor: the chords under the melody", false},
    {"groove", 0, OPT_TEXT, "CKPT", "groove_predictor: timing and accents", false},
    {"dynamics", 0, OPT_TEXT, "CKPT", "dynamics_engine: loudness over each phrase", false},
    {"player", 0, OPT_TEXT, "CKPT",
     "emotion_midi_transformer: it goes on from the second bar to the last but one", false},
    ADAPTER_OPTION,
    {"temperature", 0, OPT_NUM, "T", "of the models: above 1 wilder, below tamer (default 0.85)",
     false},
    {"top-k", 0, OPT_INT, "K", "of the models: only the K likeliest; 0: all (default 40)", false},
    {"top-p", 0, OPT_NUM, "P",
     "of the models: only the likeliest that have P together (default 0.92)", false},
    {"guidance", 0, OPT_NUM, "G",
     "of the player: above 1 the emotion counts so many times over (docs/emotion.md; default 1)",
     false},
    RENDER_OPTIONS,
    {0},
};

// Who may make what.
static const struct {
    const char *name;
    model_makes makes;
} parts[] = {{"melody", MAKES_NOTES},
             {"harmony", MAKES_CHORDS},
             {"groove", MAKES_GROOVE},
             {"dynamics", MAKES_DYNAMICS},
             {"player", MAKES_EVENTS}};
enum { MELODY, HARMONY, GROOVE, DYNAMICS, PLAYER, PARTS }; // without a player there is none

// ---- What is asked

static const option_range ranges[] = {
    {"bars", 1, SONG_PLAN_BARS}, // where 0 is "not given" in a wish
    {"tempo", SONG_PLAN_TEMPO_LEAST, SONG_PLAN_TEMPO_MOST},
    {"guidance", 1, GENERATOR_GUIDANCE},
    {"top-k", 0, 1e6},
    {0}};

// The words of the command line as one text; NULL: there are none.
static const char *words(const cmd *c)
{
    strbuf all = {0};
    for (int i = 0; i < c->n_args; i++)
        strbuf_printf(&all, "%s%s", i ? " " : "", c->args[i]);
    return c->n_args ? strbuf_keep(&all, c->arena) : NULL;
}

static bool read_plan(order *o, const char *path, err *e)
{
    static const char *const others[] = {"emotion", "genre", "bars", "key", "tempo"};
    cmd *c = o->c;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (option_given(c, others[i]))
            return err_set(e, ERR_USAGE, "--plan says all of that; edit '%s' instead of --%s", path,
                           others[i]);
    if (c->n_args)
        return err_set(e, ERR_USAGE, "--plan or words, not both; the plan keeps its own text");
    if (!song_plan_read(path, c->arena, &o->plan, e))
        return false;
    if (option_given(c, "seed"))
        o->plan.seed = (uint64_t)option_int(c, "seed", 0);
    for (int i = 0; i < o->plan.n_makers; i++)
        for (int k = 0; k < PARTS; k++)
            if (!strcmp(parts[k].name, o->plan.makers[i].part) && !option_given(c, parts[k].name))
                cmd_say(c, "its %s was by a model; to have it again: --%s %s", parts[k].name,
                        parts[k].name, str_quoted(c->arena, o->plan.makers[i].checkpoint));
    return true;
}

// What the language model makes of the words; where it fails, the rules read them.
static bool ask_model(order *o, song_plan_wish *w, err *e)
{
    err fault = {0};
    if (option_given(o->c, "lyrics") && !language_asked(o->c))
        return err_set(e, ERR_USAGE, "--lyrics are by a language model; add --llm");
    if (!language_asked(o->c))
        return true;
    o->answers = language_open(o->c, &o->host, w->seed, &fault);
    if (o->answers && w->text && intent_ask(&o->host, w->text, &o->intent, &fault))
        w->intent = &o->intent;
    if (fault.code == ERR_NONE || w->intent ||
        language_fault(o->c, &fault, "the rules read the words"))
        return true;
    *e = fault;
    return false;
}

static bool take_plan(order *o, err *e)
{
    cmd *c = o->c;
    const char *path = option_text(c, "plan", NULL);
    if (path)
        return read_plan(o, path, e) && ask_model(o, &(song_plan_wish){.seed = o->plan.seed}, e);
    song_plan_wish w = {.text = words(c),
                        .emotion = option_text(c, "emotion", NULL),
                        .genre = option_text(c, "genre", NULL),
                        .key = option_text(c, "key", NULL),
                        .tempo = option_num(c, "tempo", 0),
                        .bars = option_int(c, "bars", 0),
                        .seed = (uint64_t)option_int(c, "seed", 0)};
    if (!ask_model(o, &w, e) || !song_plan_make(&w, c->arena, &o->plan, e))
        return false;
    if (o->plan.hits == 0 && w.text && !w.genre)
        cmd_say(c, "the rules know none of these words as a feeling; the music is neutral "
                   "(--emotion says which is meant)");
    return true;
}

static bool open_models(order *o, err *e)
{
    cmd *c = o->c;
    composition *k = &o->piece;
    k->sampling = (sampler_options){.temperature = option_num(c, "temperature", 0.85),
                                    .top_k = (int)option_int(c, "top-k", 40),
                                    .top_p = option_num(c, "top-p", 0.92),
                                    .penalty = 1};
    k->guidance = option_num(c, "guidance", 1);
    if (!sampler_check(&k->sampling, e))
        return false;
    for (int i = 0; i < PARTS; i++)
        if (!model_asked(c, parts[i].name, parts[i].makes, &o->models[i], e))
            return false;
    k->melody = o->models[MELODY], k->harmony = o->models[HARMONY], k->groove = o->models[GROOVE];
    k->dynamics = o->models[DYNAMICS], k->player = o->models[PLAYER];
    return adapters_of_music(c, o->models[PLAYER], o->models[MELODY], e) &&
           (!k->player || cmd_threads(c, 0, e));
}

// ---- What came of it

// Who made a part, and of which checkpoint.
static json *part_json(const order *o, int part)
{
    const char *from = option_text(o->c, parts[part].name, NULL);
    json *j = json_object();
    json_set_str(j, "by", from ? model_making(parts[part].makes)->name : "rule");
    if (from)
        json_set_str(j, "checkpoint", from);
    return j;
}

static json *parts_json(const order *o)
{
    json *j = json_object();
    for (int i = 0; i < PARTS; i++) {
        if (i == PLAYER && !o->models[PLAYER])
            continue;
        json *part = part_json(o, i);
        if (parts[i].makes == MAKES_CHORDS && o->piece.harmony)
            json_set(part, "chord_symbols", compose_chords(&o->piece));
        json_set(j, parts[i].name, part);
    }
    return j;
}

// "x/song.mid" -> "x/song.plan.json"
static const char *beside(arena *a, const char *out)
{
    const char *stem = path_stem(a, out);
    return arena_printf(a, "%.*s%s.plan.json", (int)(path_base(out) - out), out, stem);
}

// Without them the music is whole.
static bool write_lyrics(order *o, err *e)
{
    const char *path = option_text(o->c, "lyrics", NULL);
    err fault = {0};
    if (!path || !o->answers)
        return true;
    o->lyrics = intent_lyrics(&o->host, &o->plan, &fault);
    if (!o->lyrics) {
        *e = fault;
        return language_fault(o->c, &fault, "there are no lyrics");
    }
    const char *text = arena_printf(o->c->arena, "%s\n", o->lyrics);
    return file_write(path, text, strlen(text), e);
}

static bool write_all(order *o, err *e)
{
    cmd *c = o->c;
    render_request r = {.midi = o->out,
                        .wav = o->wav,
                        .sound_font = option_text(c, "soundfont", NULL),
                        .built_in = option_given(c, "simple-tones")};
    bool ok = midi_write(o->out, o->piece.song, e) &&
              (!o->plan_out || song_plan_write(o->plan_out, &o->plan, parts_json(o), e)) &&
              (!o->wav || render(&r, &o->by, e));
    return ok && roll_write(o->svg, o->piece.song, path_base(o->out), e) && write_lyrics(o, e);
}

static json *lyrics_json(const order *o)
{
    json *j = json_object();
    json_set_str(j, "source", arena_printf(o->c->arena, "ollama %s", o->host.model));
    json_set_str(j, "text", o->lyrics);
    json_set_str(j, "file", option_text(o->c, "lyrics", NULL));
    return j;
}

static json *report_json(const order *o)
{
    json *j = song_plan_json(&o->plan);
    json_set_str(j, "file", o->out);
    if (o->plan_out)
        json_set_str(j, "plan_file", o->plan_out);
    json_set(j, "parts", parts_json(o));
    json_set_num(j, "seconds", o->piece.song->seconds);
    json_set_int(j, "notes", (int64_t)o->piece.song->n_notes);
    if (o->wav)
        json_set_str(j, "wav", o->wav), json_set_str(j, "played_by", o->by);
    if (o->svg)
        json_set_str(j, "svg", o->svg);
    if (o->lyrics)
        json_set(j, "lyrics", lyrics_json(o));
    return j;
}

// The first bars' chords, and which parts are by rule.
static void report_people(const order *o)
{
    enum { SHOWN = 8 };
    const song_plan *p = &o->plan;
    char name[CHORD_TEXT];
    strbuf chords = {0}, rules = {0};
    int sharps = key_sharps(p->root, p->mode);
    for (int i = 0; i < p->bars && i < SHOWN; i++) {
        chord_print(o->piece.chords[i], sharps, name);
        strbuf_printf(&chords, "%s%s", i ? " " : "", name);
    }
    for (int i = 0; i < PLAYER; i++)
        if (!option_given(o->c, parts[i].name))
            strbuf_printf(&rules, "%s%s", rules.len ? ", " : "", parts[i].name);
    cmd_print(o->c,
              "%s: %s (valence %+.2f, arousal %+.2f), %s, %s %s, %g quarters a minute, %d bars "
              "of %d/4, %.1f s, %zu notes",
              o->out, p->silent ? "silence" : mood_at(p->primary)->name, p->valence, p->arousal,
              genre_at(p->genre)->name, pitch_class_name(p->root, sharps), mode_at(p->mode)->name,
              p->tempo, p->bars, p->beats, o->piece.song->seconds, o->piece.song->n_notes);
    cmd_print(o->c, "chords: %s%s", chords.s, p->bars > SHOWN ? " ..." : "");
    if (strcmp(p->by, "rules"))
        cmd_print(o->c, "words read by %s", p->by);
    if (rules.len)
        cmd_print(o->c, "by rule: %s", rules.s);
    if (o->plan_out)
        cmd_print(o->c, "plan: %s", o->plan_out);
    strbuf_free(&chords), strbuf_free(&rules);
}

static void report(const order *o)
{
    cmd_json(o->c, report_json(o));
    report_people(o);
    if (o->wav)
        cmd_print(o->c, "%s: played by %s", o->wav, o->by);
}

// Of OUT.plan.json no option has been asked whether it can be written.
static bool take_names(order *o, err *e)
{
    cmd *c = o->c;
    o->out = option_text(c, "out", NULL), o->wav = option_text(c, "wav", NULL);
    o->svg = option_text(c, "svg", NULL);
    o->plan_out = file_special(o->out) ? NULL : beside(c->arena, o->out);
    return ranges_hold(c, ranges, e) && render_names(c, e) &&
           (!o->plan_out || cmd_output(c, o->plan_out, false, e));
}

static bool run(cmd *c, err *e)
{
    order o = {.c = c};
    bool ok = take_names(&o, e) && take_plan(&o, e) && products_open(&c->env, c->arena, e) &&
              open_models(&o, e);
    o.piece.arena = c->arena, o.piece.env = &c->env, o.piece.plan = &o.plan;
    ok = ok && compose(&o.piece, e) && write_all(&o, e);
    if (ok)
        report(&o);
    for (int i = 0; i < PARTS; i++)
        trained_close(o.models[i]);
    return ok;
}

const command cmd_compose = {
    .name = "compose",
    .summary = "Makes a piece of music of words, by rule and by trained models",
    .usage = "[WORDS ...] [--emotion NAME|V,A] [--genre NAME] [--plan FILE] -o OUT.mid",
    .options = options,
    .args_min = 0,
    .args_max = -1,
    .polls_stop = true,
    .details =
        "What the words feel like decides key, mode, tempo, length and chords, by rules that "
        "need no network; melody, harmony, groove and dynamics are by models where they are "
        "given, else by rule too (docs/compose.md). All that was decided is written to "
        "OUT.plan.json; edited or not, --plan plays it again, the same plan to the same "
        "bytes.",
    .example =
        "kmidi compose \"a melancholic ballad about loss\" -o song.mid --wav song.wav\n"
        "kmidi compose --emotion grief --genre ballad --bars 8 --key Am --tempo 72 -o song.mid "
        "--svg roll.svg\n"
        "kmidi compose --plan song.plan.json --melody runs/melody -o again.mid",
    .run = run,
};
