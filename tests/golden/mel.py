# SPDX-License-Identifier: GPL-3.0-or-later
"""Goldens of the mel spectrogram on real speech, from librosa and torchaudio: mel.json.

    python tests/golden/mel.py [WAV]
        needs librosa and torchaudio; WAV is by default 13a01Nb.wav of EmoDB in ../shared

The first half second of one utterance of the Berlin Database of Emotional Speech (Burkhardt et al.,
Interspeech 2005; CC0-1.0) is stored as 16-bit samples ("samples"; a float is sample / 32768), so
that the test needs no file. It is also declared to be of other rates.

A case: {"by", "rate", settings, "shape": [frames, bands], "frames", "bands", "values" (frames x
bands of those indices), "sum", "max"}; sum and max are of the whole spectrogram, "empty" is how
many bands have a filter without any bin (librosa warns of them). Computed with float64 samples;
"float32_distance" is how far the library's own float32 lies off (largest difference / largest
element). log "none"; "db" = 10 log10(max(x, floor)), then not below max - top_db (0: no limit);
"ln" = ln(x + floor). A case of "resample": {"from", "to", "length", "index", "values"}, libsoxr's
HQ by way of librosa.
"""

import os
import sys
import warnings
import librosa
import numpy as np
import torch
import torchaudio
from fill import f32, write

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
WAV = (
    sys.argv[1]
    if len(sys.argv) > 1
    else os.path.join(HERE, "../../../shared/data/emodb/wav/13a01Nb.wav")
)
LIBROSA = dict(
    n_fft=2048,
    win=2048,
    hop=512,
    bands=128,
    scale="slaney",
    norm="slaney",
    center=True,
    pad="constant",
    power=2.0,
    fmin=0.0,
    fmax=0.0,
)
TORCH = dict(LIBROSA, n_fft=400, win=400, hop=200, scale="htk", norm="none", pad="reflect")
RECIPE = dict(LIBROSA, n_fft=1024, win=1024, hop=320, pad="reflect")
DB80 = dict(log="db", floor=1e-10, top_db=80.0)
DB = dict(log="db", floor=1e-10, top_db=0.0)
LN = dict(log="ln", floor=1e-6)


def by_librosa(x, rate, s):
    m = librosa.feature.melspectrogram(
        y=x,
        sr=rate,
        n_fft=s["n_fft"],
        win_length=s["win"],
        hop_length=s["hop"],
        n_mels=s["bands"],
        power=s["power"],
        center=s["center"],
        pad_mode=s["pad"],
        htk=s["scale"] == "htk",
        norm=None if s["norm"] == "none" else s["norm"],
        fmin=s["fmin"],
        fmax=s["fmax"] or None,
    )
    if s["log"] == "db":
        m = librosa.power_to_db(m, ref=1.0, amin=s["floor"], top_db=s["top_db"] or None)
    return np.log(m + s["floor"]) if s["log"] == "ln" else m


def by_torchaudio(x, rate, s):
    t = torchaudio.transforms.MelSpectrogram(
        rate,
        n_fft=s["n_fft"],
        win_length=s["win"],
        hop_length=s["hop"],
        n_mels=s["bands"],
        power=s["power"],
        center=s["center"],
        pad_mode=s["pad"],
        mel_scale=s["scale"],
        norm=None if s["norm"] == "none" else s["norm"],
        f_min=s["fmin"],
        f_max=s["fmax"] or None,
    )
    x = torch.from_numpy(x)
    m = t.to(x.dtype)(x)
    if s["log"] == "db":
        m = torchaudio.transforms.AmplitudeToDB("power", top_db=s["top_db"] or None)(m)
    return (torch.log(m + s["floor"]) if s["log"] == "ln" else m).numpy()


def bank(by, rate, s):
    if by == "torchaudio":
        return torchaudio.functional.melscale_fbanks(
            s["n_fft"] // 2 + 1,
            s["fmin"],
            s["fmax"] or float(rate // 2),
            s["bands"],
            rate,
            None if s["norm"] == "none" else s["norm"],
            s["scale"],
        ).T.numpy()
    return librosa.filters.mel(
        sr=rate,
        n_fft=s["n_fft"],
        n_mels=s["bands"],
        htk=s["scale"] == "htk",
        norm=None if s["norm"] == "none" else s["norm"],
        fmin=s["fmin"],
        fmax=s["fmax"] or None,
    )


def some(n, count):
    """Both ends and an even spread between."""
    return sorted(
        {
            *range(min(2, n)),
            *range(max(n - 2, 0), n),
            *np.linspace(0, n - 1, count).astype(int).tolist(),
        }
    )


def case(by, x, rate, settings, **log):
    s = {**settings, "log": "none", "floor": 0.0, "top_db": 0.0, **log}
    compute = by_librosa if by == "librosa" else by_torchaudio
    m, low = compute(x, rate, s).T, compute(x.astype(np.float32), rate, s).T
    frames, bands = some(m.shape[0], 8), some(m.shape[1], 32)
    return {
        "by": by,
        "rate": rate,
        **s,
        "shape": list(m.shape),
        "empty": int((bank(by, rate, s).max(1) == 0).sum()),
        "frames": frames,
        "bands": bands,
        "values": f32(m[np.ix_(frames, bands)]),
        "sum": float(m.sum()),
        "max": float(m.max()),
        "float32_distance": float(np.abs(m - low).max() / np.abs(m).max()),
    }


def resample(x, rate, to):
    y = librosa.resample(x.astype(np.float32), orig_sr=rate, target_sr=to, res_type="soxr_hq")
    index = some(len(y), 100)
    return {"from": rate, "to": to, "length": len(y), "index": index, "values": f32(y[index])}


def main():
    x, rate = librosa.load(WAV, sr=None, dtype=np.float64)
    assert rate == 16000
    x = x[: rate // 2]
    samples = np.rint(x * 32768).astype(int)
    assert np.abs(samples / 32768 - x).max() == 0
    cases = []
    for r in (16000, 22050, 44100):
        cases += [case("librosa", x, r, LIBROSA), case("librosa", x, r, LIBROSA, **DB80)]
        cases += [case("torchaudio", x, r, TORCH), case("torchaudio", x, r, TORCH, **DB)]
    for by in ("librosa", "torchaudio"):
        cases += [
            case(by, x, 16000, RECIPE),
            case(by, x, 16000, RECIPE, **LN),
            case(by, x, 16000, RECIPE, **DB80),
            case(by, x, 16000, {**RECIPE, "power": 1.0}, **LN),
            case(by, x, 22050, {**LIBROSA, "scale": "htk", "norm": "none", "power": 1.0}),
            case(by, x, 44100, {**LIBROSA, "scale": "slaney", "norm": "none", "center": False}),
            case(
                by,
                x,
                16000,
                {
                    **LIBROSA,
                    "n_fft": 512,
                    "win": 400,
                    "hop": 160,
                    "bands": 80,
                    "pad": "reflect",
                    "fmin": 20.0,
                    "fmax": 7600.0,
                },
                **DB
            ),
        ]
    cases += [
        case("torchaudio", x, 11025, TORCH),
        case("librosa", x, 11025, LIBROSA),
    ]  # an odd rate: torchaudio's top edge is rate // 2
    for by in ("librosa", "torchaudio"):  # windows of hardly any samples, and of odd ones
        cases += [
            case(by, x, 16000, {**RECIPE, "n_fft": n, "win": win, "bands": 20}, **DB)
            for n, win in ((64, 1), (64, 2), (64, 3), (65, 1), (513, 201))
        ]
        cases += [
            case(by, x, 16000, {**RECIPE, "n_fft": 256, "win": 256, "bands": 128})
        ]  # more bands than bins
    write(
        "mel",
        {
            "made_by": "tests/golden/mel.py, librosa %s, torchaudio %s"
            % (librosa.__version__, torchaudio.__version__),
            "audio": "EmoDB " + os.path.basename(WAV) + ", first 0.5 s, CC0-1.0",
            "samples": samples.tolist(),
            "cases": cases,
            "resample": [
                resample(x, 16000, 22050),
                resample(x, 44100, 16000),
                resample(x, 16000, 8000),
            ],
        },
    )
    for c in cases:
        print(
            c["by"],
            c["rate"],
            c["n_fft"],
            c["scale"],
            c["norm"],
            c["power"],
            c["log"],
            c["shape"],
            "empty",
            c["empty"],
            "max %.4g" % c["max"],
            "float32 off %.1e" % c["float32_distance"],
        )


if __name__ == "__main__":
    main()
