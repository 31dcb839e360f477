// SPDX-License-Identifier: GPL-3.0-or-later
// listen.c: what predict computes from a waveform, what `export --front-end` writes, and that both
// are the same; and that broken metadata is refused.
#include "infer/listen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/larger.h"
#include "data/audio/clip.h"
#include "export/onnx_run.h"
#include "export/safetensors.h"
#include "tests/cmd/recogniser.h"
#include "tests/export/onnx_peer.h"
#include "tests/test.h"

static const recogniser_setup setups[] = {
    {"librosa",
     {{"preset", "librosa"}, {"sample_rate", "16000"}, {"n_fft", "512"}, {"hop_length", "160"}},
     "40",
     "last",
     "1"},
    {"torchaudio",
     {{"preset", "torchaudio"},
      {"sample_rate", "16000"},
      {"n_fft", "1024"},
      {"n_mels", "128"},
      {"log", "ln"},
      {"log_floor", "1e-6"}},
     "30",
     "center",
     "1"},
    {"plain",
     {{"preset", "librosa"},
      {"sample_rate", "8000"},
      {"n_fft", "1024"},
      {"win_length", "800"},
      {"hop_length", "100"},
      {"center", "false"},
      {"power", "1"},
      {"log", "db"}},
     "60",
     "first",
     "1"},
    {"views",
     {{"preset", "librosa"},
      {"sample_rate", "16000"},
      {"n_fft", "512"},
      {"hop_length", "160"},
      {"log", "ln_clamp"},
      {"log_floor", "1e-8"}},
     "20",
     "last",
     "3"},
    {"normalised",
     {{"preset", "librosa"},
      {"sample_rate", "16000"},
      {"n_fft", "512"},
      {"hop_length", "160"},
      {"normalise", "item"},
      {"chroma", "classes"},
      {"overlap", "4"}},
     "20",
     "last",
     "0"},
    {"normalised bands",
     {{"sample_rate", "16000"},
      {"n_fft", "1024"},
      {"log", "ln"},
      {"normalise", "bands"},
      {"chroma", "key"}},
     "30",
     "last",
     "2"},
    {"level",
     {{"sample_rate", "16000"}, {"n_fft", "600"}, {"power", "1"}, {"log", "ln"}, {"level", "true"}},
     "30",
     "last",
     "2"},
    {"level beside what is normalised",
     {{"sample_rate", "16000"},
      {"n_fft", "512"},
      {"log", "ln"},
      {"normalise", "item"},
      {"level", "true"}},
     "30",
     "last",
     "2"},
    {"whole",
     {{"preset", "librosa"}, {"sample_rate", "16000"}, {"n_fft", "512"}, {"hop_length", "160"}},
     "20",
     "last",
     "0"},
    {"key", // what is cut off are turned classes
     {{"preset", "librosa"},
      {"sample_rate", "16000"},
      {"n_fft", "1024"},
      {"hop_length", "160"},
      {"top_db", "20"},
      {"chroma", "key"}},
     "40",
     "last",
     "1"},
};

// Every choice that training takes must leave as a front end, too.
static const recogniser_setup odd_ones[] = {
    {"none",
     {{"preset", "librosa"}, {"sample_rate", "16000"}, {"n_fft", "512"}, {"log", "none"}},
     "40",
     "last",
     "1"},
    {"one",
     {{"preset", "librosa"},
      {"sample_rate", "16000"},
      {"n_fft", "512"},
      {"win_length", "1"},
      {"hop_length", "160"}},
     "40",
     "last",
     "1"},
    {"odd",
     {{"preset", "librosa"}, {"sample_rate", "16000"}, {"n_fft", "513"}, {"hop_length", "160"}},
     "40",
     "center",
     "2"},
    {"rough",
     {{"preset", "torchaudio"},
      {"sample_rate", "11025"},
      {"n_fft", "601"},
      {"win_length", "255"},
      {"log", "none"},
      {"power", "1"}},
     "40",
     "first",
     "1"},
};

static int64_t windows_of(const hear_rule *h, int64_t frames)
{
    int64_t cover = (frames + h->window - 1) / h->window;
    return cover <= 1 ? 1 : h->views && cover <= 2 * h->views ? h->views : cover;
}

// Rows of n samples as the file answers, run by ourselves.
static void check_file(const char *what, const onnx_model *file, const float *wave, int rows,
                       int64_t n, const float *embedding, arena *a)
{
    err e = {0};
    double apart = 0, most = 0;
    onnx_array in = onnx_array_f32(2, (int64_t[]){rows, n}, wave), y;
    if (!test_expect(file && onnx_run(file, &in, &y, a, &e) && y.n == 64 * rows, __FILE__, __LINE__,
                     "%s: %s", what, e.text))
        return;
    for (int64_t i = 0; i < y.n; i++) {
        apart = larger(apart, fabs((double)y.f[i] - (double)embedding[i]));
        most = larger(most, fabs((double)embedding[i]));
    }
    test_expect(apart < 1e-5 * most, __FILE__, __LINE__, "%s of %lld samples is off by %g", what,
                (long long)n, apart / most);
}

static void check_setup(const recogniser_setup *u, arena *a)
{
    // Shorter than the window, about it, longer, much longer; and two of the last at once.
    static const int64_t lengths[] = {3000, 6400, 9000, 16000, 41000};
    enum { LENGTHS = 5, MOST = 41000 };
    err e = {0};
    trained *d = trained_open(recogniser_checkpoint(u, "c.h5", a), a, &e);
    onnx_front front;
    if (!test_expect(d && trained_mel(d, &e), __FILE__, __LINE__, "%s: %s", u->what, e.text))
        return;
    trained_front(d, &front);
    EXPECT_INT(d->classes, 3);
    EXPECT_STR(d->labels[1], "joy");
    onnx_options o = {.classes = 3, .probabilities = true, .front = &front, .meta = &d->file->meta};
    const char *path = arena_printf(a, "%s/%s.onnx", test_dir(), u->what);
    EXPECT_OK(onnx_export(path, d->model, d->p, &o, &e), e);
    const onnx_model *file = onnx_read(path, a, &e);
    listener *l = listener_open(d, NULL, a, &e);
    float *wave = NEW(a, float, 2 * MOST), embedding[128], probabilities[6];
    for (int k = 0; k <= LENGTHS; k++) {
        int rows = k == LENGTHS ? 2 : 1;
        int64_t n = lengths[k < LENGTHS ? k : LENGTHS - 1];
        for (int r = 0; r < rows; r++) {
            heard h;
            recogniser_sound(wave + r * n, n, 11 + (uint32_t)r);
            EXPECT_OK(listener_hear(l, wave + r * n, n, &h, &e), e);
            EXPECT_INT(h.windows, windows_of(&d->hear, h.frames));
            EXPECT_NEAR((double)h.probabilities[0] + (double)h.probabilities[1] +
                            (double)h.probabilities[2],
                        1, 1e-6);
            memcpy(embedding + 64 * r, h.embedding, 64 * sizeof(float));
            memcpy(probabilities + 3 * r, h.probabilities, 3 * sizeof(float));
        }
        if (n < 10000)
            check_file(u->what, file, wave, rows, n, embedding, a);
        weights_source list[] = {{"waveform", 2, {rows, n}, wave, false},
                                 {"embedding", 2, {rows, 64}, embedding, false},
                                 {"probabilities", 2, {rows, 3}, probabilities, false}};
        EXPECT_OK(safetensors_write(arena_printf(a, "%s/%s.%d.safetensors", test_dir(), u->what, k),
                                    list, 3, NULL, &e),
                  e);
    }
    listener_close(l);
    trained_close(d);
}

TEST(listen_and_the_onnx_front_end_agree)
{
    for (size_t i = 0; i < sizeof setups / sizeof *setups; i++) {
        arena a = {0};
        check_setup(&setups[i], &a);
        arena_free(&a);
    }
    for (size_t i = 0; i < sizeof odd_ones / sizeof *odd_ones; i++) {
        arena a = {0};
        check_setup(&odd_ones[i], &a);
        arena_free(&a);
    }
    if (!getenv("PEERS_PYTHON")) {
        test_skip("PEERS_PYTHON does not name a Python with onnx and onnxruntime");
        return;
    }
    onnx_peer_checks("PEERS_QUANTISE=1");
}

// What is wrong with the files themselves is said in a line a kind.
TEST(predict_remarks_on_files_that_are_hardly_meant)
{
    arena a = {0};
    err e = {0};
    const char *out, *from = recogniser_checkpoint(&setups[0], "c.h5", &a);
    float *silence = NEW(&a, float, 3200), *sound = NEW(&a, float, 48000);
    recogniser_sound(sound, 48000, 1);
    EXPECT_OK(clip_write_wav(test_path("silence.wav"), silence, 3200, 16000, &e), e);
    EXPECT_OK(clip_write_wav(test_path("sound.wav"), sound, 48000, 16000, &e), e);
    EXPECT_INT(test_shell(&out, "%s predict %s %s %s 2>&1", test_kmidi(), from,
                          test_path("silence.wav"), test_path("sound.wav")),
               0);
    EXPECT_HAS(out, "1 of 2 files: silence: no sample reaches 0.001 of full scale");
    EXPECT_HAS(out, "1 of 2 files: shorter than the window of 0.40 s");
    arena_free(&a);
}

// More than twice what evaluation looks at: windows that cover the whole.
TEST(listen_covers_long_files)
{
    arena a = {0};
    err e = {0};
    heard h;
    trained *d = trained_open(recogniser_checkpoint(&setups[0], "c.h5", &a), &a, &e);
    EXPECT_OK(d && trained_mel(d, &e), e);
    listener *l = listener_open(d, NULL, &a, &e);
    int64_t n = 160 * 40 * 50;
    float *wave = NEW(&a, float, (size_t)n);
    recogniser_sound(wave, n, 3);
    EXPECT_OK(listener_hear(l, wave, n, &h, &e), e);
    EXPECT_INT(h.frames, n / 160 + 1);
    EXPECT_INT(h.windows, 51);
    EXPECT_OK(listener_hear(l, wave, 1000, &h, &e), e); // and short ones afterwards
    EXPECT_INT(h.windows, 1);
    listener_close(l);
    trained_close(d);
    arena_free(&a);
}

// A file of n samples, kept whole and read twice because no more than two windows are kept.
static void check_long(const recogniser_setup *u, int64_t n, int windows)
{
    arena a = {0};
    err e = {0};
    heard h;
    clip c;
    trained *d = trained_open(recogniser_checkpoint(u, "c.h5", &a), &a, &e);
    EXPECT_OK(d && trained_mel(d, &e), e);
    int64_t width = d->model->output.dim[1];
    float *wave = NEW(&a, float, (size_t)n), *whole = NEW(&a, float, (size_t)(width + d->classes));
    const char *path = arena_strdup(&a, test_path("long.wav"));
    recogniser_sound(wave, n, 3);
    EXPECT_OK(clip_write_wav(path, wave, n, 16000, &e) && clip_read(path, 16000, 0, 0, &c, &e), e);
    listener *l = listener_open(d, NULL, &a, &e);
    EXPECT_OK(listener_hear(l, c.samples, c.frames, &h, &e), e);
    memcpy(whole, h.embedding, (size_t)width * sizeof *whole);
    memcpy(whole + width, h.probabilities, (size_t)d->classes * sizeof *whole);
    EXPECT_INT(h.windows, windows);
    for (int64_t kept = 2 * d->hear.window; kept <= 1 << 20; kept *= 1 << 7) { // twice, and once
        listen_file f = {.path = path};
        listener_hear_files(l, &f, 1, kept);
        if (!test_expect(f.ok, __FILE__, __LINE__, "%s", f.e.text))
            continue;
        EXPECT(f.heard.windows == windows && f.heard.frames == n / 160 + 1 && f.info.rate == 16000);
        EXPECT(!memcmp(whole, f.heard.embedding, (size_t)width * sizeof *whole));
        EXPECT(!memcmp(whole + width, f.heard.probabilities, (size_t)d->classes * sizeof *whole));
    }
    clip_free(&c);
    listener_close(l);
    trained_close(d);
    arena_free(&a);
}

// What is heard of a file that is read twice is what is heard of it whole, to the bit: where
// windows lie on each other, and where frames lie between them that nobody hears.
TEST(listen_hears_long_files_in_little_memory)
{
    check_long(&setups[0], 160 * 40 * 50 + 77, 51);
    check_long(&setups[3], 160 * 100 + 77, 3);
    check_long(&setups[3], 160 * 119, 3);
}
