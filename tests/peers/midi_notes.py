# SPDX-License-Identifier: GPL-3.0-or-later
# midi_notes.py FILE.mid: its notes as mido reads them, one "start end pitch velocity" a line in
# ticks, by start and pitch; pretty_midi must agree.
import sys

import mido
import pretty_midi

file = mido.MidiFile(sys.argv[1])
notes = []
for track in file.tracks:
    tick, sounding = 0, {}
    assert track[-1].type == "end_of_track"
    for event in track:
        tick += event.time
        if event.type == "note_on" and event.velocity > 0:
            sounding[event.channel, event.note] = (tick, event.velocity)
        elif event.type in ("note_on", "note_off"):
            start, velocity = sounding.pop((event.channel, event.note))
            notes.append((start, tick, event.note, velocity))
    assert not sounding
pretty = pretty_midi.PrettyMIDI(sys.argv[1])
theirs = [
    (pretty.time_to_tick(n.start), pretty.time_to_tick(n.end), n.pitch, n.velocity)
    for i in pretty.instruments
    for n in i.notes
]
key = lambda n: (n[0], n[2])
assert sorted(notes, key=key) == sorted(theirs, key=key)
for note in sorted(notes, key=key):
    print(*note)
