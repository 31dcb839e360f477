// SPDX-License-Identifier: GPL-3.0-or-later
// JSON: strictness, places in messages, shortest numbers, and the public suite of JSON cases where
// it is there.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "tests/test.h"

static json *parse(const char *text, err *e)
{
    return json_parse(text, strlen(text), e);
}

TEST(json_reads_values)
{
    err e = {0};
    json *j =
        parse("{\"a\": [1, 2.5, \"x\", true, null, -3], \"b\": {\"c\": 7e0}, \"d\": 3.5}", &e);
    EXPECT_INT(json_type(j), JSON_OBJECT);
    const json *a = json_get(j, "a");
    EXPECT_INT(json_len(a), 6);
    EXPECT_INT(json_int(json_at(a, 0), 9), 1);
    EXPECT_NEAR(json_num(json_at(a, 1), 9), 2.5, 0);
    EXPECT_STR(json_str(json_at(a, 2), "none"), "x");
    EXPECT(json_bool(json_at(a, 3), false));
    EXPECT_INT(json_type(json_at(a, 4)), JSON_NULL);
    EXPECT_INT(json_int(json_at(a, 5), 9), -3);
    EXPECT_INT(json_type(json_at(a, 6)), JSON_NONE);
    EXPECT_INT(json_int(json_get(json_get(j, "b"), "c"), 9), 7);
    EXPECT_INT(json_int(json_get(j, "d"), 9), 9);
    EXPECT_STR(json_str(json_get(json_get(json_get(j, "no"), "such"), "key"), "none"), "none");
    EXPECT_INT(json_len(NULL), 0);
    const char *keys[3];
    int n = 0;
    for (void *it = json_first(j); it; it = json_next(j, it))
        keys[n++] = json_key(it);
    EXPECT_INT(n, 3);
    EXPECT_STR(keys[0], "a");
    EXPECT_STR(keys[2], "d");
    json_free(j);
    json_free(NULL);
}

TEST(json_refuses_with_line_and_column)
{
    static const struct {
        const char *text, *part;
    } bad[] = {{"", "line 1 column 0"},
               {"{\"a\": 1,\n \"b\": NaN}", "line 2 column"},
               {"[1] x", "line 1 column 5"},
               {"{\"a\":1, \"a\":2}", "dup"},
               {"[1,]", "line 1 column 4"},
               {"[Infinity]", "line 1"},
               {"[01]", "line 1"},
               {"['a']", "line 1"},
               {"[\"\xff\"]", "0xff"},
               {"[1e999]", "overflow"},
               {"{\"a\" 1}", "line 1 column 6"},
               {"[123456789012345678901234567890]", "too big"}};
    err e = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EXPECT_ERR(parse(bad[i].text, &e) != NULL, e, ERR_FORMAT, bad[i].part);
}

TEST(json_bounds_depth)
{
    enum { MOST = 256 };
    char text[200001];
    err e = {0};
    memset(text, '[', MOST), memset(text + MOST, ']', MOST);
    json *j = json_parse(text, 2 * MOST, &e);
    EXPECT(j != NULL);
    json_free(j);
    memset(text, '[', 200000);
    EXPECT_ERR(json_parse(text, 200000, &e) != NULL, e, ERR_FORMAT,
               "line 1 column 257: JSON is nested deeper than 256");
    j = parse("[\"[[[[\\\"[[[\", \"\\\\\", {\"[\": 1}]", &e); // brackets in texts do not count
    EXPECT(j != NULL);
    json_free(j);
}

TEST(json_text_with_a_nul_is_no_c_string)
{
    err e = {0};
    json *j = parse("[\"a\\u0000b\"]", &e);
    EXPECT_STR(json_str(json_at(j, 0), "fallback"), "fallback");
    json_free(j);
}

TEST(json_writes_what_it_reads)
{
    json *o = json_object(), *a = json_array();
    json_set_num(o, "z", 0.1);
    json_set_num(o, "nan", NAN);
    json_set_num(o, "whole", 3);
    json_set_num(o, "pi", 3.141592653589793);
    json_set_num(o, "tiny", 5e-324);
    json_set_num(o, "huge", 1e300);
    json_set_int(o, "int", INT64_MIN);
    json_set_bool(o, "yes", true);
    json_set_str(o, "text", "q\"\\\n\t\x01\xc3\xa4");
    json_set_str(o, "none", NULL);
    json_set_str(o, "broken", "a\xff\xe2\x82z");
    json_push_num(a, 1.5);
    json_push_str(a, "s");
    json_push(a, NULL);
    json_push(a, json_object());
    json_set(o, "list", a);
    json_set(o, "null", NULL);
    strbuf b = {0};
    json_dump(o, 0, &b);
    EXPECT_STR(b.s, "{\"z\": 0.1, \"nan\": null, \"whole\": 3.0, \"pi\": 3.141592653589793, "
                    "\"tiny\": 4.94065645841247e-324, "
                    "\"huge\": 1e+300, \"int\": -9223372036854775808, \"yes\": true, \"text\": "
                    "\"q\\\"\\\\\\n\\t\\u0001\xc3\xa4\", "
                    "\"none\": null, \"broken\": \"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\", "
                    "\"list\": [1.5, \"s\", null, {}], \"null\": null}");
    err e = {0};
    json *back = json_parse(b.s, b.len, &e);
    EXPECT(json_num(json_get(back, "tiny"), 0) == 5e-324);
    EXPECT(json_num(json_get(back, "pi"), 0) == 3.141592653589793);
    EXPECT(json_int(json_get(back, "int"), 0) == INT64_MIN);
    json_free(back);
    json_free(o);
    strbuf_free(&b);
}

TEST(json_indents_and_sorts)
{
    err e = {0};
    strbuf b = {0};
    json *j = parse("{\"b\": [1, {\"y\": []}], \"a\": {}}", &e);
    json_dump(j, 2, &b);
    EXPECT_STR(b.s, "{\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"y\": []\n    }\n  ]\n}");
    json_free(j);
    strbuf_free(&b);
}

// github.com/nst/JSONTestSuite: y_ must be taken, n_ must be refused, i_ may be either. Where this
// reader differs, on purpose:
static const char *const DIFFERENT[] = {
    // duplicate keys are an error here
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
    // jansson's keys are C strings
    "y_object_escaped_null_in_key.json",
};

TEST(json_public_suite)
{
    arena a = {0};
    err e = {0};
    size_t n, count;
    char **paths = file_glob(&a, "../shared/data/malformed/json/*.json", &count, &e);
    if (!paths) {
        test_skip("../shared/data/malformed/json is not there");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = path_base(paths[i]);
        char *text = file_read(&a, paths[i], 1 << 20, &n, &e);
        bool different = false;
        for (size_t k = 0; k < sizeof DIFFERENT / sizeof *DIFFERENT; k++)
            different |= strcmp(name, DIFFERENT[k]) == 0;
        if (!EXPECT(text != NULL) || name[0] == 'i')
            continue;
        e.text[0] = 0;
        json *j = json_parse(text, n, &e);
        test_expect((j != NULL) == (name[0] == 'y' && !different), __FILE__, __LINE__, "%s: %s",
                    name, j ? "was taken" : e.text);
        json_free(j);
    }
    arena_free(&a);
}
