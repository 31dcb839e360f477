// SPDX-License-Identifier: GPL-3.0-or-later
// torch.c (tests): state_dicts of PyTorch through `kmidi import` and `kmidi export`, by a PyTorch
// that makes them and loads ours (tests/peers/torch_check.py).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tests/test.h"

// "NAME MODEL PREFIX ok", or with words of the sentence that refuses it.
static void import_one(char *line)
{
    const char *out, *k = test_kmidi(), *d = test_dir();
    char name[64], model[64], prefix[64], strip[80] = "";
    int at = 0;
    if (sscanf(line, "%63s %63s %63s %n", name, model, prefix, &at) < 3)
        return;
    line[strcspn(line, "\n")] = 0;
    if (strcmp(prefix, "-"))
        snprintf(strip, sizeof strip, "--strip %s", prefix);
    bool ok = !strcmp(line + at, "ok");
    int status = test_shell(&out, "%s import '%s/%s.pt' --model %s %s -o '%s/%s.h5'", k, d, name,
                            model, strip, d, name);
    test_expect(status == (ok ? 0 : 1), __FILE__, __LINE__, "%s: status %d, %s", name, status, out);
    if (!ok)
        EXPECT_HAS(out, line + at);
    else
        EXPECT_INT(test_shell(&out, "%s export '%s/%s.h5' --format pt -o '%s/%s.back.pt'", k, d,
                              name, d, name),
                   0);
}

TEST(torch_files_go_both_ways)
{
    const char *out;
    char line[256];
    if (!getenv("PEERS_PYTHON") ||
        test_shell(NULL, "\"$PEERS_PYTHON\" -c 'import torch' 2>/dev/null")) {
        test_skip("PEERS_PYTHON does not name a Python with PyTorch");
        return;
    }
    int status =
        test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/torch_check.py make '%s'", test_dir());
    if (!test_expect(status == 0, __FILE__, __LINE__, "%s", out))
        return;
    FILE *list = fopen(test_path("list"), "r");
    while (list && fgets(line, sizeof line, list))
        import_one(line);
    if (list)
        fclose(list);
    status =
        test_shell(&out, "\"$PEERS_PYTHON\" tests/peers/torch_check.py check '%s'", test_dir());
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
}
