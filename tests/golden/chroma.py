# SPDX-License-Identifier: GPL-3.0-or-later
"""Goldens of pitch classes beside mel bands: tests/golden/chroma.json.

    python tests/golden/chroma.py

Needs librosa. Frames of the samples in mel.json: bands of librosa's melspectrogram, and behind them
the twelve of librosa.feature.chroma_stft (norm None, tuning 0, octwidth None), in the form that mel.py gives cases.
Float64 throughout.
"""

import json
import os
import librosa
import numpy as np
from fill import f32, write

HERE = os.path.dirname(os.path.abspath(__file__))


def case(x, rate, bands, n_fft, win, hop, power, log, floor, top_db):
    spectrum = librosa.stft(x, n_fft=n_fft, win_length=win, hop_length=hop, pad_mode="reflect")
    s = np.abs(spectrum) ** power
    m = librosa.feature.melspectrogram(S=s, sr=rate, n_fft=n_fft, n_mels=bands - 12)
    c = librosa.feature.chroma_stft(
        S=s, sr=rate, n_fft=n_fft, norm=None, tuning=0.0, octwidth=None, dtype=np.float64
    )
    m = np.concatenate([m, c])
    if log == "db":
        m = librosa.power_to_db(m, ref=1.0, amin=floor, top_db=top_db or None)
    elif log == "ln":
        m = np.log(m + floor)
    m = m.T
    frames = sorted({0, 1, len(m) // 2, len(m) - 1})
    some = list(range(max(bands - 20, 0), bands))
    return dict(
        by="librosa",
        rate=rate,
        n_fft=n_fft,
        win=win,
        hop=hop,
        bands=some,
        scale="slaney",
        norm="slaney",
        center=True,
        pad="reflect",
        power=power,
        fmin=0.0,
        fmax=0.0,
        chroma="classes",
        log=log,
        floor=floor,
        top_db=top_db,
        shape=list(m.shape),
        frames=frames,
        values=f32(m[np.ix_(frames, some)]),
        sum=float(m.sum()),
        max=float(m.max()),
    )


def main():
    x = np.array(json.load(open(os.path.join(HERE, "mel.json")))["samples"]) / 32768
    cases = [
        case(x, 16000, 128, 1024, 1024, 320, 2, "ln", 1e-6, 0.0),
        case(x, 16000, 128, 4096, 4096, 2048, 2, "ln", 1e-6, 0.0),
        case(x, 22050, 40, 2048, 2048, 512, 2, "db", 1e-10, 80.0),
        case(x, 44100, 128, 4096, 3000, 512, 1, "none", 0.0, 0.0),
    ]
    made_by = "tests/golden/chroma.py, librosa %s" % librosa.__version__
    write("chroma", {"made_by": made_by, "cases": cases})


if __name__ == "__main__":
    main()
