// SPDX-License-Identifier: GPL-3.0-or-later
// fake.h: commands of the system that are small scripts here, for tests of what asks them.
#ifndef KMIDI_TESTS_CMD_FAKE_H
#define KMIDI_TESTS_CMD_FAKE_H

// A command in test_path("bin"), which belongs into PATH. It appends what it was called with to a
// file of its own, and goes on with `body`, lines of a shell.
void fake_command(const char *name, const char *body);
// All that it was called with, a line a call; "" where it was not.
const char *fake_said(const char *name);

#endif
