// SPDX-License-Identifier: GPL-3.0-or-later
// groups.c (tests): the models of several groups by the program, from an index to answers: notes,
// and emotions of three depths; what is said, what was not trained, and what is refused.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/audio/clip.h"
#include "tests/test.h"

enum { RATE = 16000, SAMPLES = RATE / 2, ITEMS = 24 };

// A tone with overtones that comes and stays, or without that dies away; its loudness and its
// fields follow `k`.
static void put_note(int k, strbuf *index)
{
    static float x[SAMPLES];
    err e = {0};
    bool reed = k % 2;
    int pitch = 40 + 3 * (k % 12), velocity = k % 3 ? 30 : 120;
    double hz = 440 * exp2((pitch - 69) / 12.0), loud = velocity / 254.0;
    for (int i = 0; i < SAMPLES; i++) {
        double w = 2 * M_PI * hz * i / RATE;
        x[i] = (float)(loud * (reed ? fmin(20.0 * i / RATE, 1) *
                                          (0.5 * sin(w) + 0.3 * sin(3 * w) + 0.2 * sin(5 * w))
                                    : sin(w) * exp(-12.0 * i / RATE)));
    }
    char name[16];
    snprintf(name, sizeof name, "%02d.wav", k);
    EXPECT_OK(clip_write_wav(test_path(name), x, SAMPLES, RATE, &e), e);
    strbuf_printf(index,
                  "{\"path\": \"%s\", \"label\": \"%s\", \"group\": \"g%d\", \"split\": \"%s\", "
                  "\"instrument_family_str\": \"%s\", \"instrument_source_str\": \"acoustic\", "
                  "\"pitch\": %d, \"velocity\": %d}\n",
                  name, reed ? "sadness" : "anger", k, k < ITEMS - 6 ? "train" : "valid",
                  reed ? "reed" : "mallet", pitch, velocity);
}

static void put_notes(void)
{
    strbuf index = {0};
    err e = {0};
    for (int k = 0; k < ITEMS; k++)
        put_note(k, &index);
    EXPECT_OK(file_write(test_path("manifest.jsonl"), index.s, index.len, &e), e);
    strbuf_free(&index);
}

#define SMALL "bands: 32, frames: 32, width: 4"

// Prepared, trained at a small size, and asked about the last note.
static void make(const char *config, const char *model, const char *sizes, const char *targets,
                 const char **out)
{
    char dir[1000];
    snprintf(dir, sizeof dir, "%s", test_dir());
    EXPECT_INT(test_shell(out,
                          "%s prepare configs/data/audio_manifest.yaml -q --out %s/shards root=%s "
                          "'mel={n_mels: 32, n_fft: 512, hop_length: 256}' 'targets=%s' 2>&1",
                          test_kmidi(), dir, dir, targets),
               0);
    EXPECT_INT(test_shell(out,
                          "SHARDS=%s/shards %s train configs/%s.yaml -q --run-dir %s/run '%s=%s' "
                          "train.epochs=30 schedule.warmup_epochs=1 optim.lr=3e-3 "
                          "train.batch_size=6 train.early_stopping.patience=null train.threads=1 "
                          "data.augment.freq_width=4 data.augment.time_width=4 train.seed=1 2>&1",
                          dir, test_kmidi(), config, dir, model, sizes),
               0);
    EXPECT_INT(
        test_shell(out, "%s predict %s/run %s/23.wav --json 2>/dev/null", test_kmidi(), dir, dir),
        0);
}

static const char *text_at(const json *j, const char *section, const char *name)
{
    return json_str(json_get(json_get(j, section), name), NULL);
}

static bool listed(const json *list, const char *name)
{
    for (size_t i = 0; i < json_len(list); i++)
        if (!strcmp(json_str(json_at(list, i), ""), name))
            return true;
    return false;
}

TEST(groups_of_a_note_are_predicted)
{
    const char *out;
    err e = {0};
    put_notes();
    make("instrument_recognizer", "instrument", "{" SMALL "}", "{set: instrument}", &out);
    json *j = json_parse(out, strcspn(out, "\n"), &e);
    EXPECT_OK(j != NULL, e);
    EXPECT_STR(text_at(j, "technical", "instrument_family"), "woodwind_reed");
    EXPECT_STR(text_at(j, "technical", "instrument_specific"), "reed_acoustic");
    double sure = json_num(json_get(json_get(j, "technical"), "instrument_family_confidence"), NAN);
    EXPECT(sure > 0.5 && sure <= 1);
    const json *top = json_get(json_get(j, "technical"), "instrument_family_top");
    EXPECT_INT(json_len(top), 3);
    EXPECT_STR(json_str(json_get(json_at(top, 0), "name"), ""), "woodwind_reed");
    EXPECT(json_type(json_get(json_get(j, "technical"), "technique")) == JSON_NULL);
    EXPECT(json_type(json_get(json_get(json_get(j, "emotional"), "sentiment"), "valence")) ==
           JSON_NULL);
    EXPECT(listed(json_get(j, "not_trained"), "technique") &&
           listed(json_get(j, "not_trained"), "genre") &&
           !listed(json_get(j, "not_trained"), "register"));
    json_free(j);
    EXPECT_INT(
        test_shell(&out, "%s predict %s/run %s/23.wav 2>&1", test_kmidi(), test_dir(), test_dir()),
        0);
    EXPECT_HAS(out, "23.wav: family woodwind_reed (");
    EXPECT_HAS(out, "; not trained: technique, articulation, style, energy, role, valence, "
                    "arousal, human_feel, vibrato, genre\n");
    EXPECT_INT(test_shell(&out, "%s eval %s/run --data '%s/shards/valid-*.h5' 2>&1", test_kmidi(),
                          test_dir(), test_dir()),
               0);
    EXPECT_HAS(out, "\ngroup               items   accuracy        uar   baseline\nfamily  ");
    EXPECT_HAS(out, "\nwoodwind_reed               3  woodwind_reed 3\n");
    EXPECT(!strstr(out, "rounded"));
    EXPECT_INT(test_shell(&out, "%s eval %s/run --data '%s/shards/valid-*.h5' --precision int8",
                          test_kmidi(), test_dir(), test_dir()),
               0);
    EXPECT_HAS(out, " items, weights rounded to int8\n");
    EXPECT_INT(test_shell(&out,
                          "%s eval %s/run --data '%s/shards/valid-*.h5' --precision bf16 --json",
                          test_kmidi(), test_dir(), test_dir()),
               0);
    EXPECT_HAS(out, "\"precision\": \"bf16\"");
}

TEST(groups_of_emotions_are_predicted)
{
    const char *out;
    err e = {0};
    put_notes();
    make("emotion_node_classifier", "nodes", "{" SMALL "}",
         "{set: emotion_nodes, map: {anger: ANGRY, sadness: DISGUST/BOREDOM}}", &out);
    json *j = json_parse(out, strcspn(out, "\n"), &e);
    EXPECT_OK(j != NULL, e);
    EXPECT_STR(text_at(j, "base", "name"), "DISGUST");
    EXPECT_STR(text_at(j, "base", "id"), "VI");
    const json *top = json_get(json_get(j, "base"), "name_top");
    EXPECT_STR(json_str(json_get(json_at(top, 0), "id"), ""), "VI");
    EXPECT(json_type(json_get(json_get(j, "node"), "id")) == JSON_NULL);
    EXPECT(json_type(json_get(json_get(j, "node"), "name")) == JSON_NULL);
    // one sub of one emotion is nothing to tell apart
    EXPECT(listed(json_get(j, "not_trained"), "sub") &&
           listed(json_get(j, "not_trained"), "node") &&
           !listed(json_get(j, "not_trained"), "base"));
    json_free(j);
    // the emotion recogniser's shards do not teach it, and say what would
    EXPECT_INT(test_shell(&out,
                          "%s prepare configs/data/audio_manifest.yaml -q --out %s/plain root=%s "
                          "mel.n_mels=32 && SHARDS=%s/plain %s train "
                          "configs/emotion_node_classifier.yaml 'nodes={" SMALL "}' 2>&1",
                          test_kmidi(), test_dir(), test_dir(), test_dir(), test_kmidi()),
               1);
    EXPECT_HAS(out,
               "has no classes of 'base', 'sub', 'node', which emotion_node_classifier learns; "
               "prepare it with targets.set=emotion_nodes");
}
