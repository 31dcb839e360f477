// SPDX-License-Identifier: GPL-3.0-or-later
// thermal.h: how hot this machine says it is.
//
// Linux tells it in two places below /sys: class/thermal (zones) and class/hwmon (chips), in
// thousandths of a degree. Many machines have neither (virtual ones, containers): then there is no
// sensor, and nothing is made up. What a sensor says that cannot be (below -40 or above 150, which
// broken ones do) is no reading.
#ifndef KMIDI_BASE_THERMAL_H
#define KMIDI_BASE_THERMAL_H

#include <stdbool.h>

typedef struct thermal {
    int sensors;    // that say something
    double hottest; // degrees Celsius, of all of them; where there is one
    char name[64];  // which one that is: "x86_pkg_temp", "coretemp: Package id 0"
} thermal;

// `root`: "/sys", or a folder that is built like it. False where there is no sensor.
bool thermal_read(const char *root, thermal *t);
// $KMIDI_SYSFS, else "/sys"
const char *thermal_root(void);

#endif
