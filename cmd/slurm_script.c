// SPDX-License-Identifier: GPL-3.0-or-later
// slurm_script.c: the text of a batch script.
#include "cmd/slurm_script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/slurm.h"

enum { SCRIPT_MOST = 1 << 20 };

// ---- Times

// "3h30m", "2d", "90s": units in their order, each once at most.
static double with_units(const char *text)
{
    static const char units[] = "dhms";
    static const double of[] = {86400, 3600, 60, 1};
    double sum = 0;
    size_t from = 0;
    for (int n; *text; text += n + 1) {
        long value;
        if (*text < '0' || *text > '9' || sscanf(text, "%8ld%n", &value, &n) != 1 || !text[n])
            return -1;
        const char *unit = strchr(units + from, text[n]);
        if (!unit)
            return -1;
        sum += (double)value * of[unit - units];
        from = (size_t)(unit - units) + 1;
    }
    return sum;
}

const char *slurm_time(const char *text, arena *a)
{
    char *end;
    long minutes = strtol(text, &end, 10);
    double seconds = *text >= '0' && *text <= '9' && !*end ? (double)minutes * 60
                     : strchr(text, ':')                   ? slurm_seconds(text)
                                                           : with_units(text);
    if (seconds < 1 || seconds > 366 * 86400.)
        return NULL;
    long s = (long)seconds;
    return arena_printf(a, "%ld-%02ld:%02ld:%02ld", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

// ---- Text

// What sbatch reads of a file is a line, in which quotes hold words together.
static bool put_option(strbuf *out, const char *name, const char *value, err *e)
{
    if (strpbrk(value, "\"\n\r\\"))
        return err_set(e, ERR_USAGE,
                       "'%s' has a quotation mark, a backslash or a line break in it, which the "
                       "options of a batch script cannot have; name something else",
                       value);
    bool plain = !strpbrk(value, " \t'#;");
    strbuf_printf(out, "#SBATCH --%s=%s%s%s\n", name, plain ? "" : "\"", value, plain ? "" : "\"");
    return true;
}

static void put_resources(const slurm_script *s, strbuf *out)
{
    if (s->tasks && s->at_once)
        strbuf_printf(out, "#SBATCH --array=1-%d%%%d\n", s->tasks, s->at_once);
    else if (s->tasks)
        strbuf_printf(out, "#SBATCH --array=1-%d\n", s->tasks);
    strbuf_printf(out, "#SBATCH --ntasks=%d\n#SBATCH --cpus-per-task=%d\n", s->ranks ? s->ranks : 1,
                  s->cpus);
    // Which nodes ranks will be on is not known: of a core then, not of a node.
    uint64_t memory = s->ranks ? s->memory / (uint64_t)s->cpus + 1 : s->memory;
    if (s->memory)
        strbuf_printf(out, "#SBATCH --mem%s=%lluM\n", s->ranks ? "-per-cpu" : "",
                      (unsigned long long)((memory - 1) >> 20) + 1);
}

static void put_ends(const slurm_script *s, strbuf *out)
{
    strbuf_printf(out,
                  "# Told so long before its time is over, kmidi saves and leaves with 75.\n"
                  "#SBATCH --signal=%sTERM@%d\n",
                  s->ranks ? "" : "B:", s->margin); // to srun's processes, or to kmidi itself
    if (s->requeues)
        strbuf_printf(out,
                      "# Preempted, or its node lost: it is queued again and goes on.\n"
                      "#SBATCH --requeue\n\n"
                      "# Out of time, it queues itself again, so often at most.\n"
                      "export KMIDI_REQUEUE=%d\n",
                      s->requeues);
    else
        strbuf_printf(out, "#SBATCH --no-requeue\n");
}

static const char *program(arena *a)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return "kmidi";
    path[n] = 0;
    return arena_strdup(a, path);
}

const char *slurm_script_text(const slurm_script *s, arena *a, err *e)
{
    char here[4096];
    strbuf out = {0};
    if (!getcwd(here, sizeof here))
        return err_errno(e, "the folder that this was started in is gone"), NULL;
    strbuf_printf(&out,
                  "#!/bin/bash\n"
                  "# %s. Hand it in by: sbatch %s\n"
                  "# It may be handed in again at any time: what is done stays done.\n",
                  s->what, str_quoted(a, s->path));
    bool ok = put_option(&out, "job-name", s->name, e) && put_option(&out, "chdir", here, e) &&
              put_option(&out, "output", s->log, e);
    strbuf_printf(&out, "#SBATCH --open-mode=append\n");
    ok = ok && (!s->time || put_option(&out, "time", s->time, e)) &&
         (!s->partition || put_option(&out, "partition", s->partition, e));
    put_resources(s, &out);
    for (int i = 0; i < s->n_extra; i++)
        strbuf_printf(&out, "#SBATCH %s\n", s->extra[i]);
    put_ends(s, &out);
    const char *starter = s->ranks ? arena_printf(a,
                                                  "srun --mpi=%s --kill-on-bad-exit=1 "
                                                  "--cpus-per-task=\"$SLURM_CPUS_PER_TASK\" ",
                                                  s->mpi)
                                   : "";
    strbuf_printf(&out, "\nexec %s%s %s\n", starter, str_quoted(a, program(a)), s->arguments);
    const char *text = ok ? arena_strdup(a, out.s) : NULL;
    strbuf_free(&out);
    return text;
}

bool slurm_script_write(const slurm_script *s, bool overwrite, arena *a, err *e)
{
    size_t n;
    const char *text = slurm_script_text(s, a, e), *was = NULL;
    if (!text)
        return false;
    if (!overwrite && file_exists(s->path) && !(was = file_read(a, s->path, SCRIPT_MOST, &n, e)))
        return false;
    if (was && !strcmp(was, text))
        return true;
    if (was)
        return err_set(e, ERR_USAGE,
                       "'%s' is there and says something else; hand it in as it is by: sbatch %s; "
                       "or replace it by --overwrite",
                       s->path, str_quoted(a, s->path));
    return file_make_dirs(path_dir(a, s->path), e) && file_write(s->path, text, strlen(text), e);
}

// ---- Handing it in

const char *slurm_submit_command(const char *path, const char *after, arena *a)
{
    return after ? arena_printf(a, "sbatch --dependency=afterok:%s %s", after, str_quoted(a, path))
                 : arena_printf(a, "sbatch %s", str_quoted(a, path));
}

// "123" or "123;cluster", as --parsable has it.
const char *slurm_submit(cmd *c, const char *path, const char *after, err *e)
{
    char text[512];
    const char *line = slurm_submit_command(path, after, c->arena);
    const char *depends = after ? arena_printf(c->arena, "--dependency=afterok:%s", after) : NULL;
    const char *const argv[] = {"sbatch", "--parsable", depends ? depends : path,
                                depends ? path : NULL, NULL};
    bool ok = slurm_ask(argv, text, sizeof text);
    size_t n = strspn(text, "0123456789");
    if (ok && n && (!text[n] || text[n] == ';'))
        return arena_printf(c->arena, "%.*s", (int)n, text);
    if (*text)
        return err_set(e, ERR_IO, "sbatch refuses '%s': %s", path, text), NULL;
    return err_set(e, ERR_MISSING,
                   "sbatch cannot be started here; '%s' is written; where Slurm is: %s", path,
                   line),
           NULL;
}
