// SPDX-License-Identifier: GPL-3.0-or-later
// doctor.c: whether a run can live on this machine: each thing that is known to go wrong, measured,
// with the remedy.
#include "cmd/doctor.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/file.h"
#include "train/job.h"

static const option options[] = {
    {"dir", 'd', OPT_TEXT, "DIR", "where runs and shards will lie (default: here)", false},
    {"fast", 0, OPT_FLAG, NULL, "measure no speeds (which takes two seconds)", false},
    {0},
};

static const struct {
    const char *name;
    void (*look)(patient *p, finding *f);
    bool speed;
} checks[] = {{"disk", doctor_disk, false},         {"locks", doctor_locks, false},
              {"clock", doctor_clock, false},       {"memory", doctor_memory, false},
              {"cores", doctor_cores, false},       {"libraries", doctor_libraries, false},
              {"temperature", doctor_heat, false},  {"products", doctor_products, true},
              {"bandwidth", doctor_bandwidth, true}};
enum { CHECKS = sizeof checks / sizeof *checks };

void finding_set(patient *p, finding *f, verdict is, const char *remedy, const char *fmt, ...)
{
    char text[1000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    f->is = is, f->remedy = remedy, f->text = arena_strdup(p->c->arena, text);
}

// What its plan says of the run that a configuration describes.
static bool predict(patient *p, err *e)
{
    cmd *c = p->c;
    job_request r = {.config = c->args[0],
                     .overrides = c->overrides,
                     .n_overrides = c->n_overrides,
                     .env = &c->env};
    job *j = job_configure(&r, c->arena, e);
    bool ok = j && cmd_threads(c, j->options.threads, e) && job_plan(j, e);
    if (ok) {
        trainer_memory m = trainer_predict(j->trainer);
        p->memory_needed = m.peak;
        // last, previous, one that is being written, best, and those that are kept by epoch
        int64_t files = 4 + (j->options.save_every ? j->options.keep_top_k : 0);
        p->disk_needed = (uint64_t)files * trainer_file_bytes(j->trainer);
        p->threads = threads_count(c->env.pool);
    }
    job_close(j);
    return ok;
}

static void tell(cmd *c, const char *name, finding *f)
{
    static const char *const words[VERDICTS] = {"ok", "note", "BAD"};
    static const char *const states[VERDICTS] = {"ok", "note", "bad"};
    cmd_print(c, "%-4s  %-12s %s", words[f->is], name, f->text);
    if (f->remedy)
        cmd_print(c, "%20s%s", "-> ", f->remedy);
    json *j = f->values;
    json_set_str(j, "state", states[f->is]);
    json_set_str(j, "text", f->text);
    if (f->remedy)
        json_set_str(j, "remedy", f->remedy);
    cmd_json(c, j);
}

static bool doctor_run(cmd *c, err *e)
{
    patient p = {.c = c, .dir = option_text(c, "dir", ".")};
    const char *first = NULL;
    int bad = 0;
    if (!file_is_folder(p.dir))
        return err_set(e, ERR_MISSING, "'%s' is no folder; name one that is there", p.dir);
    hw_read(&p.machine);
    p.threads = p.machine.cores;
    if (c->n_args && !predict(&p, e))
        return false;
    if (!c->n_args && !cmd_threads(c, 0, e))
        return false;
    for (int i = 0; i < CHECKS; i++) {
        finding f = {.text = "", .values = json_object()};
        if (checks[i].speed && option_given(c, "fast")) {
            json_free(f.values);
            continue;
        }
        json_set_str(f.values, "check", checks[i].name);
        checks[i].look(&p, &f);
        if (f.is == FINDING_BAD && !bad++)
            first = checks[i].name;
        tell(c, checks[i].name, &f);
    }
    return !bad || err_set(e, ERR_VALUE,
                           "%d of %d checks found what a run would fail by; the "
                           "first: %s",
                           bad, CHECKS, first);
}

const command cmd_doctor = {
    .name = "doctor",
    .summary = "Looks whether a run can live on this machine, and says what to do",
    .usage = "[CONFIG [key=value ...]] [--dir DIR]",
    .options = options,
    .args_max = 1,
    .keys = cmd_train_keys,
    .details = "Disk, locks, clock, memory, cores, libraries, temperature, and how fast products "
               "and memory are, measured. With a configuration: whether its run fits.",
    .example = "kmidi doctor\n"
               "kmidi doctor configs/emotion_recognizer.yaml --dir runs --json",
    .run = doctor_run,
};
