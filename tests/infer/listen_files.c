// SPDX-License-Identifier: GPL-3.0-or-later
// listen_files.c: files that are heard together are heard as each is alone, to the bit: short ones
// and long ones, whichever way their windows go, and whatever cannot be read among them.
#include <stdio.h>
#include <string.h>

#include "infer/listen_internal.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

enum { FILES = 24, WIDTH = 64, CLASSES = 3, HOP = 160, WINDOW = 60 };

typedef struct fixture {
    arena a;
    trained *d;
    const char *paths[FILES];
    float alone[FILES][WIDTH + CLASSES];
} fixture;

// Most are of one window; number 5 has nine, 11 is none, 17 is read twice.
static int64_t samples_of(int i)
{
    return i == 5    ? 9 * WINDOW * HOP - HOP
           : i == 17 ? 3 * WINDOW * HOP
                     : (WINDOW - 1 - i % 7) * HOP;
}

static void make_files(fixture *f)
{
    err e = {0};
    float *wave = NEW(&f->a, float, 10 * WINDOW * HOP);
    for (int i = 0; i < FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.wav", i);
        f->paths[i] = arena_strdup(&f->a, test_path(i == 11 ? "none.wav" : name));
        recogniser_sound(wave, samples_of(i), 3 + (uint32_t)i);
        if (i != 11)
            EXPECT_OK(clip_write_wav(f->paths[i], wave, samples_of(i), 16000, &e), e);
    }
}

static void keep(const heard *h, float *to)
{
    memcpy(to, h->embedding, WIDTH * sizeof *to);
    memcpy(to + WIDTH, h->probabilities, CLASSES * sizeof *to);
}

static void open_fixture(fixture *f)
{
    err e = {0};
    f->d = trained_open(recogniser_checkpoint(&recogniser_ear, "c.h5", &f->a), &f->a, &e);
    EXPECT_OK(f->d && trained_mel(f->d, &e), e);
    make_files(f);
    for (int i = 0; i < FILES; i++) {
        listener *l = listener_open(f->d, NULL, &f->a, &e);
        listen_file one = {.path = f->paths[i]};
        listener_hear_files(l, &one, 1, 2 * WINDOW);
        EXPECT(one.ok == (i != 11));
        if (one.ok)
            keep(&one.heard, f->alone[i]);
        listener_close(l);
    }
}

static void check_one(const fixture *f, int i, const listen_file *x)
{
    float said[WIDTH + CLASSES];
    EXPECT(x->ok == (i != 11));
    if (!x->ok) {
        EXPECT_INT(x->e.code, ERR_MISSING);
        EXPECT_HAS(x->e.text, "none.wav");
        return;
    }
    EXPECT_INT(x->heard.windows, i == 5 ? 9 : i == 17 ? 4 : 1);
    keep(&x->heard, said);
    test_expect(!memcmp(said, f->alone[i], sizeof said), __FILE__, __LINE__,
                "file %d is not what it is alone", i);
}

TEST(listen_files_are_heard_as_alone)
{
    fixture f = {0};
    err e = {0};
    open_fixture(&f);
    listener *l = listener_open(f.d, NULL, &f.a, &e);
    for (int round = 0; round < 8; round++) // behind some of them ways are tried
        for (int i = 0, n; i < FILES; i += n) {
            listen_file files[LISTEN_MOST] = {0};
            n = FILES - i < LISTEN_MOST - round % 3 ? FILES - i : LISTEN_MOST - round % 3;
            for (int k = 0; k < n; k++)
                files[k].path = f.paths[i + k];
            listener_hear_files(l, files, n, 2 * WINDOW);
            for (int k = 0; k < n; k++)
                check_one(&f, i + k, &files[k]);
        }
    EXPECT(l->way != LISTEN_UNTRIED);
    listener_close(l);
    trained_close(f.d);
    arena_free(&f.a);
}

static bool says_stop(void *user)
{
    return --*(int *)user < 0;
}

TEST(listen_files_stop_between_two)
{
    fixture f = {0};
    err e = {0};
    int left = 2;
    open_fixture(&f);
    listen_file files[4] = {{0}};
    for (int i = 0; i < 4; i++)
        files[i].path = f.paths[i];
    listener *l = listener_open(f.d, &(env){.stop = says_stop, .user = &left}, &f.a, &e);
    listener_hear_files(l, files, 4, LISTEN_FRAMES);
    check_one(&f, 0, &files[0]), check_one(&f, 1, &files[1]);
    EXPECT(!files[2].ok && files[2].e.code == ERR_STOPPED);
    EXPECT(!files[3].ok && files[3].e.code == ERR_STOPPED);
    listener_close(l);
    trained_close(f.d);
    arena_free(&f.a);
}
