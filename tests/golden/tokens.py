# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiny MIDI files and what note-seq 0.0.5 (pretty_midi 0.2.11, mido 1.3.3) makes of them:
tokens.json for tests/data/tokens.c.

    python tests/golden/tokens.py > tests/golden/tokens.json
        (protobuf < 4 and NumPy < 2, which note-seq needs)
    python tests/golden/tokens.py --many DIR N
        N random files and a list of their tokens, for a wider comparison

Files are bytes in base64. Tempo stands in the first track, where pretty_midi looks for it. With
drums, note-seq is given the file with its drum hits of no length made a tick long: pretty_midi
drops them, kmidi keeps them so.
"""

import base64, io, json, os, random, struct, sys, tempfile, warnings
import mido
import numpy as np

warnings.filterwarnings("ignore")
np.float, np.int, np.bool = float, int, bool  # note-seq is older than NumPy 1.24
from note_seq import midi_io, performance_encoder_decoder, performance_lib, sequences_lib

ENCODING = performance_encoder_decoder.PerformanceOneHotEncoding(num_velocity_bins=32)


def tokens(path, drums):
    notes = sequences_lib.apply_sustain_control_changes(midi_io.midi_file_to_note_sequence(path))
    steps = sequences_lib.quantize_note_sequence_absolute(notes, 100)
    if not drums:
        keep = [n for n in steps.notes if not n.is_drum]
        del steps.notes[:]
        steps.notes.extend(keep)
    return [
        ENCODING.encode_event(e) for e in performance_lib.Performance(steps, num_velocity_bins=32)
    ]


def vlq(n):
    out = [n & 127]
    while n > 127:
        n >>= 7
        out.insert(0, n & 127 | 128)
    return bytes(out)


def track(events):
    """[(tick, bytes), ...], in the order given for equal ticks."""
    data, at = b"", 0
    for tick, b in sorted(events, key=lambda e: e[0]):
        data += vlq(tick - at) + bytes(b)
        at = tick
    data += b"\0\xff\x2f\0"
    return b"MTrk" + struct.pack(">L", len(data)) + data


def smf(tracks, ticks=100, form=1):
    return (
        b"MThd"
        + struct.pack(">LHHH", 6, form, len(tracks), ticks)
        + b"".join(track(t) for t in tracks)
    )


def on(t, p, v=64, ch=0):
    return (t, [0x90 | ch, p, v])


def off(t, p, ch=0):
    return (t, [0x80 | ch, p, 0])


def note(t, u, p, v=64, ch=0):
    return [on(t, p, v, ch), off(u, p, ch)]


def control(t, n, v, ch=0):
    return (t, [0xB0 | ch, n, v])


def program(t, n, ch=0):
    return (t, [0xC0 | ch, n])


def tempo(t, us):
    return (t, [0xFF, 0x51, 3, us >> 16, us >> 8 & 255, us & 255])


# A tick is 5 ms at 120 beats a minute and 100 ticks.
CASES = {
    "scale": [
        note(100 * i, 100 * i + 80, 60 + p, 20 + 10 * i)
        for i, p in enumerate([0, 2, 4, 5, 7, 9, 11, 12])
    ],
    "shifts of 1 s and 2 s": [note(0, 200, 60), note(600, 601, 62), note(801, 1003, 64)],
    "velocity bins": [
        note(20 * i, 20 * i + 10, 60, v)
        for i, v in enumerate([1, 4, 5, 8, 9, 63, 64, 65, 124, 125, 127, 127])
    ],
    "shorter than a step": [note(10, 11, 60), note(11, 12, 61), note(12, 13, 62), note(13, 14, 63)],
    "pedal holds": [note(0, 50, 60), note(20, 60, 64), [control(30, 64, 127), control(150, 64, 0)]],
    "pedal until struck again": [
        note(20, 50, 60),
        note(100, 140, 60),
        [control(10, 64, 64), control(300, 64, 63)],
    ],
    "struck again while held under the pedal": [
        note(20, 200, 60),
        [on(100, 60, 90)],
        [control(10, 64, 64), control(300, 64, 0)],
    ],
    "two at once under the pedal": [
        [on(20, 60, 50), on(20, 60, 90), off(80, 60)],
        [control(10, 64, 64), control(300, 64, 0)],
    ],
    "pedal never lifted": [
        note(0, 50, 60),
        note(60, 90, 64),
        note(100, 400, 67),
        [control(10, 64, 100)],
    ],
    "pedal changed at one tick": [
        note(0, 50, 60),
        [control(10, 64, 127), control(80, 64, 0), control(80, 64, 127), control(200, 64, 0)],
        note(90, 110, 62),
    ],
    "pedal lifted as the note ends": [
        note(0, 80, 60),
        [control(10, 64, 127), control(80, 64, 0)],
        note(80, 120, 60),
    ],
    "pedal of another channel": [
        note(0, 50, 60),
        note(0, 50, 67, 64, 1),
        [control(10, 64, 127, 1), control(200, 64, 0, 1)],
    ],
    "volume first, then two programs": [
        [control(0, 7, 100), program(0, 5)],
        note(10, 50, 60),
        [control(20, 64, 127)],
        [program(60, 9)],
        note(70, 90, 60),
        [control(200, 64, 0)],
        note(220, 240, 60),
    ],
    "two programs, no volume": [
        [program(0, 5)],
        note(10, 50, 60),
        [control(20, 64, 127)],
        [program(60, 9)],
        note(70, 90, 60),
        [control(200, 64, 0)],
        note(220, 240, 60),
    ],
    "drums": [
        note(0, 20, 36, 100, 9),
        note(0, 90, 60),
        note(50, 70, 38, 90, 9),
        [control(10, 64, 127), control(200, 64, 0)],
        [control(10, 64, 127, 9)],
    ],
    "one off closes two": [[on(0, 60, 40), on(30, 60, 80), off(100, 60)]],
    "off and on at one tick": [
        [on(0, 60, 40), on(50, 60, 80), off(50, 60), off(90, 60)],
        [on(0, 64, 40), off(50, 64), on(50, 64), off(90, 64)],
    ],
    "never closed": [[on(0, 60, 40), on(30, 62, 80), off(100, 60)]],
    "tempo changes": [
        [tempo(0, 600000), tempo(100, 333333), tempo(250, 333333), tempo(251, 1000000)]
    ]
    + [note(37 * i, 37 * i + 31, 50 + i) for i in range(14)],
    "tempo twice at one tick": [
        [tempo(0, 600000), tempo(0, 400000), tempo(100, 250000), tempo(100, 700000)]
    ]
    + [note(37 * i, 37 * i + 31, 50 + i) for i in range(8)],
}


def flat(groups):
    return [e for g in groups for e in g]


def at_random(seed):
    r = random.Random(seed)
    ticks = r.choice([24, 96, 100, 120, 384, 480, 960])
    tracks, quarter = [], ticks
    for k in range(r.choice([1, 1, 2, 3])):
        ev = [
            tempo(r.choice([0, 0, r.randrange(8 * quarter)]), r.randrange(200000, 1500000))
            for _ in range(r.randrange(4) if k == 0 else 0)
        ]
        for _ in range(r.randrange(5, 40)):
            t, ch = r.randrange(8 * quarter), r.choice([0, 0, 0, 1, 9])
            kind = r.random()
            if kind < 0.5:
                ev += note(
                    t,
                    t + r.choice([0, 1, quarter // 8, quarter // 2, quarter]),
                    r.randrange(58, 63),
                    r.randrange(1, 128),
                    ch,
                )
            elif kind < 0.85:
                ev.append(control(t, 64, r.choice([0, 127, 63, 64]), ch))
            elif kind < 0.9:
                ev.append(program(t, r.randrange(3), ch))
            elif kind < 0.95:
                ev.append(control(t, 7, 100, ch))
            else:
                ev.append((t, [0xE0 | ch, 0, 64]))
        tracks.append(ev)
    return smf(tracks, ticks)


def lengthened(data):
    """Offs of drums that close nothing but hits of their own tick come a tick later."""
    song = mido.MidiFile(file=io.BytesIO(data))
    for t in song.tracks:
        tick, at, struck = 0, [], {}
        for m in t:
            tick += m.time
            late = 0
            if m.type in ("note_on", "note_off") and m.channel == 9:
                if m.type == "note_on" and m.velocity > 0:
                    struck.setdefault(m.note, []).append(tick)
                else:
                    hits = struck.pop(m.note, [])
                    late = int(bool(hits) and all(h == tick for h in hits))
                    if hits and not late and hits[-1] == tick:
                        struck[m.note] = [h for h in hits if h == tick]
            at.append((tick + late, len(at), m))
        now, out = 0, []
        for tick, _, m in sorted(at, key=lambda x: x[:2]):
            out.append(m.copy(time=tick - now))
            now = tick
        t[:] = sorted(out, key=lambda m: m.type == "end_of_track")
    file = io.BytesIO()
    song.save(file=file)
    return file.getvalue()


def of_bytes(data, drums):
    data = lengthened(data) if drums else data
    with tempfile.NamedTemporaryFile(suffix=".mid") as f:
        f.write(data)
        f.flush()
        return tokens(f.name, drums)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--many":
        for i in range(int(sys.argv[3])):
            data = at_random(i)
            with open(os.path.join(sys.argv[2], f"{i:05d}.mid"), "wb") as f:
                f.write(data)
        sys.exit()
    files = {name: smf([flat(groups)]) for name, groups in CASES.items()} | {
        f"random {i}": at_random(i) for i in range(20)
    }
    rows = [
        {
            "name": n,
            "midi": base64.b64encode(d).decode(),
            "tokens": of_bytes(d, False),
            "with_drums": of_bytes(d, True),
        }
        for n, d in files.items()
    ]
    print(json.dumps({"files": rows}).replace('{"name"', '\n{"name"'))
