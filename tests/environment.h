// SPDX-License-Identifier: GPL-3.0-or-later
// environment.h (tests): what the tests are run with, KMIDI_ISA and all the others, is what each
// of them begins with, whatever the one before it has set.
//
// The program reads its variables anew for each plan (autograd/kit.h), so one that is put back is
// obeyed from then on. OpenBLAS and oneDNN ask once which CPU they are to take this one for, when
// they are loaded; so they are loaded here, before a test can ask for another.
#ifndef KMIDI_TESTS_ENVIRONMENT_H
#define KMIDI_TESTS_ENVIRONMENT_H

void environment_note(void);    // as it is now: called once, by the runner
void environment_restore(void); // as it was noted

#endif
