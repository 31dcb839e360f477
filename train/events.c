// SPDX-License-Identifier: GPL-3.0-or-later
// events.c: the writer of TensorBoard event files. Field numbers: tensorflow/core/util/event.proto
// and framework/summary.proto.
#include "train/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/str.h"

enum { TAG_MAX = 200 };      // bytes of a tag; records then stay below EVENTS_RECORD
#define TIME_MOST 9999999998 // of ten digits

struct events {
    FILE *file;
    const char *path;
};

// Protobuf's wire format

typedef struct wire {
    uint8_t *p;
    size_t n;
} wire;

static void put(wire *w, const void *bytes, size_t n)
{
    memcpy(w->p + w->n, bytes, n);
    w->n += n;
}

static void put_varint(wire *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        w->p[w->n++] = (uint8_t)(v | 0x80);
    w->p[w->n++] = (uint8_t)v;
}

static void put_little(wire *w, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        w->p[w->n++] = (uint8_t)(v >> (8 * i));
}

static void put_double(wire *w, int field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_varint(w, (uint64_t)field << 3 | 1);
    put_little(w, bits, 8);
}

static void put_float(wire *w, int field, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_varint(w, (uint64_t)field << 3 | 5);
    put_little(w, bits, 4);
}

static void put_int(wire *w, int field, uint64_t v)
{
    put_varint(w, (uint64_t)field << 3);
    put_varint(w, v);
}

static void put_bytes(wire *w, int field, const void *bytes, size_t n)
{
    put_varint(w, (uint64_t)field << 3 | 2);
    put_varint(w, n);
    put(w, bytes, n);
}

// Records

static uint32_t masked(const void *bytes, size_t n)
{
    uint32_t c = crc32c(bytes, n);
    return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

static size_t frame(const wire *event, uint8_t *out)
{
    wire w = {out, 0};
    put_little(&w, event->n, 8);
    put_little(&w, masked(out, 8), 4);
    put(&w, event->p, event->n);
    put_little(&w, masked(event->p, event->n), 4);
    return w.n;
}

size_t events_version_record(double wall, uint8_t *out)
{
    uint8_t bytes[EVENTS_RECORD];
    wire w = {bytes, 0};
    static const char version[] = "brain.Event:2";
    put_double(&w, 1, wall);
    put_bytes(&w, 3, version, sizeof version - 1);
    return frame(&w, out);
}

size_t events_scalar_record(double wall, int64_t step, const char *tag, float value, uint8_t *out)
{
    uint8_t bytes[EVENTS_RECORD], inner[EVENTS_RECORD], leaf[EVENTS_RECORD];
    size_t len = strlen(tag);
    wire v = {leaf, 0}, s = {inner, 0}, w = {bytes, 0};
    put_bytes(&v, 1, tag, len < TAG_MAX ? len : TAG_MAX);
    put_float(&v, 2, value);
    put_bytes(&s, 1, v.p, v.n);
    put_double(&w, 1, wall);
    put_int(&w, 2, (uint64_t)step);
    put_bytes(&w, 5, s.p, s.n);
    return frame(&w, out);
}

size_t events_session_record(double wall, int64_t step, uint8_t *out)
{
    uint8_t bytes[EVENTS_RECORD];
    wire w = {bytes, 0};
    static const uint8_t start[] = {0x08, 0x01}; // SessionLog{1 status = START}
    put_double(&w, 1, wall);
    put_int(&w, 2, (uint64_t)step);
    put_bytes(&w, 7, start, sizeof start);
    return frame(&w, out);
}

// Files

static double wall_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool write_record(events *v, const uint8_t *bytes, size_t n, err *e)
{
    if (fwrite(bytes, 1, n, v->file) == n)
        return true;
    return err_errno(e, "cannot write '%s'; free some space, or set logging.tensorboard=false",
                     v->path);
}

bool events_resume(events *v, int64_t step, err *e)
{
    uint8_t record[EVENTS_RECORD];
    return write_record(v, record, events_session_record(wall_time(), step + 1, record), e);
}

// Seconds for the name of a new file. TensorBoard reads a folder's files in the order of their
// names, so it comes behind all that are there, also of a run that went on within a second, or on a
// machine whose clock is behind.
static long long name_time(const char *dir, double now, arena *a)
{
    long long time = (long long)now;
    size_t n;
    char **list = file_list(a, dir, "events.out.tfevents.*", &n);
    for (size_t i = 0; i < n; i++) {
        long long other =
            strtoll(strstr(path_base(list[i]), "tfevents.") + strlen("tfevents."), NULL, 10);
        if (other >= time && other < TIME_MOST)
            time = other + 1;
    }
    return time;
}

events *events_open(const char *dir, int64_t resumed_at, arena *a, err *e)
{
    char host[256] = "localhost";
    if (gethostname(host, sizeof host - 1))
        snprintf(host, sizeof host, "localhost");
    double now = wall_time();
    events *v = NEW(a, events, 1);
    v->path = arena_printf(a, "%s/events.out.tfevents.%010lld.%s.%ld.0", dir,
                           name_time(dir, now, a), host, (long)getpid());
    v->file = fopen(v->path, "ab");
    if (!v->file) {
        (void)err_errno(e, "cannot write '%s'", v->path);
        return NULL;
    }
    uint8_t record[EVENTS_RECORD];
    if (!write_record(v, record, events_version_record(now, record), e) ||
        (resumed_at >= 0 && !events_resume(v, resumed_at, e)) || !events_flush(v, e)) {
        events_close(v);
        return NULL;
    }
    return v;
}

bool events_scalar(events *v, int64_t step, const char *tag, double value, err *e)
{
    uint8_t record[EVENTS_RECORD];
    return write_record(v, record,
                        events_scalar_record(wall_time(), step, tag, (float)value, record), e);
}

bool events_flush(events *v, err *e)
{
    if (fflush(v->file) == 0)
        return true;
    return err_errno(e, "cannot write '%s'; free some space, or set logging.tensorboard=false",
                     v->path);
}

void events_close(events *v)
{
    if (v && v->file)
        fclose(v->file);
    if (v)
        v->file = NULL;
}
