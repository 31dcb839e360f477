// SPDX-License-Identifier: GPL-3.0-or-later
// perform.c: music and pictures while they are heard and seen (perform/perform.h): to a MIDI port
// or file, to a film; led by lines on stdin, by knobs, ended by Ctrl-C.
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hw.h"
#include "cmd/adapters.h"
#include "cmd/perform_log.h"
#include "cmd/perform_models.h"
#include "cmd/ranges.h"
#include "cmd/render.h"
#include "data/midi/midi_write.h"
#include "data/music/roll.h"
#include "perform/canvas.h"
#include "perform/conductor.h"
#include "train/products.h"

enum { FPS = 60, FPS_MOST = 240, LOOK_MS = 50, AHEAD = 2, WINDOW = 8 };

static const option options[] = {
    {"out", 'o', OPT_OUT, "OUT.mid", "the MIDI file of what was played, written at the end", false},
    {"port", 'p', OPT_TEXT, "KIND",
     "a MIDI port for other programs to connect to: jack, or alsa on Linux", false},
    {"frames", 'f', OPT_TEXT, "OUT",
     "the pictures: OUT.y4m, OUT.rgb, points as OUT.jsonl, a folder of PPM, or - for a pipe of y4m",
     false},
    {"emotion", 'e', OPT_TEXT, "NAME|V,A",
     "how it begins: a name (joy, grief, calm ...), or valence and arousal (default calm)", false},
    {"seconds", 's', OPT_NUM, "S", "how long (default: until Ctrl-C, or the line quit on stdin)",
     false},
    {"player", 0, OPT_TEXT, "CKPT",
     "emotion_midi_transformer: it plays; without, eight bars after eight bars as by compose",
     false},
    {"melody", 0, OPT_TEXT, "CKPT", "melody_transformer: the melody's pitches", false},
    {"harmony", 0, OPT_TEXT, "CKPT", "harmony_predictor: the chords under the melody", false},
    {"groove", 0, OPT_TEXT, "CKPT", "groove_predictor: timing and accents", false},
    {"dynamics", 0, OPT_TEXT, "CKPT", "dynamics_engine: loudness over each phrase", false},
    {"cloud", 'c', OPT_TEXT, "CKPT",
     "spectocloud_vit: it draws; without, the rule that it learns (docs/spectocloud.md)", false},
    ADAPTER_OPTION,
    {"genre", 'g', OPT_TEXT, "NAME", "without a player: how it is played (default plain)", false},
    {"key", 'k', OPT_TEXT, "KEY", "without a player: as Am, Bb, \"D dorian\" (default: on C)",
     false},
    {"tempo", 0, OPT_NUM, "BPM", "quarters a minute (default: as the emotion has it)", false},
    {"strategy", 0, OPT_TEXT, "HOW",
     "pipelined (a thread each for tokens, clouds and frames), parallel or sequential (in each "
     "frame); default pipelined",
     false},
    {"lookahead", 0, OPT_INT, "N", "bars that are made ahead (default 2)", false},
    {"fps", 0, OPT_INT, "N", "frames a second (default 60)", false},
    {"size", 0, OPT_TEXT, "WxH", "pixels of a frame (default 640x360)", false},
    {"window", 0, OPT_NUM, "S", "seconds of music that a cloud shows (default 8)", false},
    {"no-clock", 0, OPT_FLAG, NULL,
     "as fast as it goes, every frame drawn, the same bytes each time: for films", false},
    {"realtime", 0, OPT_FLAG, NULL, "ask the system to prefer its threads to all others (rtprio)",
     false},
    {"log", 'l', OPT_OUT, "FILE.csv",
     "a row a second: frames, ms, memory, tokens (default: performance.csv beside OUT.mid)", false},
    {"temperature", 0, OPT_NUM, "T", "above 1 wilder, below tamer (default 0.85)", false},
    {"top-k", 0, OPT_INT, "K", "only the K likeliest; 0: all (default 40)", false},
    {"top-p", 0, OPT_NUM, "P", "only the likeliest that have P together (default 0.92)", false},
    {"penalty", 0, OPT_NUM, "X",
     "above 1: what was heard lately becomes less likely (default 1.1, of a player)", false},
    {"context", 0, OPT_INT, "N",
     "tokens that a player hears again, at most (default 256, or as many as in its training)",
     false},
    {"seed", 0, OPT_INT, "K", "another seed, other music (default 0)", false},
    {"precision", 0, OPT_TEXT, "P", "of a player's weights: fp32, bf16 or int8 (default fp32)",
     false},
    RENDER_OPTIONS,
    {0},
};

typedef struct show {
    cmd *c;
    perform_setup setup;
    perform_log log;
    perform_outcome outcome;
    perform_models models;
    perform *perform;
    conductor conductor;
    bool listening; // to stdin
    bool pending;   // a wish that found no place yet
} show;

// ---- What is asked

static const option_range ranges[] = {{"fps", 1, FPS_MOST},    {"lookahead", 1, 32},
                                      {"context", 16, 8192},   {"top-k", 0, 1e6},
                                      {"seconds", 0.1, 86400}, {"window", EYE_LEAST, EYE_MOST},
                                      {"tempo", 20, 400},      {0}};

static bool take_size(show *s, err *e)
{
    const char *text = option_text(s->c, "size", "640x360");
    char rest;
    perform_setup *o = &s->setup;
    return (sscanf(text, "%dx%d%c", &o->width, &o->height, &rest) == 2 &&
            o->width >= CANVAS_LEAST && o->width <= CANVAS_MOST && o->height >= CANVAS_LEAST &&
            o->height <= CANVAS_MOST) ||
           err_set(e, ERR_USAGE, "--size is as 640x360, each side from %d to %d, not '%.40s'",
                   CANVAS_LEAST, CANVAS_MOST, text);
}

static bool take_numbers(show *s, err *e)
{
    cmd *c = s->c;
    perform_setup *o = &s->setup;
    int64_t fps = option_int(c, "fps", FPS), ahead = option_int(c, "lookahead", AHEAD),
            context = option_int(c, "context", 0), k = option_int(c, "top-k", 40);
    o->seconds = option_num(c, "seconds", 0), o->eye.window = option_num(c, "window", WINDOW);
    o->composer.tempo = option_num(c, "tempo", 0);
    if (!ranges_hold(c, ranges, e))
        return false;
    o->fps = (int)fps, o->composer.ahead = (int)ahead, o->composer.context = (int)context;
    o->composer.sampling = (sampler_options){.temperature = option_num(c, "temperature", 0.85),
                                             .top_k = (int)k,
                                             .top_p = option_num(c, "top-p", 0.92),
                                             .penalty = option_num(c, "penalty", 1.1),
                                             .seed = (uint64_t)option_int(c, "seed", 0)};
    return sampler_check(&o->composer.sampling, e) &&
           cmd_narrow(c, "precision", true, &o->composer.precision, e) && take_size(s, e);
}

static bool take_setup(show *s, err *e)
{
    cmd *c = s->c;
    perform_setup *o = &s->setup;
    if (!option_given(c, "out") && !option_given(c, "port") && !option_given(c, "frames"))
        return err_set(e, ERR_USAGE,
                       "where should it go? Add -o OUT.mid, --port jack, --frames "
                       "OUT.y4m, or more than one of them");
    o->clockless = option_given(c, "no-clock"), o->realtime = option_given(c, "realtime");
    if (o->clockless && !option_given(c, "seconds"))
        return err_set(e, ERR_USAGE, "--no-clock has no end by itself; add --seconds");
    if (o->clockless && option_given(c, "port"))
        return err_set(e, ERR_USAGE,
                       "--no-clock plays faster than it can be heard; leave --port "
                       "away, and give --out");
    o->composer.genre = option_text(c, "genre", NULL),
    o->composer.key = option_text(c, "key", NULL);
    const char *strategy = option_text(c, "strategy", "pipelined");
    s->outcome.strategy = o->clockless ? "no clock" : strategy;
    return perform_strategy_find(strategy, &o->strategy, e) && take_numbers(s, e) &&
           composer_wish(option_text(c, "emotion", "calm"), &o->composer.begin, e);
}

// ---- Models and where it goes

// One after the other, tokens and clouds may have all threads; beside each other one each.
static bool take_threads(show *s, err *e)
{
    bool alone = s->setup.strategy == PERFORM_SEQUENTIAL || s->setup.clockless;
    s->setup.composer.shared = alone;
    return cmd_threads(s->c, alone ? 0 : 1, e) && products_open(&s->c->env, s->c->arena, e);
}

static bool take_models(show *s, err *e)
{
    composer_setup *k = &s->setup.composer;
    perform_models *m = &s->models;
    if (!perform_models_open(m, s->c, e))
        return false;
    k->player = m->player, k->melody = m->melody, k->harmony = m->harmony;
    k->groove = m->groove, k->dynamics = m->dynamics, s->setup.eye.draws = m->cloud;
    bool small = m->melody || m->harmony || m->groove || m->dynamics;
    s->outcome.music = m->player ? m->player->model->name
                       : small   ? "models and the rules of compose"
                                 : "the rules of compose";
    return true;
}

static bool open_film(show *s, err *e)
{
    cmd *c = s->c;
    const char *path = option_text(c, "frames", NULL);
    if (!path)
        return true;
    path = strcmp(path, "-") ? path : "/dev/stdout";
    film_setup o = {.path = path,
                    .width = s->setup.width,
                    .height = s->setup.height,
                    .fps = s->setup.fps,
                    .wait = s->setup.clockless};
    if (!film_is_folder(path) && !cmd_output(c, path, false, e))
        return err_trail(e, "--frames");
    s->outcome.film = path;
    s->outcome.pictures = s->models.cloud ? s->models.cloud->model->name : "the rule of clouds";
    return (s->setup.film = film_open(&o, c->arena, e)) != NULL;
}

static bool open_port(show *s, err *e)
{
    const char *kind = option_text(s->c, "port", NULL);
    if (!kind)
        return true;
    s->setup.port = midi_port_open(kind, "kmidi", s->c->arena, e);
    if (!s->setup.port)
        return err_trail(e, "--port %.40s", kind);
    s->outcome.port = midi_port_name(s->setup.port);
    cmd_say(s->c, "playing to %s", s->outcome.port);
    return true;
}

// "x/song.mid" -> "x/performance.csv"
static const char *log_path(const show *s)
{
    cmd *c = s->c;
    const char *out = option_text(c, "out", NULL), *given = option_text(c, "log", NULL);
    if (given || !out || file_special(out))
        return given;
    return path_join(c->arena, path_dir(c->arena, out), "performance.csv");
}

static bool open_outputs(show *s, err *e)
{
    s->log = (perform_log){
        .c = s->c, .path = log_path(s), .fps = s->setup.fps, .alerts = !s->setup.clockless};
    return (!s->log.path || cmd_output(s->c, s->log.path, false, e)) && open_film(s, e) &&
           open_port(s, e);
}

// ---- While it goes on

static void take_wish(show *s)
{
    double heard = perform_wish(s->perform, &s->conductor.mood);
    s->pending = heard < 0;
    if (!s->pending)
        cmd_say(s->c, "%s: from a bar line on, heard in %.1f s or less", s->conductor.mood.emotion,
                heard);
}

static bool do_as_told(show *s, conductor_says says, const err *why)
{
    if (says == CONDUCTOR_WRONG)
        cmd_complain(s->c, "%s", why->text);
    if (says == CONDUCTOR_WISH)
        take_wish(s);
    return says != CONDUCTOR_QUIT;
}

// False: the end was asked for. The end of stdin is none.
static bool read_lines(show *s)
{
    char bytes[256];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    s->listening = n > 0;
    for (ssize_t i = 0; i < n; i++) {
        err why = {0};
        if (!do_as_told(s, conductor_byte(&s->conductor, bytes[i], &why), &why))
            return false;
    }
    return true;
}

static bool listen(show *s)
{
    uint8_t bytes[3];
    struct pollfd in = {.fd = s->listening ? STDIN_FILENO : -1, .events = POLLIN};
    if (poll(&in, 1, s->setup.clockless ? 0 : LOOK_MS) > 0 && !read_lines(s))
        return false;
    while (s->setup.port && midi_port_hear(s->setup.port, bytes)) // a knob turns through many
        s->pending |= conductor_control(&s->conductor, bytes) == CONDUCTOR_WISH;
    if (s->pending)
        take_wish(s);
    return true;
}

static void go_on(show *s)
{
    double begin = hw_seconds();
    bool gone = false;
    while (perform_runs(s->perform) && !env_stop(&s->c->env) && listen(s)) {
        perform_tend(s->perform);
        perform_log_second(&s->log, s->perform, hw_seconds() - begin);
        if (s->setup.film && film_gone(s->setup.film) && !gone) {
            cmd_say(s->c, "nobody reads the frames any more; the music goes on");
            gone = true;
        }
    }
}

// ---- The end

static bool write_music(show *s, err *e)
{
    cmd *c = s->c;
    perform_outcome *o = &s->outcome;
    const midi_song *song = perform_song(s->perform, c->arena);
    o->notes = song->n_notes;
    o->seconds = perform_seconds(s->perform);
    o->midi = option_text(c, "out", NULL);
    o->wav = option_text(c, "wav", NULL), o->svg = option_text(c, "svg", NULL);
    render_request r = {.midi = o->midi,
                        .wav = o->wav,
                        .sound_font = option_text(c, "soundfont", NULL),
                        .built_in = option_given(c, "simple-tones")};
    return (!o->midi || midi_write(o->midi, song, e)) && (!o->wav || render(&r, &o->by, e)) &&
           roll_write(o->svg, song, o->midi ? path_base(o->midi) : "kmidi perform", e);
}

static bool close_film(show *s, err *e)
{
    film *f = s->setup.film;
    s->setup.film = NULL;
    return !f || film_close(f, &s->outcome.film_frames, e);
}

static bool begin(show *s, err *e)
{
    err then = {0};
    s->perform = perform_open(&s->setup, s->c->arena, e);
    if (!s->perform || !perform_start(s->perform, e))
        return false;
    if (perform_log_open(&s->log, e))
        return true;
    bool ended = perform_stop(s->perform, &then); // what it says is not why
    (void)ended;
    return false;
}

// Where it does not begin, the files of an earlier one stay. Where it fails later, what was played
// and seen is kept.
static bool perform_it(show *s, err *e)
{
    err then = {0};
    if (!begin(s, e))
        return false;
    go_on(s);
    bool ok = perform_stop(s->perform, e), kept = close_film(s, &then);
    kept = write_music(s, &then) && kept;
    kept = perform_log_close(&s->log, &then) && kept;
    if (ok && !kept)
        *e = then;
    return ok && kept;
}

static bool run(cmd *c, err *e)
{
    show s = {.c = c, .listening = true, .setup = {.env = &c->env}};
    bool ok = render_names(c, e) && take_setup(&s, e) && take_threads(&s, e) &&
              take_models(&s, e) && open_outputs(&s, e);
    s.setup.composer.env = s.setup.eye.env = &c->env;
    s.conductor.mood = s.setup.composer.begin;
    ok = ok && perform_it(&s, e);
    if (ok)
        perform_report(&s.log, s.perform, &s.outcome);
    perform_close(s.perform);
    film_abandon(s.setup.film);
    perform_log_abandon(&s.log);
    midi_port_close(s.setup.port);
    perform_models_close(&s.models);
    return ok;
}

const command cmd_perform = {
    .name = "perform",
    .summary = "Plays and draws as it goes: MIDI to a port, a cloud in each frame",
    .usage = "[--emotion NAME|V,A] [--player CKPT] [--cloud CKPT] [--port KIND] [--frames OUT] "
             "[-o OUT.mid]",
    .options = options,
    .args_min = 0,
    .args_max = 0,
    .polls_stop = true,
    .details =
        "While it runs, a line on stdin changes the emotion (emotion grief, or 0.5,-0.3) from "
        "the next bar line that is not made yet, and so do the controllers 16 (valence), 17 "
        "(arousal) and 18 (intensity) of what is connected to the port; quit or Ctrl-C ends "
        "it, with all notes off and whole files. docs/perform.md says how it works and how "
        "fast it is.",
    .example =
        "kmidi perform --emotion joy --seconds 60 -o evening.mid --frames evening.y4m\n"
        "kmidi perform --player runs/player --cloud runs/cloud --port jack --frames evening.y4m\n"
        "kmidi perform --emotion calm --no-clock --seconds 20 -o calm.mid --wav calm.wav "
        "--frames calm.y4m",
    .run = run,
};
