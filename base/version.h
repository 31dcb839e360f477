// SPDX-License-Identifier: GPL-3.0-or-later
// version.h: which kmidi this is. Written into checkpoints, shards, exports and environment.json.
#ifndef KMIDI_BASE_VERSION_H
#define KMIDI_BASE_VERSION_H

#define KMIDI_VERSION "0.1.0"

// of git at build time, "-dirty" behind it where files were changed; "unknown" outside a repository
const char *version_revision(void);

#endif
