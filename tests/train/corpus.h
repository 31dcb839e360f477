// SPDX-License-Identifier: GPL-3.0-or-later
// corpus.h: small shards that can be learnt, for tests that run the program.
#ifndef KMIDI_TESTS_TRAIN_CORPUS_H
#define KMIDI_TESTS_TRAIN_CORPUS_H

// DIR/train-00000.h5 (26 items), DIR/val-00000.h5 (9 items): 3 labels ("calm", "grief", "joy"), 128
// bands, 12 to 40 frames. Beside them, to be refused: DIR/rage-00000.h5 (a label that training
// never saw) and DIR/hop-00000.h5 (another mel setting). DIR/config.yaml for emotion_recognizer:
// window 24, batch 8, 4 epochs of 4 steps, adamw. Returns its path (static).
const char *corpus_make(const char *dir);

// The same of synthetic MIDI, prepared by the command: train (24 items) and val (8), with every
// feature of songs. DIR/MODEL.yaml for
// `model`: batch 8, 2 epochs, 16 places a window.
const char *corpus_make_songs(const char *dir, const char *model);

#endif
