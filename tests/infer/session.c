// SPDX-License-Identifier: GPL-3.0-or-later
// session.c: steps behind a state say what the whole sequence says, for one item and for several;
// sessions that live at once do not touch each other; what a model says of its states is true.
#include "infer/session.h"

#include <math.h>
#include <string.h>

#include "infer/generate.h"
#include "tests/test.h"

enum { T = 24 };

static const char small_sizes[] =
    "layers=3 dim=48 heads=3 ffn=80 cross=0,2 emotion_tokens=5 qk_norm=1";

// A model and its weights, larger than at the start of training, so that what was heard matters.
typedef struct subject {
    const model_def *m;
    params *p;
    const char *token; // the input of tokens
    int tokens;        // how many there are
} subject;

static subject subject_of(const char *name, const char *sizes, uint64_t seed, arena *a)
{
    err e = {0};
    subject s = {.m = model_configure(model_find(name), sizes, a, &e), .p = params_open(a)};
    EXPECT_OK(s.m && model_build(s.m, s.p, &(model_dims){.batch = 1, .time = 1}, a, &e) &&
                  params_allocate(s.p, 0, &e),
              e);
    params_init(s.p, seed);
    for (int i = 0; i < s.p->n; i++)
        for (int64_t k = 0; k < s.p->list[i].count; k++)
            params_at(s.p, i)[k] *= 3;
    for (int i = 0; i < s.m->n_inputs; i++)
        if (s.m->inputs[i].type == DT_I32)
            s.token = s.m->inputs[i].name, s.tokens = s.m->inputs[i].below;
    return s;
}

static subject melody(arena *a)
{
    return subject_of("melody_transformer", NULL, 3, a);
}

static subject transformer(arena *a)
{
    return subject_of("emotion_midi_transformer", small_sizes, 4, a);
}

static void feeling(float *out, uint32_t row)
{
    for (uint32_t i = 0; i < 64; i++)
        out[i] = i < 3 ? test_fill(1 + row, i, 1) : 0;
}

static int token_at(const subject *s, uint32_t row, uint32_t t)
{
    return (int)(test_fill_u32(9 + row, t) % (uint32_t)s->tokens);
}

// Logits [rows, T, tokens] of whole sequences.
static const float *whole(const subject *u, int64_t rows, arena *a)
{
    err e = {0};
    session_setup o = {
        .model = u->m, .params = u->p, .gives = SESSION_OUT, .batch = rows, .time = T};
    session *s = session_open(&o, a, &e);
    EXPECT_OK(s != NULL, e);
    int32_t *tokens = session_input(s, u->token);
    for (uint32_t r = 0; r < rows; r++) {
        feeling((float *)session_input(s, "emotion") + 64 * r, r);
        for (uint32_t t = 0; t < T; t++)
            tokens[r * T + t] = token_at(u, r, t);
    }
    session_go(s);
    size_t n = (size_t)rows * T * (size_t)u->tokens;
    float *out = memcpy(NEW(a, float, n), session_data(s, s->net->out), n * sizeof *out);
    session_close(s);
    return out;
}

static session *open_steps(const subject *u, int64_t rows, arena *a)
{
    err e = {0};
    float emotion[2 * 64];
    session_setup o = {.model = u->m,
                       .params = u->p,
                       .gives = SESSION_OUT,
                       .batch = rows,
                       .steps = true,
                       .rows = T};
    session *s = session_open(&o, a, &e);
    for (uint32_t r = 0; r < rows; r++)
        feeling(emotion + 64 * r, r);
    EXPECT_OK(s && session_hear(s, "emotion", emotion, &e), e);
    return s;
}

// Logits [rows, tokens] behind token t of each row.
static const float *step(session *s, const subject *u, uint32_t t)
{
    int32_t *to = session_input(s, u->token);
    for (uint32_t r = 0; r < s->net->dims.batch; r++)
        to[r] = token_at(u, r, t);
    session_go(s);
    return session_data(s, s->net->out);
}

static void check_steps(subject (*make)(arena *), int64_t rows)
{
    arena a = {0};
    subject u = make(&a);
    const float *want = whole(&u, rows, &a);
    session *s = open_steps(&u, rows, &a);
    for (uint32_t t = 0; t < T; t++) {
        const float *y = step(s, &u, t);
        for (int r = 0; r < rows; r++)
            EXPECT_BELOW(
                test_distance(y + r * u.tokens, want + (r * T + (int)t) * u.tokens, u.tokens),
                1e-4);
    }
    EXPECT(test_distance(want, want + (T - 1) * u.tokens, u.tokens) > 0.01);
    session_close(s);
    params_release(u.p);
    arena_free(&a);
}

TEST(session_steps_equal_the_sequence)
{
    for (int64_t rows = 1; rows <= 2; rows++) {
        check_steps(melody, rows);
        check_steps(transformer, rows);
    }
}

// Three at once, two of them over the same weights, step in turns: each says what it says alone.
TEST(session_of_each_its_own)
{
    enum { N = 3 };
    arena a = {0};
    subject u[] = {melody(&a), transformer(&a), {0}};
    u[2] = u[0];
    float *alone[N];
    for (int k = 0; k < N; k++) {
        session *s = open_steps(&u[k], 1, &a);
        alone[k] = NEW(&a, float, (size_t)(T * u[k].tokens));
        for (uint32_t t = 0; t < T; t++)
            memcpy(alone[k] + (int)t * u[k].tokens, step(s, &u[k], t + (uint32_t)k),
                   (size_t)u[k].tokens * sizeof(float));
        session_close(s);
    }
    session *list[N];
    for (int k = 0; k < N; k++)
        list[k] = open_steps(&u[k], 1, &a);
    for (uint32_t t = 0; t < T; t++)
        for (int k = 0; k < N; k++)
            EXPECT(memcmp(alone[k] + (int)t * u[k].tokens, step(list[k], &u[k], t + (uint32_t)k),
                          (size_t)u[k].tokens * sizeof(float)) == 0);
    for (int k = 0; k < N; k++)
        session_close(list[k]);
    params_release(u[0].p), params_release(u[1].p);
    arena_free(&a);
}

TEST(session_begins_again_and_is_full)
{
    arena a = {0};
    subject list[] = {melody(&a), transformer(&a)};
    for (int k = 0; k < 2; k++) {
        const subject *u = &list[k];
        size_t bytes = (size_t)u->tokens * sizeof(float);
        session *s = open_steps(u, 1, &a);
        EXPECT_INT(session_grows(s), k);
        float *first = memcpy(NEW(&a, char, bytes), step(s, u, 0), bytes);
        for (uint32_t t = 1; t < T; t++) {
            EXPECT(!session_full(s));
            EXPECT(memcmp(step(s, u, t), first, bytes) != 0);
        }
        EXPECT_INT(session_full(s),
                   k); // T rows hold T tokens; a state that is replaced, any number
        session_begin(s);
        EXPECT(!session_full(s));
        EXPECT(memcmp(step(s, u, 0), first, bytes) == 0);
        session_close(s);
        params_release(u->p);
    }
    arena_free(&a);
}

static network *build(const subject *u, model_form form, arena *a)
{
    err e = {0};
    model_dims d = {.batch = 2, .time = 1, .rows = 7, .form = form};
    network *n = model_build(u->m, u->p, &d, a, &e);
    EXPECT_OK(n != NULL, e);
    return n;
}

TEST(session_states_are_described)
{
    arena a = {0};
    subject m = melody(&a), t = transformer(&a);
    const network *n = build(&m, FORM_REST, &a);
    EXPECT_INT(n->n_states, 2);
    EXPECT_STR(n->state[0].name, "lstm.h");
    EXPECT_STR(n->state[1].name, "lstm.c");
    for (int i = 0; i < 2; i++) {
        EXPECT_INT(n->state[i].kind, STATE_REPLACED);
        EXPECT(n->state[i].past == NULL);
        EXPECT(shape_same(n->state[i].in->shape, shape_of(2, 2, 256)));
        EXPECT(shape_same(n->state[i].out->shape, n->state[i].in->shape));
    }
    EXPECT(!n->length && !model_caches(m.m));
    n = build(&t, FORM_REST, &a); // 3 layers with a cache, 2 of which look at the emotion
    EXPECT_INT(n->n_states, 10);
    EXPECT_STR(n->state[3].name, "cross.values.0");
    EXPECT_INT(n->state[3].kind, STATE_GIVEN);
    EXPECT(n->state[3].in && !n->state[3].out);
    EXPECT(shape_same(n->state[3].in->shape, shape_of(3, 2, 5, 48)));
    EXPECT_STR(n->state[4].name, "keys.1");
    EXPECT_STR(n->state[4].past, "past_key_values.1.key");
    EXPECT_STR(n->state[5].present, "present.1.value");
    EXPECT_INT(n->state[4].heads, 3);
    EXPECT(shape_same(n->state[4].in->shape, shape_of(3, 2, 7, 48)));
    EXPECT(shape_same(n->state[4].out->shape, shape_of(3, 2, 1, 48)));
    EXPECT(n->length && !n->in[1] && model_caches(t.m));
    n = build(&t, FORM_ONCE, &a);
    EXPECT_INT(n->n_states, 4);
    EXPECT(!n->out && !n->in[0] && n->in[1] && n->state[0].out);
    n = build(&t, FORM_STEP, &a);
    EXPECT_INT(n->n_states, 6);
    params_release(m.p), params_release(t.p);
    arena_free(&a);
}

TEST(session_gives_what_is_asked)
{
    arena a = {0};
    err e = {0};
    const model_def *m = model_find("emotion_recognizer");
    params *p = params_open(&a);
    EXPECT_OK(model_build(m, p, &(model_dims){.batch = 1, .time = 1, .classes = 3}, &a, &e) &&
                  params_allocate(p, 0, &e),
              e);
    params_init(p, 5);
    session_setup o = {.model = m,
                       .params = p,
                       .gives = SESSION_OUT | SESSION_LOGITS | SESSION_PROBABILITIES,
                       .batch = 2,
                       .time = 10,
                       .classes = 3};
    session *s = session_open(&o, &a, &e);
    EXPECT_OK(s != NULL, e);
    float *mel = session_input(s, "mel");
    for (uint32_t i = 0; i < 2 * 10 * 128; i++)
        mel[i] = test_fill(2, i, 1);
    session_go(s);
    const float *y = session_data(s, s->net->logits), *q = session_data(s, s->probabilities);
    for (int r = 0; r < 2; r++)
        for (int i = 0; i < 3; i++) {
            double sum = 0;
            for (int k = 0; k < 3; k++)
                sum += exp((double)(y[3 * r + k] - y[3 * r + i]));
            EXPECT_NEAR((double)q[3 * r + i], 1 / sum, 1e-6);
        }
    EXPECT(session_input(s, "tokens") == NULL);
    EXPECT_ERR(session_hear(s, "tokens", mel, &e), e, ERR_INTERNAL, "no input 'tokens'");
    session_close(s);
    params_release(p);
    const session_setup without = {
        .model = model_find("harmony_predictor"), .params = params_open(&a), .steps = true};
    EXPECT(session_open(&without, &a, &e) == NULL);
    EXPECT_HAS(e.text, "keeps no past");
    arena_free(&a);
}

// By what a model says that it makes, not by what it is called.
TEST(session_generates_by_what_a_model_makes)
{
    arena a = {0};
    err e = {0};
    float emotion[64];
    subject u = melody(&a);
    model_def toy = *u.m;
    toy.name = "toy";
    feeling(emotion, 0);
    generator_setup how = {.emotion = emotion};
    generator *g = generator_open(u.m, u.p, &how, &a, &e),
              *h = generator_open(&toy, u.p, &how, &a, &e);
    EXPECT_OK(g && h, e);
    EXPECT_INT(h->count, 128);
    for (int t = -1; t < 8; t++) {
        const float *x = g->next(g, &t, &e), *y = h->next(h, &t, &e);
        EXPECT(memcmp(x, y, 128 * sizeof *x) == 0);
    }
    EXPECT(h->next(h, &(int){128}, &e) == NULL);
    EXPECT_HAS(e.text, "128 is no note; they are numbered from 0 to 127");
    EXPECT_INT(generator_weight_bytes(h), params_count(u.p, false) * 4);
    generator_close(g), generator_close(h);
    toy.makes = MAKES_CHORDS;
    EXPECT(generator_open(&toy, u.p, &how, &a, &e) == NULL);
    EXPECT_HAS(e.text, "toy makes no music; give melody_transformer or emotion_midi_transformer");
    EXPECT(model_making(MAKES_GROOVE) == model_find("groove_predictor"));
    params_release(u.p);
    arena_free(&a);
}
