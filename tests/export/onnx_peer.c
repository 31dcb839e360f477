// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_peer.c: asks tests/peers/onnx_check.py (onnx_peer.h).
#include "tests/export/onnx_peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/test.h"

void onnx_peer_checks(const char *variables)
{
    const char *out;
    int status = test_shell(&out, "%s \"$PEERS_PYTHON\" tests/peers/onnx_check.py '%s'", variables,
                            test_dir());
    test_expect(status == 0, __FILE__, __LINE__, "%s", out);
    if (getenv("PEERS_SHOW"))
        fprintf(stderr, "%s", out);
}
