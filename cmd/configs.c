// SPDX-License-Identifier: GPL-3.0-or-later
// configs.c: the configurations that this program comes with: listed, shown, copied (after
// torchtune's `tune ls`, `tune cat`, `tune cp`).
#include <string.h>

#include "base/file.h"
#include "base/shipped.h"
#include "cmd/cmd.h"

static const option options[] = {
    {"overwrite", 0, OPT_FLAG, NULL, "replace FILE where it is there", false},
    {0},
};

static const struct {
    const char *prefix, *title, *kind;
} groups[] = {{"", "To train with: kmidi train NAME", "training"},
              {"data/", "To prepare with: kmidi prepare NAME --out DIR root=...", "data"},
              {"profiles/", "To extend: what a machine's memory allows", "profile"}};
enum { GROUPS = sizeof groups / sizeof *groups };

static int group_of(const shipped *s)
{
    int g = GROUPS - 1;
    while (g > 0 && !str_starts(s->name, groups[g].prefix))
        g--;
    return g;
}

static void list(cmd *c)
{
    const shipped *s;
    for (int g = 0; g < GROUPS; g++) {
        cmd_print(c, "%s%s", g ? "\n" : "", groups[g].title);
        for (int i = 0; (s = shipped_at(i)); i++) {
            if (group_of(s) != g)
                continue;
            const char *summary = shipped_summary(c->arena, s);
            cmd_print(c, "  %-33s %s", s->name, summary);
            json *j = json_object();
            json_set_str(j, "name", s->name);
            json_set_str(j, "kind", groups[g].kind);
            json_set_str(j, "summary", summary);
            cmd_json(c, j);
        }
    }
    cmd_print(c,
              "\n'kmidi configs copy NAME' makes one yours, 'kmidi configs show NAME' prints it.");
}

static const shipped *named(const char *name, err *e)
{
    const shipped *s = shipped_find(name);
    const char *near = s ? NULL : shipped_nearest(name);
    if (!s)
        (void)err_set(e, ERR_USAGE, "there is no shipped configuration '%s'; %s%s%s", name,
                      near ? "did you mean '" : "see 'kmidi configs'", near ? near : "",
                      near ? "'?" : "");
    return s;
}

static bool show(cmd *c, const shipped *s)
{
    json *j = json_object();
    json_set_str(j, "name", s->name);
    json_set_str(j, "text", s->text);
    if (!c->json)
        cmd_text(c, s->text, strlen(s->text));
    cmd_json(c, j);
    return true;
}

// What the copy extends is found by its name, wherever the copy lies (config.h).
static bool copy(cmd *c, const shipped *s, const char *path, err *e)
{
    if (!path)
        path = arena_printf(c->arena, "%s.yaml", path_base(s->name));
    else if (str_ends(path, "/"))
        path = arena_printf(c->arena, "%s%s.yaml", path, path_base(s->name));
    if (file_exists(path) && !option_given(c, "overwrite"))
        return err_set(e, ERR_USAGE,
                       "'%s' is there already; name another file, or replace it by --overwrite",
                       path);
    if (!file_write(path, s->text, strlen(s->text), e))
        return false;
    json *j = json_object();
    json_set_str(j, "name", s->name);
    json_set_str(j, "file", path);
    cmd_print(c, "%s", path);
    cmd_json(c, j);
    return true;
}

static bool run(cmd *c, err *e)
{
    static const char *const verbs[] = {"list", "ls", "show", "cat", "copy", "cp"};
    enum { VERBS = sizeof verbs / sizeof *verbs };
    const char *verb = c->n_args ? c->args[0] : "list", *near = str_nearest(verb, verbs, VERBS);
    int v = 0;
    while (v < VERBS && strcmp(verbs[v], verb) != 0)
        v++;
    if (v == VERBS)
        return err_set(e, ERR_USAGE, "there is no 'configs %s'; %s%s%s", verb,
                       near ? "did you mean 'configs " : "usage: kmidi configs ",
                       near ? near : c->self->usage, near ? "'?" : "");
    int least = v / 2 ? 2 : 1, most = 1 + v / 2;
    if ((c->n_args && c->n_args < least) || c->n_args > most)
        return err_set(e, ERR_USAGE, "too %s arguments; usage: kmidi configs %s",
                       c->n_args > most ? "many" : "few", c->self->usage);
    if (v / 2 == 0) {
        list(c);
        return true;
    }
    const shipped *s = named(c->args[1], e);
    return s && (v / 2 == 1 ? show(c, s) : copy(c, s, c->n_args > 2 ? c->args[2] : NULL, e));
}

const command cmd_configs = {
    .name = "configs",
    .summary = "Lists the configurations that are shipped, shows or copies one",
    .usage = "[show NAME | copy NAME [FILE]]",
    .options = options,
    .args_max = 3,
    .details = "They are inside the program: 'kmidi train emotion_recognizer' and 'kmidi "
               "prepare data/emodb' work in any folder. To change one, copy it (without FILE: "
               "into this folder, by its own name). Its extends: line goes on working, "
               "wherever the copy lies.",
    .example = "kmidi configs\nkmidi configs copy emotion_recognizer my.yaml",
    .run = run,
};
