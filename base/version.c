// SPDX-License-Identifier: GPL-3.0-or-later
// version.c: the git revision, from a header that the Makefile writes anew only when the revision
// changed.
#include "base/version.h"

#include "revision.h"

const char *version_revision(void)
{
    return KMIDI_REVISION;
}
