// SPDX-License-Identifier: GPL-3.0-or-later
// toy.c: a network as a page of text, a node a line and a constant a line: "y = Relu(x)".
#include <inttypes.h>

#include "autograd/emitter.h"
#include "base/file.h"
#include "export/formats/format.h"

static void put_constant(void *to, const emit_constant *c)
{
    strbuf_printf(to, "%s: %" PRId64 " numbers\n", c->name, shape_count(c->shape));
}

static void put_node(void *to, const emit_call *c)
{
    strbuf_printf(to, "%s = %s(", c->out[0], c->op);
    for (int i = 0; i < c->n_in; i++)
        strbuf_printf(to, "%s%s", i ? ", " : "", c->in[i]);
    strbuf_printf(to, ")\n");
}

static bool write(export_task *t, err *e)
{
    static const emit_form form = {"toy", put_constant, put_node};
    trained *d = t->from;
    model_dims dims = {.batch = 1, .time = 1};
    network *n = model_build(d->model, d->p, &dims, t->arena, e);
    if (!n)
        return false;
    strbuf text = {0};
    emitter *m = emitter_make(&form, &text, n->g, n->p, t->arena);
    for (int i = 0; i < d->model->n_inputs; i++)
        emitter_bind(m, n->in[i], n->in[i]->name);
    emitter_call(m, n->out, d->model->output.name);
    bool ok = emitter_reach(m, n->out, e) && file_write(t->out, text.s, text.len, e);
    strbuf_free(&text);
    return ok;
}

const export_def export_toy = {.name = "toy", .write = write};
