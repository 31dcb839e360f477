// SPDX-License-Identifier: GPL-3.0-or-later
// events.c: the writer of TensorBoard event files. Field numbers: tensorflow/core/util/event.proto
// and framework/summary.proto.
#include "train/events_internal.h"

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

// ---- Records

static uint32_t masked(const void *bytes, size_t n)
{
    uint32_t c = crc32c(bytes, n);
    return ((c >> 15) | (c << 17)) + 0xa282ead8u;
}

size_t events_frame(const wire *event, uint8_t *out)
{
    wire w = {out, 0};
    wire_little(&w, event->n, 8);
    wire_little(&w, masked(out, 8), 4);
    wire_put(&w, event->p, event->n);
    wire_little(&w, masked(event->p, event->n), 4);
    return w.n;
}

size_t events_version_record(double wall, uint8_t *out)
{
    uint8_t bytes[EVENTS_RECORD];
    wire w = {bytes, 0};
    static const char version[] = "brain.Event:2";
    wire_double(&w, 1, wall);
    wire_bytes(&w, 3, version, sizeof version - 1);
    return events_frame(&w, out);
}

size_t events_scalar_record(double wall, int64_t step, const char *tag, float value, uint8_t *out)
{
    uint8_t bytes[EVENTS_RECORD], inner[EVENTS_RECORD], leaf[EVENTS_RECORD];
    size_t len = strlen(tag);
    wire v = {leaf, 0}, s = {inner, 0}, w = {bytes, 0};
    wire_bytes(&v, 1, tag, len < TAG_MAX ? len : TAG_MAX);
    wire_float(&v, 2, value);
    wire_bytes(&s, 1, v.p, v.n);
    wire_double(&w, 1, wall);
    wire_int(&w, 2, (uint64_t)step);
    wire_bytes(&w, 5, s.p, s.n);
    return events_frame(&w, out);
}

size_t events_session_record(double wall, int64_t step, uint8_t *out)
{
    uint8_t bytes[EVENTS_RECORD];
    wire w = {bytes, 0};
    static const uint8_t start[] = {0x08, 0x01}; // SessionLog{1 status = START}
    wire_double(&w, 1, wall);
    wire_int(&w, 2, (uint64_t)step);
    wire_bytes(&w, 7, start, sizeof start);
    return events_frame(&w, out);
}

// ---- Files

double events_wall_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool events_record(events *v, const uint8_t *bytes, size_t n, err *e)
{
    if (fwrite(bytes, 1, n, v->file) == n)
        return true;
    return err_errno(e, "cannot write '%s'; free some space, or set logging.tensorboard=false",
                     v->path);
}

bool events_resume(events *v, int64_t step, err *e)
{
    uint8_t record[EVENTS_RECORD];
    return events_record(v, record, events_session_record(events_wall_time(), step + 1, record), e);
}

// Seconds that no other file of the folder has, nor a later one.
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

const char *events_file_name(const char *dir, const char *ending, double now, arena *a)
{
    char host[256] = "localhost";
    if (gethostname(host, sizeof host - 1))
        snprintf(host, sizeof host, "localhost");
    return arena_printf(a, "%s/events.out.tfevents.%010lld.%s.%ld%s", dir, name_time(dir, now, a),
                        host, (long)getpid(), ending);
}

// A run that goes on has not ended.
static void remove_end(const char *dir, arena *a)
{
    size_t n;
    char **list = file_list(a, dir, "events.out.tfevents.*" EVENTS_END, &n);
    for (size_t i = 0; i < n; i++)
        unlink(list[i]);
}

events *events_open(const char *dir, int64_t resumed_at, arena *a, err *e)
{
    double now = events_wall_time();
    events *v = NEW(a, events, 1);
    v->path = events_file_name(dir, ".0", now, a);
    remove_end(dir, a);
    v->file = fopen(v->path, "ab");
    if (!v->file) {
        (void)err_errno(e, "cannot write '%s'", v->path);
        return NULL;
    }
    uint8_t record[EVENTS_RECORD];
    if (!events_record(v, record, events_version_record(now, record), e) ||
        (resumed_at >= 0 && !events_resume(v, resumed_at, e)) || !events_flush(v, e)) {
        events_close(v);
        return NULL;
    }
    return v;
}

bool events_scalar(events *v, int64_t step, const char *tag, double value, err *e)
{
    uint8_t record[EVENTS_RECORD];
    return events_record(
        v, record, events_scalar_record(events_wall_time(), step, tag, (float)value, record), e);
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
