// SPDX-License-Identifier: GPL-3.0-or-later
// translate.c: a question to a server, or a command (translate.h).
#include "net/translate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/proc.h"
#include "net/http.h"

enum { TEXT_MOST = 1 << 24, NOT_THERE = 127 };

static char *body_of(const translate_wish *w, const char *text, arena *a)
{
    json *j = json_object();
    strbuf b = {0};
    json_set_str(j, "q", text);
    json_set_str(j, "source", w->from);
    json_set_str(j, "target", w->to);
    json_set_str(j, "format", "text");
    json_dump(j, 0, &b);
    json_free(j);
    return strbuf_keep(&b, a);
}

static const char *by_server(const translate_wish *w, const char *text, arena *a, err *e)
{
    http_answer got = {0};
    const char *slash = str_ends(w->server, "/") ? "" : "/";
    http_question q = {.url = arena_printf(a, "%s%stranslate", w->server, slash),
                       .body = body_of(w, text, a),
                       .seconds = w->seconds,
                       .env = w->env};
    json *j =
        http_ask(&q, &got, e) ? json_parse(got.body.s ? got.body.s : "", got.body.len, e) : NULL;
    const char *said = json_str(json_get(j, "translatedText"), NULL),
               *why = json_str(json_get(j, "error"), "no \"translatedText\"");
    said = said && got.status == 200 ? arena_strdup(a, said) : NULL;
    if (j && !said)
        err_set(e, ERR_VALUE, "'%s' does not translate from %s to %s: %d, %.200s", q.url, w->from,
                w->to, got.status, why);
    json_free(j);
    strbuf_free(&got.body);
    return said;
}

// ---- Apertium

static const struct {
    const char *two, *three;
} languages[] = {
#define LANGUAGE(two, three) {#two, #three},
#include "net/languages.def"
#undef LANGUAGE
};

// `apertium -u PAIR IN OUT`, silent; its exit status.
static int run_apertium(const char *pair, const char *in, const char *out)
{
    char *const argv[] = {"apertium", "-u", (char *)pair, (char *)in, (char *)out, NULL};
    return proc_run_quietly(argv);
}

static const char *three_letters(const char *name)
{
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (!strcmp(languages[i].two, name))
            return languages[i].three;
    return name;
}

// By either name of the two languages; the exit status of the first that works, else of the last.
static int try_pairs(const translate_wish *w, const char *in, const char *out, arena *a)
{
    const char *from[] = {w->from, three_letters(w->from)}, *to[] = {w->to, three_letters(w->to)};
    int status = 1;
    for (int i = 0; i < 4 && status != 0 && status != NOT_THERE; i++)
        status = run_apertium(arena_printf(a, "%s-%s", from[i % 2 ^ i / 2], to[i % 2]), in, out);
    return status;
}

static const char *by_apertium(const translate_wish *w, const char *text, arena *a, err *e)
{
    const char *tmp = getenv("TMPDIR"), *said = NULL;
    char *folder = arena_printf(a, "%s/kmidi-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    size_t n;
    if (strchr(w->from, '/') || strchr(w->to, '/') || *w->from == '-')
        return err_set(e, ERR_USAGE, "'%.20s' and '%.20s' are no languages", w->from, w->to), NULL;
    if (!mkdtemp(folder))
        return err_errno(e, "'%s' cannot be made", folder), NULL;
    char *in = path_join(a, folder, "in"), *out = path_join(a, folder, "out");
    int status = file_write(in, text, strlen(text), e) ? try_pairs(w, in, out, a) : -1;
    if (status == 0)
        said = file_read(a, out, TEXT_MOST, &n, e);
    else if (status > 0)
        err_set(
            e, ERR_MISSING,
            status == NOT_THERE
                ? "Apertium is not installed; install it with the pair %s-%s, or name a translator"
                : "Apertium has no pair %s-%s; install it (apertium -l lists what is there), or "
                  "name a translator",
            w->from, w->to);
    unlink(in), unlink(out), rmdir(folder);
    return said;
}

const char *translate(const translate_wish *w, const char *text, arena *a, err *e)
{
    return w->server ? by_server(w, text, a, e) : by_apertium(w, text, a, e);
}
