// SPDX-License-Identifier: GPL-3.0-or-later
// again.c: see again.h.
#include "export/formats/again.h"

#include <math.h>
#include <string.h>

#include "base/larger.h"
#include "export/weights.h"
#include "infer/selftest.h"

void export_compare(export_task *t, const float *file, const float *ours, int64_t n)
{
    t->difference = t->most = 0;
    for (int64_t i = 0; i < n; i++) {
        t->difference = larger(t->difference, fabs((double)file[i] - (double)ours[i]));
        t->most = larger(t->most, fabs((double)ours[i]));
    }
}

bool export_copy_weights(export_task *t, err *e)
{
    const trained *d = t->from;
    model_dims dims = {.batch = 1, .time = 1, .classes = d->classes};
    t->again = params_open(t->arena);
    if (!model_build(d->model, t->again, &dims, t->arena, e) || !params_allocate(t->again, 0, e))
        return false;
    memcpy(t->again->weights, d->p->weights, sizeof(float) * (size_t)d->p->weights_len);
    return true;
}

static bool read_again(export_task *t, err *e)
{
    if (!export_copy_weights(t, e))
        return false;
    weights *w = weights_open(t->out, t->arena, e);
    bool ok = w && weights_load(w, t->again, NULL, e);
    weights_close(w);
    return ok;
}

bool export_run_again(export_task *t, err *e)
{
    float *ours, *file;
    int64_t n;
    trained other = *t->from;
    other.p = t->again;
    const selftest_of of = {0};
    if (!selftest_values(t->from, t->env, &of, t->arena, &ours, &n, e) ||
        !selftest_values(&other, t->env, &of, t->arena, &file, &n, e))
        return false;
    export_compare(t, file, ours, n);
    t->checked = "weights read again and run in the network";
    return true;
}

bool export_check_weights(export_task *t, err *e)
{
    return read_again(t, e) && export_run_again(t, e);
}

// ---- Said to data

// logits [rows, classes] = y [rows, width] w^T + b
static void probe(const params *p, const float *y, int64_t rows, int64_t classes, float *logits)
{
    int at = params_find(p, "probe.weight"), bias = params_find(p, "probe.bias");
    CHECK(at >= 0 && bias >= 0);
    const float *w = params_at(p, at), *b = params_at(p, bias);
    int64_t width = p->list[at].shape.d[1];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < classes; k++) {
            double sum = (double)b[k];
            for (int64_t i = 0; i < width; i++)
                sum += (double)y[r * width + i] * (double)w[k * width + i];
            logits[r * classes + k] = (float)sum;
        }
}

bool export_answer(const export_task *t, session *s, const float *y, int64_t n, bool probabilities,
                   err *e)
{
    const network *net = s->net;
    float *logits = session_data(s, net->logits);
    bool through = net->logits != net->out && !probabilities;
    int64_t due = shape_count(through ? net->out->shape : net->logits->shape);
    if (n != due)
        return err_set(e, ERR_INTERNAL, "'%s' answers with %lld numbers, not %lld", t->out,
                       (long long)n, (long long)due);
    if (through)
        probe(t->from->p, y, net->out->shape.d[0], net->logits->shape.d[1], logits);
    for (int64_t i = 0; !through && i < n; i++)
        logits[i] = probabilities ? (float)log(larger(1e-30, (double)y[i])) : y[i];
    return true;
}
