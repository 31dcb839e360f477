// SPDX-License-Identifier: GPL-3.0-or-later
// profile_files.c: three forms of a profile, three files.
#include "train/profile_files.h"

#include "base/file.h"
#include "base/str.h"

bool profile_write(const profile *f, const char *dir, err *e)
{
    static const struct {
        const char *name;
        void (*print)(const profile *f, strbuf *out);
    } files[] = {{"profile.txt", profile_table},
                 {"profile.jsonl", profile_lines},
                 {"trace.json", profile_trace}};
    arena a = {.name = "profile"};
    bool ok = file_make_dirs(dir, e);
    for (size_t i = 0; ok && i < sizeof files / sizeof *files; i++) {
        strbuf text = {0};
        files[i].print(f, &text);
        ok = file_write(path_join(&a, dir, files[i].name), text.s, text.len, e);
        strbuf_free(&text);
    }
    arena_free(&a);
    return ok || err_trail(e, "the profile");
}
