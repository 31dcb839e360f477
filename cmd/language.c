// SPDX-License-Identifier: GPL-3.0-or-later
// language.c: see language.h.
#include "cmd/language.h"

#include "cmd/ranges.h"

bool language_asked(const cmd *c)
{
    return option_given(c, "llm") || option_given(c, "llm-host") || option_given(c, "llm-model") ||
           option_given(c, "llm-timeout");
}

bool language_wish(const cmd *c, ollama_wish *w, err *e)
{
    static const option_range ranges[] = {{"llm-timeout", 0.01, 3600}, {0}};
    *w = (ollama_wish){.host = option_text(c, "llm-host", NULL),
                       .model = option_text(c, "llm-model", NULL),
                       .seconds = option_num(c, "llm-timeout", 0)};
    return ranges_hold(c, ranges, e);
}

bool language_open(cmd *c, ollama_host *h, uint64_t seed, err *e)
{
    ollama_wish w;
    bool ok = language_wish(c, &w, e) && ollama_open(h, &w, c->arena, &c->env, e);
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
