// SPDX-License-Identifier: GPL-3.0-or-later
// environment.c: environment.json, what one would ask about a run a year later: which program,
// libraries, machine, data, command.
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "autograd/gemm/gemm.h"
#include "base/hw.h"
#include "base/json.h"
#include "base/version.h"
#include "train/job.h"

static json *machine_json(const job *j)
{
    hw h;
    struct utsname u = {0};
    char host[256] = "";
    json *m = json_object();
    hw_read(&h);
    (void)uname(&u);
    if (gethostname(host, sizeof host - 1))
        host[0] = 0;
    json_set_str(m, "host", host);
    json_set_str(m, "system", u.sysname);
    json_set_str(m, "release", u.release);
    json_set_str(m, "cpu", h.cpu);
    json_set_str(m, "vectors", h.isa);
    json_set_int(m, "cores", h.cores);
    json_set_int(m, "threads", threads_count(j->r.env->pool));
    json_set_int(m, "memory_bytes", (int64_t)h.memory);
    json_set_int(m, "memory_limit_bytes", (int64_t)h.memory_limit);
    return m;
}

static json *data_json(const dataset *d)
{
    if (!d)
        return NULL;
    json *m = json_object();
    json_set_str(m, "dataset", d->name);
    json_set_str(m, "digest", d->digest);
    json_set_int(m, "items", d->items);
    json_set_int(m, "shards", (int64_t)d->n_shards);
    json_set_bool(m, "synthetic", d->synthetic);
    return m;
}

static json *model_json(const job *j)
{
    job_size size = job_count(j);
    json *m = json_object();
    json_set_str(m, "name", j->options.model->name);
    json_set_int(m, "parameters", size.all);
    json_set_int(m, "trainable", size.trainable);
    return m;
}

static json *memory_json(const trainer_memory *m)
{
    json *o = json_object();
    json_set_int(o, "base_bytes", (int64_t)m->base);
    json_set_int(o, "params_bytes", (int64_t)m->params);
    json_set_int(o, "arena_bytes", (int64_t)m->arena);
    json_set_int(o, "eval_bytes", (int64_t)m->eval);
    json_set_int(o, "loader_bytes", (int64_t)m->loader);
    json_set_int(o, "library_bytes", (int64_t)m->libraries);
    json_set_int(o, "peak_bytes", (int64_t)m->peak);
    return o;
}

void job_environment(const job *j, strbuf *out)
{
    char stamp[40], blas[128];
    char how[48];
    time_t now = time(NULL);
    struct tm t;
    gmtime_r(&now, &t);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &t);
    json *o = json_object();
    json_set_str(o, "kmidi", KMIDI_VERSION);
    json_set_str(o, "revision", version_revision());
    json_set_str(o, "compiler", __VERSION__);
    json_set_str(o, "gemm", gemm_describe(&j->r.env->kit->products, blas));
    json_set_str(o, "precision", precision_describe(j->options.precision, j->r.env->kit, how));
    json_set_str(o, "started", stamp);
    json_set_str(o, "command", j->r.command ? j->r.command : "");
    json_set_str(o, "resumed_from", j->resume ? j->resume : NULL);
    json_set_int(o, "steps", trainer_total(j->trainer)); // of the whole run, unless it ends early
    json_set(o, "machine", machine_json(j));
    json_set(o, "model", model_json(j));
    json_set(o, "train", data_json(j->shards->train));
    json_set(o, "val", data_json(j->shards->val));
    trainer_memory m = trainer_predict(j->trainer);
    json_set(o, "memory", memory_json(&m));
    json_dump(o, 2, out);
    strbuf_add(out, "\n", 1);
    json_free(o);
}
