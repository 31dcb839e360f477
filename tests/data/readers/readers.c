// SPDX-License-Identifier: GPL-3.0-or-later
// readers.c: the published datasets' layouts, small ones made here and the real ones of ../shared
// where they are.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/file.h"
#include "base/str.h"
#include "data/prepare/prepare.h"
#include "data/readers/reader.h"
#include "tests/data/readers/tally.h"
#include "tests/test.h"

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
    if (tally_no_shared())
        return;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char root[300];
        snprintf(root, sizeof root, SHARED "malformed/datasets/%s", cases[i].folder);
        tally t = tally_run(cases[i].reader, root, NULL);
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
        EXPECT_HAS(tally_run(cases[i].reader, test_dir(), NULL).end, cases[i].says);
        EXPECT_HAS(tally_run(cases[i].reader, test_path("gone"), NULL).end, "gone");
    }
    EXPECT_HAS(tally_run("midi_emotion", test_path("gone"), NULL).end, "gone");
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
    tally t = tally_run("lakh", test_dir(), NULL);
    EXPECT_STR(t.end, "");
    EXPECT_INT(t.items, 5); // Fernando once more by x1
    EXPECT_INT(t.bad, 3);
    EXPECT_STR(t.first_path, "clean_midi/A \"B\"\n\xff\xfe/a\nb\"\xc3.MID");
    EXPECT_STR(t.first_group, "A \"B\"\n\xff\xfe");
    EXPECT_HAS(t.first_bad, "symbolic link back to a folder that it is in");
    EXPECT_INT(t.grouped, 3);
    EXPECT_INT(tally_run("lakh", test_path("clean_midi"), NULL).grouped, 2);
    EXPECT_INT(tally_run("lakh", test_path("clean_midi/"), NULL).grouped, 2);
    EXPECT_HAS(tally_run("lakh", test_dir(), "lmd_aligned").end, "check `root` and `index`");
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
    tally t = tally_run("lakh", test_dir(), NULL);
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
    tally t = tally_run("maestro", test_path("csv"), NULL);
    EXPECT_INT(t.items, 1);
    EXPECT_STR(t.first_group, "Bach, J. S.: Fugue \"in\"\nC");
    EXPECT_INT(t.split[0], 1);
    EXPECT_HAS(t.first_bad, "line 4: path '../a.midi' leaves");
    t = tally_run("maestro", test_path("v1"), NULL);
    EXPECT_INT(t.items, 1);
    EXPECT_INT(t.split[2], 1);
    EXPECT_HAS(t.first_bad, "entry 2: the entry is not a JSON object");
    t = tally_run("maestro", test_path("v3"), NULL);
    EXPECT_INT(t.items, 1);
    EXPECT_INT(t.split[1], 1);
    EXPECT_HAS(t.first_bad, "entry 2: there is no 'canonical_title'");
    put("v3/list.json", "3");
    EXPECT_HAS(tally_run("maestro", test_path("v3"), "list.json").end, "neither a list");
    EXPECT_HAS(tally_run("maestro", test_path("v3"), "list.txt").end, "check `index`");
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
        tally t = tally_run("nsynth", test_dir(), NULL);
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
        EXPECT_HAS(tally_run("nsynth", test_dir(), NULL).end, "line 1: ");
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
        tally t = tally_run("midi_emotion", test_dir(), NULL);
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
    tally t = tally_run("midi_emotion", test_dir(), NULL);
    EXPECT_INT(t.items, 2);
    EXPECT_INT(t.vectors, 2);
    EXPECT_INT(t.bad, 4);
    EXPECT_HAS(t.first_bad, "emotion64/gone.json' is an emotion without its MIDI file");
    EXPECT_STR(reader_guess(test_dir())->name, "midi_emotion");
    reader *r = reader_open(reader_find("midi_emotion", &e), &o, &e);
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    EXPECT_STR(i.path, "b.midi");
    EXPECT_INT(reader_next(r, &i, &e), PULL_BAD);
    EXPECT_INT(reader_next(r, &i, &e), PULL_ONE);
    EXPECT_STR(i.path, "midis/a.mid");
    EXPECT_NEAR(i.valence, -0.25, 0);
    EXPECT_NEAR(i.emotion[63], 0.5, 0);
    reader_close(r);
}

// As spreadsheets write them; and what there is where a column is missing.
TEST(readers_take_semicolons_and_spaces)
{
    put("labels.csv", "path;label\nmidi/a.mid;joy\nmidi/b.mid;grief\n");
    EXPECT_INT(tally_run("midi_emotion", test_dir(), NULL).items, 2);
    put("labels.csv",
        "path , label, valence ,arousal\nmidi/a.mid , joy, 0.5 ,0.5\n midi/b.mid,grief,,\n");
    tally t = tally_run("midi_emotion", test_dir(), NULL);
    EXPECT_INT(t.items, 2);
    EXPECT_STR(t.first_path, "midi/a.mid");
    put("labels.csv", "name;label\nmidi/a.mid;joy\n");
    t = tally_run("midi_emotion", test_dir(), NULL);
    EXPECT_HAS(t.end, "has no column 'path");
    EXPECT_HAS(t.end, "it has 'name', 'label'");
    if (file_exists("../shared/data/reports/labels_semicolon.csv"))
        EXPECT_INT(
            tally_run("midi_emotion", "../shared/data/reports", "labels_semicolon.csv").items, 2);
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
