// SPDX-License-Identifier: GPL-3.0-or-later
// prepare.c: the keys of a data config, and the stages one after the other (prepare.h).
#include "data/prepare/prepare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hw.h"
#include "data/music/synth.h"
#include "data/prepare/prepare_internal.h"

#define AT(member) KEY_AT(prepare, member)

enum { TELL_EVERY = 64 }; // entries of the index

static const config_key keys_before[] = {
    {"dataset", CONFIG_ENUM, "audio_manifest",
     .help = "layout of the data; which there are and where they come from: docs/data.md"},
    {"name", CONFIG_TEXT, AT(info.dataset),
     .help = "what the shards call the dataset; without it: the layout's name"},
    {"root", CONFIG_TEXT, AT(options.root), .help = "the dataset's folder"},
    {"index", CONFIG_TEXT, AT(options.index),
     .help = "manifest, csv or json, where the layout has one; relative to root or absolute; "
             "without it: the layout's own"},
    {"pattern", CONFIG_TEXT, AT(options.pattern),
     .help = "dataset: folder. Labels, groups and splits by a regular expression with named "
             "groups, matched from the beginning of each "
             "file's name: '(?<speaker>[0-9]+)_(?<label>[a-z]+)'; docs/data.md"},
    {"folder_labels", CONFIG_ENUM, "first", .choices = "first|last|none", AT(options.folder_labels),
     .help = "dataset: folder. The folder below root that is a file's label: the first, or the "
             "last one, in which the file lies"},
    {"outside", CONFIG_BOOL, "false", AT(options.outside),
     .help = "relative paths of the index may climb out of root by .."},
    {"labels", CONFIG_TEXTS, AT(labels),
     .help =
         "label names; without it: all that occur, sorted. Items with another label are rejected"},
    {"labels_from", CONFIG_TEXT, AT(labels_from),
     .help = "shards (a path or pattern) whose label names are used"},
    {"features", CONFIG_TEXTS, "[mel]", .least = 1, AT(wanted),
     .help = "what is computed and stored: mel of audio, the others of MIDI, or of both where an "
             "item has both; points of both together; without it, dataset: folder takes what the "
             "folder holds"},
    {"render", CONFIG_BOOL, "false", AT(render),
     .help = "the sound of every item is its MIDI, played by the built-in synthesiser; recordings "
             "are not looked at"},
    {"emotion", CONFIG_ENUM, "given", .choices = "given|measured", AT(emotion),
     .help =
         "valence and arousal of a MIDI file: as the index has them, where it does; or measured "
         "on the music all the same (docs/midi-features.md), which conditions a player more "
         "strongly (docs/emotion.md). Labels stay"},
    {"shard_items", CONFIG_INT, "1000", .min = 1, .max = 100000, AT(shard_items),
     .help = "items of the index a shard"},
    {"jobs", CONFIG_INT, "0", .min = 0, .max = 1024,
     .help = "worker processes; 0: one a core. The shards do not depend on it"},
    {"max_reject_ratio", CONFIG_NUMBER, "0.1", .min = 0, .max = 1, AT(max_reject_ratio),
     .help = "with a larger share of unusable items the command fails"},
    {"max_seconds", CONFIG_SECONDS, "30m", .min = 0.1, .max = 14400, AT(max_seconds),
     .help = "longer items are rejected"},
    {"licence", CONFIG_TEXT, .alias = "license", AT(info.licence),
     .help = "of the data, stored in the shards; without it: what the layout says"},
    {"citation", CONFIG_TEXT, AT(info.citation),
     .help = "of the data, stored in the shards; without it: what the layout says"},
    {"targets", CONFIG_SECTION,
     .help = "What several groups of classes are told of an item, for models that learn them "
             "(docs/data.md): instrument_recognizer, emotion_node_classifier"},
    {"targets.set", CONFIG_ENUM,
     .help = "which groups: of notes of instruments, or of the emotion thesaurus"},
    {"targets.map", CONFIG_NAMES, AT(target_map),
     .help = "labels of the index as the set calls them: {anger: ANGRY, boredom: "
             "DISGUST/BOREDOM}; those that are not here are taken as they are"},
    {"split", CONFIG_SECTION,
     .help =
         "Splits, where the dataset has none of its own: by group (speaker, song), never by item"},
    {"split.val", CONFIG_NUMBER, "0.1", .min = 0, .max = 0.9, AT(share_val),
     .help = "share of the items for validation"},
    {"split.test", CONFIG_NUMBER, "0.1", .min = 0, .max = 0.9, AT(share_test),
     .help = "share of the items for the test"},
    {"split.seed", CONFIG_INT, "0", .min = 0, .max = 1e15, AT(split_seed),
     .help = "which groups they are"},
    {"augment", CONFIG_SECTION,
     .help = "Copies of the recordings of the training split, each another way (docs/data.md). "
             "MIDI is varied while it "
             "is learnt from: data.augment of a training config"},
    {"augment.copies", CONFIG_INT, "1", .min = 0, .max = AUGMENT_COPIES_MOST, AT(augment.copies),
     .help = "of each recording besides itself, as soon as anything below is asked for; 0: none"},
    {"augment.transpose", CONFIG_NUMBERS, .min = -24, .max = 24, .least = 2, .most = 2,
     AT(augment.transpose), .range = true,
     .help = "[-12, 12]: so many semitones higher and shorter by as much, as a faster tape; of "
             "notes, whose pitch then is another (targets)"},
    {"augment.stretch", CONFIG_NUMBERS, .min = 0.25, .max = 4, .least = 2, .most = 2,
     .alias = "augment.time_stretch", AT(augment.stretch), .range = true,
     .help = "[0.9, 1.1]: so many times as long, at the same pitch"},
    {"augment.pitch", CONFIG_NUMBERS, .min = -24, .max = 24, .least = 2, .most = 2,
     .alias = "augment.pitch_shift", AT(augment.pitch), .range = true,
     .help = "[-3, 3]: so many semitones higher, as long as before"},
    {"augment.tilt", CONFIG_NUMBER, "0", .min = 0, .max = 12, AT(augment.tilt),
     .help = "brighter or duller by up to so many decibels an octave, around 1 kHz"},
    {"augment.noise", CONFIG_NUMBERS, .min = -20, .max = 120, .least = 2, .most = 2,
     .alias = "augment.snr", AT(augment.noise), .range = true,
     .help = "[20, 40]: white noise, so many decibels below the recording's mean power (SNR)"},
    {"augment.gain", CONFIG_NUMBERS, .min = -60, .max = 60, .least = 2, .most = 2, AT(augment.gain),
     .range = true,
     .help =
         "[-6, 6]: so many decibels louder; of notes, whose velocity then is another (targets)"},
    {"augment.seed", CONFIG_INT, "1", .min = 0, .max = 1e15, AT(augment.seed),
     .help = "another seed, other copies"},
    {"synth", CONFIG_SECTION, .help = "The corpus that dataset: synth makes on the spot"},
    {"synth.items", CONFIG_INT, "400", .min = 1, .max = SYNTH_ITEMS_MOST, AT(options.items),
     .help = "clips or pieces"},
    {"synth.seconds", CONFIG_NUMBER, "3", .min = 0.25, .max = 600, AT(options.seconds),
     .help = "of a clip or piece"},
    {"synth.seed", CONFIG_INT, "0", .min = 0, .max = 1e15, AT(options.seed),
     .help = "another seed, another corpus"},
};

// How librosa, torchaudio and others call what is a key here.
static const config_other others[] = {
    {"data_dir", "root"},
    {"path", "root"},
    {"input", "root"},
    {"manifest", "index"},
    {"csv", "index"},
    {"classes", "labels"},
    {"num_workers", "jobs"},
    {"workers", "jobs"},
    {"val_split", "split.val"},
    {"test_split", "split.test"},
    {"sr", "mel.sample_rate"},
    {"rate", "mel.sample_rate"},
    {"num_mels", "mel.n_mels"},
    {"n_mel_channels", "mel.n_mels"},
    {"fft_size", "mel.n_fft"},
    {"hop_size", "mel.hop_length"},
    {"hop", "mel.hop_length"},
    {"window_length", "mel.win_length"},
    {"win_size", "mel.win_length"},
    {"output", "--out"},
    {"output_dir", "--out"},
    {"out_dir", "--out"},
    {NULL, NULL},
};

static const char *reader_choices(arena *a)
{
    const char *all = reader_at(0)->name;
    for (size_t i = 1; i < reader_count(); i++)
        all = arena_printf(a, "%s|%s", all, reader_at(i)->name);
    return all;
}

static const char *feature_choices(arena *a)
{
    const char *all = feature_at(0)->name;
    for (size_t i = 1; i < feature_count(); i++)
        all = arena_printf(a, "%s|%s", all, feature_at(i)->name);
    return all;
}

static const char *target_choices(arena *a)
{
    const char *all = label_set_at(0)->name;
    for (size_t i = 1; label_set_at(i); i++)
        all = arena_printf(a, "%s|%s", all, label_set_at(i)->name);
    return all;
}

const config_table *prepare_table(arena *a)
{
    size_t before = sizeof keys_before / sizeof *keys_before, n = before;
    config_key *part[16];
    size_t parts = feature_count(), size[16];
    CHECK(parts <= 16);
    for (size_t i = 0; i < parts; i++)
        n += size[i] =
            feature_settings_count(feature_at(i)) ? feature_keys(feature_at(i), a, &part[i]) : 0;
    config_key *keys = NEW(a, config_key, n);
    memcpy(keys, keys_before, sizeof keys_before);
    keys[0].choices = reader_choices(a);
    for (size_t i = 0; i < before; i++)
        if (!strcmp(keys[i].name, "features"))
            keys[i].choices = feature_choices(a);
        else if (!strcmp(keys[i].name, "targets.set"))
            keys[i].choices = target_choices(a);
    for (size_t i = 0, at = before; i < parts; at += size[i++])
        if (size[i])
            memcpy(keys + at, part[i], size[i] * sizeof *keys);
    config_table *t = NEW(a, config_table, 1);
    *t = (config_table){.what = "data", .keys = keys, .n = n, .others = others};
    return t;
}

static bool asked(const prepare *p, const char *name)
{
    for (size_t i = 0; i < p->wanted.n; i++)
        if (!strcmp(p->wanted.list[i], name))
            return true;
    return false;
}

// The name of a feature of MIDI, or of that and sound, among what is asked for, the last of the
// table; NULL: none.
static const char *song_asked(const prepare *p)
{
    const char *song = NULL;
    for (size_t i = 0; i < feature_count(); i++)
        if (feature_at(i)->source != FEATURE_CLIP && asked(p, feature_at(i)->name))
            song = feature_at(i)->name;
    return song;
}

// What the config asks for. Where it leaves that open, and the layout too: of MIDI all that there
// is, of audio mel; of both kinds in one folder the one that has more files.
static bool choose_features(prepare *p, err *e)
{
    static const char *const of_midi[] = {"tokens",  "midi_stats", "melody",
                                          "harmony", "groove",     "dynamics"};
    uint64_t audio, midi;
    if (p->reader->count && !strcmp(config_where(p->config, "features"), "default")) {
        if (!p->reader->count(&p->options, &audio, &midi, e))
            return false;
        if (midi > audio)
            p->wanted = (key_texts){of_midi, sizeof of_midi / sizeof *of_midi};
        if (midi && audio)
            log_say(p->env->log, LOG_INFO,
                    "'%s' holds %" PRIu64 " files of audio and %" PRIu64
                    " of MIDI; the %s is taken, and features=[%s] takes the other",
                    p->options.root, audio, midi, midi > audio ? "MIDI" : "audio",
                    midi > audio ? "mel" : "tokens");
    }
    p->options.midi = song_asked(p) != NULL;
    return true;
}

static bool not_bands(const config *c)
{
    return (config_given(c, "mel.normalise") && strcmp(config_text(c, "mel.normalise"), "none")) ||
           (config_given(c, "mel.chroma") && strcmp(config_text(c, "mel.chroma"), "none")) ||
           (config_given(c, "mel.level") && config_bool(c, "mel.level"));
}

static bool check_features(const prepare *p, err *e)
{
    const char *name = p->reader->name, *song = song_asked(p);
    bool mel = asked(p, "mel");
    if (p->render && (!song || !mel))
        return err_set(e, ERR_CONFIG,
                       "%s: the built-in synthesiser plays MIDI where sound is wanted beside it; "
                       "set features: [mel, midi_stats, ...]",
                       config_where(p->config, "render"));
    if (song && mel && p->reader->count && !p->render)
        return err_set(e, ERR_CONFIG,
                       "%s: mel is made from audio, %s from MIDI, and dataset %s does not tell "
                       "which files belong together; list them with `path` and `midi` "
                       "(audio_manifest), or make a set of shards of each",
                       config_where(p->config, "features"), song, name);
    if (song && p->reader->no_midi)
        return err_set(e, ERR_CONFIG,
                       "dataset %s is audio and has no MIDI to make %s from; set features: [mel]",
                       name, song);
    if (song && !mel && feature_find(song, NULL)->source == FEATURE_BOTH)
        return err_set(e, ERR_CONFIG,
                       "%s: %s are made of sound and MIDI together; set features: [mel, "
                       "midi_stats, %s]",
                       config_where(p->config, "features"), song, song);
    if (song && mel && feature_find(song, NULL)->source == FEATURE_BOTH && not_bands(p->config))
        return err_set(e, ERR_CONFIG,
                       "%s: %s are made of how loud each band is, which normalised frames, pitch "
                       "classes and levels do not say; leave mel.normalise, mel.chroma and "
                       "mel.level out",
                       config_where(p->config, "features"), song);
    if (mel && p->reader->no_audio && !p->render)
        return err_set(e, ERR_CONFIG,
                       "dataset %s is MIDI and has no audio to make mel features from; set "
                       "features: [tokens, midi_stats], or render: true",
                       name);
    return true;
}

// Adds its effective settings to `all`.
static feature *open_one(prepare *p, const char *name, json *all, err *e)
{
    const feature_def *d = feature_find(name, e);
    void *settings = d ? feature_settings(d, &p->memory) : NULL;
    if (!d || !feature_configure(d, settings, p->config, e))
        return NULL;
    json_set(all, d->name, feature_json(d, settings));
    strbuf remark = {0};
    if (d->remark)
        d->remark(settings, &remark);
    if (remark.len)
        log_say(p->env->log, LOG_WARN, "%s: %s", d->name, remark.s);
    strbuf_free(&remark);
    return feature_open(d, settings, e);
}

// Columns come in the order of features.def, however the config has them.
static bool open_features(prepare *p, err *e)
{
    json *all = json_object();
    strbuf text = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < feature_count(); i++) {
        const feature_def *d = feature_at(i);
        if (!asked(p, d->name))
            continue;
        feature *f = open_one(p, d->name, all, e);
        ok = f != NULL;
        if (!ok)
            continue;
        CHECK(p->info.n_columns < SHARD_COLUMNS);
        bool audio = d->source == FEATURE_CLIP;
        *(audio ? &p->feature : &p->songs[p->info.n_columns]) = f;
        p->info.columns[p->info.n_columns++] =
            audio ? shard_column_mel(f->width) : shard_column_of(d);
    }
    json_dump(all, 0, &text);
    p->info.settings = arena_strdup(&p->memory, text.s);
    strbuf_free(&text);
    json_free(all);
    return ok;
}

static bool take_settings(prepare *p, err *e)
{
    const config *c = p->config;
    p->reader = reader_find(config_text(c, "dataset"), e);
    if (!p->reader)
        return false;
    p->augment = (augment_clip_settings){.stretch = {1, 1}};
    p->info = (shard_info){.dataset = p->reader->name,
                           .licence = p->reader->licence,
                           .citation = p->reader->citation,
                           .synthetic = p->reader->synthetic};
    if (!config_fill(c, keys_before, sizeof keys_before / sizeof *keys_before, p, e))
        return false;
    if (p->share_val + p->share_test > 0.95)
        return err_set(e, ERR_CONFIG, "%s: split.val and split.test leave nothing for training",
                       config_where(c, "split.val"));
    if (p->reader->needs_root && !p->options.root)
        return err_set(e, ERR_CONFIG,
                       "dataset %s needs its folder: add root=/my/data to the command",
                       p->reader->name);
    return choose_features(p, e) && check_features(p, e) && open_features(p, e) &&
           prepare_augment_read(p, e) && prepare_targets_read(p, e);
}

bool prepare_goes_on(const prepare *p, const char *stage, uint64_t done, uint64_t total, err *e)
{
    if (done % TELL_EVERY == 0 && p->job->told)
        p->job->told(p->job->user, stage, done, total, p->bad_lines);
    return !env_stop(p->env) ||
           err_set(e, ERR_STOPPED, "stopped before the first shard; the same command continues");
}

// Where nothing is left to make, the summary stays, of the same set.
static bool make_shards(prepare *p, err *e)
{
    if (!prepare_keys_make(p, e) || (p->job->merge && !prepare_merge_check(p, e)) ||
        ((p->to_make || p->report->shards_missing) && !prepare_summary_remove(p, e)) ||
        !prepare_decode(p, e))
        return false;
    return prepare_finish(p, e) && (!p->job->merge || prepare_summary_write(p, e));
}

bool prepare_run(const config *c, const prepare_job *job, const env *v, prepare_report *report,
                 err *e)
{
    double since = hw_seconds();
    prepare p = {
        .config = c, .job = job, .env = v, .report = report, .memory = {.name = "prepare"}};
    prepare_job own = *job;
    CHECK(job->part >= 1 && job->part <= job->parts);
    *report = (prepare_report){0};
    own.jobs = job->jobs > 0               ? job->jobs
               : config_int(c, "jobs") > 0 ? (int)config_int(c, "jobs")
                                           : hw_cores();
    p.job = &own;
    bool ok = take_settings(&p, e) && prepare_scan(&p, e) && prepare_draw(&p, e) &&
              (job->merge || file_make_dirs(job->out, e));
    if (ok) {
        prepare_remarks(&p);
        file_sweep(job->out);
        ok = make_shards(&p, e);
    }
    report->seconds = hw_seconds() - since;
    spill_close(p.answers);
    feature_close(p.feature);
    for (int k = 0; k < p.info.n_columns; k++)
        feature_close(p.songs[k]);
    free(p.entries);
    arena_free(&p.memory);
    return ok;
}
