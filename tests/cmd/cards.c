// SPDX-License-Identifier: GPL-3.0-or-later
// cards.c (tests): `kmidi export --card`: a page and a registry beside the exports, made of what
// the run's record holds.
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "tests/test.h"
#include "tests/train/corpus.h"

#define RUN(want, ...) EXPECT_INT(test_shell(&out, __VA_ARGS__), want)

// DIR/runs/a, b of two seeds, and c of another rate.
static const char *make_runs(void)
{
    const char *out, *d = test_dir(), *k = test_kmidi();
    corpus_make_songs(d, "dynamics_engine");
    RUN(0,
        "for r in 'a train.seed=4' 'b train.seed=5' 'c optim.lr=0.5'; do %s train "
        "'%s/dynamics_engine.yaml' --run-dir '%s'/runs/$r train.epochs=1 -q || exit 1; done; mkdir "
        "'%s/x'",
        k, d, d, d);
    return d;
}

static const char *text_of(const char *name, arena *a)
{
    err e = {0};
    size_t n;
    const char *text = file_read(a, test_path(name), 1 << 22, &n, &e);
    return test_expect(text != NULL, __FILE__, __LINE__, "%s", e.text) ? text : "";
}

static json *registry(arena *a)
{
    err e = {0};
    const char *text = text_of("x/registry.json", a);
    json *j = json_parse(text, strlen(text), &e);
    test_expect(j != NULL, __FILE__, __LINE__, "%s", e.text);
    return j;
}

static void expect_digest(const json *exports, const char *key, const char *name, arena *a)
{
    char hex[65];
    err e = {0};
    size_t n = 0;
    const char *bytes = file_read(a, test_path(name), 1 << 22, &n, &e);
    digest_of(bytes, n, hex);
    EXPECT_STR(json_str(json_get(exports, key), ""), hex);
}

TEST(cards_tell_data_licence_figures_and_seeds)
{
    arena a = {0};
    const char *out, *d = make_runs(), *k = test_kmidi();
    RUN(0, "%s export '%s/runs/a' -f onnx -o '%s/x/loud.onnx' --card", k, d, d);
    EXPECT_HAS(out, "x/loud.md and ");
    RUN(0, "%s export '%s/runs/a' -f pt -o '%s/x/loud.pt' --card --json", k, d, d);
    EXPECT_HAS(out, "\"card\": ");
    const char *page = text_of("x/loud.md", &a);
    EXPECT_HAS(page, "# loud\n");
    EXPECT_HAS(page, "| licence of the data | CC0-1.0 |");
    EXPECT_HAS(page, "| synthetic | yes: it was made up by kmidi |");
    EXPECT_HAS(page, "| split validation | 8 items |");
    EXPECT_HAS(page, "(seed 4)");
    EXPECT_HAS(page, "Over 2 runs that differ by their seed alone (4, 5)");
    EXPECT_HAS(page, "| loss | ");
    EXPECT_HAS(page, "torch.load(\"loud.pt\", weights_only=True)");
    EXPECT_HAS(page, "onnxruntime.InferenceSession(\"loud.onnx\")");
    EXPECT_HAS(page, "| in | `midi_stats` | float32 | batch, 32 |");
    json *j = registry(&a);
    const json *m = json_at(json_get(j, "models"), 0), *exports = json_get(m, "exports");
    EXPECT_INT(json_len(json_get(j, "models")), 1);
    EXPECT_STR(json_str(json_get(j, "registry_version"), ""), "1.1");
    EXPECT_STR(json_str(json_get(m, "id"), ""), "loud");
    EXPECT_STR(json_str(json_get(m, "file"), ""), "loud.pt");
    EXPECT_STR(json_str(json_get(m, "license"), ""), "of the data: CC0-1.0");
    EXPECT_INT(json_int(json_get(m, "input_size"), 0), 32);
    EXPECT_INT(json_int(json_get(json_get(m, "training"), "seed"), 0), 4);
    expect_digest(exports, "onnx_sha256", "x/loud.onnx", &a);
    expect_digest(exports, "pt_sha256", "x/loud.pt", &a);
    expect_digest(exports, "sha256", "x/loud.pt", &a);
    json_free(j);
    // the one for RTNeural stands for the model, whatever comes behind it
    RUN(0,
        "%s export '%s/runs/a' -f rtneural -o '%s/x/loud.json' --card && %s export '%s/runs/a' -f "
        "onnx-int8 -o '%s/x/loud.onnx' --card --overwrite",
        k, d, d, k, d, d);
    j = registry(&a);
    m = json_at(json_get(j, "models"), 0), exports = json_get(m, "exports");
    EXPECT_STR(json_str(json_get(m, "format"), ""), "rtneural-json");
    expect_digest(exports, "sha256", "x/loud.json", &a);
    expect_digest(exports, "onnx_int8_sha256", "x/loud.onnx", &a);
    json_free(j);
    arena_free(&a);
}

// Twelve exports at once: none overwrites what another has listed.
TEST(cards_of_exports_at_once_are_all_listed)
{
    arena a = {0};
    const char *out, *d = make_runs(), *k = test_kmidi();
    RUN(0,
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do %s export '%s/runs/c' -f pt -o \"%s/x/m$i.pt\" "
        "--card -q || echo failed & done; wait",
        k, d, d);
    EXPECT(!strstr(out, "failed"));
    json *j = registry(&a);
    EXPECT_INT(json_len(json_get(j, "models")), 12);
    json_free(j);
    arena_free(&a);
}

TEST(cards_keep_what_others_wrote)
{
    arena a = {0};
    const char *out, *d = make_runs(), *k = test_kmidi();
    RUN(0,
        "echo '{\"models\": [{\"id\": \"other\", \"more\": 1}], \"note\": \"mine\"}' "
        ">'%s/x/registry.json'",
        d);
    RUN(0, "%s export '%s/runs/c' -f pt -o '%s/x/loud.pt' --card", k, d, d);
    json *j = registry(&a);
    EXPECT_INT(json_len(json_get(j, "models")), 2);
    EXPECT_INT(json_int(json_get(json_at(json_get(j, "models"), 0), "more"), 0), 1);
    EXPECT_STR(json_str(json_get(j, "note"), ""), "mine");
    json_free(j);
    EXPECT(!strstr(text_of("x/loud.md", &a), "differ by their seed alone")); // it has no other
    RUN(0, "echo 'my own words' >'%s/x/loud.md' && rm '%s/x/loud.pt'", d, d);
    RUN(2, "%s export '%s/runs/c' -f pt -o '%s/x/loud.pt' --card", k, d, d);
    EXPECT_HAS(out, "loud.md' is no card of kmidi's; add --overwrite to replace it");
    RUN(1, "test -e '%s/x/loud.pt'", d);
    RUN(0, "rm '%s/x/loud.md' && echo '{' >'%s/x/registry.json'", d, d);
    RUN(1, "%s export '%s/runs/c' -f pt -o '%s/x/loud.pt' --card", k, d, d);
    EXPECT_HAS(out, "x/registry.json'");
    RUN(0, "echo '[]' >'%s/x/registry.json'", d);
    RUN(1, "%s export '%s/runs/c' -f pt -o '%s/x/loud.pt' --card", k, d, d);
    EXPECT_HAS(out, "has no list of models");
    RUN(1, "test -e '%s/x/loud.pt'", d);
    RUN(2, "%s export '%s/runs/c' -f pt -o /dev/null --card", k, d);
    EXPECT_HAS(out, "--card goes beside a file");
    arena_free(&a);
}
