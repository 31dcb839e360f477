# SPDX-License-Identifier: GPL-3.0-or-later
"""What simple judges make of the notes that configs/instrument_nsynth.yaml learns from: how much of
a note's family, register and dynamics is to be had without a network, and what its loudness alone
says.

    python bench/notes_yardstick.py [--notes ../shared/data/nsynth_rendered]
        [--real ../shared/data/nsynth_real] [--copies 12]

Needs librosa, soxr and scikit-learn. Judges learn from nsynth-train and its copies (other notes of
the same instruments, as augment.copies makes them: transposed by resampling, louder or softer, with
the register and velocity that they then have), and are asked about
    held    each third of the training instruments, by those who learnt from the others
    valid   nsynth-valid: rendered notes of other instruments
    real    nsynth-test: recorded notes
Each line is one judge on one kind of numbers; a share is that of notes which are right. `peak` has
the largest sample alone.
"""

import argparse
import json
import os
import numpy as np

RATE, POINTS, HOP, BANDS = 16000, 2048, 512, 128
QUESTIONS = ["family", "register", "dynamic_range"]


def arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    data = os.path.join(here, "../../shared/data")
    ap = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    ap.add_argument("--notes", default=os.path.join(data, "nsynth_rendered"))
    ap.add_argument("--real", default=os.path.join(data, "nsynth_real"))
    ap.add_argument("--copies", type=int, default=12)
    ap.add_argument("--transpose", type=float, default=12)
    ap.add_argument("--gain", type=float, default=6)
    return ap.parse_args()


def answers(note, semitones, gain):
    """Classes as docs/targets.md has them: register below 48, 72; dynamics below velocity 32, 64,
    96, amplitude going by its square."""
    pitch = note["pitch"] + semitones
    velocity = note["velocity"] * 10 ** (gain / 40)
    return [
        note["instrument_family"],
        int(np.searchsorted([48, 72], pitch, side="right")),
        int(np.searchsorted([32, 64, 96], velocity, side="right")),
    ]


def log_mel(x, bank=[]):
    import librosa

    if not bank:
        bank.append(librosa.filters.mel(sr=RATE, n_fft=POINTS, n_mels=BANDS))
    power = np.abs(librosa.stft(x, n_fft=POINTS, hop_length=HOP, pad_mode="reflect")) ** 2
    return np.log(bank[0] @ power + 1e-6).T  # [T, BANDS]


def statistics(x):
    """Three descriptions of a note's frames, and its peak."""
    from scipy.fft import dct

    mel = log_mel(x)
    near = np.maximum(mel, mel.max() - 60 / 4.343)
    cepstra = dct(mel, axis=1, norm="ortho")[:, :30]
    return {
        "bands": np.concatenate([mel.mean(0), mel.std(0), mel.max(0)]),
        "bands within 60 dB": np.concatenate([near.mean(0), near.std(0), near.max(0)]),
        "cepstra": np.concatenate(
            [cepstra.mean(0), cepstra.std(0), cepstra[:8].mean(0), cepstra[20:60].mean(0)]
        ),
        "peak": np.array([20 * np.log10(np.abs(x).max() + 1e-9)]),
    }


def load(folder, a, copies):
    """(statistics by name [N, ...], answers [N, 3], third of each instrument [N], copy [N])"""
    import soundfile
    import soxr

    notes = json.load(open(os.path.join(folder, "examples.json")))
    of_family = {}
    for n in notes.values():
        of_family.setdefault(n["instrument_family"], set()).add(n["instrument_str"])
    rng, rows, truth, third, copy = np.random.default_rng(1), [], [], [], []
    for key in sorted(notes):
        note = notes[key]
        x, rate = soundfile.read(os.path.join(folder, "audio", key + ".wav"), dtype="float32")
        assert rate == RATE
        family = note["instrument_family"]
        place = sorted(of_family[family]).index(note["instrument_str"])
        for c in range(copies + 1):
            up = rng.uniform(-a.transpose, a.transpose) if c else 0
            gain = rng.uniform(-a.gain, a.gain) if c else 0
            y = soxr.resample(x, round(48000 * 2 ** (up / 12)), 48000) if c else x
            rows.append(statistics(y * 10 ** (gain / 20)))
            truth.append(answers(note, up, gain))
            third.append((place - family) % 3)
            copy.append(c)
    by_name = {k: np.array([r[k] for r in rows]) for k in rows[0]}
    return by_name, np.array(truth), np.array(third), np.array(copy)


def judges():
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier

    scaled = lambda judge: make_pipeline(StandardScaler(), judge)
    return {
        "logistic regression": lambda: scaled(LogisticRegression(C=0.01, max_iter=1000)),
        "support vectors": lambda: scaled(SVC(C=10)),
        "extra trees": lambda: ExtraTreesClassifier(200, random_state=0),
        "tree of 8 leaves": lambda: DecisionTreeClassifier(max_leaf_nodes=8, random_state=0),
    }


def share(judge, x, y):
    return float((judge.predict(x) == y).mean())


def judge_all(make, x, sets):
    """Shares [question][held, valid, real]."""
    (train, y, third, copy), (valid, yv, *_), (real, yr, *_) = sets
    out = []
    for q in range(len(QUESTIONS)):
        held = []
        for k in range(3):
            asked = (third == k) & (copy == 0)
            judge = make().fit(train[x][third != k], y[third != k, q])
            held += list(judge.predict(train[x][asked]) == y[asked, q])
        judge = make().fit(train[x], y[:, q])
        out.append(
            (
                float(np.mean(held)),
                share(judge, valid[x], yv[:, q]),
                share(judge, real[x], yr[:, q]),
            )
        )
    return out


def main():
    a = arguments()
    sets = [
        load(os.path.join(a.notes, "nsynth-train"), a, a.copies),
        load(os.path.join(a.notes, "nsynth-valid"), a, 0),
        load(os.path.join(a.real, "nsynth-test"), a, 0),
    ]
    print("held, valid, real of " + ", ".join(QUESTIONS))
    for x in sets[0][0]:
        for name, make in judges().items():
            if (x == "peak") != name.startswith("tree"):
                continue
            shares = "  ".join(
                "%.3f %.3f %.3f" % s for s in judge_all(make, x, sets)
            )
            print("%-20s %-20s %s" % (x, name, shares), flush=True)


if __name__ == "__main__":
    main()
