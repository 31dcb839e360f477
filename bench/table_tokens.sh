# SPDX-License-Identifier: GPL-3.0-or-later
# table_tokens.sh: MIDI files a second that become performance tokens. Ours is the whole of `kmidi
# prepare`: parsing in worker processes, tokens, splits, checksums, shards on the disk. The peers
# parse, or parse and tokenise, in one process and throw the result away.
#   MAESTRO=DIR     its files; without it 400 synthetic ones of 30 s
: "${tmp:?this is a table of bench/run.sh}"
if [ -n "${MAESTRO:-}" ]; then
    what="MAESTRO, performances of minutes" midi=$MAESTRO config=configs/data/maestro.yaml
else
    what="400 synthetic files of 30 s" midi=$tmp/midi config=configs/data/midi_emotion.yaml
    ./kmidi synth "$midi" --midi --items 400 --seconds 30 --quiet >/dev/null
fi
find "$midi" -name '*.mid' -o -name '*.midi' | sort >"$tmp/files"
n=$(wc -l <"$tmp/files")

prepared() { # jobs
    rm -rf "$tmp/shards"
    began=$(now)
    measure ./kmidi prepare "$config" --out "$tmp/shards" "root=$midi" "features=[tokens]" "jobs=$1" --json || return 0
    awk -v n="$n" -v s="$(elapsed "$began")" 'BEGIN {print n / s}' >>"$tmp/m.ours$1.files"
}

heading "Tokens of MIDI"
say "$what ($n files); files a second. kmidi: parsed, tokenised and written as shards; note-seq tokenises alike, MidiTok its own MIDILike, symusic only parses."
say ""
for _ in $(seq "$ROUNDS"); do
    prepared 1
    prepared 2
    if [ -n "$python" ] && measure "$python" "$REFERENCE/data_speed.py" midi $(cat "$tmp/files"); then
        mv "$tmp/line" "$tmp/lines"
        for p in symusic miditok; do grep $p "$tmp/lines" >"$tmp/line" && keep $p files_per_s || true; done
    fi
done
if [ -n "$noteseq" ]; then
    head -n 20 "$tmp/files" >"$tmp/few"
    measure "$noteseq" "$REFERENCE/noteseq_tokens.py" --digest $(cat "$tmp/few") && sed -n 's|^\([0-9.]*\) files/s$|\1|p' "$tmp/errors" >>"$tmp/m.noteseq.files"
fi
a=$(figure ours1 files); b=$(figure ours2 files); q=$(figure noteseq files); k=$(figure miditok files_per_s); s=$(figure symusic files_per_s)
say "| kmidi, 1 job | 2 jobs | note-seq | MidiTok | symusic, parsing | 1 job to note-seq | 1 job to MidiTok |"
say "|---|---|---|---|---|---|---|"
say "| $(short "$a") | $(short "$b") | $(short "$q") | $(short "$k") | $(short "$s") | $(ratio "$a" "$q") | $(ratio "$a" "$k") |"
