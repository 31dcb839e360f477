// SPDX-License-Identifier: GPL-3.0-or-later
// hparams.h: what TensorBoard's HPARAMS page shows: of every run the keys of its configuration and
// how it ended, of a sweep which keys and values it goes through and by which figures it is judged.
//
//     SWEEP/events.out.tfevents.0000000001.sweep      the experiment
//     SWEEP/0001/events.out.tfevents.TIME.HOST.PID.0  the session's start, before its figures
//     SWEEP/0001/events.out.tfevents.TIME.HOST.PID.end  its end, once there is one
//
// A run that goes on has no end any more, so the end is a file of its own, which events_open
// removes. Where there is no experiment, TensorBoard makes one of the sessions that it finds.
// Messages: tensorboard/plugins/hparams/api.proto and plugin_data.proto.
#ifndef KMIDI_TRAIN_HPARAMS_H
#define KMIDI_TRAIN_HPARAMS_H

#include "train/events.h"

// A key and its value as YAML: a number, true or false, or a text.
typedef struct hparam {
    const char *name, *value;
} hparam;

// A key of an experiment: the values that it has in the runs.
typedef struct hparam_info {
    const char *name;
    const char **values; // [n], each once
    size_t n;
    bool many; // there are more, too many to choose among
} hparam_info;

typedef struct hparam_experiment {
    const char *description;
    const hparam_info *keys;
    size_t n_keys;
    const char *const *tags; // [n_tags] of the figures: "val/loss"
    size_t n_tags;
} hparam_experiment;

// A value without its quotes.
const char *hparam_plain(const char *value, size_t n, arena *a);
// The keys of a configuration as it was written (config_lines.h); those without a value are left
// out.
size_t hparams_of(const char *yaml, hparam **list, arena *a);
bool hparams_start(events *v, const hparam *list, size_t n, err *e) MUST_CHECK;
// Into a folder that has event files; none is made where there are none.
bool hparams_end(const char *dir, bool failed, err *e) MUST_CHECK;
bool hparams_experiment(const char *dir, const hparam_experiment *x, err *e) MUST_CHECK;

#endif
