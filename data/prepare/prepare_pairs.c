// SPDX-License-Identifier: GPL-3.0-or-later
// prepare_pairs.c: items of which there is sound and MIDI, into slots (prepare_decode.h): a worker
// does what it would do for either (prepare_songs.c, then prepare_audio.c), so the rows of both are
// those of sets of their own. What its MIDI refuses is not decoded.
#include <string.h>

#include "data/prepare/prepare_decode.h"

// ---- What a worker is sent: the length of what prepare_audio is sent, that, and what
// prepare_songs is sent

static bool pack(const prepare *p, const reader_item *item, strbuf *out, err *e)
{
    uint64_t n = 0;
    size_t at = out->len;
    if (item->offset > 0 || item->duration > 0)
        return err_set(e, ERR_VALUE,
                       "'%s' is a part (offset, duration), and its MIDI would be taken whole; cut "
                       "both into files of their own",
                       item->path);
    strbuf_add(out, (const char *)&n, sizeof n);
    if (!prepare_audio.pack(p, item, out, e))
        return false;
    n = out->len - at - sizeof n;
    memcpy(out->s + at, &n, sizeof n);
    return prepare_songs.pack(p, item, out, e);
}

// ---- Its answer: that of prepare_audio, or nothing where the song is refused; that of
// prepare_songs; and how long the latter is

static bool decode(void *user, const void *item, size_t n, strbuf *out, err *e)
{
    uint64_t of_audio;
    const char *audio = (const char *)item + sizeof of_audio;
    strbuf song = {0};
    memcpy(&of_audio, item, sizeof of_audio);
    bool ok =
        prepare_songs.fn(user, audio + of_audio, n - sizeof of_audio - of_audio, &song, e) &&
        (prepare_song_refused(song.s, song.len) || prepare_audio.fn(user, audio, of_audio, out, e));
    uint64_t of_song = song.len;
    if (ok) {
        strbuf_add(out, song.s, song.len);
        strbuf_add(out, (const char *)&of_song, sizeof of_song);
    }
    strbuf_free(&song);
    return ok;
}

static bool take(prepare_slot *s, const char *bytes, size_t n)
{
    uint64_t of_song;
    if (n < sizeof of_song)
        return false;
    n -= sizeof of_song;
    memcpy(&of_song, bytes + n, sizeof of_song);
    if (of_song > n)
        return false;
    return prepare_songs.take(s, bytes + n - of_song, of_song) &&
           prepare_audio.take(s, bytes, n - of_song);
}

// ---- Limits: those of both

static double seconds(const prepare *p)
{
    return WORKER_SECONDS + prepare_audio.seconds(p);
}

static uint64_t memory(const prepare *p)
{
    return WORKER_MEMORY + prepare_audio.memory(p);
}

const prepare_kind prepare_pairs = {
    .fn = decode, .pack = pack, .take = take, .seconds = seconds, .memory = memory};
