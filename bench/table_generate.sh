# SPDX-License-Identifier: GPL-3.0-or-later
# table_generate.sh: tokens a second that emotion_midi_transformer draws behind its cache, beside
# PyTorch with a cache of keys and values and ONNX Runtime with the step that `kmidi export
# --with-past` writes (ONNX=FILE).
: "${tmp:?this is a table of bench/run.sh}"
heading "Generation"
say "emotion_midi_transformer, one sequence; tokens a second behind a context. bf16: of ours, weights alone."
say ""
say "| context | kmidi, fp32 | kmidi, bf16 | PyTorch, fp32 | ONNX Runtime, fp32 | fp32, ratio to the better | bf16, the same |"
say "|---|---|---|---|---|---|---|"
for context in 0 512; do
    forget
    for _ in $(seq "$ROUNDS"); do
        measure ./kmidi bench emotion_midi_transformer --generate --context "$context" --threads "$THREADS" --json && keep ours tokens_per_s
        measure ./kmidi bench emotion_midi_transformer --generate --precision bf16 --context "$context" --threads "$THREADS" --json && keep narrow tokens_per_s
        [ -n "$python" ] && [ -f bench/generate_peer.py ] || continue
        measure "$python" bench/generate_peer.py --context "$context" --threads "$THREADS" --reference "$REFERENCE" ${ONNX:+--onnx "$ONNX"} || continue
        mv "$tmp/line" "$tmp/lines"
        for p in pytorch onnxruntime; do grep $p "$tmp/lines" >"$tmp/line" && keep $p tokens_per_s || true; done
    done
    o=$(figure ours tokens_per_s); n=$(figure narrow tokens_per_s); t=$(figure pytorch tokens_per_s); x=$(figure onnxruntime tokens_per_s)
    say "| $context | $(short "$o") | $(short "$n") | $(short "$t") | $(short "$x") | $(ratio "$o" "$(larger "$t" "$x")") | $(ratio "$n" "$(larger "$t" "$x")") |"
done
