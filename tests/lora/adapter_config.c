// SPDX-License-Identifier: GPL-3.0-or-later
// adapter_config.c: adapter configurations (lora/adapter.h): what is taken as in PEFT, and what is
// refused by name.
#include <string.h>

#include "lora/adapter.h"
#include "tests/test.h"

static void check_row(const json *row)
{
    arena a = {0};
    err e = {0};
    lora_config c;
    strbuf text = {0};
    json_dump(json_get(row, "config"), 0, &text);
    const adapters *l = NULL;
    EXPECT_OK(lora_config_read("golden", text.s, text.len, &a, &c, &e), e);
    EXPECT_OK((l = lora_match(&c, model_find(json_str(json_get(row, "model"), "")), false, &a,
                              &e)) != NULL,
              e);
    const json *paths = json_get(row, "paths");
    test_expect(l && l->n == (int)json_len(paths), __FILE__, __LINE__, "%s: %d found, PEFT %zu",
                text.s, l ? l->n : 0, json_len(paths));
    for (size_t i = 0; l && i < json_len(paths); i++) {
        const char *key = arena_printf(&a, "%s.lora_A.weight", json_str(json_at(paths, i), ""));
        int at = -1;
        for (int k = 0; k < l->n; k++)
            if (!strcmp(l->site[k].a, key))
                at = k;
        if (!test_expect(at >= 0, __FILE__, __LINE__, "%s: %s is not found", text.s, key))
            continue;
        EXPECT_INT(l->site[at].rank, json_int(json_at(json_get(row, "ranks"), i), 0));
        EXPECT_NEAR(l->site[at].scale, json_num(json_at(json_get(row, "scales"), i), 0), 1e-6);
    }
    // Written and read again it finds the same.
    strbuf again = {0};
    lora_config d;
    EXPECT_OK(
        lora_config_write(&c, model_find(json_str(json_get(row, "model"), "")), NULL, &again, &e) &&
            lora_config_read("again", again.s, again.len, &a, &d, &e),
        e);
    const adapters *k =
        lora_match(&d, model_find(json_str(json_get(row, "model"), "")), false, &a, &e);
    test_expect(k && l && k->n == l->n && k->n_whole == l->n_whole, __FILE__, __LINE__, "%s",
                again.s);
    strbuf_free(&again);
    strbuf_free(&text);
    arena_free(&a);
}

TEST(adapter_configurations_match_as_in_peft)
{
    json *g = test_golden("lora");
    const json *rows = json_get(g, "matching");
    EXPECT(json_len(rows) > 10);
    for (size_t i = 0; i < json_len(rows); i++)
        check_row(json_at(rows, i));
    json_free(g);
}

static bool reads(const char *text, err *e)
{
    arena a = {0};
    lora_config c;
    bool ok = lora_config_read("x.json", text, strlen(text), &a, &c, e);
    arena_free(&a);
    return ok;
}

TEST(adapter_configurations_of_other_methods_are_named_and_refused)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"{\"peft_type\": \"IA3\"}", "of the method IA3, which kmidi does not have"},
        {"{\"peft_type\": \"VERA\"}", "of the method VERA"},
        {"{\"peft_type\": \"LORA\", \"use_qalora\": true}", "QALoRA"},
        {"{\"peft_type\": \"LORA\", \"alora_invocation_tokens\": [1]}", "activated LoRA"},
        {"{\"peft_type\": \"LORA\", \"megatron_config\": {\"a\": 1}}", "Megatron"},
        {"{\"peft_type\": \"LORA\", \"layer_replication\": [[0, 2]]}", "layer replication"},
        {"{\"peft_type\": \"LORA\", \"lora_bias\": true}", "a bias of its own"},
        {"{\"peft_type\": \"LORA\", \"bias\": \"all\"}", "bias: all"},
        {"{\"peft_type\": \"LORA\", \"init_lora_weights\": \"mica\"}", "mica"},
        {"{\"peft_type\": \"LORA\", \"init_lora_weights\": \"something\"}", "something"},
        {"{\"peft_type\": \"LORA\", \"arrow_config\": {}}", "Arrow"},
        {"{\"peft_type\": \"LORA\", \"init_lora_weights\": \"pissa_niter_4\"}", "pissa"},
        {"{\"peft_type\": \"LORA\", \"kasa_config\": {\"x\": 1}}", "KaSA"},
    };
    err e = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        EXPECT_ERR(reads(rows[i].text, &e), e, ERR_MISMATCH, rows[i].part);
    EXPECT_OK(reads("{\"peft_type\": \"LORA\", \"init_lora_weights\": \"gaussian\", "
                    "\"something_new\": {\"x\": 1}, \"use_dora\": true}",
                    &e),
              e);
    EXPECT_OK(reads("{\"peft_type\": \"LORA\", \"use_qalora\": \"\", \"lora_bias\": [], "
                    "\"megatron_config\": {}, \"layer_replication\": 0}",
                    &e),
              e);
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"use_qalora\": \"no\"}", &e), e, ERR_MISMATCH,
               "QALoRA");
    EXPECT_OK(reads("{\"peft_type\": \"LORA\", \"fan_in_fan_out\": true, \"loftq_config\": {}, "
                    "\"eva_config\": {\"rho\": 2.0}}",
                    &e),
              e);
}

TEST(adapter_configurations_that_are_damaged)
{
    err e = {0};
    EXPECT_ERR(reads("[]", &e), e, ERR_FORMAT, "no adapter configuration of PEFT");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\"", &e), e, ERR_FORMAT, "'x.json'");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"r\": 0}", &e), e, ERR_VALUE,
               "'r' is not a number in its range");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"r\": 2.5}", &e), e, ERR_VALUE,
               "'r' is not a whole number");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"lora_dropout\": 1}", &e), e, ERR_VALUE,
               "lora_dropout");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"target_modules\": [1]}", &e), e, ERR_VALUE,
               "target_modules");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"target_modules\": {\"a\": 1}}", &e), e, ERR_VALUE,
               "target_modules");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"rank_pattern\": {\"a\": \"b\"}}", &e), e,
               ERR_VALUE, "rank_pattern");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"layers_to_transform\": [1.5]}", &e), e, ERR_VALUE,
               "layers_to_transform");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"r\": 4097}", &e), e, ERR_VALUE,
               "'r' is not a number in its range");
}

TEST(adapter_configurations_that_peft_refuses)
{
    err e = {0};
    EXPECT_ERR(
        reads("{\"peft_type\": \"LORA\", \"target_modules\": \"fc.\", \"layers_to_transform\": []}",
              &e),
        e, ERR_VALUE, "layers_to_transform does not go with a target_modules that is one text");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"target_modules\": \"all-linear\", "
                     "\"layers_to_transform\": 0}",
                     &e),
               e, ERR_VALUE, "layers_to_transform does not go");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"target_modules\": \"fc.\", \"layers_pattern\": "
                     "\"layers\"}",
                     &e),
               e, ERR_VALUE, "layers_pattern does not go");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"target_modules\": [\"fc1\"], \"layers_pattern\": "
                     "[\"layers\"]}",
                     &e),
               e, ERR_VALUE, "layers_pattern says nothing without layers_to_transform");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"target_modules\": [], \"target_parameters\": "
                     "\"fc1.weight\"}",
                     &e),
               e, ERR_VALUE, "target_parameters is a list");
    EXPECT_ERR(reads("{\"peft_type\": \"LORA\", \"target_parameters\": [\"fc1.weight\"], "
                     "\"fan_in_fan_out\": true}",
                     &e),
               e, ERR_VALUE, "fan_in_fan_out does not go");
}
