// SPDX-License-Identifier: GPL-3.0-or-later
// Audio whose header guesses, is unfinished or wrong, and audio that is damaged: heard to its end,
// or refused with the reason.
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/audio/clip.h"
#include "tests/data/audio/clip_files.h"
#include "tests/test.h"

enum { N = 50000, RATE = 16000 };

typedef struct bytes {
    arena a;
    char *b;
    size_t n;
} bytes;

static bytes read_bytes(const char *path)
{
    err e = {0};
    bytes x = {.a = {.name = "bytes"}};
    x.b = file_read(&x.a, path, 1 << 24, &x.n, &e);
    EXPECT_OK(x.b != NULL, e);
    return x;
}

static const char *write_bytes(const char *name, const char *b, size_t n)
{
    err e = {0};
    const char *path = test_path(name);
    EXPECT_OK(file_write(path, b, n, &e), e);
    return path;
}

// Parts one behind the other.
static const char *join(const char *name, const char *x, size_t nx, const char *y, size_t ny)
{
    char *both = malloc(nx + ny + 1);
    memcpy(both, x, nx);
    memcpy(both + nx, y, ny);
    const char *path = write_bytes(name, both, nx + ny);
    free(both);
    return path;
}

static const float *tones(void)
{
    static float x[N];
    for (int i = 0; i < N; i++)
        x[i] =
            0.4f * sinf((float)i * 0.05f * (1 + (float)i / N)) + test_fill(3, (uint32_t)i, 0.02f);
    return x;
}

static const char *write_kind(const char *name, int format, int rate, int channels)
{
    SF_INFO info = {.samplerate = rate, .channels = channels, .format = format};
    const char *path = test_path(name);
    double quality = 0.5;
    SNDFILE *f = sf_open(path, SFM_WRITE, &info);
    EXPECT(f != NULL);
    int mode = SF_BITRATE_MODE_VARIABLE;
    if ((format & SF_FORMAT_TYPEMASK) == SF_FORMAT_MPEG) {
        sf_command(f, SFC_SET_BITRATE_MODE, &mode, sizeof mode);
        sf_command(f, SFC_SET_COMPRESSION_LEVEL, &quality, sizeof quality);
    }
    const float *x = tones();
    float *block = calloc((size_t)N * (size_t)channels, sizeof *block);
    for (int64_t i = 0; i < (int64_t)N * channels; i++)
        block[i] = x[i / channels];
    for (int64_t at = 0; at < N; at += 1000)
        EXPECT_INT(sf_writef_float(f, block + at * channels, 1000), 1000);
    sf_close(f);
    free(block);
    return path;
}

static int64_t length_of(const char *path)
{
    clip c;
    err e = {0};
    bool ok = clip_read(path, 0, 0, 0, &c, &e);
    EXPECT_OK(ok, e);
    int64_t n = ok ? c.frames : -1;
    clip_free(&c);
    return n;
}

static void expect_refused(const char *path, err_code code, const char *why)
{
    clip c;
    err e = {0};
    EXPECT_ERR(clip_read(path, 0, 0, 0, &c, &e), e, code, why);
    clip_free(&c);
}

// The part from half a second on is what stands there in the whole, whatever seeking would have
// found.
static void expect_parts(const char *path)
{
    clip whole, part;
    err e = {0};
    EXPECT_OK(clip_read(path, 0, 0, 0, &whole, &e) && clip_read(path, 0, 0.5, 0.25, &part, &e), e);
    int64_t from = llrint(0.5 * whole.rate);
    EXPECT_INT(part.frames, llrint(0.25 * whole.rate));
    EXPECT_INT(memcmp(part.samples, whole.samples + from, (size_t)part.frames * sizeof(float)), 0);
    clip_free(&whole);
    clip_free(&part);
}

// Where the encoder left its count: behind the first frame's side information (32 bytes of stereo,
// 17 of mono; MPEG 2: 17 and 9).
static size_t find(const bytes *x, const char *what, size_t from)
{
    size_t k = strlen(what);
    for (size_t i = from; i + k <= x->n; i++)
        if (!memcmp(x->b + i, what, k))
            return i;
    return x->n;
}

// The second frame has the first one's header but for bit rate and padding.
static size_t second_frame(const bytes *x, size_t first)
{
    size_t i = first + 4;
    while (i + 1 < x->n && (x->b[i] != x->b[first] || x->b[i + 1] != x->b[first + 1]))
        i++;
    return i;
}

TEST(clip_hears_mp3_to_its_end)
{
    const char *path = write_kind("a.mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, 44100, 1);
    bytes x = read_bytes(path);
    size_t tag = find(&x, "Xing", 0) < x.n ? find(&x, "Xing", 0) : find(&x, "Info", 0);
    if (!test_expect(tag < x.n, __FILE__, __LINE__, "no count in the file"))
        return;
    const unsigned char *count = (const unsigned char *)x.b + tag + 8;
    int64_t frames = (int64_t)count[0] << 24 | count[1] << 16 | count[2] << 8 | count[3];
    size_t first = 0;
    while ((unsigned char)x.b[first] != 0xff)
        first++;
    size_t second = second_frame(&x, first);
    EXPECT_INT(length_of(path), N); // its encoder says what it added
    expect_parts(path);
    const char *bare = write_bytes("bare.mp3", x.b + second, x.n - second);
    EXPECT_INT(length_of(bare), frames * 1152); // nobody says: all of it
    expect_parts(bare);
    char junk[3000];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (char)(i * 7 % 251 & 0x7f);
    EXPECT_INT(length_of(join("junk.mp3", junk, sizeof junk, x.b + second, x.n - second)),
               frames * 1152);
    EXPECT_INT(length_of(join("id3.mp3",
                              "ID3\4\0\0\0\0\1\2"
                              "01234567890123456789012345678901234567890123456789012345678901234567"
                              "89012345678901234567890123456789"
                              "012345678901234567890123456789",
                              140, x.b + second, x.n - second)),
               frames * 1152);
    memset(junk, 'x', sizeof junk);
    memcpy(junk, "TAG", 3);
    EXPECT_INT(length_of(join("behind.mp3", x.b + second, x.n - second, junk, 128)), frames * 1152);
    expect_refused(write_bytes("cut.mp3", x.b, x.n / 2), ERR_DAMAGED,
                   "is cut short: its header announces");
    arena_free(&x.a);
}

TEST(clip_refuses_damaged_flac)
{
    const char *path = write_kind("a.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, RATE, 1);
    bytes x = read_bytes(path);
    EXPECT_INT(length_of(path), N);
    expect_parts(path);
    x.b[26] ^= 1; // of the MD5
    expect_refused(write_bytes("md5.flac", x.b, x.n), ERR_DAMAGED, "do not have the MD5");
    x.b[26] ^= 1;
    x.b[x.n / 2] ^= 4;
    expect_refused(write_bytes("bit.flac", x.b, x.n), ERR_DAMAGED, "cannot be decoded after");
    x.b[x.n / 2] ^= 4;
    expect_refused(write_bytes("short.flac", x.b, x.n * 2 / 3), ERR_DAMAGED,
                   " seconds that its header announces; copy it again or remove it");
    x.b[x.n / 2] ^= 4;
    // The same of a file that does not say how long it is: 36 bits of STREAMINFO.
    x.b[21] &= (char)0xf0;
    memset(x.b + 22, 0, 4);
    expect_refused(write_bytes("bit2.flac", x.b, x.n), ERR_DAMAGED, "cannot be decoded after");
    x.b[x.n / 2] ^= 4;
    const char *unknown = write_bytes("unknown.flac", x.b, x.n);
    EXPECT_INT(length_of(unknown), N);
    expect_parts(unknown);
    expect_refused(write_bytes("cut.flac", x.b, x.n * 2 / 3), ERR_DAMAGED, "'");
    bytes y = read_bytes(write_kind("b.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 2 * RATE, 1));
    size_t frames = find(&y, "\xff\xf8", 42);
    expect_refused(join("rate.flac", x.b, x.n, y.b + frames, y.n - frames), ERR_DAMAGED,
                   "its rate changes there from 16000 to 32000 Hz");
    arena_free(&x.a);
    arena_free(&y.a);
}

static void check_chain(int format, const char *name)
{
    const char *path = write_kind(name, format, RATE, 1);
    bytes x = read_bytes(path);
    int64_t n = length_of(path);
    EXPECT_INT(n, N);
    const char *twice = join("twice.ogg", x.b, x.n, x.b, x.n);
    EXPECT_INT(length_of(twice), 2 * n);
    expect_parts(twice);
    EXPECT_INT(length_of(join("tagged.ogg", x.b, x.n, "TAG and so on", 13)), n);
    bytes y = read_bytes(write_kind("other.ogg", format, RATE, 2));
    expect_refused(join("mixed.ogg", x.b, x.n, y.b, y.n), ERR_FORMAT,
                   "is a chain of Ogg streams: one has 16000 Hz and 1 channels");
    x.b[x.n / 2] ^= 1;
    expect_refused(write_bytes("bit.ogg", x.b, x.n), ERR_DAMAGED, "does not fit its checksum");
    x.b[x.n / 2] ^= 1;
    size_t page = find(&x, "OggS", x.n / 2), next = find(&x, "OggS", page + 4);
    if (next < x.n)
        expect_refused(join("hole.ogg", x.b, page, x.b + next, x.n - next), ERR_DAMAGED,
                       "a page of its Ogg stream is missing");
    arena_free(&x.a);
    arena_free(&y.a);
}

TEST(clip_hears_every_link_of_an_ogg_chain)
{
    check_chain(SF_FORMAT_OGG | SF_FORMAT_VORBIS, "a.ogg");
    check_chain(SF_FORMAT_OGG | SF_FORMAT_OPUS, "a.opus");
}

// What is put in the place of a length, and whether the header then counts as unfinished.
static void expect_unfinished(const bytes *x, const char *name, size_t at, const char *length,
                              size_t n, bool unfinished)
{
    clip c;
    err e = {0};
    char *copy = malloc(x->n);
    memcpy(copy, x->b, x->n);
    memcpy(copy + at, length, n);
    EXPECT_OK(clip_read(write_bytes(name, copy, x->n), 0, 0, 0, &c, &e), e);
    EXPECT_INT(c.frames, N);
    EXPECT_INT(c.marks >> CLIP_UNFINISHED & 1, unfinished);
    clip_free(&c);
    free(copy);
}

TEST(clip_reads_what_an_unfinished_header_hides)
{
    static const char zero[8] = {0}, ones[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
    bytes wav = read_bytes(write_kind("a.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, RATE, 1));
    bytes rf64 = read_bytes(write_kind("a.rf64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, RATE, 1));
    bytes au = read_bytes(write_kind("a.au", SF_FORMAT_AU | SF_FORMAT_PCM_16, RATE, 1));
    bytes caf = read_bytes(write_kind("a.caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16, RATE, 1));
    expect_unfinished(&wav, "zero.wav", find(&wav, "data", 12) + 4, zero, 4, true);
    expect_unfinished(&wav, "ones.wav", find(&wav, "data", 12) + 4, ones, 4, false);
    expect_unfinished(&rf64, "zero.rf64", 28, zero, 8, false);
    expect_unfinished(&rf64, "ones.rf64", 28, ones, 8, false);
    expect_unfinished(&au, "zero.au", 8, zero, 4, true);
    expect_unfinished(&au, "ones.au", 8, ones, 4, false);
    expect_unfinished(&caf, "zero.caf", find(&caf, "data", 8) + 4, zero, 8, true);
    // Nothing behind it but another chunk: then there is nothing.
    size_t data = find(&wav, "data", 12);
    char *copy = calloc(data + 28, 1);
    memcpy(copy, wav.b, data + 4);
    memcpy(copy + data + 8, "LIST\14\0\0\0INFOISFT", 16);
    expect_refused(write_bytes("none.wav", copy, data + 28), ERR_EMPTY, "holds no samples");
    free(copy);
    arena_free(&wav.a);
    arena_free(&rf64.a);
    arena_free(&au.a);
    arena_free(&caf.a);
}

// libsndfile takes each of them for a shorter one.
TEST(clip_says_how_much_of_a_file_is_missing)
{
    static const struct {
        const char *name;
        int format, head; // bytes of the part with the samples that are none
    } kinds[] = {{"c.wav", SF_FORMAT_WAV, 0},
                 {"c.rf64", SF_FORMAT_RF64, 0},
                 {"c.aiff", SF_FORMAT_AIFF, 8},
                 {"c.au", SF_FORMAT_AU, 0},
                 {"c.caf", SF_FORMAT_CAF, 4}};
    enum { CUT = 101 };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bytes x =
            read_bytes(write_kind(kinds[i].name, kinds[i].format | SF_FORMAT_PCM_16, RATE, 1));
        expect_refused(write_bytes("cut", x.b, x.n - CUT), ERR_DAMAGED,
                       arena_printf(&x.a,
                                    "cut' is cut short: %d of the %d bytes that its last part "
                                    "announces are missing; copy it again or remove it",
                                    CUT, 2 * N + kinds[i].head));
        arena_free(&x.a);
    }
}

static unsigned marks_of(const char *path)
{
    clip c;
    err e = {0};
    EXPECT_OK(clip_read(path, 8000, 0, 0, &c, &e), e);
    unsigned marks = c.marks;
    clip_free(&c);
    return marks;
}

TEST(clip_marks_what_is_hardly_meant)
{
    float left[RATE], right[RATE];
    for (int i = 0; i < RATE; i++)
        left[i] = 0.5f * sinf((float)i * 0.1f), right[i] = -left[i];
    EXPECT_INT(marks_of(clip_file_write_stereo(test_path("anti.wav"), left, right, RATE, RATE)),
               1u << CLIP_CANCELS);
    EXPECT_INT(marks_of(clip_file_write_stereo(test_path("same.wav"), left, left, RATE, RATE)), 0);
    EXPECT_INT(marks_of(clip_file_write_stereo(test_path("brief.wav"), left, left, RATE - 1, RATE)),
               1u << CLIP_BRIEF);
    for (int i = 0; i < RATE; i++)
        left[i] *= 0.001f;
    EXPECT_INT(marks_of(clip_file_write_stereo(test_path("quiet.wav"), left, left, RATE, RATE)),
               1u << CLIP_SILENT);
}

TEST(clip_takes_the_reported_files)
{
    static const struct {
        const char *name;
        int64_t frames; // 0: refused
    } files[] = {{"cbr-without-xing.mp3", 178560},
                 {"vbr-without-xing-truncated-silently.mp3", 222336},
                 {"whole.flac", 16000},
                 {"one_bit_wrong.flac", 0},
                 {"two_parts.ogg", 32000},
                 {"data0.wav", 16000}};
    const char *root = "../shared/data/reports";
    if (!file_exists(root)) {
        test_skip("no ../shared/data/reports");
        return;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", root, files[i].name);
        if (files[i].frames)
            EXPECT_INT(length_of(path), files[i].frames);
        else
            expect_refused(path, ERR_DAMAGED, "a frame does not fit its checksum");
    }
}
