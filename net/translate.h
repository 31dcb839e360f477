// SPDX-License-Identifier: GPL-3.0-or-later
// translate.h: a text in another language, by a server of LibreTranslate's form, or by Apertium
// where that is installed.
//
//     POST URL/translate {"q": "...", "source": "en", "target": "de", "format": "text"}
//     {"translatedText": "..."}
//
// Apertium is the command `apertium`, which has a mode SOURCE-TARGET for each pair that is
// installed (Debian: apertium-eng-spa, apertium-fra-cat ...), by two letters or three; it is asked
// through files of the system's folder for temporary ones, which are removed.
#ifndef KMIDI_NET_TRANSLATE_H
#define KMIDI_NET_TRANSLATE_H

#include "base/arena.h"
#include "base/env.h"
#include "base/err.h"

typedef struct translate_wish {
    const char *server; // NULL: Apertium
    const char *from, *to;
    double seconds; // for a server
    const env *env;
} translate_wish;

// Owned by `a`; NULL with a sentence.
const char *translate(const translate_wish *w, const char *text, arena *a, err *e) MUST_CHECK;

#endif
