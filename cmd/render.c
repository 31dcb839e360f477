// SPDX-License-Identifier: GPL-3.0-or-later
// render.c: fluidsynth as a process, or our own sines (render.h).
#include "cmd/render.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/str.h"
#include "data/audio/clip.h"
#include "data/music/additive.h"

enum { WAV_HEADER = 44 };

// Where Debian, Fedora, Arch and Homebrew put them.
static const char *const places[] = {
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",       "/usr/share/sounds/sf2/default-GM.sf2",
    "/usr/share/sounds/sf2/TimGM6mb.sf2",         "/usr/share/soundfonts/FluidR3_GM.sf2",
    "/usr/share/soundfonts/default.sf2",          "/opt/homebrew/share/fluidsynth/sf2/default.sf2",
    "/usr/local/share/fluidsynth/sf2/default.sf2"};

static const char *find_font(const char *named)
{
    const char *own = getenv("KMIDI_SOUNDFONT");
    if (named || (own && *own))
        return named ? named : own;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (file_exists(places[i]))
            return places[i];
    return NULL;
}

// RIFF of SoundFont 2 or 3, or of DLS. fluidsynth plays silence, and is content, where it is given
// anything else.
static bool is_font(const char *path)
{
    char head[12] = {0};
    uint64_t size;
    int fd = file_open(path, &size, NULL);
    bool ok = fd >= 0 && file_read_at(fd, head, sizeof head, 0) == (int64_t)sizeof head &&
              !memcmp(head, "RIFF", 4) &&
              (!memcmp(head + 8, "sfbk", 4) || !memcmp(head + 8, "DLS ", 4));
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool is_wav(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > WAV_HEADER;
}

// What fluidsynth wrote becomes `wav`; what is no regular file it cannot write into.
static bool take_over(const char *temp, const char *wav, arena *a, err *e)
{
    size_t n;
    if (!file_special(wav))
        return file_commit(temp, wav, e);
    const char *bytes = file_read(a, temp, (size_t)1 << 32, &n, e);
    bool ok = bytes && file_write(wav, bytes, n, e);
    file_discard(temp);
    return ok;
}

// *there: fluidsynth is.
static bool by_fluidsynth(const render_request *r, const char *font, bool *there, err *e)
{
    arena a = {.name = "render"};
    char *temp = file_temp(&a, file_special(r->wav) ? r->midi : r->wav);
    char *const argv[] = {"fluidsynth", "-n",  "-i", "-q", "-r",         "44100",
                          "-T",         "wav", "-F", temp, (char *)font, (char *)r->midi,
                          NULL};
    int status = proc_run_quietly(argv);
    *there = status != 127;
    bool ok = status == 0 && is_wav(temp);
    if (ok)
        ok = take_over(temp, r->wav, &a, e);
    else {
        file_discard(temp);
        err_set(e, ERR_IO,
                "fluidsynth could not play '%s' with '%s' to '%s' (exit status %d); try it by hand",
                r->midi, font, r->wav, status);
    }
    arena_free(&a);
    return ok;
}

static bool by_ourselves(const render_request *r, err *e)
{
    arena a = {.name = "render"};
    float *samples = NULL;
    int64_t frames;
    const midi_song *s = midi_read(&a, r->midi, e);
    bool ok = s && additive_render(s, &samples, &frames, e) &&
              clip_write_wav(r->wav, samples, frames, ADDITIVE_RATE, e);
    free(samples);
    arena_free(&a);
    return ok;
}

// What is sound goes to --wav, what is MIDI to --out.
bool render_names(const cmd *c, err *e)
{
    const char *out = option_text(c, "out", NULL), *wav = option_text(c, "wav", NULL);
    if (wav && !out)
        return err_set(e, ERR_USAGE, "--wav plays the MIDI file; name one by -o");
    if (out && str_ends_any(out, clip_endings)) {
        const char *midi = arena_printf(c->arena, "%.*s.mid", (int)(strrchr(out, '.') - out), out);
        return err_set(
            e, ERR_USAGE,
            "-o names the MIDI file, and '%s' is called as sound is; for both: -o %s --wav %s", out,
            str_quoted(c->arena, midi), str_quoted(c->arena, wav ? wav : out));
    }
    if (wav && file_special(out))
        return err_set(e, ERR_USAGE,
                       "--wav plays the MIDI file, and '%s' is no regular file; name one by -o",
                       out);
    if (wav && !str_ends_any(wav, (const char *const[]){".wav", ".wave", NULL}) &&
        (str_ends_any(wav, midi_endings) || str_ends_any(wav, clip_endings)))
        return err_set(e, ERR_USAGE,
                       "--wav writes wav, and '%s' is called otherwise; name it NAME.wav", wav);
    return true;
}

bool render(const render_request *r, const char **by, err *e)
{
    const char *font = r->built_in ? NULL : find_font(r->sound_font);
    bool there = false;
    if (font && !file_exists(font))
        return err_set(e, ERR_MISSING, "there is no sound font '%s'; check the name", font);
    if (font && !is_font(font))
        return err_set(e, ERR_FORMAT, "'%s' is no sound font; name an .sf2, .sf3 or .dls file",
                       font);
    *by = "fluidsynth";
    if (font && by_fluidsynth(r, font, &there, e))
        return true;
    if (there || (font && r->sound_font))
        return there
                   ? false
                   : err_set(e, ERR_MISSING,
                             "fluidsynth is not installed, and plays '%s' alone; install it", font);
    e->code = ERR_NONE;
    *by = "built-in";
    return by_ourselves(r, e);
}
