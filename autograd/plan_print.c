// SPDX-License-Identifier: GPL-3.0-or-later
// plan_print.c: a plan as a table (plan.h).
#include "autograd/op.h"
#include "autograd/plan.h"

static void print_place(const plan *p, const tensor *t, strbuf *out)
{
    static const char *const names[] = {"-", "arena", "weights", "grads", "const"};
    const place *w = &p->places[t->id];
    char s[64];
    strbuf_printf(out, "%-5s%-20s %-7s %12llu %12llu", dtype_name(t->type), shape_text(t->shape, s),
                  names[w->kind], (unsigned long long)w->offset,
                  (unsigned long long)plan_tensor_bytes(t));
    if (w->root != t->id)
        strbuf_printf(out, "  over t%d", w->root);
}

const char *plan_move_name(const plan *p, const plan_step *s)
{
    return s->write                           ? "(write buffer)"
           : p->options.grad_mode == GRAD_ADD ? "(add gradient)"
                                              : "(copy gradient)";
}

void plan_print(const plan *p, strbuf *out)
{
    strbuf_printf(out, "%4s  %-20s %3s %10s  %s\n", "step", "op", "thr", "est. us",
                  "output: type shape, buffer, offset, bytes");
    for (int s = 0; s < p->n_steps; s++) {
        const plan_step *st = &p->steps[s];
        const tensor *t = st->node ? st->node->out[0] : st->grad;
        const char *name = st->node ? st->node->op->name : plan_move_name(p, st);
        strbuf_printf(out, "%4d%c %-20s %3d %10.1f  ", s,
                      st->node && st->node->backward ? '<' : ' ', name, st->threads,
                      st->cost_ns * 1e-3);
        print_place(p, t, out);
        if (!st->node)
            strbuf_printf(out, "  %s", p->options.params->list[st->param].name);
        else if (t->name)
            strbuf_printf(out, "  %s", t->name);
        strbuf_printf(out, "\n");
    }
    strbuf_printf(out, "arena %llu bytes (%llu alive at once), workspace %llu\n",
                  (unsigned long long)p->arena_bytes, (unsigned long long)p->live_bytes,
                  (unsigned long long)p->work_bytes);
}
