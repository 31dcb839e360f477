// SPDX-License-Identifier: GPL-3.0-or-later
// thermal.c: the sensors below /sys/class, each a small file with a number.
#include "base/thermal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

static const double COLD = -40, HOT = 150; // what no processor is

const char *thermal_root(void)
{
    const char *root = getenv("KMIDI_SYSFS");
    return root && *root ? root : "/sys";
}

// The first line of a small file; "" when there is none.
static const char *line_of(const char *dir, const char *name, char out[64])
{
    char path[4200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n = fd < 0 ? 0 : read(fd, out, 63);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
    return out;
}

static void take(thermal *t, const char *dir, const char *file, const char *chip, const char *name)
{
    char text[64], *end;
    double degrees = strtod(line_of(dir, file, text), &end) / 1000;
    if (end == text || *end || !(degrees >= COLD && degrees <= HOT))
        return;
    if (!t->sensors++ || degrees > t->hottest) {
        t->hottest = degrees;
        snprintf(t->name, sizeof t->name, "%.28s%s%.28s", chip, *chip && *name ? ": " : "", name);
    }
}

// hwmon3/temp1_input with temp1_label, of the chip that hwmon3/name says.
static void read_chip(thermal *t, const char *dir)
{
    char chip[64], label[64], file[280];
    DIR *d = opendir(dir);
    line_of(dir, "name", chip);
    for (struct dirent *f; d && (f = readdir(d));) {
        int n = 0, number;
        if (sscanf(f->d_name, "temp%4d_input%n", &number, &n) != 1 || !n || f->d_name[n])
            continue;
        snprintf(file, sizeof file, "temp%d_label", number);
        take(t, dir, f->d_name, chip, line_of(dir, file, label));
    }
    if (d)
        closedir(d);
}

static void read_zone(thermal *t, const char *dir)
{
    char type[64];
    take(t, dir, "temp", "", line_of(dir, "type", type));
}

static void read_class(thermal *t, const char *root, const char *class, const char *begins,
                       void (*one)(thermal *t, const char *dir))
{
    char path[4200], dir[4500];
    snprintf(path, sizeof path, "%s/class/%s", root, class);
    DIR *d = opendir(path);
    for (struct dirent *f; d && (f = readdir(d));)
        if (str_starts(f->d_name, begins)) {
            snprintf(dir, sizeof dir, "%s/%s", path, f->d_name);
            one(t, dir);
        }
    if (d)
        closedir(d);
}

bool thermal_read(const char *root, thermal *t)
{
    *t = (thermal){0};
    read_class(t, root, "thermal", "thermal_zone", read_zone);
    read_class(t, root, "hwmon", "hwmon", read_chip);
    return t->sensors > 0;
}
