// SPDX-License-Identifier: GPL-3.0-or-later
// library.h: a foreign library that few commands need, opened where it is used. One that is linked
// is loaded by every command, with all that it needs itself (libcurl and espeak-ng: 46 others, 3
// ms), and a system without it runs none.
//
//     typedef struct zap { __typeof__(zap_run) *run; } zap;
//     static const library_function zap_functions[] = {{"zap_run", offsetof(zap, run)}};
//     static const library zap_library = {"zap", LIBRARY_FILES("zap", "2"), zap_functions, 1};
//     zap z;
//     return library_open(&zap_library, &z, e) && z.run();
//
// The file that says so includes the library's header and is the one that knows it.
#ifndef KMIDI_BASE_LIBRARY_H
#define KMIDI_BASE_LIBRARY_H

#include <stddef.h>

#include "base/err.h"

typedef struct library_function {
    const char *name;
    size_t offset; // of the pointer to it
} library_function;

typedef struct library {
    const char *name;     // as errors call it
    const char *files[2]; // tried in turn
    const library_function *functions;
    size_t n;
} library;

// As the system calls its file; the number is that of the interface that the header is of.
#ifdef __APPLE__
#define LIBRARY_FILES(name, number)                                                                \
    {                                                                                              \
        "lib" name "." number ".dylib", "lib" name ".dylib"                                        \
    }
#else
#define LIBRARY_FILES(name, number)                                                                \
    {                                                                                              \
        "lib" name ".so." number, "lib" name ".so"                                                 \
    }
#endif

// Fills the pointers of *functions. The file is looked for where the linker would find it, then
// where it was when this program was built; it stays open, so that opening it again costs
// microseconds. From any thread. ERR_MISSING: it is not there, or has no such function.
bool library_open(const library *l, void *functions, err *e) MUST_CHECK;

// Undoes a library_open that filled its functions, for one that has to begin anew: it is unloaded
// unless something else in the process has it open, and opened again starts as at first.
void library_close(const library *l);

#endif
