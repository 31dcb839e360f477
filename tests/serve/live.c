// SPDX-License-Identifier: GPL-3.0-or-later
// live.c: what a model answers in real time is what it says of the whole, bit for bit whatever the
// blocks; calls take nothing and wait for nothing (tests/serve/watch/watch.c); what cannot be is a
// status, never a crash; and a program that knows include/kmidi.h alone is built and listens.
#include "serve/live.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "include/kmidi.h"
#include "infer/session.h"
#include "tests/cmd/recogniser.h"
#include "tests/test.h"

enum { RATE = 16000, HOP = 160, WINDOW = 60, SAMPLES = 12000 };

static const recogniser_setup setups[] = {
    {"mirrored",
     {{"preset", "librosa"}, {"sample_rate", "16000"}, {"n_fft", "512"}, {"hop_length", "160"}},
     "60",
     "last",
     "0"},
    {"from its first sample",
     {{"preset", "librosa"},
      {"sample_rate", "16000"},
      {"n_fft", "400"},
      {"hop_length", "160"},
      {"center", "false"},
      {"log", "ln"}},
     "60",
     "last",
     "0"},
    {"with gaps",
     {{"preset", "torchaudio"},
      {"sample_rate", "16000"},
      {"n_fft", "128"},
      {"hop_length", "160"},
      {"n_mels", "128"},
      {"pad", "constant"}},
     "60",
     "last",
     "0"},
};

// Answers to n samples in blocks of `block`; how many.
static int listen(kmidi_session *s, const float *x, int n, int block, float *out)
{
    int made = 0, width = kmidi_width(s);
    for (int i = 0; i < n; i += block) {
        int k = kmidi_process(s, x + i, n - i < block ? n - i : block, out + made * width,
                              kmidi_room(s));
        if (!test_expect(k >= 0, __FILE__, __LINE__, "status %d", k))
            return made;
        made += k;
    }
    return made;
}

// The embedding of the first `frames` frames, heard as one sequence.
static void whole(const char *path, const float *x, int n, int frames, float *out)
{
    arena a = {0};
    err e = {0};
    trained *t = trained_open(path, &a, &e);
    EXPECT_OK(t && trained_mel(t, &e), e);
    feature *f = feature_open(t->feature, t->mel, &e);
    int64_t have = feature_frames(f, n);
    float *mel = NEW(&a, float, (size_t)(have * f->width));
    // of a longer sound, so that no frame is of its end
    EXPECT_OK(feature_compute(f, x, n, mel, NULL, &e), e);
    session *s = session_open(
        &(session_setup){.model = t->model, .params = t->p, .gives = SESSION_OUT, .time = frames},
        &a, &e);
    EXPECT_OK(s != NULL, e);
    loader_row(mel, frames, 0, frames, f->width, t->hear.mean, t->hear.deviation,
               session_input(s, "mel"));
    session_go(s);
    memcpy(out, session_data(s, s->net->out), 64 * sizeof *out);
    session_close(s);
    feature_close(f);
    trained_close(t);
    arena_free(&a);
}

TEST(live_frames_say_what_the_sequence_says)
{
    arena a = {0};
    char why[KMIDI_TEXT];
    float *x = NEW(&a, float, SAMPLES), want[64];
    recogniser_sound(x, SAMPLES, 3);
    for (size_t i = 0; i < sizeof setups / sizeof *setups; i++) {
        const char *path = recogniser_checkpoint(&setups[i], "c.h5", &a);
        kmidi_model *m;
        kmidi_session *s;
        EXPECT_INT(kmidi_open(path, NULL, &m, why), KMIDI_OK);
        EXPECT_INT(kmidi_session_open(m, &(kmidi_setup){RATE, 1000, 0}, &s, why), KMIDI_OK);
        EXPECT_INT(kmidi_width(s), 64 + 3);
        EXPECT_INT(kmidi_hop(s), HOP);
        float *one = NEW(&a, float, (size_t)(200 * kmidi_width(s) + kmidi_room(s))),
              *other = NEW(&a, float, (size_t)(200 * kmidi_width(s) + kmidi_room(s)));
        int made = listen(s, x, SAMPLES, 1000, one), width = kmidi_width(s);
        EXPECT(made >= WINDOW && made <= SAMPLES / HOP + 1);
        whole(path, x, SAMPLES, WINDOW, want);
        test_expect(test_distance(one + (WINDOW - 1) * width, want, 64) < 1e-5, __FILE__, __LINE__,
                    "%s: distance %g", setups[i].what,
                    test_distance(one + (WINDOW - 1) * width, want, 64));
        float sum = 0;
        for (int k = 64; k < width; k++)
            sum += one[k];
        EXPECT_NEAR(sum, 1, 1e-5);
        EXPECT_STR(kmidi_label(m, 1), "joy");
        // any blocks, behind a reset: the same bits
        static const int blocks[] = {1, 7, 64, 160, 511};
        for (int b = 0; b < 5; b++) {
            EXPECT_INT(kmidi_reset(s), KMIDI_OK);
            EXPECT_INT(listen(s, x, SAMPLES, blocks[b], other), made);
            EXPECT(!memcmp(one, other, (size_t)(made * width) * sizeof *one));
        }
        kmidi_session_close(s);
        kmidi_close(m);
    }
    arena_free(&a);
}

// The same sound at another rate says nearly the same.
TEST(live_rates_agree)
{
    arena a = {0};
    char why[KMIDI_TEXT];
    const char *path = recogniser_checkpoint(&setups[0], "c.h5", &a);
    static const int rates[] = {48000, 44100, 22050, 8000 * 3 + 1};
    enum { MOST = 60000 };
    float *x = NEW(&a, float, MOST), *first = NEW(&a, float, 40000), *out = NEW(&a, float, 40000);
    kmidi_model *m;
    EXPECT_INT(kmidi_open(path, NULL, &m, why), KMIDI_OK);
    for (int i = -1; i < 4; i++) {
        int rate = i < 0 ? RATE : rates[i], n = rate;
        kmidi_session *s;
        EXPECT_INT(kmidi_session_open(m, &(kmidi_setup){rate, 256, 0}, &s, why), KMIDI_OK);
        for (int k = 0; k < n; k++) { // all bands have something to say
            double y = 0;
            for (int h = 1; h <= 130; h++)
                y += sin(2 * M_PI * 55.0 * h * k / rate + h * h) / sqrt(h);
            x[k] = (float)(0.05 * y);
        }
        int made = listen(s, x, n, 256, i < 0 ? first : out), width = kmidi_width(s),
            at = 50 * width;
        EXPECT(made > 90);
        if (i >= 0)
            test_expect(test_distance(out + at, first + at, 64) < 0.02, __FILE__, __LINE__,
                        "at %d Hz: %g", rate, test_distance(out + at, first + at, 64));
        EXPECT(kmidi_latency(s) >= rate * 256 / RATE && kmidi_latency(s) < rate * 256 / RATE + 200);
        kmidi_session_close(s);
    }
    kmidi_close(m);
    arena_free(&a);
}

// A checkpoint of filled weights.
static const char *checkpoint_of(const char *name, arena *a)
{
    err e = {0};
    const model_def *m = model_find(name);
    params *p = params_open(a);
    EXPECT_OK(model_build(m, p, &(model_dims){.batch = 1, .time = 1}, a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    params_init(p, 5);
    model_meta meta = {.arena = a};
    const char *path = test_path(arena_printf(a, "%s.h5", name));
    EXPECT_OK(
        checkpoint_save(path, &(checkpoint_content){.model = m, .meta = &meta, .params = p}, &e),
        e);
    params_release(p);
    return path;
}

TEST(live_notes_go_on_or_begin_anew)
{
    enum { N = 9 };
    arena a = {0};
    err e = {0};
    char why[KMIDI_TEXT];
    const char *path = checkpoint_of("melody_transformer", &a);
    trained *t = trained_open(path, &a, &e);
    EXPECT_OK(t != NULL, e);
    session *all = session_open(
        &(session_setup){.model = t->model, .params = t->p, .gives = SESSION_OUT, .time = N}, &a,
        &e);
    float in[65], out[128], *emotion = session_input(all, "emotion");
    int32_t *notes = session_input(all, "prev_note");
    for (uint32_t i = 0; i < 64; i++)
        emotion[i] = in[i] = i < 3 ? test_fill(2, i, 1) : 0;
    for (int i = 0; i < N; i++)
        notes[i] = i ? 40 + 5 * i : -1;
    session_go(all);
    const float *want = session_data(all, all->net->out);
    kmidi_model *m;
    kmidi_session *goes_on, *forgets;
    EXPECT_INT(kmidi_open(path, NULL, &m, why), KMIDI_OK);
    EXPECT_STR(kmidi_name(m), "melody_transformer");
    EXPECT_INT(kmidi_session_open(m, &(kmidi_setup){48000, 64, 0}, &goes_on, why), KMIDI_OK);
    EXPECT_INT(kmidi_session_open(m, &(kmidi_setup){48000, 64, 1}, &forgets, why), KMIDI_OK);
    for (int i = 0; i < N; i++) {
        in[64] = (float)notes[i];
        EXPECT_INT(kmidi_process(goes_on, in, 65, out, 128), 1);
        EXPECT_BELOW(test_distance(out, want + i * 128, 128), 1e-5);
        EXPECT_INT(kmidi_process(forgets, in, 65, out, 128), 1);
        double off = test_distance(out, want + i * 128, 128);
        EXPECT(i == 0 ? off < 1e-5 : off > 1e-4);
    }
    EXPECT_INT(kmidi_latency(goes_on), 0);
    kmidi_session_close(goes_on);
    kmidi_session_close(forgets);
    session_close(all);
    trained_close(t);
    kmidi_close(m);
    arena_free(&a);
}

TEST(live_says_what_cannot_be)
{
    arena a = {0};
    char why[KMIDI_TEXT];
    kmidi_model *m = NULL, *deaf = NULL;
    kmidi_session *s = NULL;
    float in[64] = {0}, *out = NEW(&a, float, 4096);
    EXPECT_INT(kmidi_open(NULL, NULL, &m, why), KMIDI_NOTHING);
    EXPECT_INT(kmidi_open("no/such.h5", NULL, &m, why), KMIDI_FILE);
    EXPECT_HAS(why, "no/such.h5");
    EXPECT_INT(kmidi_open("no/such.h5", NULL, &m, NULL), KMIDI_FILE);
    const char *torn = test_path("torn.h5");
    EXPECT_INT(test_shell(NULL, "head -c 3000 /dev/urandom >'%s'", torn), 0);
    EXPECT_INT(kmidi_open(torn, NULL, &m, why), KMIDI_FILE);
    EXPECT_INT(kmidi_open(checkpoint_of("instrument_recognizer", &a), NULL, &m, why), KMIDI_UNFIT);
    EXPECT_HAS(why, "in real time");
    EXPECT_INT(kmidi_open(checkpoint_of("emotion_recognizer", &a), NULL, &m, why), KMIDI_UNFIT);
    EXPECT_HAS(why, "made from audio");
    EXPECT(m == NULL);
    EXPECT_INT(kmidi_open(recogniser_checkpoint(&setups[0], "c.h5", &a), "no/adapter", &m, why),
               KMIDI_FILE);
    EXPECT_INT(kmidi_open(recogniser_checkpoint(&setups[0], "c.h5", &a), NULL, &m, why), KMIDI_OK);
    static const kmidi_setup wrong[] = {{0, 64, 0},      {48000, 0, 0}, {-1, 64, 0},
                                        {NAN, 64, 0},    {1e9, 64, 0},  {48000, 1 << 20, 0},
                                        {44100.5, 64, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        EXPECT_INT(kmidi_session_open(m, &wrong[i], &s, why), KMIDI_SETUP);
        EXPECT(s == NULL);
    }
    EXPECT_INT(kmidi_session_open(NULL, &wrong[0], &s, why), KMIDI_NOTHING);
    EXPECT_INT(kmidi_session_open(m, &(kmidi_setup){48000, 64, 0}, &s, why), KMIDI_OK);
    EXPECT_INT(kmidi_process(s, in, 65, out, 4096), KMIDI_COUNT);
    EXPECT_INT(kmidi_process(s, in, -1, out, 4096), KMIDI_COUNT);
    EXPECT_INT(kmidi_process(s, NULL, 64, out, 4096), KMIDI_NOTHING);
    EXPECT_INT(kmidi_process(s, in, 64, NULL, 4096), KMIDI_NOTHING);
    EXPECT_INT(kmidi_process(s, in, 64, out, kmidi_room(s) - 1), KMIDI_ROOM);
    EXPECT_INT(kmidi_process(s, in, 0, out, 4096), 0);
    in[3] = NAN;
    EXPECT_INT(kmidi_process(s, in, 64, out, 4096), KMIDI_VALUE);
    in[3] = INFINITY;
    EXPECT_INT(kmidi_process(s, in, 64, out, 4096), KMIDI_VALUE);
    in[3] = 0;
    EXPECT_INT(kmidi_process(s, in, 64, out, 4096), 0);
    EXPECT_INT(kmidi_process(NULL, in, 64, out, 4096), KMIDI_NOTHING);
    EXPECT_INT(kmidi_open(checkpoint_of("melody_transformer", &a), NULL, &deaf, why), KMIDI_OK);
    kmidi_session *notes;
    float heard[65] = {0};
    EXPECT_INT(kmidi_session_open(deaf, &(kmidi_setup){48000, 64, 0}, &notes, why), KMIDI_OK);
    EXPECT_INT(kmidi_process(notes, heard, 64, out, 4096), KMIDI_COUNT);
    static const float ids[] = {128, -2, 0.5f, 1e30f};
    for (int i = 0; i < 4; i++) {
        heard[64] = ids[i];
        EXPECT_INT(kmidi_process(notes, heard, 65, out, 4096), KMIDI_VALUE);
    }
    // closed: a session, and a model before its session
    EXPECT_INT(kmidi_session_close(s), KMIDI_OK);
    EXPECT_INT(kmidi_process(s, in, 64, out, 4096), KMIDI_CLOSED);
    EXPECT_INT(kmidi_reset(s), KMIDI_CLOSED);
    EXPECT_INT(kmidi_room(s), KMIDI_CLOSED);
    EXPECT_INT(kmidi_session_close(s), KMIDI_CLOSED);
    EXPECT_INT(kmidi_session_close(NULL), KMIDI_OK);
    kmidi_close(deaf);
    heard[64] = 60;
    EXPECT_INT(kmidi_process(notes, heard, 65, out, 4096), 1);
    EXPECT_INT(kmidi_session_close(notes), KMIDI_OK);
    kmidi_close(m);
    kmidi_close(NULL);
    EXPECT_HAS(kmidi_status_text(KMIDI_CLOSED), "closed");
    EXPECT_HAS(kmidi_status_text((kmidi_status)-99), "no such");
    arena_free(&a);
}

// ---- Real time

static const char *watcher(arena *a)
{
    return arena_printf(a, "%s/serve/watch/watch", path_dir(a, test_self()));
}

static long counted(const char *out, const char *name)
{
    err e = {0};
    json *j = json_parse(out, strlen(out), &e);
    long n = (long)json_int(json_get(j, name), -1);
    json_free(j);
    return n;
}

TEST(live_calls_take_nothing_and_wait_for_nothing)
{
    static const char *const names[] = {"melody_transformer", "harmony_predictor",
                                        "groove_predictor", "dynamics_engine"};
    arena a = {0};
    const char *out, *watch = watcher(&a);
    if (!file_exists(watch) || test_shell(&out, "'%s' control", watch) != 1) {
        test_skip("needs tests/serve/watch/watch.c, and a system that filters calls of a thread");
        arena_free(&a);
        return;
    }
    EXPECT_INT(counted(out, "memory"), 2);
    EXPECT_INT(counted(out, "locks"), 1);
    EXPECT_INT(counted(out, "system_calls"), 3);
    for (int i = 0; i < 4; i++) {
        EXPECT_INT(test_shell(&out, "'%s' '%s' 100000", watch, checkpoint_of(names[i], &a)), 0);
        EXPECT_INT(counted(out, "answers"), 100000);
    }
    for (size_t i = 0; i < sizeof setups / sizeof *setups; i++) {
        const char *path = recogniser_checkpoint(&setups[i], "c.h5", &a);
        int rate = i ? 44100 : 48000;
        EXPECT_INT(test_shell(&out, "'%s' '%s' 100000 %d", watch, path, rate), 0);
        // the mean block is half of 64 samples
        double want = 100000.0 * 32 / rate * RATE / HOP;
        EXPECT_NEAR((double)counted(out, "answers"), want, 0.05 * want);
    }
    arena_free(&a);
}

// ---- From outside

TEST(live_programs_need_one_header)
{
    arena a = {0};
    const char *out, *folder = path_dir(&a, path_dir(&a, test_self())),
                     *house = arena_printf(&a, "%s/house.a", folder),
                     *program = test_path("listen");
    if (test_shell(NULL, "command -v gcc >/dev/null") || !file_exists(house) || SANITIZED) {
        test_skip("needs gcc and a build without sanitizers");
    } else {
        // alone in a folder: no other header of ours is near
        EXPECT_INT(test_shell(&out,
                              "mkdir '%s' && cp include/kmidi.h '%s' && "
                              "gcc -std=c99 -Wall -Wextra -Werror -pedantic -I'%s' -o '%s' "
                              "examples/listen.c '%s' $(sed -n 's/^PKGL := //p' '%s/../libs.mk') "
                              "-lm -pthread",
                              test_path("include"), test_path("include"), test_path("include"),
                              program, house, folder),
                   0);
        const char *path = recogniser_checkpoint(&setups[0], "c.h5", &a), *raw = test_path("x.f32");
        enum { N = 16000 };
        float *x = NEW(&a, float, N);
        recogniser_sound(x, N, 4);
        FILE *f = fopen(raw, "wb");
        EXPECT(f && fwrite(x, sizeof *x, N, f) == N);
        if (f)
            fclose(f);
        EXPECT_INT(test_shell(&out, "'%s' '%s' 16000 <'%s' | tail -1", program, path, raw), 0);
        EXPECT_HAS(out, "valence");
        EXPECT(strstr(out, "anger") || strstr(out, "joy") || strstr(out, "calm"));
        EXPECT_INT(test_shell(&out, "'%s' no.h5 16000 </dev/null", program), 1);
        EXPECT_HAS(out, "no.h5");
    }
    arena_free(&a);
}
