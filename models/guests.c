// SPDX-License-Identifier: GPL-3.0-or-later
// guests.c: models that a program adds which links to the library and has some of its own: here
// none. A definition of the table in an object of that program takes the place of this one.
#include "models/model.h"

const model_def *const model_guests[] = {NULL};
