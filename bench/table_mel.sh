# SPDX-License-Identifier: GPL-3.0-or-later
# table_mel.sh: mel spectrograms of ten minutes of audio in memory, beside librosa and torchaudio
# (two threads each).
: "${tmp:?this is a table of bench/run.sh}"
heading "Mel spectrogram"
say "44.1 kHz, 2048/512, 128 bands, dB; ten minutes in memory; seconds of audio a second."
say ""
for _ in $(seq "$ROUNDS"); do
    measure ./kmidi bench mel --threads "$THREADS" --json && keep ours audio_s_per_s
    [ -n "$audio" ] && measure "$audio" "$REFERENCE/data_speed.py" mel || continue
    mv "$tmp/line" "$tmp/lines"
    for p in librosa torchaudio; do
        grep $p "$tmp/lines" >"$tmp/line" && keep $p audio_s_per_s || true
    done
done
o=$(figure ours audio_s_per_s); l=$(figure librosa audio_s_per_s); t=$(figure torchaudio audio_s_per_s)
say "| kmidi | librosa | torchaudio | ratio to the better |"
say "|---|---|---|---|"
say "| $(short "$o") | $(short "$l") | $(short "$t") | $(ratio "$o" "$(larger "$l" "$t")") |"
