// SPDX-License-Identifier: GPL-3.0-or-later
// language.c: see language.h.
#include "cmd/language.h"

bool language_asked(const cmd *c)
{
    return option_given(c, "llm") || option_given(c, "llm-host") || option_given(c, "llm-model") ||
           option_given(c, "llm-timeout");
}

bool language_open(cmd *c, ollama_host *h, uint64_t seed, err *e)
{
    ollama_wish w = {.host = option_text(c, "llm-host", NULL),
                     .model = option_text(c, "llm-model", NULL),
                     .seconds = option_num(c, "llm-timeout", 0)};
    if (option_given(c, "llm-timeout") && !(w.seconds >= 0.01 && w.seconds <= 3600))
        return err_set(e, ERR_USAGE, "--llm-timeout lies from 0.01 to 3600, and is %g", w.seconds);
    bool ok = ollama_open(h, &w, c->arena, &c->env, e);
    h->seed = seed;
    return ok;
}

bool language_fault(cmd *c, const err *fault, const char *instead)
{
    if (fault->code == ERR_USAGE || fault->code == ERR_STOPPED)
        return false;
    cmd_say(c, "%s; %s", fault->text, instead);
    return true;
}
