// SPDX-License-Identifier: GPL-3.0-or-later
// clip_ogg.c: Ogg files by their pages (clip_source.h); libogg finds and checks them, libsndfile
// decodes what is in them.
//
// An Ogg file may be several ones behind each other ("chained", as radio streams and `cat` make
// them); libsndfile plays the first. So all pages are looked at before anything is decoded: where a
// new link begins, and whether one is damaged or missing, which decoders pass over without a word.
// Reference: RFC 3533.
#include <ogg/ogg.h>
#include <string.h>
#include <unistd.h>

#include "data/audio/clip_source.h"

enum { LINKS_MOST = 4096, PIECE = 65536 };

typedef struct chain {
    int64_t from[LINKS_MOST + 1]; // bytes; the last is the end
    int n, now;
    clip_sndfile_part *part;
    arena *memory; // that of the file
    arena links;   // of the link that is open
} chain;

// ---- Pages

typedef struct scan {
    clip_source *s;
    chain *c;
    int64_t at, audio; // byte of the page, frames of the links so far
    bool headers;      // only pages of headers have been seen in this link
    int serial, streams;
    long number; // of the last page of its only stream
} scan;

static bool begin_link(scan *n, const ogg_page *g, err *e)
{
    if (n->c->n == LINKS_MOST)
        return err_set(e, ERR_VALUE, "'%s' is a chain of more than %d Ogg streams; cut it up",
                       n->s->path, LINKS_MOST);
    n->c->from[n->c->n++] = n->at;
    n->serial = ogg_page_serialno(g);
    n->streams = 1;
    n->headers = true;
    n->number = ogg_page_pageno(g);
    return true;
}

// A stream that was recorded from the middle jumps once, behind its headers.
static bool take_page(scan *n, const ogg_page *g, err *e)
{
    if (ogg_page_bos(g)) {
        if (n->streams && n->headers)
            n->streams++; // several streams beside each other
        else
            return begin_link(n, g, e);
    }
    if (n->streams != 1 || ogg_page_serialno(g) != n->serial) {
        n->headers &= ogg_page_bos(g) != 0;
        return true;
    }
    bool next = ogg_page_pageno(g) == n->number + 1 || n->headers;
    n->headers &= ogg_page_granulepos(g) <= 0;
    n->number = ogg_page_pageno(g);
    return next || err_set(e, ERR_DAMAGED,
                           "'%s' is damaged: a page of its Ogg stream is missing before byte %lld; "
                           "copy it again or remove it",
                           n->s->path, (long long)n->at);
}

// Bytes that are no page: one that does not fit its checksum, or what somebody put behind the last
// (a tag).
static bool passed_over(const scan *n, int64_t bytes, err *e)
{
    unsigned char b[4];
    (void)bytes;
    if (clip_file_read(&n->s->file, b, 4, n->at) == 4 && !memcmp(b, "OggS", 4))
        return err_set(e, ERR_DAMAGED,
                       "'%s' is damaged: its Ogg page at byte %lld does not fit its checksum; copy "
                       "it again or remove it",
                       n->s->path, (long long)n->at);
    return true;
}

static bool scan_pages(scan *n, ogg_sync_state *sync, err *e)
{
    int64_t read = 0;
    for (;;) {
        ogg_page g;
        long bytes = ogg_sync_pageseek(sync, &g);
        if (bytes > 0 ? !take_page(n, &g, e) : bytes < 0 && !passed_over(n, -bytes, e))
            return false;
        n->at += bytes > 0 ? bytes : -bytes;
        if (bytes != 0)
            continue;
        char *to = ogg_sync_buffer(sync, PIECE);
        int64_t got = to ? clip_file_read(&n->s->file, to, PIECE, read) : -1;
        if (got <= 0)
            return true;
        ogg_sync_wrote(sync, (long)got);
        read += got;
    }
}

// ---- Links

static bool open_link(clip_source *s, int k, err *e)
{
    chain *c = s->self;
    int rate = s->rate, channels = s->channels;
    clip_sndfile_close(c->part);
    arena_free(&c->links);
    c->part = clip_sndfile_open(s, c->from[k], c->from[k + 1] - c->from[k], &c->links, e);
    if (!c->part || k == 0 || (s->rate == rate && s->channels == channels))
        return c->part != NULL;
    return err_set(e, ERR_FORMAT,
                   "'%s' is a chain of Ogg streams: one has %d Hz and %d channels, the next %d Hz "
                   "and %d; cut it there, or convert it",
                   s->path, rate, channels, s->rate, s->channels);
}

static bool open(clip_source *s, arena *a, err *e)
{
    chain *c = s->self = NEW(a, chain, 1);
    scan n = {.s = s, .c = c};
    ogg_sync_state sync;
    c->links.name = "ogg";
    ogg_sync_init(&sync);
    bool ok = scan_pages(&n, &sync, e);
    ogg_sync_clear(&sync);
    if (!ok)
        return false;
    if (!c->n)
        c->n = 1; // no page is sound: libsndfile says what it is
    c->from[c->n] = s->size;
    s->total = INT64_MAX;
    return open_link(s, 0, e);
}

static bool read_frames(clip_source *s, float *out, int64_t frames, int64_t *got, err *e)
{
    chain *c = s->self;
    for (;;) {
        if (!clip_sndfile_read(c->part, s, out, frames, got, e))
            return false;
        if (*got > 0 || c->now + 1 == c->n)
            return true;
        if (!open_link(s, ++c->now, e))
            return false;
    }
}

static void close_file(clip_source *s)
{
    chain *c = s->self;
    if (!c)
        return;
    clip_sndfile_close(c->part);
    c->part = NULL;
    arena_free(&c->links);
}

const clip_source_def clip_ogg = {.open = open, .read = read_frames, .close = close_file};
