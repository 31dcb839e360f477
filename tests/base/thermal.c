// SPDX-License-Identifier: GPL-3.0-or-later
// thermal.c (tests): sensors in folders that are built like /sys.
#include "base/thermal.h"

#include "tests/test.h"

TEST(thermal_takes_the_hottest_of_what_makes_sense)
{
    thermal t;
    EXPECT(!thermal_read(test_dir(), &t));
    EXPECT_INT(t.sensors, 0);
    EXPECT_INT(
        test_shell(NULL,
                   "cd %s && mkdir -p class/thermal/thermal_zone0 class/thermal/thermal_zone1 "
                   "class/thermal/cooling_device0 class/hwmon/hwmon0 class/hwmon/hwmon1 && "
                   "cd class/thermal && echo 41500 >thermal_zone0/temp && echo acpitz "
                   ">thermal_zone0/type && echo 99000 >cooling_device0/temp && "
                   "echo -274000 >thermal_zone1/temp",
                   test_dir()),
        0);
    EXPECT(thermal_read(test_dir(), &t));
    EXPECT_INT(t.sensors, 1);
    EXPECT_NEAR(t.hottest, 41.5, 0);
    EXPECT_STR(t.name, "acpitz");
    EXPECT_INT(test_shell(NULL,
                          "cd %s/class/hwmon && echo coretemp >hwmon0/name && "
                          "echo 71000 >hwmon0/temp1_input && echo 'Package id 0' "
                          ">hwmon0/temp1_label && echo 100000 >hwmon0/temp1_max && "
                          "echo 40000 >hwmon0/temp2_input && echo 255000 >hwmon1/temp1_input && "
                          "echo x >hwmon1/temp2_input && : >hwmon1/temp3_input && "
                          "mkdir hwmon1/temp4_input",
                          test_dir()),
               0);
    EXPECT(thermal_read(test_dir(), &t));
    EXPECT_INT(t.sensors, 3);
    EXPECT_NEAR(t.hottest, 71, 0);
    EXPECT_STR(t.name, "coretemp: Package id 0");
}
