// SPDX-License-Identifier: GPL-3.0-or-later
// match.c: which layers a configuration finds, with which rank and scale; and what is said of one
// that finds none. The rules are PEFT's, whose own answers adapter.c holds.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lora/lora.h"
#include "tests/test.h"

static lora_config simple(const char *const *names, size_t n)
{
    return (lora_config){.r = 8, .alpha = 16, .together = true, .targets.names = {names, n}};
}

static const char *found(const lora_config *c, const char *model, arena *a)
{
    err e = {0};
    strbuf text = {0};
    const adapters *l = lora_match(c, model_find(model), false, a, &e);
    for (int i = 0; l && i < l->n; i++)
        strbuf_printf(&text, "%s%s", i ? " " : "", l->site[i].weight);
    const char *out = l ? arena_strdup(a, text.s ? text.s : "") : "";
    strbuf_free(&text);
    return out;
}

static const char *names_find(const char *model, const char *const *names, size_t n, arena *a)
{
    lora_config c = simple(names, n);
    return found(&c, model, a);
}
#define NAMES(model, ...)                                                                          \
    names_find(model, (const char *const[]){__VA_ARGS__},                                          \
               sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), &a)

static const char *regex_finds(const char *model, const char *regex, arena *a)
{
    lora_config c = simple(NULL, 0);
    c.targets.regex = regex;
    return found(&c, model, a);
}

TEST(lora_names_and_expressions_find_layers_as_in_peft)
{
    arena a = {0};
    const char *melody = "melody_transformer";
    EXPECT_STR(NAMES(melody, "fc1", "fc3"), "fc1.weight fc3.weight");
    EXPECT_STR(NAMES(melody, "c1"), ""); // a suffix begins behind a dot
    EXPECT_STR(NAMES(melody, "weight_ih_l0"), "lstm.weight_ih_l0");
    EXPECT_STR(NAMES(melody, "lstm.weight_hh_l0", "fc2"), "lstm.weight_hh_l0 fc2.weight");
    EXPECT_STR(NAMES(melody, "lstm"), "");
    EXPECT_STR(regex_finds(melody, "fc[12]", &a), "fc1.weight fc2.weight");
    EXPECT_STR(regex_finds(melody, "fc", &a), ""); // the whole path
    EXPECT_STR(regex_finds(melody, "(?:.*\\.)?(fc3|weight_ih_l\\d)", &a),
               "lstm.weight_ih_l0 fc3.weight");
    EXPECT_STR(regex_finds(melody, "fc1|fc2x", &a), "fc1.weight");
    arena_free(&a);
}

TEST(lora_all_linear_leaves_the_output_head)
{
    arena a = {0};
    lora_config c = simple(NULL, 0);
    c.targets.regex = "all-linear", c.all_linear = true;
    EXPECT_STR(found(&c, "melody_transformer", &a), "fc1.weight fc2.weight");
    EXPECT_STR(found(&c, "harmony_predictor", &a), "fc1.weight fc2.weight");
    arena_free(&a);
}

TEST(lora_excluded_and_saved_modules_are_no_targets)
{
    arena a = {0};
    err e = {0};
    lora_config c = simple((const char *const[]){"fc1", "fc2", "fc3"}, 3);
    c.exclude.regex = "fc2";
    c.save = (lora_names){(const char *const[]){"fc3"}, 1};
    EXPECT_STR(found(&c, "melody_transformer", &a), "fc1.weight");
    const adapters *l = lora_match(&c, model_find("melody_transformer"), true, &a, &e);
    EXPECT_OK(l != NULL, e);
    EXPECT_INT(l ? l->n_whole : 0, 2);
    EXPECT_STR(l ? l->whole[0] : "", "fc3.weight");
    EXPECT_STR(l ? l->whole[1] : "", "fc3.bias");
    arena_free(&a);
}

TEST(lora_ranks_and_alphas_by_the_first_pattern_that_fits)
{
    arena a = {0};
    err e = {0};
    lora_config c = simple((const char *const[]){"fc1", "fc2", "fc3"}, 3);
    c.ranks = (lora_pattern){(const char *const[]){"fc[12]", "fc2"}, (const double[]){4, 2}, 2};
    // "c3" is no part of a path
    c.alphas = (lora_pattern){(const char *const[]){"c3", "fc3"}, (const double[]){1, 32}, 2};
    const adapters *l = lora_match(&c, model_find("melody_transformer"), false, &a, &e);
    EXPECT_OK(l && l->n == 3, e);
    if (l && l->n == 3) {
        EXPECT_INT(l->site[0].rank, 4);
        EXPECT_INT(l->site[1].rank, 4);
        EXPECT_INT(l->site[2].rank, 8);
        EXPECT_NEAR(l->site[0].scale, 4, 0);
        EXPECT_NEAR(l->site[2].scale, 4, 0);
    }
    c.rslora = true;
    l = lora_match(&c, model_find("melody_transformer"), false, &a, &e);
    EXPECT_NEAR(l ? l->site[2].scale : 0, 32 / sqrt(8), 1e-6);
    arena_free(&a);
}

TEST(lora_says_what_a_target_that_matches_nothing_could_have_been)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("melody_transformer");
    lora_config c = simple((const char *const[]){"fc1", "fcc2"}, 2);
    EXPECT_ERR(lora_match(&c, m, true, &a, &e) != NULL, e, ERR_VALUE,
               "target_modules: 'fcc2' matches no layer of melody_transformer; did you mean "
               "'fc2'?; there are fc1, lstm.weight_ih_l0, "
               "lstm.weight_hh_l0, fc2, fc3");
    c = simple((const char *const[]){"q_proj"}, 1);
    EXPECT_ERR(lora_match(&c, m, false, &a, &e) != NULL, e, ERR_VALUE,
               "matches no layer of melody_transformer");
    c = simple((const char *const[]){"fc1"}, 1);
    c.save = (lora_names){(const char *const[]){"head"}, 1};
    EXPECT_ERR(lora_match(&c, m, true, &a, &e) != NULL, e, ERR_VALUE,
               "modules_to_save: 'head' matches no layer");
    c = simple(NULL, 0), c.targets.regex = "fc(";
    EXPECT_ERR(lora_match(&c, m, true, &a, &e) != NULL, e, ERR_VALUE,
               "'fc(' is no regular expression: missing closing parenthesis");
    c.targets.regex = "((\\w|\\.)+)+[!?]";
    EXPECT_ERR(lora_match(&c, m, true, &a, &e) != NULL, e, ERR_VALUE, "in reasonable time");
    c = simple((const char *const[]){"fc1"}, 1), c.r = 4097;
    EXPECT_ERR(lora_match(&c, m, true, &a, &e) != NULL, e, ERR_VALUE,
               "a rank of 4097 does not fit 'fc1': whole numbers from 1 to 4096 do");
    c.r = 65; // more than its 64 inputs, as PEFT takes it
    EXPECT_OK(lora_match(&c, m, true, &a, &e) != NULL, e);
    arena_free(&a);
}

static bool says(const char *model, lora_config c, const char *part)
{
    arena a = {0};
    err e = {0};
    const adapters *l = lora_match(&c, model_find(model), true, &a, &e);
    bool ok = !l && e.code == ERR_VALUE && strstr(e.text, part);
    if (!ok)
        printf("%s instead of %s\n", e.text, part);
    arena_free(&a);
    return ok;
}

TEST(lora_choices_that_change_nothing_are_errors_with_what_there_is)
{
    static const char *const fc[] = {"fc1", "fc2"}, *const q[] = {"q_proj"},
                             *const cross[] = {"cross_attn.q_proj"}, *const far[] = {"fc9"};
    static const char *const lyers[] = {"lyers"}, *const fc3[] = {"fc3"},
                             *const layers[] = {"layers"};
    static const double one[] = {1}, last[] = {8}, below[] = {-1}, odd[] = {0, 1};
    const char *melody = "melody_transformer", *long_one = "emotion_midi_transformer";
    lora_config c = simple(fc, 2), t = simple(q, 1);
    c.exclude.names = (lora_names){far, 1};
    EXPECT(says(melody, c,
                "exclude_modules: 'fc9' matches no layer of melody_transformer; did you mean "
                "'fc1'?; there are fc1, lstm"));
    c.exclude = (lora_choice){.regex = "fc[4-6]"};
    EXPECT(says(melody, c, "exclude_modules: the expression 'fc[4-6]' matches no layer"));
    c = simple(fc, 2), c.ranks = (lora_pattern){fc3, one, 1};
    EXPECT(says(
        melody, c,
        "rank_pattern: 'fc3' matches none of the targets; did you mean 'fc1'?; they are fc1, fc2"));
    c = simple(fc, 2), c.alphas = (lora_pattern){far, one, 1};
    EXPECT(says(melody, c, "alpha_pattern: 'fc9' matches none of the targets"));
    c = simple(fc, 2), c.layers = one, c.n_layers = 1;
    EXPECT(says(melody, c,
                "layers_to_transform counts numbered layers, and melody_transformer has none"));
    t.layers = last, t.n_layers = 1;
    // by PEFT's own guess
    EXPECT(
        says(long_one, t,
             "layers_to_transform counts numbered layers, and emotion_midi_transformer has none"));
    t.layers_pattern = (lora_names){layers, 1};
    EXPECT(says(long_one, t,
                "layers_to_transform: emotion_midi_transformer has no layer 8; there are 0 to 7"));
    t.layers = below;
    EXPECT(says(long_one, t, "has no layer -1; there are 0 to 7"));
    t.layers = one, t.layers_pattern = (lora_names){lyers, 1};
    EXPECT(says(long_one, t, "layers_pattern: 'lyers' matches no layer"));
    t = simple(cross, 1), t.layers = odd, t.n_layers = 2,
    t.layers_pattern = (lora_names){layers, 1};
    EXPECT(says(
        long_one, t,
        "layers_to_transform: layer 1 of emotion_midi_transformer has none of the target_modules"));
    t = simple(NULL, 0), t.targets.regex = ".*q_proj", t.layers = one, t.n_layers = 1;
    EXPECT(says(long_one, t,
                "layers_to_transform counts for a list of names, and target_modules is one text "
                "('.*q_proj')"));
    t.targets.regex = "all-linear", t.all_linear = true;
    EXPECT(says(long_one, t, "one text ('all-linear')"));
}

TEST(lora_matrices_are_excluded_and_saved_as_layers_are)
{
    arena a = {0};
    lora_config c = simple(NULL, 0);
    c.targets.regex = ".*", c.exclude.regex = "lstm\\..*";
    EXPECT_STR(found(&c, "melody_transformer", &a), "fc1.weight fc2.weight fc3.weight");
    c.exclude.regex = NULL, c.save = (lora_names){(const char *const[]){"lstm"}, 1};
    EXPECT_STR(found(&c, "melody_transformer", &a), "fc1.weight fc2.weight fc3.weight");
    arena_free(&a);
}

// What PEFT would do with a configuration of its own (not `together`).
TEST(lora_parameters_may_be_weights_of_linear_layers)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("melody_transformer");
    lora_config c = {
        .r = 2, .alpha = 2, .parameters = {(const char *const[]){"fc1.weight", "weight_hh_l0"}, 2}};
    // patterns see the parameter's path
    c.ranks = (lora_pattern){(const char *const[]){"fc1", "fc1.weight"}, (const double[]){7, 3}, 2};
    EXPECT_STR(found(&c, "melody_transformer", &a), "fc1.weight lstm.weight_hh_l0");
    const adapters *l = lora_match(&c, m, false, &a, &e);
    EXPECT_INT(l && l->n ? l->site[0].rank : 0, 3);
    c.dropout = 0.1;
    EXPECT_ERR(lora_match(&c, m, false, &a, &e) != NULL, e, ERR_VALUE,
               "there is no lora_dropout beside target_parameters ('fc1.weight')");
    c.dropout = 0, c.targets.names = (lora_names){(const char *const[]){"fc1"}, 1};
    EXPECT_ERR(lora_match(&c, m, false, &a, &e) != NULL, e, ERR_VALUE,
               "'fc1' is named by target_modules and, as 'fc1.weight', by target_para");
    c.targets.names = (lora_names){(const char *const[]){"fc2", "lstm"}, 2};
    EXPECT_ERR(lora_match(&c, m, false, &a, &e) != NULL, e, ERR_VALUE,
               "target_modules fit 'lstm' of melody_transformer, which is no linear");
    c.targets.names.n = 1, c.parameters = (lora_names){(const char *const[]){"fc1.bias"}, 1};
    EXPECT_ERR(lora_match(&c, m, false, &a, &e) != NULL, e, ERR_VALUE,
               "'fc1.bias' of melody_transformer is no matrix");
    arena_free(&a);
}
