// SPDX-License-Identifier: GPL-3.0-or-later
// options_lora.c: what of the section `lora` of a training configuration is a decision, and which
// of PEFT's keys it refuses (the rows are in options_keys.c).
#include <math.h>
#include <string.h>

#include "train/options.h"

#define METHOD(name, method)                                                                       \
    {                                                                                              \
        "lora." name,                                                                              \
            method " is a method that kmidi does not have: it takes LoRA and DoRA; leave it out"   \
    }
#define SETTING(name)                                                                              \
    {                                                                                              \
        "lora." name, "it says nothing without a method that kmidi does not have (docs/lora.md); " \
                      "leave it out"                                                               \
    }
#define FIXED(name, what)                                                                          \
    {                                                                                              \
        "lora." name, what "; leave it out"                                                        \
    }

// PEFT's other keys (LoraConfig, 0.21), in its order.
const config_nothing train_lora_nothing[] = {
    FIXED("fan_in_fan_out", "weights here are never transposed"),
    FIXED("bias", "biases stay as they are; modules_to_save trains a module whole, its bias too"),
    FIXED("init_lora_weights",
          "A begins as a linear layer of PyTorch does and B with zeros, as PEFT's true"),
    METHOD("megatron_config", "Megatron"),
    SETTING("megatron_core"),
    METHOD("trainable_token_indices", "training single tokens"),
    METHOD("loftq_config", "LoftQ"),
    METHOD("eva_config", "EVA"),
    METHOD("corda_config", "CorDA"),
    METHOD("lora_ga_config", "LoRA-GA"),
    METHOD("velora_config", "VeLoRA"),
    METHOD("alora_invocation_tokens", "activated LoRA"),
    METHOD("use_qalora", "QALoRA"),
    SETTING("qalora_group_size"),
    METHOD("monteclora_config", "MonteCLoRA"),
    METHOD("layer_replication", "layer replication"),
    SETTING("runtime_config"),
    METHOD("lora_bias", "LoRA with a bias of its own"),
    {"lora.target_parameters",
     "matrices of an LSTM are named in lora.target_modules, as lstm.weight_ih_l0"},
    METHOD("use_bdlora", "block-diagonal LoRA"),
    METHOD("arrow_config", "Arrow routing"),
    METHOD("kasa_config", "KaSA"),
    FIXED("ensure_weight_tying",
          "the head of the transformer is its embedding, which adapters leave alone"),
    {"lora.base_model_name_or_path", "the model that is adapted is lora.base"},
    FIXED("task_type", "the model says what it is for"),
    FIXED("peft_type", "it is LORA"),
    FIXED("inference_mode", "it is for loading"),
    {NULL, NULL},
};

static bool check_lora(const config *c, const train_options *o, const lora_config *l, err *e)
{
    for (size_t i = 0; i < l->n_layers; i++)
        if (l->layers[i] != floor(l->layers[i]))
            return err_set(e, ERR_CONFIG,
                           "%s: 'lora.layers_to_transform' holds whole numbers, not %g",
                           config_where(c, "lora.layers_to_transform"), l->layers[i]);
    for (size_t i = 0; i < l->ranks.n; i++)
        if (l->ranks.values[i] != floor(l->ranks.values[i]))
            return err_set(e, ERR_CONFIG, "%s: 'lora.rank_pattern' holds whole numbers, not %g",
                           config_where(c, "lora.rank_pattern"), l->ranks.values[i]);
    if (!o->lora_base)
        return err_set(
            e, ERR_CONFIG,
            "%s: adapters need the model that they adapt: lora.base=CHECKPOINT, or a run folder",
            config_where(c, "lora.target_modules"));
    if (o->init_from)
        return err_set(e, ERR_CONFIG,
                       "%s: with adapters the weights come from 'lora.base'; leave 'init_from' out",
                       config_where(c, "init_from"));
    bool numbered = l->layers_pattern.n != 1 || strcmp(l->layers_pattern.list[0], "layers");
    if (numbered && !l->n_layers)
        return err_set(e, ERR_CONFIG,
                       "%s: 'lora.layers_pattern' says nothing without 'lora.layers_to_transform'; "
                       "leave it out",
                       config_where(c, "lora.layers_pattern"));
    arena a = {.name = "layers"};
    bool ok = lora_match(l, o->model, true, &a, e) != NULL;
    arena_free(&a);
    if (!ok && e)
        e->code = ERR_CONFIG;
    return ok || err_trail(e, "%s: lora", config_where(c, "lora.target_modules"));
}

bool train_options_lora(const config *c, train_options *o, err *e)
{
    lora_config *l = &o->lora;
    if (!config_given(c, "lora.target_modules")) {
        *l = (lora_config){0}; // whatever else is said of adapters, there are none
        return !o->lora_base ||
               err_set(e, ERR_CONFIG,
                       "%s: 'lora.base' needs 'lora.target_modules', the layers that get adapters",
                       config_where(c, "lora.base"));
    }
    l->together = true;
    l->all_linear = l->targets.regex && !strcasecmp(l->targets.regex, "all-linear");
    l->n_layers = config_nums(c, "lora.layers_to_transform", &l->layers);
    return check_lora(c, o, l, e);
}
