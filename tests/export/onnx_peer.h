// SPDX-License-Identifier: GPL-3.0-or-later
// onnx_peer.h: ONNX Runtime and onnx.checker, by $PEERS_PYTHON.
#ifndef KMIDI_TESTS_EXPORT_ONNX_PEER_H
#define KMIDI_TESTS_EXPORT_ONNX_PEER_H

// Every model of test_dir() with the cases beside it (tests/peers/onnx_check.py); with PEERS_SHOW
// set, what it found is shown.
void onnx_peer_checks(const char *variables);

#endif
