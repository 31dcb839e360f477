// SPDX-License-Identifier: GPL-3.0-or-later
// intent.h: what a local language model makes of a text: mood, genre, pace, side of the keys,
// themes; and lyrics. What it answers is taken only where every value is one that we know; the
// music is made by the same rules as ever.
//
// It is asked for one object, by a schema and in words:
//
//     {"mood_primary": a mood, "mood_secondary": a mood or null, "genre": a genre,
//      "tempo_feel": "slow" | "medium" | "fast", "key_suggestion": "major" | "minor",
//      "themes": ["loss", ...], "rule_breaks": ["..."]}
#ifndef KMIDI_COMPOSE_INTENT_H
#define KMIDI_COMPOSE_INTENT_H

#include "compose/song_plan.h"
#include "net/ollama.h"

enum { INTENT_THEMES = 8, INTENT_THEME = 60 }; // at most: of them, and bytes of one

// ERR_VALUE names what the answer has wrong; else as ollama_json.
bool intent_ask(ollama_host *h, const char *text, song_intent *out, err *e) MUST_CHECK;
// The same of an answer. Its texts are owned by `a`.
bool intent_read(const json *j, arena *a, song_intent *out, err *e) MUST_CHECK;
// Words to sing to a plan, in verses; owned by the host's arena. NULL with a sentence.
const char *intent_lyrics(ollama_host *h, const song_plan *p, err *e) MUST_CHECK;

#endif
