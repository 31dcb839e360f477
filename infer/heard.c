// SPDX-License-Identifier: GPL-3.0-or-later
// heard.c: answers of a recogniser (heard.h); of a model of groups: heard_groups.c.
#include "infer/heard.h"

static const char *best_label(const trained *d, const heard *h, double *p)
{
    int best = 0;
    for (int i = 1; h->probabilities && i < d->classes; i++)
        if (h->probabilities[i] > h->probabilities[best])
            best = i;
    *p = h->probabilities ? (double)h->probabilities[best] : 0;
    return h->probabilities && d->labels ? d->labels[best] : NULL;
}

json *heard_json(const trained *d, const char *file, const heard *h, arena *a)
{
    if (d->model->n_groups)
        return heard_groups_json(d, file, h, a);
    double sure;
    const char *label = best_label(d, h, &sure);
    json *j = json_object(), *p = label ? json_object() : NULL;
    for (int i = 0; label && i < d->classes; i++)
        json_set_num(p, d->labels[i], (double)h->probabilities[i]);
    if (file)
        json_set_str(j, "file", file);
    json_set_str(j, "label", label);
    json_set(j, "probabilities", p);
    json_set_num(j, "valence", (double)h->embedding[0]);
    json_set_num(j, "arousal", (double)h->embedding[1]);
    json_set_int(j, "windows", h->windows);
    return j;
}

void heard_text(const trained *d, const heard *h, strbuf *out)
{
    if (d->model->n_groups) {
        heard_groups_text(d, h, out);
        return;
    }
    double p;
    const char *label = best_label(d, h, &p);
    if (label)
        strbuf_printf(out, "%s (%.0f%%), ", label, 100 * p);
    strbuf_printf(out, "valence %+.2f, arousal %+.2f", (double)h->embedding[0],
                  (double)h->embedding[1]);
}

unsigned heard_marks(const trained *d, const clip *sound, const heard *h)
{
    unsigned brief = 1u << CLIP_BRIEF;
    return (sound->marks & ~brief) | (h->frames < d->hear.window ? brief : 0);
}

const char *heard_mark_text(const trained *d, clip_mark m, arena *a)
{
    if (m != CLIP_BRIEF)
        return clip_mark_text(m);
    return arena_printf(a, "shorter than the window of %.2f s that the model learnt from",
                        (double)d->hear.window * d->mel->hop_length / d->mel->sample_rate);
}
