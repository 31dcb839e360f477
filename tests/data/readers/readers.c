// SPDX-License-Identifier: GPL-3.0-or-later
// readers.c: the published datasets' layouts, small ones made here and the real ones of ../shared
// where they are.
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/str.h"
#include "data/prepare/prepare.h"
#include "data/readers/reader.h"
#include "tests/test.h"

#define SHARED "../shared/data/"

typedef struct tally {
    int items, bad, split[3]; // train, validation, test by rank
    int other, grouped, labelled, midi, audio, vectors, attributes;
    // end: why the index could not be read on
    char first_path[300], first_group[300], first_bad[2000], end[2000];
    uint64_t order; // of all paths
} tally;

static void count_item(tally *t, const reader_item *i)
{
    int rank = i->split ? reader_split_rank(i->split) : 0;
    if (!t->items++) {
        snprintf(t->first_path, sizeof t->first_path, "%s", i->path);
        snprintf(t->first_group, sizeof t->first_group, "%s", i->group ? i->group : "");
    }
    if (rank)
        t->split[rank - 1]++;
    else
        t->other += i->split != NULL;
    t->grouped += i->group != NULL;
    t->labelled += i->label != NULL;
    t->midi += i->midi && file_exists(i->midi);
    t->audio += i->file && file_exists(i->file);
    t->vectors += i->emotion != NULL;
    t->attributes += i->attributes != NULL;
    for (const char *p = i->path; *p; p++)
        t->order = t->order * 31 + (unsigned char)*p;
}

static tally run(const char *name, const char *root, const char *index)
{
    err e = {0};
    tally t = {0};
    reader_item item;
    reader_options o = {.root = root, .index = index};
    reader *r = reader_open(reader_find(name, &e), &o, &e);
    for (reader_step s; r && (s = reader_next(r, &item, &e)) != READER_END;) {
        if (s == READER_ITEM)
            count_item(&t, &item);
        else if (!t.bad++)
            snprintf(t.first_bad, sizeof t.first_bad, "%s", e.text);
    }
    if (e.code)
        snprintf(t.end, sizeof t.end, "%s", e.text);
    reader_close(r);
    return t;
}

// A file in the test's folder, with the folders it needs.
static void put(const char *name, const char *text)
{
    arena a = {0};
    err e = {0};
    const char *path = path_join(&a, test_dir(), name);
    EXPECT_OK(file_make_dirs(path_dir(&a, path), &e), e);
    EXPECT_OK(file_write(path, text, strlen(text), &e), e);
    arena_free(&a);
}

static bool no_shared(void)
{
    if (file_exists(SHARED))
        return false;
    test_skip(SHARED " is not there");
    return true;
}

// ---- Real layouts

TEST(readers_take_the_real_maestro)
{
    if (no_shared())
        return;
    static const char *const indexes[] = {NULL, "maestro-v3.0.0.csv", "maestro-v3.0.0.json"};
    uint64_t order = 0;
    for (int k = 0; k < 3; k++) {
        tally t = run("maestro", SHARED "maestro-v3.0.0", indexes[k]);
        EXPECT_STR(t.end, "");
        EXPECT_INT(t.items, 83);
        EXPECT_INT(t.bad, 0);
        EXPECT_INT(t.split[0], 63);
        EXPECT_INT(t.split[1], 14);
        EXPECT_INT(t.split[2], 6);
        EXPECT_INT(t.grouped, 83);
        EXPECT_INT(t.midi, 83);
        EXPECT_INT(t.audio, 1);
        EXPECT_STR(t.first_group, "Alban Berg: Sonata Op. 1");
        EXPECT(!k || t.order == order);
        order = t.order;
    }
    EXPECT_STR(reader_guess(SHARED "maestro-v3.0.0")->name, "maestro");
}

TEST(readers_take_the_real_lakh)
{
    if (no_shared())
        return;
    tally all = run("lakh", SHARED "lakh", NULL), full = run("lakh", SHARED "lakh", "lmd_full");
    tally matched = run("lakh", SHARED "lakh/lmd_matched", NULL);
    EXPECT_INT(all.items, 80);
    EXPECT_INT(all.bad, 0);
    EXPECT_INT(all.midi, 80);
    EXPECT_INT(all.grouped, 69);
    EXPECT_INT(full.items, 11);
    EXPECT_INT(full.grouped, 0);
    EXPECT_INT(matched.items, 69);
    EXPECT_INT(matched.grouped, 69);
    EXPECT(str_starts(matched.first_group, "TR"));
    EXPECT(all.order == run("lakh", SHARED "lakh", NULL).order);
    EXPECT_STR(reader_guess(SHARED "lakh")->name, "lakh");
}

TEST(readers_take_the_real_emopia)
{
    if (no_shared())
        return;
    static const char *const indexes[] = {NULL, "labels.jsonl"};
    for (int k = 0; k < 2; k++) {
        tally t = run("midi_emotion", SHARED "emopia", indexes[k]);
        EXPECT_STR(t.end, "");
        EXPECT_STR(t.first_bad, "");
        EXPECT_INT(t.items, 990);
        EXPECT_INT(t.split[0], 767);
        EXPECT_INT(t.split[1], 198);
        EXPECT_INT(t.other, 25);
        EXPECT_INT(t.labelled, 990);
        EXPECT_INT(t.midi, 990);
        EXPECT_STR(t.first_group, "0vLPYiPN7qY");
    }
    tally pairs = run("midi_emotion", SHARED "malformed/datasets/emotion_json_missing", NULL);
    EXPECT_INT(pairs.items, 1);
    EXPECT_STR(reader_guess(SHARED "emopia")->name, "midi_emotion");
}

TEST(readers_take_the_real_nsynth)
{
    if (no_shared())
        return;
    tally real = run("nsynth", SHARED "nsynth_real", NULL),
          made = run("nsynth", SHARED "nsynth_rendered", NULL);
    tally one = run("nsynth", SHARED "nsynth_rendered/nsynth-valid", NULL);
    tally named = run("nsynth", SHARED "nsynth_rendered", "nsynth-valid/examples.json");
    EXPECT_STR(real.end, "");
    EXPECT_INT(real.items, 31);
    EXPECT_INT(real.split[2], 31);
    EXPECT_INT(real.audio, 31);
    EXPECT_INT(made.items, 176);
    EXPECT_INT(made.bad, 0);
    EXPECT_INT(made.split[0], 132);
    EXPECT_INT(made.split[1], 44);
    EXPECT_INT(made.labelled, 176);
    EXPECT_INT(made.grouped, 176);
    EXPECT_INT(made.attributes, 176);
    EXPECT_INT(one.items, 44);
    EXPECT_INT(one.split[1], 44);
    EXPECT_INT(one.audio, 44);
    EXPECT_INT(named.items, 44);
    EXPECT_INT(named.split[1], 44);
    EXPECT_STR(reader_guess(SHARED "nsynth_real")->name, "nsynth");
}

// ---- Broken ones

TEST(readers_end_the_shared_broken_datasets_as_expected)
{
    static const struct {
        const char *folder, *reader;
        int items, bad;
        const char *says; // of the first bad entry, or of the whole
    } cases[] = {
        {"nsynth_bad_family", "nsynth", 0, 1,
         "instrument_family_str 'kazoo' is none of NSynth's 11"},
        // the missing file is named by whoever opens it
        {"nsynth_missing_audio", "nsynth", 2, 0, ""},
        {"nsynth_truncated_json", "nsynth", 0, 0, "cut off inside an entry"},
        {"maestro_missing_column", "maestro", 0, 0, "no column 'midi_filename'"},
        {"maestro_bad_rows", "maestro", 1, 2,
         "line 3: split 'tarin' is none of train, validation, test; did you mean 'train'?"},
        {"maestro_unclosed_quote", "maestro", 0, 1, "line 2: a quote is opened and never closed"},
        {"lakh_mixed", "lakh", 2, 0, ""}, // of which one is no MIDI: found by whoever opens it
        {"emotion_json_missing", "midi_emotion", 1, 1, "b.mid' has no emotion"},
        {"emotion_json_wrong_len", "midi_emotion", 0, 1, "not a list of 64 numbers but one of 63"},
    };
    if (no_shared())
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char root[300];
        snprintf(root, sizeof root, SHARED "malformed/datasets/%s", cases[i].folder);
        tally t = run(cases[i].reader, root, NULL);
        const char *text = *t.end ? t.end : t.first_bad;
        test_expect(t.items == cases[i].items && t.bad == cases[i].bad, __FILE__, __LINE__,
                    "%s: %d items and %d bad entries", root, t.items, t.bad);
        test_expect(strstr(text, cases[i].says) && !*text == !*cases[i].says, __FILE__, __LINE__,
                    "%s: \"%s\"", root, text);
    }
}

TEST(readers_name_a_folder_that_is_none)
{
    static const struct {
        const char *reader, *says;
    } cases[] = {{"lakh", "no file NAME.mid"},
                 {"maestro", "neither maestro-v*.csv"},
                 {"nsynth", "no examples.json"}};
    put("notes.txt", "x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EXPECT_HAS(run(cases[i].reader, test_dir(), NULL).end, cases[i].says);
        EXPECT_HAS(run(cases[i].reader, test_path("gone"), NULL).end, "gone");
    }
    EXPECT_HAS(run("midi_emotion", test_path("gone"), NULL).end, "gone");
    EXPECT(reader_guess(test_dir()) == NULL);
}

// ---- Layouts made here

TEST(readers_walk_lakh_whatever_lies_there)
{
    put("lmd_full/0/0123456789abcdef0123456789abcdef.mid", "x");
    put("lmd_full/0/readme.txt", "x");
    put("lmd_matched/A/B/C/TRABCDE128F0000001/a.mid", "x");
    put("clean_midi/ABBA/Fernando.1.mid", "x");
    put("clean_midi/.hidden/a.mid", "x");
    put("clean_midi/A \"B\"\n\xff\xfe/a\nb\"\xc3.MID", "x");
    EXPECT(symlink("..", test_path("lmd_full/0/loop")) == 0);
    EXPECT(symlink("nowhere", test_path("lmd_full/1")) == 0);
    EXPECT(symlink("clean_midi/ABBA", test_path("x1")) == 0);
    EXPECT(symlink("clean_midi/ABBA", test_path("x2")) == 0);
    tally t = run("lakh", test_dir(), NULL);
    EXPECT_STR(t.end, "");
    EXPECT_INT(t.items, 5); // Fernando once more by x1
    EXPECT_INT(t.bad, 3);
    EXPECT_STR(t.first_path, "clean_midi/A \"B\"\n\xff\xfe/a\nb\"\xc3.MID");
    EXPECT_STR(t.first_group, "A \"B\"\n\xff\xfe");
    EXPECT_HAS(t.first_bad, "symbolic link back to a folder that it is in");
    EXPECT_INT(t.grouped, 3);
    EXPECT_INT(run("lakh", test_path("clean_midi"), NULL).grouped, 2);
    EXPECT_INT(run("lakh", test_path("clean_midi/"), NULL).grouped, 2);
    EXPECT_HAS(run("lakh", test_dir(), "lmd_aligned").end, "check `root` and `index`");
}

TEST(readers_name_a_folder_without_permission)
{
    if (geteuid() == 0) {
        test_skip("root may read everything");
        return;
    }
    put("lmd_full/0/a.mid", "x");
    put("lmd_full/1/b.mid", "x");
    EXPECT(chmod(test_path("lmd_full/0"), 0) == 0);
    tally t = run("lakh", test_dir(), NULL);
    EXPECT(chmod(test_path("lmd_full/0"), 0700) == 0);
    EXPECT_INT(t.items, 1);
    EXPECT_INT(t.bad, 1);
    EXPECT_HAS(t.first_bad, "lmd_full/0");
}

#define MAESTRO_HEAD                                                                               \
    "canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration\n"

TEST(readers_take_every_index_of_maestro)
{
    put("csv/maestro-v3.0.0.csv",
        "\xef\xbb\xbf" MAESTRO_HEAD
        "\"Bach, J. S.\",\"Fugue \"\"in\"\"\nC\",train,2004,2004/a.midi,,2.0\r\n"
        "A,B,test,2004,../a.midi,,1\n");
    put("v1/maestro-v1.0.0.json", "[{\"canonical_composer\": \"A\", \"canonical_title\": \"B\", "
                                  "\"split\": \"test\", \"year\": 2004, "
                                  "\"midi_filename\": \"2004/a.midi\", \"audio_filename\": "
                                  "\"2004/a.wav\", \"duration\": 2.5}, 7]");
    put("v3/maestro-v3.0.0.json", "{\"canonical_composer\": {\"0\": \"A\", \"1\": \"A\"}, "
                                  "\"canonical_title\": {\"0\": \"B\"}, \"split\": "
                                  "{\"0\": \"validation\", \"1\": \"test\"}, \"midi_filename\": "
                                  "{\"0\": \"a.midi\", \"1\": \"b.midi\"}}");
    tally t = run("maestro", test_path("csv"), NULL);
    EXPECT_INT(t.items, 1);
    EXPECT_STR(t.first_group, "Bach, J. S.: Fugue \"in\"\nC");
    EXPECT_INT(t.split[0], 1);
    EXPECT_HAS(t.first_bad, "line 4: path '../a.midi' leaves");
    t = run("maestro", test_path("v1"), NULL);
    EXPECT_INT(t.items, 1);
    EXPECT_INT(t.split[2], 1);
    EXPECT_HAS(t.first_bad, "entry 2: the entry is not a JSON object");
    t = run("maestro", test_path("v3"), NULL);
    EXPECT_INT(t.items, 1);
    EXPECT_INT(t.split[1], 1);
    EXPECT_HAS(t.first_bad, "entry 2: there is no 'canonical_title'");
    put("v3/list.json", "3");
    EXPECT_HAS(run("maestro", test_path("v3"), "list.json").end, "neither a list");
    EXPECT_HAS(run("maestro", test_path("v3"), "list.txt").end, "check `index`");
}

#define NOTE "\"pitch\": 60, \"velocity\": 100, \"instrument_family_str\": "

TEST(readers_check_the_notes_of_nsynth)
{
    static const struct {
        const char *entry, *says; // NULL: an item
    } cases[] = {
        {"\"bass_x-1-060-100\": {" NOTE
         "\"bass\", \"instrument_family\": 0, \"qualities\": [0,0,0,0,0,1,0,0,0,0]}",
         NULL},
        {"\"a\": {" NOTE "\"bras\"}", "did you mean 'brass'"},
        {"\"a\": {" NOTE "\"bass\", \"instrument_family\": 3}",
         "is number 0, but 'instrument_family' says otherwise"},
        {"\"a\": {" NOTE "\"bass\", \"instrument_source_str\": \"magic\"}",
         "instrument_source_str 'magic'"},
        {"\"a\": {" NOTE "\"bass\", \"qualities\": [2]}", "'qualities' must be 10 numbers"},
        {"\"a\": {\"pitch\": 128, \"velocity\": 1}",
         "'pitch' must be a whole number from 0 to 127"},
        {"\"a/../b\": {" NOTE "\"bass\"}", "no name of a note"},
        {"\"a\": {\"note_str\": \"b\"}", "'note_str' is 'b'"},
        {"\"a\": [1}", "not valid JSON"},
        {"\"a\": 3", "not a JSON object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1000];
        snprintf(text, sizeof text, "{%s,\n\"ok-060-100\": {" NOTE "\"reed\"}}\n", cases[i].entry);
        put("nsynth-train/examples.json", text);
        tally t = run("nsynth", test_dir(), NULL);
        EXPECT_INT(t.items, cases[i].says ? 1 : 2);
        if (cases[i].says)
            EXPECT_HAS(t.first_bad, cases[i].says);
        else
            EXPECT_STR(t.first_group, "bass_x-1");
        EXPECT_INT(t.split[0], t.items);
    }
    static const char *const broken[] = {
        "", "[]", "{", "{\"a\"", "{} x", "{,}", "{\"a\": {}, }", "{\"a\": \"}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        put("nsynth-train/examples.json", broken[i]);
        EXPECT_HAS(run("nsynth", test_dir(), NULL).end, "line 1: ");
    }
}

TEST(readers_hold_emotions_to_their_words)
{
    static const struct {
        const char *row, *says;
    } cases[] = {
        {"b.mid,Q1,,1,1", NULL},
        {"b.mid,,serene,,", NULL},
        {"b.mid,,nostalgic,0.5,-0.25", NULL},
        {"b.mid,,,0.5,-0.25", NULL},
        {"b.mid,Q5,,1,1", "label 'Q5' is no quadrant"},
        {"b.mid,,hapy,,", "did you mean 'happy'"},
        {"b.mid,Q2,,1,-1", "Q2 is low valence and high arousal"},
        {"b.mid,,,,", "neither a label nor valence"},
        {"b.mid,Q1,,1,", "only one of valence and arousal"},
        {"b.mid,Q1,,1.5,0", "'valence' must be a number from -1 to 1"},
        {"b.mid,Q1,,1x,0", "'valence' must be a number from -1 to 1"},
        {"a.mid,Q3,,,", "'a.mid' has two labels, in lines 2 and 3"},
        {"b.mid,Q3,,,,,,", "8 fields, but there are 5 columns"},
        {"x/../../b.mid,Q3,,,", "leaves the dataset's folder"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        snprintf(text, sizeof text, "path,quadrant,label,valence,arousal\na.mid,Q4,,,\n%s\n",
                 cases[i].row);
        put("labels.csv", text);
        tally t = run("midi_emotion", test_dir(), NULL);
        bool twins = strstr(cases[i].row, "a.mid") != NULL;
        EXPECT_INT(t.items, cases[i].says ? !twins : 2);
        EXPECT_INT(t.bad, cases[i].says ? 1 + twins : 0);
        if (cases[i].says)
            EXPECT_HAS(t.first_bad, cases[i].says);
    }
}

static const char *vector(int n, const char *first)
{
    static char text[600];
    int at = snprintf(text, sizeof text, "[%s", first);
    for (int i = 1; i < n; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, ",0.5");
    snprintf(text + at, sizeof text - (size_t)at, "]");
    return text;
}

TEST(readers_pair_midi_with_vectors)
{
    err e = {0};
    reader_item i;
    reader_options o = {.root = test_dir()};
    put("midis/a.mid", "x");
    put("emotion64/a.json", vector(64, "-0.25"));
    put("b.midi", "x");
    put("b.json", vector(64, "1"));
    put("emotion64/gone.json", vector(64, "1"));
    put("about.json", "{\"title\": \"no vector\"}");
    put("midis/c.mid", "x");
    put("midis/d.mid", "x");
    put("midis/d.json", vector(64, "2"));
    put("midis/e.mid", "x");
    put("midis/e.json", "[1");
    tally t = run("midi_emotion", test_dir(), NULL);
    EXPECT_INT(t.items, 2);
    EXPECT_INT(t.vectors, 2);
    EXPECT_INT(t.bad, 4);
    EXPECT_HAS(t.first_bad, "emotion64/gone.json' is an emotion without its MIDI file");
    EXPECT_STR(reader_guess(test_dir())->name, "midi_emotion");
    reader *r = reader_open(reader_find("midi_emotion", &e), &o, &e);
    EXPECT_INT(reader_next(r, &i, &e), READER_ITEM);
    EXPECT_STR(i.path, "b.midi");
    EXPECT_INT(reader_next(r, &i, &e), READER_BAD);
    EXPECT_INT(reader_next(r, &i, &e), READER_ITEM);
    EXPECT_STR(i.path, "midis/a.mid");
    EXPECT_NEAR(i.valence, -0.25, 0);
    EXPECT_NEAR(i.emotion[63], 0.5, 0);
    reader_close(r);
}

// As spreadsheets write them; and what there is where a column is missing.
TEST(readers_take_semicolons_and_spaces)
{
    put("labels.csv", "path;label\nmidi/a.mid;joy\nmidi/b.mid;grief\n");
    EXPECT_INT(run("midi_emotion", test_dir(), NULL).items, 2);
    put("labels.csv",
        "path , label, valence ,arousal\nmidi/a.mid , joy, 0.5 ,0.5\n midi/b.mid,grief,,\n");
    tally t = run("midi_emotion", test_dir(), NULL);
    EXPECT_INT(t.items, 2);
    EXPECT_STR(t.first_path, "midi/a.mid");
    put("labels.csv", "name;label\nmidi/a.mid;joy\n");
    t = run("midi_emotion", test_dir(), NULL);
    EXPECT_HAS(t.end, "has no column 'path");
    EXPECT_HAS(t.end, "it has 'name', 'label'");
    if (file_exists("../shared/data/reports/labels_semicolon.csv"))
        EXPECT_INT(run("midi_emotion", "../shared/data/reports", "labels_semicolon.csv").items, 2);
}

// ---- Through prepare

TEST(readers_leave_a_report_that_is_json_whatever_the_names)
{
    arena a = {0};
    err e = {0};
    env v = {0};
    prepare_report report;
    size_t n = 0;
    config *c = config_open(prepare_table(&a), &a);
    prepare_job job = {.out = test_path("out"), .jobs = 1, .part = 1, .parts = 1};
    put("maestro-v3.0.0.csv", MAESTRO_HEAD "A,B,train,2004,a.midi,\"x\n\xff\"\"\xc3.wav\","
                                           "1\n\"\xff\n\xfe\",B,trian,2004,\xff.midi,b.wav,1\n");
    const char *text = arena_printf(&a, "dataset: maestro\nroot: %s\n", test_dir());
    EXPECT_OK(config_parse(c, text, strlen(text), "test.yaml", &e) && config_finish(c, &e), e);
    EXPECT_ERR(prepare_run(c, &job, &v, &report, &e), e, ERR_VALUE, "rejected.jsonl");
    EXPECT_INT(report.rejected, 2);
    char *p = file_read(&a, test_path("out/rejected.jsonl"), 1 << 20, &n, &e);
    for (char *end; p && (end = strchr(p, '\n')); p = end + 1) {
        json *j = json_parse(p, (size_t)(end - p), &e);
        test_expect(j != NULL, __FILE__, __LINE__, "%s", e.text);
        EXPECT(json_str(json_get(j, "path"), NULL) != NULL);
        json_free(j);
    }
    c = config_open(prepare_table(&a), &a);
    EXPECT_OK(config_parse(c, "dataset: lakh\nroot: x\n", 22, "test.yaml", &e) &&
                  config_finish(c, &e),
              e);
    EXPECT_ERR(prepare_run(c, &job, &v, &report, &e), e, ERR_CONFIG,
               "lakh is MIDI and has no audio");
    arena_free(&a);
}
