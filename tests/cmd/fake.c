// SPDX-License-Identifier: GPL-3.0-or-later
// fake.c: small scripts in the place of commands (fake.h).
#include "tests/cmd/fake.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "tests/test.h"

void fake_command(const char *name, const char *body)
{
    char path[1200], text[2600];
    err e = {0};
    snprintf(path, sizeof path, "%s/%s", test_path("bin"), name);
    int n = snprintf(text, sizeof text, "#!/bin/sh\necho \"$@\" >>%s.log\n%s\n", path, body);
    EXPECT_OK(file_make_dirs(test_path("bin"), &e) && file_write(path, text, (size_t)n, &e), e);
    EXPECT_INT(chmod(path, 0755), 0);
}

const char *fake_said(const char *name)
{
    static arena a;
    size_t n;
    char *text =
        file_read(&a, arena_printf(&a, "%s/%s.log", test_path("bin"), name), 1 << 16, &n, NULL);
    return text ? text : "";
}
