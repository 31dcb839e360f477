// SPDX-License-Identifier: GPL-3.0-or-later
// mil_read.c (tests): packages of every model are read again, run by ourselves, and give what our
// networks give; damage of any byte ends in a sentence or does not matter to the structure.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "export/coreml.h"
#include "export/mil_run.h"
#include "export/onnx_run.h"
#include "infer/session.h"
#include "tests/export/filled.h"
#include "tests/models/small_model.h"
#include "tests/test.h"

enum { TIME = 7 };

static void fill(const port *q, const tensor *t, void *ours, uint32_t seed)
{
    for (int64_t i = 0; i < shape_count(t->shape); i++)
        if (q->type == DT_I32)
            ((int32_t *)ours)[i] = (int32_t)(test_fill_u32(seed, (uint32_t)i) % (uint32_t)q->below);
        else
            ((float *)ours)[i] = test_fill(seed, (uint32_t)i, 1);
}

static onnx_array given(session *s, const tensor *t, arena *a)
{
    int64_t dim[RANK_MAX], n = shape_count(t->shape);
    for (int k = 0; k < t->shape.rank; k++)
        dim[k] = t->shape.d[k];
    if (t->type == DT_F32)
        return onnx_array_f32(t->shape.rank, dim, session_data(s, t));
    int64_t *wide = NEW(a, int64_t, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        wide[i] = ((const int32_t *)session_data(s, t))[i];
    return onnx_array_i64(t->shape.rank, dim, wide);
}

// The largest difference of the package's output from ours, of the largest of ours.
static double apart(const model_def *m, params *p, const mil_program *package, arena *a)
{
    err e = {0};
    onnx_named in[MODEL_PORTS], out = {.name = package->outputs[0].name};
    const onnx_model *nodes = mil_portable(package, a, &e);
    onnx_runner *r = nodes ? onnx_runner_open(nodes, NULL, a, &e) : NULL;
    session *s = session_open(
        &(session_setup){.model = m, .params = p, .gives = SESSION_OUT, .batch = 1, .time = TIME},
        a, &e);
    double d = 1;
    if (!test_expect(r && s, __FILE__, __LINE__, "%s: %s", m->name, e.text))
        return d;
    for (int i = 0; i < m->n_inputs; i++) {
        fill(&m->inputs[i], s->net->in[i], session_data(s, s->net->in[i]), 70 + (uint32_t)i);
        in[i] = (onnx_named){m->inputs[i].name, given(s, s->net->in[i], a)};
    }
    EXPECT_OK(onnx_runner_go(r, m->n_inputs, in, 1, &out, a, &e), e);
    session_go(s);
    if (EXPECT(out.x.f && out.x.n == shape_count(s->net->out->shape)))
        d = test_distance(out.x.f, session_data(s, s->net->out), (size_t)out.x.n);
    session_close(s);
    onnx_runner_close(r);
    return d;
}

TEST(coreml_packages_are_read_and_run)
{
    for (int i = 0; model_at(i); i++)
        for (coreml_form form = COREML_F16; form <= COREML_F32; form++) {
            static const double within[] = {1e-3, 1e-3, 1e-5};
            arena a = {0};
            err e = {0};
            int64_t bytes;
            bool wide = form == COREML_F32;
            const model_def *m = small_model(i, &a);
            params *p = filled_params(m, &a);
            const char *path = arena_strdup(&a, test_path("x.mlpackage"));
            coreml_options o = {.batch = 1, .time = TIME, .form = form};
            EXPECT_OK(p && coreml_export(path, m, p, &o, &bytes, &e), e);
            const mil_program *q = mil_read(path, &a, &e);
            if (!test_expect(q != NULL, __FILE__, __LINE__, "%s: %s", m->name, e.text))
                return;
            EXPECT(mil_is_package(path) && q->specification == 7);
            double d = apart(m, p, q, &a);
            test_expect(d < within[form] && (wide || d > 1e-6), __FILE__, __LINE__,
                        "%s, %s: off by %g", m->name, coreml_form_text(form), d);
            if (getenv("PEERS_SHOW"))
                fprintf(stderr, "%-25s %-38s %.1e\n", m->name, coreml_form_text(form), d);
            // one constant with the other sign is another program, and another network: the last
            // matrix, since of the first little may be left at the end, and which it is depends on
            // the products of this CPU
            mil_op *c = q->ops + q->n_ops - 1;
            while (!c->blob || c->out->type.rank < 2)
                c--;
            mil_type stored = mil_stored(c);
            size_t n = (size_t)mil_count(&stored), each = (size_t)mil_bytes(&stored) / n;
            uint8_t *turned = memcpy(NEW(&a, uint8_t, n * each), c->data, n * each);
            for (size_t k = each - 1; k < n * each; k += each)
                turned[k] ^= 0x80;
            c->data = turned;
            EXPECT(mil_differs(q, mil_read(path, &a, &e)) == (int)(c - q->ops));
            d = apart(m, p, q, &a);
            test_expect(!wide || d > 1e-4, __FILE__, __LINE__, "%s, changed: off by %g", m->name,
                        d);
            params_release(p);
            arena_free(&a);
        }
}

static char *part(const char *name, size_t *n, arena *a)
{
    err e = {0};
    char *bytes =
        file_read(a, arena_printf(a, "%s/x.mlpackage/Data/com.apple.CoreML/%s", test_dir(), name),
                  1 << 24, n, &e);
    EXPECT_OK(bytes != NULL, e);
    return bytes;
}

TEST(coreml_packages_that_are_damaged_end_in_a_sentence)
{
    arena a = {0};
    err e = {0};
    int64_t bytes;
    size_t n, n_blobs;
    int sound = 0;
    const model_def *m = model_find("groove_predictor");
    params *p = filled_params(m, &a);
    coreml_options o = {.batch = 1};
    EXPECT_OK(p && coreml_export(test_path("x.mlpackage"), m, p, &o, &bytes, &e), e);
    char *model = part("model.mlmodel", &n, &a), *blobs = part("weights/weight.bin", &n_blobs, &a);
    for (uint32_t i = 0; i < 3000; i++) {
        arena scratch = {0};
        e = (err){0};
        char *in = i % 8 ? model : blobs;
        size_t at = test_fill_u32(5, i) % (i % 8 ? (uint32_t)n : 512), cut = i % 16 ? n : at;
        char was = in[at];
        in[at] = (char)(was ^ (1 << test_fill_u32(6, i) % 8));
        const mil_program *q = mil_decode("x", model, cut, blobs, n_blobs, &scratch, &e);
        bool ok = q && mil_check(q, "x", &e);
        EXPECT(ok || (e.text[0] && !strchr(e.text, '\n')));
        EXPECT(!ok || mil_portable(q, &scratch, &e) || e.text[0]);
        sound += ok;
        in[at] = was;
        arena_free(&scratch);
    }
    EXPECT(sound > 100 && sound < 2900); // names and words may be any
    EXPECT_ERR(mil_decode("x", model, n, NULL, 0, &a, &e), e, ERR_DAMAGED,
               "lies in a file of numbers, which is not there");
    EXPECT_ERR(mil_decode("x", model, n, blobs, n_blobs - 64, &a, &e), e, ERR_DAMAGED,
               "has other numbers in the file than its type says");
    EXPECT_ERR(mil_decode("x", "", 0, NULL, 0, &a, &e), e, ERR_FORMAT, "holds no ML program");
    params_release(p);
    arena_free(&a);
}

static mil_type *type_of(const mil_program *q, const char *value)
{
    for (int i = 0; i < q->n_ops; i++)
        if (!strcmp(q->ops[i].out[0].name, value))
            return &q->ops[i].out[0].type;
    return NULL;
}

// A constant of no elements, where one number is wanted, is none: nothing behind it is read.
TEST(coreml_packages_without_a_number_are_not_run)
{
    arena a = {0};
    err e = {0};
    int64_t bytes;
    int at = 0, found = 0;
    while (strcmp(model_at(at)->name, "spectocloud_vit"))
        at++;
    const model_def *m = small_model(at, &a);
    params *p = filled_params(m, &a);
    coreml_options o = {.batch = 1, .time = TIME, .form = COREML_F32};
    EXPECT_OK(p && coreml_export(test_path("x.mlpackage"), m, p, &o, &bytes, &e), e);
    const mil_program *q = mil_read(arena_strdup(&a, test_path("x.mlpackage")), &a, &e);
    EXPECT_OK(q && mil_portable(q, &a, &e), e);
    for (int i = 0; q && i < q->n_ops && !found; i++)
        for (int k = 0; k < q->ops[i].n_args; k++)
            if (!strcmp(q->ops[i].args[k].name, "epsilon")) {
                mil_type *t = type_of(q, q->ops[i].args[k].values[0]);
                EXPECT_INT(t->rank, 0);
                *t = (mil_type){.kind = t->kind, .rank = 1};
                found++;
            }
    EXPECT_INT(found, 1);
    EXPECT(!mil_portable(q, &a, &e));
    EXPECT_HAS(e.text, "the operation layer_norm ('");
    params_release(p);
    arena_free(&a);
}

TEST(coreml_packages_are_inspected_and_verified)
{
    arena a = {0};
    err e = {0};
    int64_t bytes;
    const char *out, *k = test_kmidi(), *d = test_dir();
    const model_def *m = model_find("dynamics_engine");
    params *p = filled_params(m, &a);
    EXPECT_OK(
        coreml_export(test_path("x.mlpackage"), m, p, &(coreml_options){.batch = 3}, &bytes, &e),
        e);
    EXPECT_INT(test_shell(&out, "%s inspect '%s/x.mlpackage' --json", k, d), 0);
    EXPECT_HAS(out, "\"kind\": \"coreml\"");
    EXPECT_HAS(out, "\"inputs\": {\"midi_stats\": [3, 32]}");
    EXPECT_INT(test_shell(&out, "%s verify '%s/x.mlpackage/'", k, d), 0);
    EXPECT_HAS(out, "ok (coreml)");
    EXPECT_INT(test_shell(&out,
                          "sed -i 's#com.apple.CoreML/model#../../../model#' "
                          "'%s/x.mlpackage/Manifest.json'; %s verify '%s/x.mlpackage'",
                          d, k, d),
               1);
    EXPECT_HAS(out, "names no model that lies in the package");
    EXPECT_INT(
        test_shell(&out, "rm '%s/x.mlpackage/Manifest.json'; %s verify '%s/x.mlpackage'", d, k, d),
        1);
    EXPECT_HAS(out, "Manifest.json");
    params_release(p);
    arena_free(&a);
}
