// SPDX-License-Identifier: GPL-3.0-or-later
// keys.c (tests): the table of training keys as a whole: names, what goes nowhere, what a run that
// goes on may change, and the sizes of models.
#include <string.h>

#include "tests/test.h"
#include "train/options.h"

TEST(keys_have_names_of_their_own_and_a_line_of_help)
{
    const config_key *k;
    for (size_t i = 0; (k = config_at(&train_table, i)); i++) {
        test_expect(config_key_of(&train_table, k->name) == k, __FILE__, __LINE__,
                    "'%s' stands twice in the table", k->name);
        test_expect(k->help && *k->help, __FILE__, __LINE__, "'%s' has no help", k->name);
    }
}

TEST(keys_that_go_nowhere_are_decisions)
{
    static const char decisions[] =
        " model optim.name schedule.name memory.profile memory.budget memory.micro_batch"
        " memory.beside_llm lora.layers_to_transform ";
    const config_key *k;
    for (size_t i = 0; (k = config_at(&train_table, i)); i++) {
        char name[80] = " ";
        strncat(strncat(name, k->name, 76), " ", 2);
        bool decides = strstr(decisions, name) != NULL;
        if (k->type != CONFIG_SECTION)
            test_expect(decides == (k->field == FIELD_NONE), __FILE__, __LINE__,
                        "'%s': does its value go anywhere?", k->name);
    }
}

TEST(keys_that_a_resumed_run_may_change)
{
    static const char may[] =
        "run_name data.train data.val data.ahead train.epochs train.min_epochs train.max_steps "
        "train.save_every train.save_every_steps train.keep_top_k train.early_stopping.patience "
        "train.time_limit train.thermal.pause train.thermal.resume "
        "memory.profile memory.budget memory.micro_batch memory.recompute "
        "memory.beside_llm logging.tensorboard ";
    strbuf found = {0};
    const config_key *k;
    for (size_t i = 0; (k = config_at(&train_table, i)); i++)
        if (k->type != CONFIG_SECTION && config_resumable(&train_table, k))
            strbuf_printf(&found, "%s ", k->name);
    EXPECT_STR(found.s, may);
    strbuf_free(&found);
}

// A configuration knows every size, shows no default of its own, and help begins with the model's.
TEST(keys_of_models_are_the_models_own)
{
    int sizes = 0;
    for (int i = 0; model_at(i); i++)
        for (int j = 0; j < model_at(i)->n_options; j++) {
            const config_key *k = &model_at(i)->options[j];
            EXPECT(config_key_of(&train_table, k->name) == k);
            EXPECT((j == 0) == (k->type == CONFIG_SECTION));
            if (!j)
                continue;
            const char *help = k->help + (*k->help == '[');
            for (const char *p = k->own; *p; p++, help++)
                help += strspn(help, " "), EXPECT(*help == *p);
            EXPECT(key_within(k, model_at(i)->options[0].name) && !k->value && k->min < k->max);
            sizes++;
        }
    EXPECT_INT(sizes, 7 + 2 * 3 + 2); // the transformer, two of pictures, clouds
}
