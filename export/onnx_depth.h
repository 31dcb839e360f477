// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_depth.h: are the bytes of an ONNX file well-formed, and nested no deeper than a bound? Asked
// before protobuf-c unpacks them: it calls itself for every level that a file claims to have.
#ifndef KMIDI_EXPORT_ONNX_DEPTH_H
#define KMIDI_EXPORT_ONNX_DEPTH_H

#include <stdbool.h>
#include <stddef.h>

bool onnx_depth_within(const void *bytes, size_t n, int depth);

#endif
