# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of kmidi compose in mido, pretty_midi and symusic: music_check.py FILE.mid ...

Each FILE has a FILE's stem + .plan.json. All three open it and agree on the notes; every note that
is struck is released, none lies outside 0..127, and the piece ends within a beat of its bars.
"""
import json, pathlib, sys

import mido, pretty_midi, symusic


def check(path):
    plan = json.loads(path.with_suffix(".plan.json").read_text())["plan"]
    song = mido.MidiFile(path, clip=False)
    open_notes, struck, tick = {}, 0, 0
    for track in song.tracks:
        tick = 0
        for m in track:
            tick += m.time
            if m.type == "note_on" and m.velocity > 0:
                assert 0 <= m.note <= 127 and (m.channel, m.note) not in open_notes, (path, m)
                open_notes[m.channel, m.note] = tick
                struck += 1
            elif m.type in ("note_off", "note_on"):
                assert open_notes.pop((m.channel, m.note)) < tick, (path, m)
        assert not open_notes, (path, "hangs", open_notes)
    pretty = pretty_midi.PrettyMIDI(str(path))
    score = symusic.Score(str(path))
    counts = [struck, sum(len(i.notes) for i in pretty.instruments), sum(len(t.notes) for t in score.tracks)]
    assert len(set(counts)) == 1 and struck > 0, (path, counts)
    beats = int(pretty.time_signature_changes[0].numerator) * plan["length_bars"]
    end = pretty.get_end_time() * plan["tempo_bpm"] / 60
    assert abs(end - beats) <= 1, (path, end, beats)
    return struck


notes = [check(pathlib.Path(p)) for p in sys.argv[1:]]
print(f"{len(notes)} pieces, {sum(notes)} notes")
