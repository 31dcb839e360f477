// SPDX-License-Identifier: GPL-3.0-or-later
// main.c: the door of the program. Every subcommand adds its own row behind it.
#include <stdio.h>

#include "base/hw.h"

int main(void)
{
    hw_flush_denormals();
    fprintf(stderr, "usage: kmidi COMMAND [ARGUMENTS]\n");
    return 2;
}
