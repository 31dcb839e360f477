// SPDX-License-Identifier: GPL-3.0-or-later
// malformed.c: damaged files through the command: the catalogue in ../shared/data/malformed, each
// case ending as it expects, and mutants of sound files. A file costs itself and is named with a
// reason; the command never crashes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "tests/cmd/printed.h"
#include "tests/test.h"

#define ROOT "../shared/data/malformed"

typedef struct catalogue {
    arena memory;
    json **cases;
    int n;
} catalogue;

static const char *text_of(const json *c, const char *key)
{
    return json_str(json_get(c, key), "");
}

static bool open_catalogue(catalogue *k)
{
    size_t n = 0;
    *k = (catalogue){.memory = {.name = "cases"}};
    char *text = file_exists(ROOT "/cases.jsonl")
                     ? file_read(&k->memory, ROOT "/cases.jsonl", 1 << 24, &n, NULL)
                     : NULL;
    if (!text) {
        test_skip(ROOT " is not here");
        return false;
    }
    k->cases = NEW(&k->memory, json *, n / 2);
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
        k->cases[k->n++] = json_parse(line, strlen(line), NULL);
    return true;
}

static void close_catalogue(catalogue *k)
{
    for (int i = 0; i < k->n; i++)
        json_free(k->cases[i]);
    arena_free(&k->memory);
}

// ---- By inspect: what the file is said to hold

static void expect_fact(const json *c, const json *found, const char *stated, const char *name)
{
    int64_t want = json_int(json_get(c, stated), -1);
    if (want >= 0)
        test_expect(json_int(json_get(found, name), -2) == want, __FILE__, __LINE__,
                    "%s: %s is %lld, expected %lld", text_of(c, "path"), name,
                    (long long)json_int(json_get(found, name), -2), (long long)want);
}

static void inspect_case(const json *c)
{
    const char *out, *path = text_of(c, "path"), *expect = text_of(c, "expect");
    int rc = test_shell(&out, "%s inspect --json " ROOT "/%s 2>&1", test_kmidi(), path);
    test_expect(rc == 0 || rc == 1, __FILE__, __LINE__, "%s: exit %d: %s", path, rc, out);
    if (rc == 0 && !strcmp(text_of(c, "kind"), "wav") && strstr(out, "\"kind\": \"midi\""))
        rc = 2; // a MIDI file by the name of a wav: shown as what it is, which is no audio
    if (strcmp(expect, "tolerate") != 0)
        test_expect((rc > 0) == !strcmp(expect, "reject"), __FILE__, __LINE__,
                    "%s: exit %d, expected %s: %s", path, rc, expect, out);
    if (rc == 1)
        test_expect(strstr(out, "kmidi inspect: ") && strstr(out, path_base(path)), __FILE__,
                    __LINE__, "%s: %s", path, out);
    if (rc == 0 && !strcmp(expect, "accept")) {
        json *found = json_parse(out, strlen(out), NULL);
        expect_fact(c, found, "notes", "notes");
        expect_fact(c, found, "frames", "samples");
        expect_fact(c, found, "channels", "channels");
        expect_fact(c, found, "rate", "rate");
        json_free(found);
    }
}

TEST(malformed_files_are_inspected_as_catalogued)
{
    catalogue k;
    int seen = 0;
    if (!open_catalogue(&k))
        return;
    for (int i = 0; i < k.n; i++)
        if (!strcmp(text_of(k.cases[i], "kind"), "midi") ||
            !strcmp(text_of(k.cases[i], "kind"), "wav"))
            inspect_case(k.cases[i]), seen++;
    EXPECT_INT(seen, 137);
    close_catalogue(&k);
}

// ---- By prepare: all of a kind as one dataset

// The lines of rejected.jsonl, each held to be JSON with a reason. Owned by a.
static const char *report_of(arena *a, const char *out, int64_t rejected)
{
    size_t n = 0;
    int64_t lines = 0;
    const char *text = file_read(a, arena_printf(a, "%s/rejected.jsonl", out), 1 << 26, &n, NULL),
               *end;
    for (const char *p = text; p && (end = strchr(p, '\n')); p = end + 1, lines++) {
        json *j = json_parse(p, (size_t)(end - p), NULL);
        test_expect(*text_of(j, "reason") && *text_of(j, "message"), __FILE__, __LINE__, "%.*s",
                    (int)(end - p), p);
        json_free(j);
    }
    EXPECT_INT(lines, rejected);
    return text ? text : "";
}

// Prepares `total` files; the report.
static const char *prepare_all(arena *a, const char *config, const char *root, int64_t total)
{
    const char *out, *to = arena_printf(a, "%s/out", test_dir());
    int rc = test_shell(&out,
                        "%s prepare configs/data/%s.yaml --out %s root=%s --jobs 2 --json --quiet "
                        "max_reject_ratio=1 split.val=0 split.test=0",
                        test_kmidi(), config, to, root);
    json *j = printed_last(out);
    int64_t prepared = json_int(json_get(j, "prepared"), -1),
            rejected = json_int(json_get(j, "rejected"), -1);
    test_expect(rc == 0 && prepared + rejected == total, __FILE__, __LINE__,
                "%s: exit %d, %lld and %lld of %lld: %s", config, rc, (long long)prepared,
                (long long)rejected, (long long)total, out);
    json_free(j);
    return report_of(a, to, rejected);
}

static void prepare_kind(catalogue *k, const char *kind, const char *config, const char *folder)
{
    const char *out, *root = test_dir();
    int64_t total = 0;
    strbuf manifest = {0};
    EXPECT_INT(test_shell(&out, "mkdir -p %s/%s", root, folder), 0);
    for (int i = 0; i < k->n; i++)
        if (!strcmp(text_of(k->cases[i], "kind"), kind)) {
            const char *path = text_of(k->cases[i], "path");
            total++;
            EXPECT_INT(test_shell(&out, "cp " ROOT "/%s %s/%s/", path, root, folder), 0);
            strbuf_printf(&manifest, "{\"path\": \"%s/%s\"}\n", folder, path_base(path));
        }
    EXPECT_OK(file_write(test_path("manifest.jsonl"), manifest.s, manifest.len, NULL), (err){0});
    const char *report = prepare_all(&k->memory, config, root, total);
    for (int i = 0; i < k->n; i++) {
        const json *c = k->cases[i];
        const char *name =
            arena_printf(&k->memory, "{\"path\": \"%s/%s\"", folder, path_base(text_of(c, "path")));
        const char *line = strstr(report, name);
        if (strcmp(text_of(c, "kind"), kind) != 0)
            continue;
        if (!strcmp(text_of(c, "expect"), "reject"))
            test_expect(line != NULL, __FILE__, __LINE__, "%s was not rejected", name);
        // sound, but there is nothing in it to learn from
        if (!strcmp(text_of(c, "expect"), "accept") && line)
            test_expect(strcspn(line, "\n") > 0 &&
                            strstr(line, "\"reason\": \"empty\"") < strchr(line, '\n') &&
                            strstr(line, "\"reason\": \"empty\""),
                        __FILE__, __LINE__, "%.300s", line);
    }
    strbuf_free(&manifest);
}

TEST(malformed_midi_is_prepared_as_catalogued)
{
    catalogue k;
    if (open_catalogue(&k)) {
        prepare_kind(&k, "midi", "lakh", "lmd_full");
        close_catalogue(&k);
    }
}

TEST(malformed_audio_is_prepared_as_catalogued)
{
    catalogue k;
    if (open_catalogue(&k)) {
        prepare_kind(&k, "wav", "audio_manifest", "wav");
        close_catalogue(&k);
    }
}

// ---- Indices and whole datasets

// Text that is no index at all, sound JSON or not: one sentence that names it.
static void as_index(const json *c, const char *config)
{
    const char *out, *path = text_of(c, "path");
    int rc =
        test_shell(&out, "%s prepare configs/data/%s.yaml --out %s/o root=" ROOT " index=%s 2>&1",
                   test_kmidi(), config, test_dir(), path);
    test_expect(rc == 1 && strstr(out, "kmidi prepare: "), __FILE__, __LINE__, "%s: exit %d: %s",
                path, rc, out);
}

static void as_dataset(const json *c, const char *config)
{
    const char *out, *path = text_of(c, "path"), *expect = text_of(c, "expect");
    bool reject = !strcmp(expect, "reject"),
         audio = !strcmp(config, "nsynth") || !strcmp(config, "audio_manifest");
    int rc = test_shell(
        &out, "%s prepare configs/data/%s.yaml --out %s/%s root=" ROOT "/%s %s 2>&1", test_kmidi(),
        config, test_dir(), path_base(path), path, audio ? "" : "features=[tokens]");
    test_expect(rc == 0 || rc == 1, __FILE__, __LINE__, "%s: exit %d: %s", path, rc, out);
    if (reject || !strcmp(expect, "accept"))
        test_expect(rc == reject, __FILE__, __LINE__, "%s: exit %d, expected %s: %s", path, rc,
                    expect, out);
    if (strcmp(expect, "tolerate") == 0) {
        rc = test_shell(&out,
                        "%s prepare configs/data/%s.yaml --out %s/%s root=" ROOT
                        "/%s %s max_reject_ratio=1 2>&1",
                        test_kmidi(), config, test_dir(), path_base(path), path,
                        audio ? "" : "features=[tokens]");
        test_expect(rc == 0 || strstr(out, "none of the") || strstr(out, "no entries"), __FILE__,
                    __LINE__, "%s: exit %d: %s", path, rc, out);
    }
}

TEST(malformed_indices_and_datasets_end_as_catalogued)
{
    static const struct {
        const char *kind, *config;
        bool index;
    } kinds[] = {{"json", "nsynth", true},
                 {"csv", "maestro", true},
                 {"nsynth", "nsynth", false},
                 {"maestro", "maestro", false},
                 {"lakh", "lakh", false},
                 {"emotion", "midi_emotion", false},
                 {"manifest", "audio_manifest", false}};
    catalogue k;
    int seen = 0;
    if (!open_catalogue(&k))
        return;
    for (int i = 0; i < k.n; i++)
        for (size_t j = 0; j < sizeof kinds / sizeof *kinds; j++)
            if (!strcmp(text_of(k.cases[i], "kind"), kinds[j].kind)) {
                (kinds[j].index ? as_index : as_dataset)(k.cases[i], kinds[j].config);
                seen++;
            }
    EXPECT_INT(seen, 326 - 137);
    close_catalogue(&k);
}

// ---- Mutants: KMIDI_MUTANTS=20000 for a long look

static int mutants(int usual)
{
    const char *given = getenv("KMIDI_MUTANTS");
    return given ? atoi(given) : usual;
}

// Bytes changed, cut off, or doubled, by the hash of `seed`.
static size_t mutate(uint32_t seed, char *bytes, size_t n)
{
    uint32_t draw = 0;
    for (uint32_t i = 0, times = 1 + test_fill_u32(seed, draw++) % 8; i < times && n; i++) {
        uint32_t at = test_fill_u32(seed, draw++) % (uint32_t)n,
                 how = test_fill_u32(seed, draw++) % 8;
        if (how < 5)
            bytes[at] = (char)test_fill_u32(seed, draw++);
        else if (how < 7 && at < 200) // heads hold the lengths
            bytes[at] ^= (char)(1u << test_fill_u32(seed, draw++) % 8);
        else if (how == 7)
            n = n / 2 + at / 2;
    }
    return n;
}

static void put_mutants(const char *seeds, const char *folder, const char *ending, int count)
{
    arena a = {0};
    err e = {0};
    size_t n_seeds, n;
    strbuf manifest = {0};
    char **paths = file_glob(&a, seeds, &n_seeds, &e);
    EXPECT_OK(paths != NULL && file_make_dirs(test_path(folder), &e), e);
    for (int i = 0; paths && i < count; i++) {
        arena one = {0};
        char *bytes = file_read(&one, paths[(size_t)i % n_seeds], 1 << 20, &n, &e);
        const char *name = arena_printf(&one, "%s/%06d.%s", folder, i, ending);
        FILE *f = fopen(test_path(name), "wb");
        n = mutate((uint32_t)i + 1, bytes, n);
        EXPECT(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
        strbuf_printf(&manifest, "{\"path\": \"%s\"}\n", name);
        arena_free(&one);
    }
    EXPECT_OK(file_write(test_path("manifest.jsonl"), manifest.s, manifest.len, &e), e);
    strbuf_free(&manifest);
    arena_free(&a);
}

TEST(malformed_mutants_of_midi_are_read_or_named)
{
    arena a = {0};
    int n = mutants(600);
    put_mutants("tests/fuzz/seeds/midi/*", "lmd_full", "mid", n);
    prepare_all(&a, "lakh", test_dir(), n);
    arena_free(&a);
}

TEST(malformed_mutants_of_audio_are_read_or_named)
{
    arena a = {0};
    int n = mutants(200);
    put_mutants("tests/fuzz/seeds/clip/*", "wav", "wav", n);
    prepare_all(&a, "audio_manifest", test_dir(), n);
    arena_free(&a);
}
