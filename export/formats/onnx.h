// SPDX-License-Identifier: GPL-3.0-or-later
// onnx.h: what the ONNX formats have in common: the network with an example of its own, its weights
// in one form or another.
#ifndef KMIDI_EXPORT_FORMATS_ONNX_H
#define KMIDI_EXPORT_FORMATS_ONNX_H

#include "export/formats/format.h"

// Reads the file again and runs it (export/onnx_run.h) on the example that it carries; with a past,
// in two steps, too.
bool export_onnx_check(export_task *t, err *e) MUST_CHECK;
// Runs the file that was checked, from frames on where it has a front end.
bool export_onnx_say(export_task *t, session *s, err *e) MUST_CHECK;
bool export_onnx_as(export_task *t, quantise_form f, err *e) MUST_CHECK;

#endif
