// SPDX-License-Identifier: GPL-3.0-or-later
// score.c: see score.h.
#include "serve/http/score.h"

#include <stdlib.h>
#include <string.h>

#include "data/audio/clip.h"
#include "data/midi/midi_write.h"
#include "data/music/additive.h"
#include "data/music/roll.h"
#include "serve/http/encode.h"

static const struct {
    const char *name, *type;
} files[] = {
    [SCORE_JSON] = {"json", NULL},      [SCORE_MIDI] = {"midi", "audio/midi"},
    [SCORE_WAV] = {"wav", "audio/wav"}, [SCORE_SVG] = {"svg", "image/svg+xml"},
    [SCORE_ALL] = {"all", NULL},
};

const char *score_name(score_format f)
{
    return files[f].name;
}

score_format score_wanted(const char *accept)
{
    for (int f = SCORE_MIDI; f <= SCORE_SVG; f++)
        if (answer_wanted(accept, files[f].type))
            return (score_format)f;
    return SCORE_JSON;
}

static bool sound_of(const midi_song *s, strbuf *out, err *e)
{
    float *samples = NULL;
    int64_t frames;
    if (s->seconds > SCORE_SECONDS)
        return err_set(e, ERR_VALUE,
                       "the piece lasts %.0f s, and sound is made of at most %d; ask for midi, or "
                       "for fewer bars",
                       s->seconds, SCORE_SECONDS);
    if (!additive_render(s, &samples, &frames, e))
        return false;
    bool ok = clip_wav(samples, frames, ADDITIVE_RATE, out, e);
    free(samples);
    return ok;
}

static bool bytes_of(const midi_song *s, score_format f, const char *title, strbuf *out, err *e)
{
    if (f == SCORE_MIDI)
        return midi_format(s, out, e);
    if (f == SCORE_WAV)
        return sound_of(s, out, e);
    if (s->n_notes == 0)
        return err_set(e, ERR_EMPTY, "there are no notes to draw");
    roll_svg(s, title, out);
    return true;
}

bool score_answer(const midi_song *s, score_format f, const char *title, answer *a, err *e)
{
    strbuf bytes = {0};
    bool ok = bytes_of(s, f, title, &bytes, e);
    if (ok)
        answer_file(a, files[f].type, &bytes);
    strbuf_free(&bytes);
    return ok;
}

static void add_file(json *to, score_format f, const strbuf *bytes)
{
    json *j = json_object();
    strbuf text = {0};
    json_set_str(j, "type", files[f].type);
    if (f == SCORE_SVG)
        json_set_str(j, "text", bytes->s);
    else {
        encode_base64(bytes->s, bytes->len, &text);
        json_set_str(j, "base64", text.s);
    }
    strbuf_free(&text);
    json_set(to, files[f].name, j);
}

bool score_files(const midi_song *s, score_format format, const char *title, json **out, err *e)
{
    bool ok = true;
    *out = format == SCORE_JSON ? NULL : json_object();
    for (int f = SCORE_MIDI; ok && *out && f <= SCORE_SVG; f++) {
        strbuf bytes = {0};
        if (format != SCORE_ALL && format != (score_format)f)
            continue;
        ok = bytes_of(s, (score_format)f, title, &bytes, e);
        if (ok)
            add_file(*out, (score_format)f, &bytes);
        strbuf_free(&bytes);
    }
    if (!ok)
        json_free(*out), *out = NULL;
    return ok;
}
