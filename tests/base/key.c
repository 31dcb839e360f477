// SPDX-License-Identifier: GPL-3.0-or-later
// key.c (tests): values of every type go where their rows say, and nothing else does.
#include "base/key.h"

#include <string.h>

#include "base/config.h"
#include "base/setting.h"
#include "tests/test.h"

typedef enum colour { RED, GREEN, BLUE } colour;
typedef struct all_types {
    bool yes;
    int small;
    colour colour;
    int64_t large, bits;
    uint64_t bytes, seed;
    float single, pair[2];
    double wide, range[2], whole_as_wide, seconds;
    int semitones[2];
    const char *text, *word;
    key_texts names;
    key_choice list, expression;
    key_map map;
    key_names words;
    int untouched;
} all_types;

#define AT(member) KEY_AT(all_types, member)
static const config_key keys[] = {
    {"a", CONFIG_SECTION, .help = "All types", .resumable = true},
    {"a.yes", CONFIG_BOOL, NULL, AT(yes), .help = "-"},
    {"a.small", CONFIG_INT, "-7", -10, 10, AT(small), .help = "-"},
    {"a.colour", CONFIG_ENUM, NULL, AT(colour), .choices = "red|green|blue", .help = "-"},
    {"a.large", CONFIG_INT, NULL, AT(large), .help = "-"},
    {"a.bits", CONFIG_NUMBERS, NULL, 0, 62, AT(bits), .help = "-"},
    {"a.bytes", CONFIG_BYTES, NULL, AT(bytes), .help = "-"},
    {"a.seed", CONFIG_INT, NULL, 0, 1e15, AT(seed), .help = "-"},
    {"a.single", CONFIG_NUMBER, NULL, AT(single), .help = "-"},
    {"a.pair", CONFIG_NUMBERS, NULL, .least = 2, .most = 2, AT(pair[0]), .help = "-"},
    {"b", CONFIG_SECTION, .help = "More"},
    {"b.wide", CONFIG_NUMBER, NULL, AT(wide), .help = "-"},
    {"b.range", CONFIG_NUMBERS, NULL, .least = 2, .most = 2, .range = true, AT(range), .help = "-"},
    {"b.whole_as_wide", CONFIG_INT, NULL, AT(whole_as_wide), .help = "-"},
    {"b.seconds", CONFIG_SECONDS, NULL, AT(seconds), .resumable = true, .help = "-"},
    {"b.semitones", CONFIG_NUMBERS, NULL, .least = 2, .most = 2, AT(semitones), .help = "-"},
    {"b.text", CONFIG_TEXT, NULL, AT(text), .help = "-"},
    {"b.word", CONFIG_ENUM, NULL, AT(word), .choices = "one|two", .help = "-"},
};
static const config_key behind[] = {
    {"c", CONFIG_SECTION, .help = "Rows of others"},
    {"c.names", CONFIG_TEXTS, NULL, AT(names), .help = "-"},
    {"c.list", CONFIG_TEXTS, NULL, AT(list), .help = "-"},
    {"c.expression", CONFIG_TEXTS, NULL, AT(expression), .help = "-"},
    {"c.map", CONFIG_MAP, NULL, AT(map), .help = "-"},
    {"c.words", CONFIG_NAMES, NULL, AT(words), .help = "-"},
    {"c.nowhere", CONFIG_INT, "5", .help = "-"},
};
enum { KEYS = sizeof keys / sizeof *keys, BEHIND = sizeof behind / sizeof *behind };

// An empty part in the middle is passed over.
static bool more(size_t part, config_rows *rows)
{
    *rows = part ? (config_rows){behind, BEHIND} : (config_rows){0};
    return part < 2;
}
static const config_table table = {.what = "testing", .keys = keys, .n = KEYS, .more = more};

static bool fill(config *c, const char *text, all_types *s, err *e)
{
    return config_parse(c, text, strlen(text), "x.yaml", e) && config_fill(c, keys, KEYS, s, e) &&
           config_fill(c, behind, BEHIND, s, e);
}

TEST(key_values_go_where_their_rows_say)
{
    static const char text[] =
        "a: {yes: true, colour: blue, large: 9007199254740993, bits: [0, 2, 62], bytes: 6GiB,\n"
        "    seed: 1e15, single: 0.1, pair: [0.9, 0.999]}\n"
        "b: {wide: 0.1, range: [-1, 2], whole_as_wide: 3, seconds: 90m, semitones: [-5, 6],\n"
        "    text: a b, word: two}\n"
        "c: {names: one, list: [x, y], expression: x|y, map: {q: 1.5, k: 2},\n"
        "    words: {anger: ANGRY, 'a b': C/D}}\n";
    arena a = {0};
    err e = {0};
    all_types s = {.untouched = 99, .bits = -1};
    EXPECT_OK(fill(config_open(&table, &a), text, &s, &e), e);
    EXPECT(s.yes && s.small == -7 && s.colour == BLUE && s.large == 9007199254740993);
    EXPECT(s.bits == (1 | 1 << 2 | (int64_t)1 << 62) && s.bytes == 6ull << 30);
    EXPECT(s.seed == 1000000000000000 && s.single == 0.1f && s.pair[0] == 0.9f &&
           s.pair[1] == 0.999f);
    EXPECT(s.wide == 0.1 && s.range[0] == -1 && s.range[1] == 2 && s.whole_as_wide == 3);
    EXPECT(s.seconds == 5400 && s.semitones[0] == -5 && s.semitones[1] == 6);
    EXPECT_STR(s.text, "a b");
    EXPECT_STR(s.word, "two");
    EXPECT(s.names.n == 1 && !strcmp(s.names.list[0], "one"));
    EXPECT(s.list.names.n == 2 && !s.list.regex && !strcmp(s.list.names.list[1], "y"));
    EXPECT(s.expression.names.n == 0 && !strcmp(s.expression.regex, "x|y"));
    EXPECT(s.map.n == 2 && !strcmp(s.map.keys[1], "k") && s.map.values[0] == 1.5);
    EXPECT(s.words.n == 2 && !strcmp(s.words.keys[1], "a b") && !strcmp(s.words.values[1], "C/D"));
    EXPECT_INT(s.untouched, 99);
    arena_free(&a);
}

TEST(key_what_is_not_given_stays_as_it_is)
{
    arena a = {0};
    err e = {0};
    all_types s = {.wide = 4.5, .text = "kept", .colour = GREEN, .semitones = {1, 2}};
    EXPECT_OK(fill(config_open(&table, &a), "a: {small: 3}\n", &s, &e), e);
    EXPECT(s.small == 3 && s.wide == 4.5 && s.colour == GREEN && s.semitones[1] == 2);
    EXPECT_STR(s.text, "kept");
    EXPECT_ERR(fill(config_open(&table, &a), "b:\n  range: [2, 1]\n", &s, &e), e, ERR_CONFIG,
               "x.yaml:2:3: 'b.range' is [lowest, highest], not [2, 1]");
    EXPECT_ERR(fill(config_open(&table, &a), "c:\n  words: {a: b, a: c}\n", &s, &e), e, ERR_CONFIG,
               "'a' is given twice in 'c.words'");
    EXPECT_ERR(fill(config_open(&table, &a), "c:\n  words: [a]\n", &s, &e), e, ERR_CONFIG,
               "'c.words' must be a map of names to texts, not a list");
    EXPECT_ERR(fill(config_open(&table, &a), "c:\n  words: {a: null}\n", &s, &e), e, ERR_CONFIG,
               "'c.words' must be a map of names to texts, not 'null'");
    arena_free(&a);
}

TEST(key_rows_of_others_are_keys_as_the_first_are)
{
    arena a = {0};
    err e = {0};
    EXPECT(config_at(&table, KEYS) == behind && !config_at(&table, KEYS + BEHIND));
    EXPECT(config_key_of(&table, "c.nowhere") == &behind[6]);
    config *c = config_open(&table, &a);
    EXPECT_INT(config_int(c, "c.nowhere"), 5);
    EXPECT_ERR(config_override(c, "c.nowere=1", &e), e, ERR_CONFIG, "did you mean 'c.nowhere'?");
    EXPECT_STR(config_meant(&table, "nowhere", false, 0), "c.nowhere");
    strbuf out = {0};
    config_print(c, &out);
    EXPECT_HAS(out.s, "c:\n  names: null\n");
    strbuf_free(&out);
    arena_free(&a);
}

TEST(key_may_be_resumable_by_itself_or_by_its_section)
{
    EXPECT(config_resumable(&table, config_key_of(&table, "a.small")));
    EXPECT(config_resumable(&table, config_key_of(&table, "b.seconds")));
    EXPECT(!config_resumable(&table, config_key_of(&table, "b.wide")));
    EXPECT(!config_resumable(&table, config_key_of(&table, "c.map")));
}

TEST(key_choices_are_counted_and_found)
{
    int n;
    EXPECT_INT(key_choices("adamw|adam|sgd"), 3);
    EXPECT_INT(key_choice_index("adamw|adam|sgd", "adam"), 1);
    EXPECT_INT(key_choice_index("adamw|adam|sgd", "ada"), -1);
    EXPECT_INT(key_choice_index("adamw|adam|sgd", "sgdx"), -1);
    EXPECT_INT(key_choice_index("adamw|adam|sgd", ""), -1);
    EXPECT(!strncmp(key_choice_at("adamw|adam|sgd", 2, &n), "sgd", 3) && n == 3);
}

TEST(key_settings_as_text_and_back)
{
    static const char line[] = "small=-3 colour=green large=0 bits=1,5";
    const config_key *row[] = {&keys[2], &keys[3], &keys[4], &keys[5]};
    all_types s = {.small = -3, .colour = GREEN, .bits = 1 << 1 | 1 << 5}, t = {0};
    strbuf out = {0};
    err e = {0};
    setting_line(&keys[2], 4, &s, &out);
    EXPECT_STR(out.s, line);
    for (int i = 0; i < 4; i++) {
        out.len = 0;
        setting_print(row[i], &s, &out);
        bool any = row[i]->max > row[i]->min || row[i]->type == CONFIG_ENUM;
        EXPECT(!any || setting_parse(row[i], &t, out.s, &e));
    }
    EXPECT(t.small == -3 && t.colour == GREEN && t.bits == s.bits);
    EXPECT_ERR(setting_parse(&keys[5], &t, "1,63", &e), e, ERR_CONFIG, "bits: '1,63' is not");
    EXPECT_ERR(setting_parse(&keys[5], &t, "1,", &e), e, ERR_CONFIG, "is not numbers from 0 to 62");
    EXPECT(setting_parse(&keys[5], &t, "", &e) && t.bits == 0);
    strbuf_free(&out);
}
