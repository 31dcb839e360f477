// SPDX-License-Identifier: GPL-3.0-or-later
// perform_models.c: each opened by its option, and of the kind that it is for (perform_models.h).
#include "cmd/perform_models.h"

#include "cmd/adapters.h"

static bool open_cloud(perform_models *m, cmd *c, err *e)
{
    const char *from = option_text(c, "cloud", NULL);
    m->cloud = from ? trained_open(from, c->arena, e) : NULL;
    return !from || (m->cloud && trained_mel(m->cloud, e));
}

// A player plays all parts itself.
static bool fits(const cmd *c, err *e)
{
    static const char *const others[] = {"melody", "harmony", "groove", "dynamics", "genre", "key"};
    for (size_t i = 0; option_given(c, "player") && i < sizeof others / sizeof *others; i++)
        if (option_given(c, others[i]))
            return err_set(e, ERR_USAGE, "--%s has nothing to say where a --player plays",
                           others[i]);
    return true;
}

bool perform_models_open(perform_models *m, cmd *c, err *e)
{
    return fits(c, e) && model_asked(c, "player", MAKES_EVENTS, &m->player, e) &&
           model_asked(c, "melody", MAKES_NOTES, &m->melody, e) &&
           model_asked(c, "harmony", MAKES_CHORDS, &m->harmony, e) &&
           model_asked(c, "groove", MAKES_GROOVE, &m->groove, e) &&
           model_asked(c, "dynamics", MAKES_DYNAMICS, &m->dynamics, e) &&
           adapters_of_music(c, m->player, m->melody, e) && open_cloud(m, c, e);
}

void perform_models_close(perform_models *m)
{
    trained *all[] = {m->player, m->melody, m->harmony, m->groove, m->dynamics, m->cloud};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        trained_close(all[i]);
}
