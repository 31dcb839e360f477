// SPDX-License-Identifier: GPL-3.0-or-later
// film.c: frames as bytes that others read, places that nobody drew, a reader that goes away;
// points as pixels.
#include "perform/film.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/music/cloud.h"
#include "perform/canvas.h"
#include "tests/test.h"

enum { WIDE = 16, HIGH = 16, PIXELS = WIDE * HIGH };

// Frames of the given numbers, each of one grey: 10 times its number.
static int64_t shoot(const char *path, const int *numbers, int n)
{
    arena a = {0};
    err e = {0};
    int64_t frames = 0;
    film_setup o = {.path = path, .width = WIDE, .height = HIGH, .fps = 60, .wait = true};
    film *f = film_open(&o, &a, &e);
    EXPECT_OK(f != NULL, e);
    for (int i = 0; f && i < n; i++) {
        film_frame *x = film_next(f);
        x->number = numbers[i], x->time = numbers[i] / 60.0, x->blank = i == 0;
        x->valence = 0.25, x->arousal = -0.5;
        if (!film_wants_points(f))
            memset(x->rgb, 10 * numbers[i], 3 * PIXELS);
        for (int k = 0; k < CLOUD_POINTS * CLOUD_WIDTH; k++)
            x->points[k] = k == 12 ? -1.5f : k == 13 ? NAN : 0.125f;
        film_push(f);
    }
    EXPECT_OK(f && film_close(f, &frames, &e), e);
    arena_free(&a);
    return frames;
}

static const char *bytes_of(arena *a, const char *name, size_t *n)
{
    err e = {0};
    const char *text = file_read(a, test_path(name), 1 << 26, n, &e);
    EXPECT_OK(text != NULL, e);
    return text ? text : "";
}

TEST(film_as_y4m_has_a_frame_for_every_place)
{
    static const char head[] = "YUV4MPEG2 W16 H16 F60:1 Ip A1:1 C444\n";
    arena a = {0};
    size_t n = 0;
    EXPECT_INT(shoot(test_path("x.y4m"), (int[]){0, 1, 4}, 3), 5);
    const char *text = bytes_of(&a, "x.y4m", &n);
    size_t frame = strlen("FRAME\n") + 3 * PIXELS;
    EXPECT_INT(n, strlen(head) + 5 * frame);
    EXPECT(!strncmp(text, head, strlen(head)));
    static const int grey[] = {0, 10, 10, 10, 40};
    for (int i = 0; n == strlen(head) + 5 * frame && i < 5; i++) {
        const unsigned char *y =
            (const unsigned char *)text + strlen(head) + (size_t)i * frame + strlen("FRAME\n");
        EXPECT_NEAR(y[0], 16 + grey[i] * 219 / 255.0, 1);
        EXPECT_INT(y[PIXELS], 128);
        EXPECT_INT(y[3 * PIXELS - 1], 128);
    }
    arena_free(&a);
}

TEST(film_as_rgb_is_bytes_alone)
{
    arena a = {0};
    size_t n = 0;
    EXPECT_INT(shoot(test_path("x.rgb"), (int[]){0, 2}, 2), 3);
    const char *text = bytes_of(&a, "x.rgb", &n);
    EXPECT_INT(n, 3 * 3 * PIXELS);
    EXPECT_INT(n ? text[n - 1] : 0, 20);
    arena_free(&a);
}

TEST(film_as_points_has_a_line_a_frame)
{
    arena a = {0};
    err e = {0};
    size_t n = 0;
    EXPECT_INT(shoot(test_path("x.jsonl"), (int[]){0, 7}, 2), 2);
    const char *text = bytes_of(&a, "x.jsonl", &n), *second = strchr(text, '\n');
    json *j = json_parse(text, (size_t)(second - text), &e),
         *k = json_parse(second + 1, strlen(second + 1), &e);
    EXPECT_OK(j && k, e);
    EXPECT_INT(json_len(json_get(j, "points")), 0);
    EXPECT_INT(json_int(json_get(k, "frame"), 0), 7);
    EXPECT_NEAR(json_num(json_get(k, "valence"), 0), 0.25, 1e-9);
    EXPECT_INT(json_len(json_get(k, "points")), CLOUD_POINTS);
    const json *point = json_at(json_get(k, "points"), 1);
    EXPECT_INT(json_len(point), CLOUD_WIDTH);
    EXPECT_NEAR(json_num(json_at(point, 2), 0), -1.5, 1e-9);
    EXPECT_NEAR(json_num(json_at(point, 4), 0), 0.125, 1e-9);
    json_free(j), json_free(k);
    arena_free(&a);
}

TEST(film_as_folder_has_files)
{
    arena a = {0};
    size_t n = 0;
    EXPECT_INT(shoot(test_path("pictures"), (int[]){0, 2}, 2), 2);
    const char *text = bytes_of(&a, "pictures/frame-000003.ppm", &n);
    EXPECT(!strncmp(text, "P6\n16 16\n255\n", 13));
    EXPECT_INT(n, 13 + 3 * PIXELS);
    EXPECT(!file_exists(test_path("pictures/frame-000002.ppm")));
    arena_free(&a);
}

TEST(film_leaves_no_half_a_frame)
{
    arena a = {0};
    err e = {0};
    int64_t frames;
    film_setup o = {
        .path = test_path("taken"), .width = WIDE, .height = HIGH, .fps = 60, .wait = true};
    film *f = film_open(&o, &a, &e);
    EXPECT_OK(f && file_make_dirs(test_path("taken/frame-000001.ppm/x"), &e), e);
    film_next(f)->number = 0;
    film_push(f);
    EXPECT_ERR(film_close(f, &frames, &e), e, ERR_IO, "frame-000001.ppm");
    EXPECT(!file_exists(test_path("taken/frame-000001.ppm.part")));
    arena_free(&a);
}

TEST(film_that_is_given_up_leaves_what_was_there)
{
    arena a = {0};
    err e = {0};
    size_t n = 0;
    EXPECT_INT(shoot(test_path("kept.y4m"), (int[]){0}, 1), 1);
    film_setup o = {
        .path = test_path("kept.y4m"), .width = WIDE, .height = HIGH, .fps = 60, .wait = true};
    film *f = film_open(&o, &a, &e);
    EXPECT_OK(f != NULL, e);
    film_next(f)->number = 0;
    film_push(f);
    film_abandon(f);
    (void)bytes_of(&a, "kept.y4m", &n);
    EXPECT(n > 3 * PIXELS && n < 6 * PIXELS);
    EXPECT_INT(test_shell(NULL, "test \"$(ls %s | wc -l)\" = 1", test_dir()), 0);
    arena_free(&a);
}

TEST(film_ends_when_its_reader_goes_away)
{
    arena a = {0};
    err e = {0};
    int64_t frames;
    const char *path = test_path("pipe.y4m");
    EXPECT_INT(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    film_setup o = {.path = path, .width = WIDE, .height = HIGH, .fps = 60, .wait = true};
    film *f = film_open(&o, &a, &e);
    EXPECT_OK(f != NULL, e);
    close(reader);
    for (int i = 0; f && i < 8; i++) {
        film_next(f)->number = i;
        film_push(f);
    }
    EXPECT_OK(f && film_close(f, &frames, &e), e);
    EXPECT(f && film_gone(f));
    arena_free(&a);
}

// ---- Pixels

static void blank_points(float *points)
{
    memset(points, 0, CLOUD_POINTS * CLOUD_WIDTH * sizeof *points);
    for (int i = 0; i < CLOUD_POINTS; i++)
        points[i * CLOUD_WIDTH + CLOUD_X] = -9; // to the left of all
}

static void place(float *points, int i, float x, float z, int colour)
{
    float *p = points + i * CLOUD_WIDTH;
    p[CLOUD_X] = x, p[CLOUD_Y] = 0.5f, p[CLOUD_Z] = z;
    p[CLOUD_RED + colour] = 1;
    p[CLOUD_ALPHA] = p[CLOUD_DEPTH] = 1, p[CLOUD_SIZE] = 2;
}

TEST(canvas_draws_points_where_they_are_the_nearest_last)
{
    enum { W = 320, H = 180 };
    static float points[CLOUD_POINTS * CLOUD_WIDTH];
    static uint8_t rgb[W * H * 3], night[W * H * 3];
    arena a = {0};
    canvas *c = canvas_open(W, H, &a);
    canvas_draw(c, NULL, 0, night);
    blank_points(points);
    canvas_draw(c, points, 0, rgb);
    EXPECT(!memcmp(rgb, night, sizeof rgb));
    place(points, 5, 0.5f, 1, 0);
    place(points, 6, 0.5f, 0.98f, 2); // behind it, though it comes later
    canvas_draw(c, points, 0, rgb);
    int x = (int)(W * (0.09f + 0.76f * 0.5f)), y = (int)(H * (0.9f - 0.645f * 0.5f));
    const uint8_t *here = rgb + 3 * (y * W + x);
    EXPECT(here[0] > 200 && here[2] < 60);
    EXPECT(!memcmp(rgb + 3 * (W * 10), night + 3 * (W * 10), 30));
    // a tenth of the window later it stands a tenth further to the left
    canvas_draw(c, points, 0.1f, rgb);
    here = rgb + 3 * (y * W + x - (int)(W * 0.076f));
    EXPECT(here[0] > 200);
    for (int i = 0; i < CLOUD_POINTS * CLOUD_WIDTH; i++)
        points[i] = i % 3 ? NAN : 1e30f;
    canvas_draw(c, points, 0, rgb);
    arena_free(&a);
}
