// SPDX-License-Identifier: GPL-3.0-or-later
// slurm_job.c: what the options of `kmidi slurm` say of any job.
#include "cmd/slurm_job.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/slurm.h"
#include "cmd/ranges.h"

enum { MARGIN = 120, MARGIN_MOST = 65535, REQUEUES = 50 };

bool slurm_in_range(cmd *c, const char *name, int64_t fallback, int64_t lo, int64_t hi, int *out,
                    err *e)
{
    int64_t n;
    bool ok = cmd_in_range(c, name, fallback, lo, hi, &n, e);
    *out = (int)n;
    return ok;
}

static bool take_time(cmd *c, slurm_script *s, err *e)
{
    const char *text = option_text(c, "time", NULL);
    int fallback = MARGIN;
    s->time = text ? slurm_time(text, c->arena) : NULL;
    if (text && !s->time)
        return err_set(e, ERR_USAGE,
                       "--time takes minutes, or a time such as 4h, 1d12h or 1-12:00:00, not '%s'",
                       text);
    double all = s->time ? slurm_seconds(s->time) : INFINITY;
    if (all / 3 < fallback)
        fallback = (int)fmax(all / 3, 1);
    if (!slurm_in_range(c, "margin", fallback, 1, MARGIN_MOST, &s->margin, e))
        return false;
    return s->margin < all || err_set(e, ERR_USAGE,
                                      "--margin %d leaves nothing of --time %s; give a job more "
                                      "time than it needs for saving",
                                      s->margin, text);
}

static bool take_extra(cmd *c, slurm_script *s, err *e)
{
    const char **list = NEW(c->arena, const char *, CMD_OPTIONS), *text;
    for (; (text = option_each(c, "sbatch", s->n_extra)); s->n_extra++) {
        if (*text != '-' || strpbrk(text, "\r\n"))
            return err_set(e, ERR_USAGE,
                           "--sbatch takes one option of sbatch, such as --sbatch --account=x, not "
                           "'%s'",
                           text);
        list[s->n_extra] = text;
    }
    s->extra = list;
    return true;
}

// Letters, digits and a few signs of the folder's name.
static const char *job_name(const char *dir, arena *a)
{
    char *name = arena_printf(a, "kmidi-%s", path_base(dir));
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
            *p = '-';
    return name;
}

// "%" in names is Slurm's own.
const char *slurm_log(const char *stem, const char *pattern, arena *a)
{
    strbuf out = {0};
    for (const char *p = stem; *p; p++)
        strbuf_printf(&out, *p == '%' ? "%%%%" : "%c", *p);
    strbuf_printf(&out, ".%s.out", pattern);
    return strbuf_keep(&out, a);
}

bool slurm_take(cmd *c, const char *dir, slurm_script *s, err *e)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    const char *plain = arena_printf(c->arena, "%.*s", (int)n, dir);
    s->path = option_text(c, "script", arena_printf(c->arena, "%s.sbatch", plain));
    s->name = job_name(plain, c->arena);
    s->log = slurm_log(plain, s->tasks ? "%A_%a" : "%j", c->arena);
    s->partition = option_text(c, "partition", NULL);
    s->memory = (uint64_t)option_int(c, "mem", (int64_t)s->memory);
    if (option_given(c, "mem") && (s->memory < 1 << 20 || s->memory > UINT64_C(1) << 50))
        return err_set(e, ERR_USAGE, "--mem takes a size such as 6GiB, not '%s'",
                       option_text(c, "mem", ""));
    return slurm_in_range(c, "threads", s->cpus, 1, 1024, &s->cpus, e) &&
           slurm_in_range(c, "at-once", s->at_once, s->at_once, TASKS_MOST, &s->at_once, e) &&
           slurm_in_range(c, "requeue", REQUEUES, 0, TASKS_MOST, &s->requeues, e) &&
           take_time(c, s, e) && take_extra(c, s, e);
}

// Of this command alone: what another kind of job takes is refused.
bool slurm_only_for(cmd *c, const char *kind, const char *const *names, err *e)
{
    for (int i = 0; names[i]; i++)
        if (option_given(c, names[i]))
            return err_set(e, ERR_USAGE, "--%s is not for %s", names[i], kind);
    return true;
}

void slurm_words(strbuf *out, const char *const *words, int n)
{
    for (int i = 0; i < n; i++) {
        strbuf_printf(out, " ");
        strbuf_quote(out, words[i]);
    }
}

bool slurm_hand_in(cmd *c, const slurm_script *s, const char *after, const char **id, err *e)
{
    const char *line = slurm_submit_command(s->path, after, c->arena);
    *id = NULL;
    if (option_given(c, "submit") && !(*id = slurm_submit(c, s->path, after, e)))
        return false;
    if (*id)
        cmd_print(c, "job %s: %s", *id, s->what);
    else
        cmd_print(c, "%s", line);
    json *j = json_object();
    json_set_str(j, "script", s->path);
    json_set_str(j, "command", line);
    if (*id)
        json_set_str(j, "job", *id);
    cmd_json(c, j);
    return true;
}
