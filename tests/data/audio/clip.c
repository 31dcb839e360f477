// SPDX-License-Identifier: GPL-3.0-or-later
// Audio files: every format reads back as it was written, and each kind of bad file gets its
// sentence.
#include "data/audio/clip.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "tests/data/audio/clip_files.h"
#include "tests/test.h"

#define CASES "../shared/data/malformed/"

static float *wave(int64_t n)
{
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(0.6 * sin(0.05 * (double)i));
    return x;
}

TEST(clip_wav_of_16_bits_reads_back_exactly)
{
    err e = {0};
    clip c;
    float x[] = {0, 1.0f / 32768, -1, 0.999969482421875f, 1.5f, -2, 0.25f};
    const char *path = test_path("x.wav");
    EXPECT_OK(clip_write_wav(path, x, 7, 22050, &e), e);
    EXPECT_OK(clip_read(path, 0, 0, 0, &c, &e), e);
    x[4] = 0.999969482421875f, x[5] = -1;
    EXPECT_INT(c.frames, 7);
    EXPECT_INT(c.rate, 22050);
    EXPECT_NEAR(c.seconds, 7 / 22050.0, 1e-9);
    EXPECT(c.frames == 7 && !memcmp(c.samples, x, sizeof x));
    clip_free(&c);
    EXPECT(c.samples == NULL);
}

// wav, flac and aiff keep 16 bits; Ogg Vorbis is near.
TEST(clip_reads_every_format_at_any_rate_and_channel_count)
{
    static const int rates[] = {8000, 22050, 44100, 96000};
    err e = {0};
    for (int format = 0; format < CLIP_FILE_FORMATS; format++)
        for (int r = 0; r < 4; r++)
            for (int channels = 1; channels <= 3; channels++) {
                clip c = {0};
                int64_t n = rates[r] / 2;
                float *x = wave(n);
                const char *path = clip_file_write(test_path("a"), (clip_file_format)format, x, n,
                                                   rates[r], channels);
                EXPECT_OK(clip_read(path, 0, 0, 0, &c, &e), e);
                EXPECT_INT(c.frames, n);
                EXPECT_INT(c.source_channels, channels);
                EXPECT_INT(c.source_rate, rates[r]);
                EXPECT_BELOW(c.frames == n ? test_distance(c.samples, x, (size_t)n) : 1,
                             format == CLIP_FILE_OGG ? 0.1 : 2e-4);
                clip_free(&c);
                EXPECT_OK(clip_read(path, 16000, 0, 0, &c, &e), e);
                EXPECT_INT(c.frames, 8000);
                EXPECT_INT(c.rate, 16000);
                EXPECT_NEAR(c.seconds, 0.5, 1e-9);
                clip_free(&c);
                free(x);
            }
}

TEST(clip_channels_are_averaged)
{
    err e = {0};
    clip c;
    float one[100], two[100];
    for (int i = 0; i < 100; i++)
        one[i] = test_fill(1, (uint32_t)i, 0.5f), two[i] = test_fill(2, (uint32_t)i, 0.5f);
    const char *path = test_path("s.wav");
    clip_file_write_stereo(path, one, two, 100, 16000);
    EXPECT_OK(clip_read(path, 0, 0, 0, &c, &e), e);
    for (int i = 0; i < 100; i++)
        EXPECT_NEAR(c.samples[i], (one[i] + two[i]) / 2, 4e-5);
    clip_free(&c);
}

TEST(clip_parts_by_offset_and_duration)
{
    err e = {0};
    for (int format = 0; format < CLIP_FILE_FORMATS; format++) {
        clip whole, part;
        float *x = wave(40000);
        const char *path =
            clip_file_write(test_path("p"), (clip_file_format)format, x, 40000, 16000, 1);
        EXPECT_OK(clip_read(path, 0, 0, 0, &whole, &e) && clip_read(path, 0, 1.0, 0.5, &part, &e),
                  e);
        EXPECT_INT(part.frames, 8000);
        EXPECT(!memcmp(part.samples, whole.samples + 16000, 8000 * sizeof(float)));
        clip_free(&part);
        EXPECT_OK(clip_read(path, 0, 2.0, 100, &part, &e), e);
        EXPECT_INT(part.frames, 8000);
        clip_free(&part), clip_free(&whole);
        EXPECT_ERR(clip_read(path, 0, 2.5, 1, &part, &e), e, ERR_EMPTY, "is 2.500 seconds long");
        EXPECT_ERR(clip_read(path, 0, -1, 1, &part, &e), e, ERR_VALUE, "offset -1 s");
        EXPECT_ERR(clip_read(path, 0, NAN, 1, &part, &e), e, ERR_VALUE, "offset");
        free(x);
    }
}

TEST(clip_refuses_what_is_no_audio_file)
{
    err e = {0};
    clip c;
    EXPECT_ERR(clip_read(test_path("none.wav"), 0, 0, 0, &c, &e), e, ERR_MISSING, "none.wav");
    EXPECT_ERR(clip_read(test_dir(), 0, 0, 0, &c, &e), e, ERR_FORMAT, "is a folder");
    EXPECT_OK(file_write(test_path("empty.wav"), "", 0, &e), e);
    EXPECT_ERR(clip_read(test_path("empty.wav"), 0, 0, 0, &c, &e), e, ERR_EMPTY, "0 bytes");
    EXPECT_OK(file_write(test_path("text.wav"), "This is no audio at all, whatever its name says.",
                         48, &e),
              e);
    EXPECT_ERR(clip_read(test_path("text.wav"), 0, 0, 0, &c, &e), e, ERR_FORMAT,
               "text.wav' is not audio");
    EXPECT(mkfifo(test_path("fifo.wav"), 0600) == 0);
    EXPECT_ERR(clip_read(test_path("fifo.wav"), 0, 0, 0, &c, &e), e, ERR_FORMAT,
               "a pipe or device");
    clip_file_write(test_path("nothing"), CLIP_FILE_WAV, NULL, 0, 16000, 1);
    EXPECT_ERR(clip_read(test_path("nothing.wav"), 0, 0, 0, &c, &e), e, ERR_EMPTY, "no samples");
    if (geteuid() != 0) {
        EXPECT_OK(file_write(test_path("locked.wav"), "RIFF", 4, &e), e);
        chmod(test_path("locked.wav"), 0);
        EXPECT_ERR(clip_read(test_path("locked.wav"), 0, 0, 0, &c, &e), e, ERR_IO, "locked.wav");
    }
}

// Half a download must not pass for a short recording.
TEST(clip_refuses_truncated_files)
{
    err e = {0};
    clip c;
    float *x = wave(48000);
    for (int format = 0; format < CLIP_FILE_FORMATS; format++)
        for (int part = 1; part < 4; part++) {
            struct stat st;
            const char *path =
                clip_file_write(test_path("t"), (clip_file_format)format, x, 48000, 16000, 1);
            EXPECT(stat(path, &st) == 0 && truncate(path, st.st_size * part / 4) == 0);
            EXPECT_ERR(clip_read(path, 16000, 0, 0, &c, &e), e, ERR_DAMAGED, path);
            EXPECT(c.samples == NULL);
        }
    free(x);
}

TEST(clip_refuses_samples_that_are_no_numbers)
{
    static const struct {
        float value;
        const char *says;
    } bad[] = {{NAN, "a NaN sample at 1.5000 seconds"},
               {INFINITY, "an infinite sample at 1.5000 seconds"},
               {1e30f, "an absurdly large sample at 1.5000"}};
    err e = {0};
    clip c;
    float *x = wave(48000);
    for (size_t i = 0; i < 3; i++) {
        x[24000] = bad[i].value;
        const char *path = clip_file_write_float(test_path("n.wav"), x, 48000, 16000);
        EXPECT_ERR(clip_read(path, 16000, 0, 0, &c, &e), e, ERR_VALUE, bad[i].says);
        EXPECT_OK(clip_read(path, 8000, 0, 1.4, &c, &e), e);
        clip_free(&c);
    }
    free(x);
}

static void patch(const char *path, int64_t at, const void *bytes, size_t n)
{
    int fd = open(path, O_RDWR);
    EXPECT(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

// The header of a small FLAC file announces 34 million samples.
TEST(clip_does_not_believe_a_header)
{
    err e = {0};
    clip c;
    float *x = wave(16000);
    const char *path = clip_file_write(test_path("f"), CLIP_FILE_FLAC, x, 16000, 16000, 1);
    patch(path, 22, "\x02", 1);
    EXPECT_ERR(clip_read(path, 16000, 0, 0, &c, &e), e, ERR_DAMAGED,
               "ends after 1.000 of the 2098");
    free(x);
}

// A recording of five hours at 1 kHz, all of it a hole in the file.
TEST(clip_is_at_most_four_hours_long)
{
    err e = {0};
    clip c;
    uint32_t bytes = 5 * 3600 * 1000 * 2, riff = bytes + 36;
    float *x = wave(10);
    const char *path = clip_file_write(test_path("h"), CLIP_FILE_WAV, x, 10, 1000, 1);
    patch(path, 4, &riff, 4);
    patch(path, 40, &bytes, 4);
    EXPECT(truncate(path, 44 + (off_t)bytes) == 0);
    EXPECT_ERR(clip_read(path, 16000, 0, 0, &c, &e), e, ERR_VALUE, "longer than 4 hours");
    EXPECT_OK(clip_read(path, 16000, 17000, 1, &c, &e), e);
    EXPECT_INT(c.frames, 16000);
    clip_free(&c);
    free(x);
}

// What sox and ffmpeg write to a pipe has a length that means nothing.
TEST(clip_reads_wav_of_unknown_length)
{
    static const uint32_t unknown[] = {0xffffffff, 0x7ffff000, 0x80000000};
    err e = {0};
    clip c;
    float *x = wave(1000);
    for (int i = 0; i < 3; i++) {
        const char *path = clip_file_write(test_path("u"), CLIP_FILE_WAV, x, 1000, 16000, 1);
        patch(path, 40, &unknown[i], 4);
        EXPECT_OK(clip_read(path, 0, 0, 0, &c, &e), e);
        EXPECT_INT(c.frames, 1000);
        clip_free(&c);
    }
    free(x);
}

TEST(clip_write_fails_with_a_sentence)
{
    err e = {0};
    float x[4] = {0};
    EXPECT_ERR(clip_write_wav(test_path("no/such/folder.wav"), x, 4, 16000, &e), e, ERR_MISSING,
               "folder.wav");
}

static bool count(void *user, const float *x, int64_t n, err *e)
{
    (void)x, (void)e;
    *(int64_t *)user += n;
    return true;
}

TEST(clip_stream_reads_piece_by_piece)
{
    err e = {0};
    int64_t n = 0;
    float *x = wave(100000);
    const char *path = clip_file_write(test_path("l"), CLIP_FILE_WAV, x, 100000, 44100, 2);
    clip_stream *s = clip_stream_open(path, 16000, 0, 0, &e);
    EXPECT_OK(s && clip_stream_run(s, count, &n, &e), e);
    EXPECT_INT(n, 36282); // ceil(100000 * 160 / 441)
    EXPECT_NEAR(clip_stream_info(s)->seconds, 100000 / 44100.0, 1e-9);
    clip_stream_close(s);
    free(x);
}

// Flips, overwrites, cuts and repeats bytes, more of them near the header; the same for every run.
static size_t mutate(unsigned char *bytes, size_t n, uint32_t round)
{
    rng r = rng_stream(11, "mutation", round);
    uint32_t changes = 1 + rng_below(r, 0, 0, 8);
    for (uint32_t i = 1; i <= changes; i++) {
        uint32_t reach = rng_below(r, 1, i, 3) ? (uint32_t)(n < 200 ? n : 200) : (uint32_t)n,
                 at = rng_below(r, 2, i, reach);
        static const unsigned char edges[] = {0, 1, 0x7f, 0x80, 0xff};
        switch (rng_below(r, 3, i, 4)) {
        case 0:
            bytes[at] ^= (unsigned char)(1u << rng_below(r, 4, i, 8));
            break;
        case 1:
            bytes[at] = edges[rng_below(r, 4, i, 5)];
            break;
        case 2:
            memmove(bytes + at, bytes + n / 2, n - n / 2 < n - at ? n - n / 2 : n - at);
            break;
        default:
            n = rng_below(r, 4, i, 6) ? n : at + 1;
        }
    }
    return n;
}

// file_write would wait for the disk each time.
static const char *put(const char *path, const unsigned char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    EXPECT(f && fwrite(bytes, 1, n, f) == n);
    if (f)
        fclose(f);
    return path;
}

static void check_mutations(const char *path, uint32_t first, uint32_t count)
{
    arena a = {0};
    err e = {0};
    size_t n;
    char *whole = file_read(&a, path, 1 << 24, &n, &e);
    unsigned char *bytes = NEW(&a, unsigned char, n);
    for (uint32_t i = first; whole && i < first + count; i++) {
        clip c;
        memcpy(bytes, whole, n);
        e = (err){0};
        if (clip_read(put(test_path("mutated"), bytes, mutate(bytes, n, i)), i % 2 ? 16000 : 0, 0,
                      0, &c, &e))
            clip_free(&c);
        else
            test_expect(e.code != ERR_NONE && test_has(e.text, "mutated'"), __FILE__, __LINE__,
                        "mutation %u of %s: %s", (unsigned)i, path, e.text);
    }
    EXPECT(whole != NULL);
    arena_free(&a);
}

TEST(clip_survives_2500_mutated_files)
{
    float *x = wave(6000);
    for (int format = 0; format < CLIP_FILE_FORMATS; format++)
        check_mutations(clip_file_write(test_path("m"), (clip_file_format)format, x, 6000, 22050,
                                        1 + format % 2),
                        (uint32_t)format * 500, 500);
    free(x);
}

// One case of the shared catalogue of damaged and odd files.
static void check_malformed(const json *j)
{
    err e = {0};
    clip c;
    char path[500];
    const char *expect = json_str(json_get(j, "expect"), "");
    snprintf(path, sizeof path, CASES "%s", json_str(json_get(j, "path"), "?"));
    bool ok = clip_read(path, 0, 0, 0, &c, &e);
    test_expect(ok || test_has(e.text, path), __FILE__, __LINE__,
                "the error does not name '%s': %s", path, e.text);
    if (!strcmp(expect, "accept")) {
        test_expect(ok, __FILE__, __LINE__, "refused: %s", e.text);
        EXPECT_INT(c.frames, json_int(json_get(j, "frames"), c.frames));
        EXPECT_INT(c.source_channels, json_int(json_get(j, "channels"), c.source_channels));
        EXPECT_INT(c.source_rate, json_int(json_get(j, "rate"), c.source_rate));
    }
    test_expect(strcmp(expect, "reject") || !ok, __FILE__, __LINE__, "accepted: %s", path);
    for (int64_t i = 0; ok && i < c.frames; i++)
        if (!isfinite(c.samples[i]))
            test_expect(false, __FILE__, __LINE__, "%s: sample %lld is not finite", path,
                        (long long)i);
    if (ok)
        clip_free(&c);
}

TEST(clip_takes_the_shared_malformed_files_as_expected)
{
    arena a = {0};
    err e = {0};
    size_t n, cases = 0;
    if (!file_exists(CASES "cases.jsonl")) {
        test_skip("../shared/data/malformed is not here");
        return;
    }
    char *text = file_read(&a, CASES "cases.jsonl", 1 << 22, &n, &e), *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json *j = json_parse(line, strlen(line), &e);
        if (!strcmp(json_str(json_get(j, "kind"), ""), "wav"))
            check_malformed(j), cases++;
        json_free(j);
    }
    EXPECT_INT(cases, 55);
    arena_free(&a);
}
