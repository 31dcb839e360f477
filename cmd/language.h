// SPDX-License-Identifier: GPL-3.0-or-later
// language.h: --llm and its kin, for every command that may ask a local language model
// (net/ollama.h). Nothing is asked unless one of them is given.
#ifndef KMIDI_CMD_LANGUAGE_H
#define KMIDI_CMD_LANGUAGE_H

#include "cmd/cmd.h"
#include "net/ollama.h"

#define LANGUAGE_OPTIONS                                                                           \
    {"llm",                                                                                        \
     0,                                                                                            \
     OPT_FLAG,                                                                                     \
     NULL,                                                                                         \
     "let a local language model (Ollama at $OLLAMA_HOST, or localhost:11434) read the words; "    \
     "where it does not answer, the rules do",                                                     \
     false},                                                                                       \
        {"llm-host", 0, OPT_TEXT, "HOST", "the same, at this host", false},                        \
        {"llm-model",                                                                              \
         0,                                                                                        \
         OPT_TEXT,                                                                                 \
         "NAME",                                                                                   \
         "the same, by this model (default $OLLAMA_MODEL, mistral)",                               \
         false},                                                                                   \
    {                                                                                              \
        "llm-timeout", 0, OPT_NUM, "S",                                                            \
            "how long an answer may take (default $OLLAMA_TIMEOUT, 60; serve: --time-limit / 3)",  \
            false                                                                                  \
    }

bool language_asked(const cmd *c); // one of the options is given
// What the options say of it. ERR_USAGE: a time out of range.
bool language_wish(const cmd *c, ollama_wish *w, err *e) MUST_CHECK;
// Finds the host and its model. ERR_USAGE where what was given cannot be meant.
bool language_open(cmd *c, ollama_host *h, uint64_t seed, err *e) MUST_CHECK;
// Whether a command goes on without it: the fault is the server's, and is said; or it is ours.
bool language_fault(cmd *c, const err *fault, const char *instead);

#endif
