// SPDX-License-Identifier: GPL-3.0-or-later
// canvas.c: discs of light on a night sky (canvas.h).
#include "perform/canvas.h"

#include <math.h>
#include <string.h>

#include "base/order.h"
#include "data/music/cloud.h"

struct canvas {
    int width, height;
    int16_t *share, *shares, *colour; // of a row: [width], [width][3], [width][3]
    uint8_t *night;                   // [height][width][3]
    order_item *order, *spare;        // [CLOUD_POINTS]
};

static float within(float x, float low, float high)
{
    return x > low ? x < high ? x : high : low; // what is no number lies low
}

// ---- The sky: darker towards its edges

static void paint_night(canvas *c)
{
    static const float middle[3] = {28, 35, 71}, edge[3] = {7, 9, 20};
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            float dx = (float)x / (float)c->width - 0.5f, dy = (float)y / (float)c->height - 0.45f,
                  far = within(sqrtf(dx * dx + dy * dy) / 0.75f, 0, 1);
            for (int k = 0; k < 3; k++)
                c->night[3 * (y * c->width + x) + k] =
                    (uint8_t)(middle[k] + (edge[k] - middle[k]) * far);
        }
}

canvas *canvas_open(int width, int height, arena *a)
{
    canvas *c = NEW(a, canvas, 1);
    *c = (canvas){.width = width, .height = height};
    c->night = NEW(a, uint8_t, 3 * (size_t)width * (size_t)height);
    c->order = NEW(a, order_item, CLOUD_POINTS), c->spare = NEW(a, order_item, CLOUD_POINTS);
    c->share = NEW(a, int16_t, (size_t)width);
    c->shares = NEW(a, int16_t, 3 * (size_t)width), c->colour = NEW(a, int16_t, 3 * (size_t)width);
    paint_night(c);
    return c;
}

// ---- A point

typedef struct disc {
    float x, y, r, core, halo; // pixels; opacities
    uint8_t rgb[3];
} disc;

// Of a cube that stands a little turned, z towards the viewer, shares of the picture as in
// data/music/cloud_write.c.
static disc disc_of(const canvas *c, const float *p, float past)
{
    float w = (float)c->width, h = (float)c->height, time = p[CLOUD_X] - past,
          z = within(p[CLOUD_Z], -0.1f, 1.1f), near = 0.6f + 0.4f * within(z, 0, 1),
          fade = within(20 * time + 1, 0, 1),
          alpha = within(p[CLOUD_ALPHA], 0, 1) * within(p[CLOUD_DEPTH], 0.2f, 1);
    disc d = {.x = w * (0.09f + 0.76f * within(time, -0.1f, 1.1f) + 0.11f * (1 - z)),
              .y = h * (0.9f - 0.645f * within(p[CLOUD_Y], -0.1f, 1.1f) - 0.113f * (1 - z)),
              .r = 0.003f * w * within(p[CLOUD_SIZE], 0.2f, 3) * near,
              .core = fade * (0.3f + 0.7f * alpha),
              .halo = fade * 0.35f * within(p[CLOUD_GLOW], 0, 1)};
    for (int k = 0; k < 3; k++)
        d.rgb[k] = (uint8_t)(255 * within(p[CLOUD_RED + k], 0, 1));
    return d;
}

// Of one row, shares of 128 a byte, n pixels beginning at x0: the light falls to nothing at three
// radii, the core's edge is a pixel wide. Loops without branches, which become vectors.
static void weigh_row(canvas *c, const disc *d, float dy, int x0, int n)
{
    float reach = 3 * d->r + 1, scale = 1 / (reach * reach), y2 = dy * dy, r = d->r + 0.5f;
    for (int i = 0; i < n; i++) {
        float dx = (float)(x0 + i) - d->x, far = dx * dx + y2, left = 1 - far * scale,
              in = r - sqrtf(far);
        left = left > 0 ? left : 0, in = in > 0 ? in : 0, in = in < 1 ? in : 1;
        float light = d->halo * left * left, core = d->core * in;
        c->share[i] = (int16_t)(128 * (light + core - light * core));
    }
    for (int i = 0; i < n; i++)
        c->shares[3 * i] = c->shares[3 * i + 1] = c->shares[3 * i + 2] = c->share[i];
}

static void blend_row(const canvas *c, uint8_t *to, int n)
{
    for (int i = 0; i < 3 * n; i++)
        to[i] = (uint8_t)(to[i] + ((int16_t)((c->colour[i] - to[i]) * c->shares[i]) >> 7));
}

static void draw_disc(canvas *c, const disc *d, uint8_t *rgb)
{
    float reach = 3 * d->r + 1;
    int x0 = (int)within(d->x - reach, 0, (float)c->width),
        x1 = (int)within(d->x + reach + 1, 0, (float)c->width),
        y0 = (int)within(d->y - reach, 0, (float)c->height),
        y1 = (int)within(d->y + reach + 1, 0, (float)c->height);
    for (int i = 0; i < 3 * (x1 - x0); i++)
        c->colour[i] = d->rgb[i % 3];
    for (int y = y0; y < y1; y++) {
        weigh_row(c, d, (float)y - d->y, x0, x1 - x0);
        blend_row(c, rgb + 3 * (y * c->width + x0), x1 - x0);
    }
}

void canvas_draw(canvas *c, const float *points, float past, uint8_t *rgb)
{
    memcpy(rgb, c->night, 3 * (size_t)c->width * (size_t)c->height);
    if (!points)
        return;
    for (int i = 0; i < CLOUD_POINTS; i++) {
        float z = within(points[i * CLOUD_WIDTH + CLOUD_Z], -0.1f, 1.1f);
        c->order[i] = (order_item){.key = (uint64_t)(1e5f * (z + 0.1f)), .index = (uint32_t)i};
    }
    order_items(c->order, c->spare, CLOUD_POINTS);
    for (int i = 0; i < CLOUD_POINTS; i++) {
        disc d = disc_of(c, points + c->order[i].index * CLOUD_WIDTH, past);
        if (d.core > 0)
            draw_disc(c, &d, rgb);
    }
}
