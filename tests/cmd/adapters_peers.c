// SPDX-License-Identifier: GPL-3.0-or-later
// adapters_peers.c (tests): adapters as MLX and Hugging Face PEFT have them, there and back.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/larger.h"
#include "export/safetensors.h"
#include "tests/cmd/adapters_made.h"

// ---- MLX

// Entry `name` of a safetensors file, a matrix.
static const float *matrix(const char *file, const char *name, int64_t dim[2], arena *a)
{
    err e = {0};
    safetensors *s = safetensors_open(test_path(file), a, &e);
    int i = s ? safetensors_find(s, name) : -1;
    if (!test_expect(i >= 0, __FILE__, __LINE__, "%s has no %s %s", file, name, e.text))
        return NULL;
    const weights_entry *t = &safetensors_listing(s)->list[i];
    float *x = NEW(a, float, (size_t)t->count);
    EXPECT_OK(safetensors_read(s, i, x, &e), e);
    dim[0] = t->dim[0], dim[1] = t->dim[1];
    safetensors_close(s);
    return x;
}

// W + scale (lora_a lora_b)^T is the merged weight, as the formula of MLX has it.
static void expect_merged(const char *layer, int64_t rank, double scale)
{
    arena a = {0};
    int64_t d[2], da[2] = {0}, db[2] = {0};
    const char *weight = arena_printf(&a, "%s.weight", layer);
    const float *base = matrix("base.safetensors", weight, d, &a),
                *merged = matrix("merged.safetensors", weight, d, &a),
                *fa = matrix("mlx/adapters.safetensors", arena_printf(&a, "%s.lora_a", layer), da,
                             &a),
                *fb = matrix("mlx/adapters.safetensors", arena_printf(&a, "%s.lora_b", layer), db,
                             &a);
    double worst = 0, change = 0;
    EXPECT(da[0] == d[1] && da[1] == rank && db[0] == rank && db[1] == d[0]);
    for (int64_t o = 0; base && merged && fa && fb && o < d[0]; o++)
        for (int64_t i = 0; i < d[1]; i++) {
            double sum = 0;
            for (int64_t k = 0; k < rank; k++)
                sum += (double)fa[i * rank + k] * (double)fb[k * d[0] + o];
            double was = (double)base[o * d[1] + i], is = (double)merged[o * d[1] + i];
            worst = larger(worst, fabs(was + scale * sum - is));
            change = larger(change, fabs(is - was));
        }
    EXPECT(worst < 1e-6 && change > 1e-3);
    arena_free(&a);
}

static const char *const plain[] = {"fc1", "fc2", "fc3"};

TEST(adapters_of_mlx_are_its_formula)
{
    const lora_config lora = {.r = 4,
                              .alpha = 12,
                              .targets.names = {plain, 3},
                              .ranks = {(const char *const[]){"fc2"}, (const double[]){2}, 1},
                              .alphas = {(const char *const[]){"fc3"}, (const double[]){5}, 1}};
    arena a = {0};
    err e = {0};
    size_t n;
    const char *out, *dir = adapters_made("melody_transformer", &lora), *k = test_kmidi();
    RUN(0, "%s export '%s/run' --format mlx-adapter -o '%s/mlx' --json", k, dir, dir);
    json *told = json_parse(out, strlen(out), &e);
    EXPECT_BELOW(json_num(json_get(told, "max_difference"), 1), 1e-5);
    EXPECT(json_num(json_get(told, "output_max"), 0) > 0);
    EXPECT_HAS(json_str(json_get(told, "checked"), ""), "folder read again, added to the base");
    json_free(told);
    const char *text = file_read(&a, test_path("mlx/adapter_config.json"), 1 << 16, &n, &e);
    json *j = text ? json_parse(text, n, &e) : NULL;
    const json *o = json_get(j, "lora_parameters");
    EXPECT_STR(json_str(json_get(j, "fine_tune_type"), ""), "lora");
    EXPECT_INT(json_int(json_get(o, "rank"), 0), 4);
    EXPECT_NEAR(json_num(json_get(o, "scale"), 0), 3, 1e-7);
    EXPECT_INT(json_len(json_get(o, "keys")), 3);
    json_free(j);
    for (int i = 0; i < 3; i++)
        expect_merged(plain[i], 4, 3);
    arena_free(&a);
    if (!getenv("MLX_PYTHON")) {
        test_skip("MLX_PYTHON does not name a Python with mlx_lm");
        return;
    }
    int status = test_shell(&out, "\"$MLX_PYTHON\" tests/peers/mlx_check.py '%s'", dir);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
}

TEST(adapters_of_mlx_by_dora_are_its_formula)
{
    const lora_config lora = {.r = 4,
                              .alpha = 12,
                              .dora = true,
                              .targets.names = {plain, 3},
                              .ranks = {(const char *const[]){"fc2"}, (const double[]){2}, 1}};
    err e = {0};
    const char *out, *dir = adapters_made("melody_transformer", &lora), *k = test_kmidi();
    RUN(0, "%s export '%s/run' --format mlx-adapter -o '%s/mlx' --json", k, dir, dir);
    json *told = json_parse(out, strlen(out), &e);
    EXPECT_BELOW(json_num(json_get(told, "max_difference"), 1), 1e-5);
    EXPECT_HAS(json_str(json_get(told, "checked"), ""), "folder read again, added to the base");
    json_free(told);
    RUN(0, "cat '%s/mlx/adapter_config.json'", dir);
    EXPECT_HAS(out, "\"fine_tune_type\": \"dora\"");
    if (!getenv("MLX_PYTHON")) {
        test_skip("MLX_PYTHON does not name a Python with mlx_lm");
        return;
    }
    int status = test_shell(&out, "\"$MLX_PYTHON\" tests/peers/mlx_check.py '%s'", dir);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
}

TEST(adapters_that_mlx_lacks_are_refused)
{
    const char *out, *dir = adapters_made("melody_transformer", &adapters_melody),
                     *k = test_kmidi();
    RUN(1, "%s export '%s/run' --format mlx-adapter -o '%s/mlx'", k, dir, dir);
    EXPECT_HAS(out,
               "MLX adapts linear layers, and 'lstm.weight_ih_l0' is of none; export as adapter");
    EXPECT(!file_exists(test_path("mlx/adapter_config.json")));
    RUN(1, "%s export '%s/base' --format mlx-adapter -o '%s/mlx'", k, dir, dir);
    EXPECT_HAS(out, "has no adapter");
}

// ---- PEFT

static void through_peft(const char *model, const lora_config *lora)
{
    const char *out, *dir = adapters_made(model, lora), *k = test_kmidi();
    int status =
        test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/peft_check.py %s '%s'", model, dir);
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    RUN(0,
        "%s merge '%s/base' '%s/back' -o '%s/back.h5' --json && %s export '%s/back.h5' --format "
        "safetensors -o '%s/back.safetensors'",
        k, dir, dir, dir, k, dir, dir);
    // of weights, no header among them
    long long bytes =
        4 * model_find(model)->params < 2000000 ? 4 * model_find(model)->params : 2000000;
    RUN(0,
        "for f in back merged; do tail -c %lld '%s/'$f.safetensors > '%s/'$f.tail; done; cmp "
        "'%s/back.tail' '%s/merged.tail'",
        bytes, dir, dir, dir, dir);
}

TEST(adapters_through_peft_and_back)
{
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("melody_transformer", &adapters_melody);
}

TEST(adapters_of_several_matrices_through_peft_and_back)
{
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("melody_transformer", &adapters_both);
}

TEST(adapters_of_audio_through_peft_and_back)
{
    static const char *const audio[] = {"fc1", "fc2", "fc3", "lstm.weight_ih_l0"};
    static const lora_config lora = {
        .r = 4, .alpha = 8, .dropout = 0.1, .together = true, .targets.names = {audio, 4}};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("emotion_recognizer", &lora);
}

TEST(adapters_of_convolutions_through_peft_and_back)
{
    static const char *const names[] = {"conv", "technical.fc1"};
    static const lora_config lora = {
        .r = 4, .alpha = 8, .dropout = 0.1, .together = true, .targets.names = {names, 2}};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("instrument_recognizer", &lora);
}

TEST(adapters_by_dora_through_peft_and_back)
{
    static const lora_config lora = {.r = 4,
                                     .alpha = 6,
                                     .rslora = true,
                                     .dora = true,
                                     .dropout = 0.2,
                                     .together = true,
                                     .targets.names = {plain, 3}};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("melody_transformer", &lora);
}

TEST(adapters_by_dora_of_convolutions_through_peft_and_back)
{
    static const char *const names[] = {"conv", "technical.fc1"};
    static const lora_config lora = {
        .r = 4, .alpha = 8, .dora = true, .together = true, .targets.names = {names, 2}};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("instrument_recognizer", &lora);
}

TEST(adapters_of_the_transformer_through_peft_and_back)
{
    static const char *const names[] = {"q_proj", "v_proj"};
    static const lora_config lora = {
        .r = 8, .alpha = 16, .dropout = 0.1, .together = true, .targets.names = {names, 2}};
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import peft' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch and PEFT");
        return;
    }
    through_peft("emotion_midi_transformer", &lora);
}
