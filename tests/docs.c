// SPDX-License-Identifier: GPL-3.0-or-later
// docs.c: docs/config.md is what the tables of keys say. `make docs` writes it anew; this test
// notices when that was forgotten.
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cmd/cmd.h"
#include "data/prepare/prepare.h"
#include "tests/test.h"
#include "train/options.h"

static const char intro[] =
    "# Configuration\n\n"
    "Made from the tables of keys in `train/options_keys.c` and `data/prepare/prepare.c` by\n"
    "`make docs`; edit those.\n\n"
    "A configuration is YAML. Values come from, later ones winning: the defaults below, the file\n"
    "that `extends:` names, the file itself, and `key=value` arguments (`optim.lr=3e-4`,\n"
    "`data.train=[a.h5, b.h5]`; `~optim.lr` puts a key back to its default). `${VAR}` and\n"
    "`${VAR:-default}` are taken from the environment; an unset `${VAR}` is an error. An unknown\n"
    "key, a wrong type or a value out of range is an error that names file, line, column and the\n"
    "nearest right name; so is one that other trainers use (`num_train_epochs`).\n\n"
    "`kmidi help optim.lr` explains a key, `kmidi help optim` a section. The shipped\n"
    "configurations are inside the program: `kmidi configs` lists them,\n"
    "`kmidi train emotion_recognizer` takes one by its name in any folder,\n"
    "`kmidi configs copy emotion_recognizer my.yaml` makes it yours.\n\n";

static void config_page(strbuf *out)
{
    arena a = {.name = "docs"};
    strbuf_add(out, intro, sizeof intro - 1);
    strbuf_printf(out, "# Training: `kmidi train`, `kmidi plan`\n\n");
    config_markdown(&train_table, out);
    strbuf_printf(out, "\n# Preparing: `kmidi prepare`\n\n");
    config_markdown(prepare_table(&a), out);
    arena_free(&a);
}

TEST(docs_config_page_is_up_to_date)
{
    static const char path[] = "docs/config.md";
    arena a = {0};
    err e = {0};
    strbuf want = {0};
    size_t n = 0;
    config_page(&want);
    if (getenv("KMIDI_WRITE_DOCS"))
        EXPECT_OK(file_write(path, want.s, want.len, &e), e);
    const char *have = file_read(&a, path, 1 << 22, &n, &e);
    test_expect(have && n == want.len && !memcmp(have, want.s, n), __FILE__, __LINE__,
                "%s is not what the tables say; run: make docs", path);
    strbuf_free(&want);
    arena_free(&a);
}

// Every command, model and configuration file that README speaks of is there.
TEST(docs_readme_speaks_of_what_is_there)
{
    arena a = {0};
    err e = {0};
    size_t n;
    const char *text = file_read(&a, "README.md", 1 << 20, &n, &e);
    if (!test_expect(text != NULL, __FILE__, __LINE__, "%s", e.text))
        return;
    for (int i = 0; command_at(i); i++)
        EXPECT_HAS(text, arena_printf(&a, "kmidi %s", command_at(i)->name));
    for (int i = 0; model_at(i); i++)
        EXPECT_HAS(text, arena_printf(&a, "| %s |", model_at(i)->name));
    for (const char *p = strstr(text, "kmidi "); p; p = strstr(p + 1, "kmidi ")) {
        size_t m = strspn(p + 6, "abcdefghijklmnopqrstuvwxyz");
        const char *name = arena_printf(&a, "%.*s", (int)m, p + 6);
        if (m && (p[-1] == '/' || p[-1] == '`' || str_starts(p - 4, "    ")))
            test_expect(command_find(name) != NULL, "README.md", 1, "there is no command '%s'",
                        name);
    }
    for (const char *p = strstr(text, "configs/"); p; p = strstr(p + 1, "configs/"))
        EXPECT(file_exists(arena_printf(&a, "%.*s", (int)strcspn(p, " `)\n"), p)));
    for (const char *p = strstr(text, "](docs/"); p; p = strstr(p + 1, "](docs/"))
        EXPECT(file_exists(arena_printf(&a, "%.*s", (int)strcspn(p + 2, ")"), p + 2)));
    arena_free(&a);
}
