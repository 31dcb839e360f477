// SPDX-License-Identifier: GPL-3.0-or-later
// cost.c: sums over a plan's steps (cost.h).
#include "autograd/cost.h"

static int kind_of(const plan_step *s)
{
    return s->node ? (int)op_id_of(s->node->op) : OP_COUNT;
}

static double estimate(const plan_step *s)
{
    return s->cost_ns * 1e-9 / s->threads;
}

double cost_step(const cost_model *c, const plan_step *s)
{
    double ratio = c ? c->ratio[kind_of(s)] : 0;
    return estimate(s) * (ratio > 0 ? ratio : 1);
}

cost_phase cost_phase_of(const plan_step *s)
{
    const node *n = s->node;
    return n && n->again ? COST_AGAIN : !n || n->backward ? COST_BACKWARD : COST_FORWARD;
}

cost_phases cost_of(const cost_model *c, const plan *p)
{
    cost_phases sum = {0};
    for (int i = 0; i < p->n_steps; i++)
        sum.seconds[cost_phase_of(&p->steps[i])] += cost_step(c, &p->steps[i]);
    return sum;
}

double cost_seconds(const cost_model *c, const plan *p)
{
    cost_phases sum = cost_of(c, p);
    return sum.seconds[COST_FORWARD] + sum.seconds[COST_AGAIN] + sum.seconds[COST_BACKWARD];
}

void cost_learn(cost_model *c, const plan *p, const run_span *spans)
{
    double measured[OP_COUNT + 1] = {0}, estimated[OP_COUNT + 1] = {0};
    for (int i = 0; i < p->n_steps; i++) {
        measured[kind_of(&p->steps[i])] += spans[i].end - spans[i].begin;
        estimated[kind_of(&p->steps[i])] += estimate(&p->steps[i]);
    }
    for (int k = 0; k <= OP_COUNT; k++)
        c->ratio[k] = estimated[k] > 0 ? measured[k] / estimated[k] : 0;
}
