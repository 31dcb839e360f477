// SPDX-License-Identifier: GPL-3.0-or-later
// models.c: the networks that this program knows, from models.def.
#include <string.h>

#include "cmd/cmd.h"
#include "models/model.h"

static const char *const symbols[] = {[SYM_FIXED] = "", [SYM_BATCH] = "batch", [SYM_TIME] = "time"};

static void port_text(const port *p, strbuf *out)
{
    strbuf_printf(out, "%s [", p->name);
    for (int i = 0; i < p->rank; i++) {
        strbuf_printf(out, "%s", i ? ", " : "");
        if (p->sym[i])
            strbuf_printf(out, "%s", symbols[p->sym[i]]);
        else
            strbuf_printf(out, "%lld", (long long)p->dim[i]);
    }
    strbuf_printf(out, "]");
}

static json *port_json(const port *p)
{
    json *j = json_object(), *dims = json_array();
    json_set_str(j, "name", p->name);
    json_set_str(j, "type", dtype_name(p->type));
    for (int i = 0; i < p->rank; i++)
        if (p->sym[i])
            json_push_str(dims, symbols[p->sym[i]]);
        else
            json_push_int(dims, p->dim[i]);
    json_set(j, "shape", dims);
    return j;
}

static json *model_json(const model_def *m)
{
    json *j = json_object(), *in = json_array(), *out = json_array();
    json_set_str(j, "name", m->name);
    json_set_int(j, "params", m->params);
    for (int i = 0; i < m->n_inputs; i++)
        json_push(in, port_json(&m->inputs[i]));
    json_push(out, port_json(&m->output));
    json_set(j, "inputs", in);
    json_set(j, "outputs", out);
    json_set_str(j, "summary", m->summary);
    return j;
}

static void model_row(cmd *c, const model_def *m)
{
    strbuf in = {0}, out = {0};
    for (int i = 0; i < m->n_inputs; i++) {
        strbuf_printf(&in, "%s", i ? ", " : "");
        port_text(&m->inputs[i], &in);
    }
    port_text(&m->output, &out);
    cmd_print(c, "%-24s %10lld  %-44s %s", m->name, (long long)m->params, in.s, out.s);
    strbuf_free(&in);
    strbuf_free(&out);
}

static bool run(cmd *c, err *e)
{
    (void)e;
    cmd_print(c, "%-24s %10s  %-44s %s", "model", "parameters", "inputs", "output");
    for (int i = 0; model_at(i); i++) {
        model_row(c, model_at(i));
        cmd_json(c, model_json(model_at(i)));
    }
    return true;
}

const command cmd_models = {
    .name = "models",
    .summary = "Lists the networks with their sizes, inputs and outputs",
    .usage = "",
    .example = "kmidi models",
    .run = run,
};
