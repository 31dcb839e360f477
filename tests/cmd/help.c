// SPDX-License-Identifier: GPL-3.0-or-later
// help.c: what every command owes its user, checked over the table; and how the program answers at
// the door.
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/version.h"
#include "cmd/cmd.h"
#include "tests/test.h"

// The example parses: its words, without quotes, go through the command's own option table.
static void check_example(const command *k, const char *line)
{
    arena a = {0};
    err e = {0};
    char *argv[64], *text = arena_strdup(&a, line), *from = text;
    int argc = 0;
    cmd c = {.arena = &a};
    for (char *p = text; *p; p++) // a quoted glob is one word
        if (*p == '\'')
            memmove(p, p + 1, strlen(p)), p--;
    for (char *word = strtok(from, " "); word && argc < 64; word = strtok(NULL, " "))
        argv[argc++] = word;
    if (test_expect(argc >= 2 && !strcmp(argv[0], "kmidi") && !strcmp(argv[1], k->name), __FILE__,
                    __LINE__, "example '%s' does not call kmidi %s", line, k->name))
        test_expect(options_parse(&c, k, argc - 2, argv + 2, &e), __FILE__, __LINE__,
                    "example '%s': %s", line, e.text);
    arena_free(&a);
}

static void check_command(const command *k)
{
    strbuf text = {0};
    arena a = {0};
    test_expect(k->name && k->summary && k->usage && k->example && k->run, __FILE__, __LINE__,
                "%s lacks a part", k->name);
    test_expect(!str_ends(k->summary, ".") && strlen(k->summary) < 80, __FILE__, __LINE__,
                "%s: summary '%s'", k->name, k->summary);
    for (const option *o = k->options; o && o->name; o++) {
        test_expect(o->help && *o->help, __FILE__, __LINE__, "%s --%s has no help", k->name,
                    o->name);
        test_expect((o->type == OPT_FLAG) == !o->arg, __FILE__, __LINE__,
                    "%s --%s: an argument's name belongs to what takes one", k->name, o->name);
        for (const option *q = options_common; q->name; q++)
            test_expect(strcmp(o->name, q->name) && (!o->letter || o->letter != q->letter),
                        __FILE__, __LINE__, "%s --%s hides a common option", k->name, o->name);
        for (const option *q = k->options; q < o; q++)
            test_expect(strcmp(o->name, q->name) && (!o->letter || o->letter != q->letter),
                        __FILE__, __LINE__, "%s --%s is there twice", k->name, o->name);
    }
    help_command(k, &text);
    EXPECT_HAS(text.s, k->summary);
    EXPECT_HAS(text.s, arena_printf(&a, "usage: kmidi %s", k->name));
    EXPECT_HAS(text.s, "Example");
    strbuf_free(&text);
    char *lines = arena_strdup(&a, k->example), *rest = NULL;
    for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        check_example(k, line);
    arena_free(&a);
}

TEST(help_every_command_explains_itself)
{
    for (int i = 0; command_at(i); i++) {
        check_command(command_at(i));
        EXPECT(command_find(command_at(i)->name) == command_at(i));
    }
}

TEST(help_overview_lists_every_command)
{
    strbuf text = {0};
    help_overview(&text);
    for (int i = 0; command_at(i); i++)
        EXPECT_HAS(text.s, command_at(i)->summary);
    strbuf_free(&text);
}

TEST(help_answers_at_the_door)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "%s", test_kmidi()), 2);
    EXPECT_HAS(out, "usage: kmidi COMMAND");
    EXPECT_INT(test_shell(&out, "%s --version", test_kmidi()), 0);
    EXPECT_HAS(out, "kmidi " KMIDI_VERSION);
    EXPECT_INT(test_shell(&out, "%s --help", test_kmidi()), 0);
    EXPECT_HAS(out, "usage: kmidi COMMAND");
    EXPECT_INT(test_shell(&out, "%s help info", test_kmidi()), 0);
    EXPECT_HAS(out, "usage: kmidi info");
    EXPECT_INT(test_shell(&out, "%s modles", test_kmidi()), 2);
    EXPECT_HAS(out, "there is no command 'modles'; did you mean 'models'?");
    EXPECT_INT(test_shell(&out, "%s help modles", test_kmidi()), 2);
    EXPECT_HAS(out, "did you mean 'models'?");
    EXPECT_INT(test_shell(&out, "%s models --jsno", test_kmidi()), 2);
    EXPECT_HAS(out, "kmidi models: there is no option '--jsno'; did you mean '--json'?");
    EXPECT_INT(test_shell(&out, "%s info --threads none", test_kmidi()), 2);
}

TEST(help_every_command_has_help_and_refuses_nonsense)
{
    for (int i = 0; command_at(i); i++) {
        const char *out;
        EXPECT_INT(test_shell(&out, "%s %s --help", test_kmidi(), command_at(i)->name), 0);
        EXPECT_HAS(out, command_at(i)->summary);
        EXPECT_INT(test_shell(&out, "%s %s --no-such-option", test_kmidi(), command_at(i)->name),
                   2);
        EXPECT_HAS(out, "there is no option '--no-such-option'");
    }
}

TEST(help_results_that_cannot_be_written)
{
    const char *out;
    if (file_exists("/dev/full")) { // Linux has it
        EXPECT_INT(test_shell(&out, "%s models > /dev/full", test_kmidi()), 1);
        EXPECT_HAS(out, "cannot write results to standard output");
    }
    EXPECT_INT(test_shell(&out, "%s models | true", test_kmidi()), 0);
    EXPECT_STR(out, "");
}

TEST(models_lists_exact_counts)
{
    static const struct {
        const char *name;
        long long params;
    } models[] = {{"emotion_recognizer", 403264}, {"melody_transformer", 641664},
                  {"harmony_predictor", 74176},   {"groove_predictor", 18656},
                  {"dynamics_engine", 13520},     {"emotion_midi_transformer", 24984192}};
    const char *out;
    EXPECT_INT(test_shell(&out, "%s models --json", test_kmidi()), 0);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char part[128];
        snprintf(part, sizeof part, "{\"name\": \"%s\", \"params\": %lld, \"inputs\": [",
                 models[i].name, models[i].params);
        EXPECT_HAS(out, part);
    }
}

TEST(info_says_what_is_here)
{
    const char *out;
    err e = {0};
    EXPECT_INT(test_shell(&out, "%s info --json", test_kmidi()), 0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT(json_int(json_get(j, "cores"), 0) >= 1);
    EXPECT(json_int(json_get(j, "memory_limit_bytes"), 0) > 1 << 20);
    EXPECT_STR(json_str(json_get(j, "version"), ""), KMIDI_VERSION);
    EXPECT_HAS(json_str(json_get(j, "gemm"), ""), "openblas");
    json_free(j);
}
