// SPDX-License-Identifier: GPL-3.0-or-later
// film_bytes.c: pixels and points as others read them (film_bytes.h).
#include "perform/film_bytes.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "data/music/cloud.h"

static size_t pixels_of(const film_setup *o)
{
    return (size_t)o->width * (size_t)o->height;
}

// ---- YUV4MPEG2

static void y4m_head(const film_setup *o, strbuf *out)
{
    strbuf_printf(out, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C444\n", o->width, o->height, o->fps);
}

// Luma 16 .. 235, chroma 16 .. 240, in 256ths.
static void y4m_bytes(const film_setup *o, const film_frame *x, strbuf *out)
{
    size_t n = pixels_of(o);
    strbuf_printf(out, "FRAME\n");
    uint8_t *y = (uint8_t *)strbuf_extend(out, 3 * n), *u = y + n, *v = u + n;
    const uint8_t *p = x->rgb;
    for (size_t i = 0; i < n; i++, p += 3) {
        int r = p[0], g = p[1], b = p[2];
        y[i] = (uint8_t)((66 * r + 129 * g + 25 * b + 4224) >> 8);
        u[i] = (uint8_t)((112 * b - 38 * r - 74 * g + 32896) >> 8);
        v[i] = (uint8_t)((112 * r - 94 * g - 18 * b + 32896) >> 8);
    }
}

// ---- Pixels as they are

static void rgb_bytes(const film_setup *o, const film_frame *x, strbuf *out)
{
    strbuf_add(out, (const char *)x->rgb, 3 * pixels_of(o));
}

static void ppm_bytes(const film_setup *o, const film_frame *x, strbuf *out)
{
    strbuf_printf(out, "P6\n%d %d\n255\n", o->width, o->height);
    rgb_bytes(o, x, out);
}

// ---- Points: 720,000 numbers a second, which printf would take half a core for

static char *number(char *at, float x)
{
    float most = 1e5f, held = x > -most ? x < most ? x : most : -most;
    long thousandths = lroundf(1000 * held);
    char digits[16];
    int n = 0;
    unsigned long left = (unsigned long)(thousandths < 0 ? -thousandths : thousandths);
    for (; n < 4 || left; left /= 10)
        digits[n++] = (char)('0' + left % 10);
    if (thousandths < 0)
        *at++ = '-';
    while (n > 3)
        *at++ = digits[--n];
    *at++ = '.';
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

static void points_bytes(const film_setup *o, const film_frame *x, strbuf *out)
{
    enum { MOST = 16 }; // bytes of a number and what stands beside it
    (void)o;
    strbuf_printf(out,
                  "{\"frame\": %lld, \"time\": %.4f, \"valence\": %.3f, \"arousal\": %.3f, "
                  "\"points\": [",
                  (long long)x->number, x->time, x->valence, x->arousal);
    char *at = strbuf_extend(out, CLOUD_WIDTH * CLOUD_POINTS * MOST);
    for (int i = 0; !x->blank && i < CLOUD_POINTS * CLOUD_WIDTH; i++) {
        int k = i % CLOUD_WIDTH;
        if (i)
            *at++ = ',';
        if (k == 0)
            *at++ = '[';
        at = number(at, x->points[i]);
        if (k == CLOUD_WIDTH - 1)
            *at++ = ']';
    }
    out->len = (size_t)(at - out->s);
    strbuf_printf(out, "]}\n");
}

// ---- Which one

static const film_kind kinds[] = {
    {.ending = ".y4m", .steady = true, .head = y4m_head, .bytes = y4m_bytes},
    {.ending = ".rgb", .steady = true, .bytes = rgb_bytes},
    {.ending = ".jsonl", .points = true, .bytes = points_bytes},
    {.folder = true, .bytes = ppm_bytes},
};
enum { Y4M, FOLDER = 3 };

const film_kind *film_kind_of(const char *path)
{
    for (int i = 0; i < FOLDER; i++) {
        const char *const endings[] = {kinds[i].ending, NULL};
        if (str_ends_any(path, endings))
            return &kinds[i];
    }
    return file_special(path) ? &kinds[Y4M] : &kinds[FOLDER];
}
