// SPDX-License-Identifier: GPL-3.0-or-later
// pull.h: what a call for the next one gives, of whatever is too long to be held at once: lines,
// rows, entries, files, items.
//
//     for (pull p; (p = lines_next(l, &text, &n, e)) != PULL_END;)
//         if (p == PULL_ONE) ... text ...
//         else ... e->text says what is wrong with this one; the next may be well ...
//     // PULL_END with e->code set: it cannot be read on
#ifndef KMIDI_BASE_PULL_H
#define KMIDI_BASE_PULL_H

typedef enum pull { PULL_END, PULL_ONE, PULL_BAD } pull;

#endif
