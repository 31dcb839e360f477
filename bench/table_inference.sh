# SPDX-License-Identifier: GPL-3.0-or-later
# table_inference.sh: how long an answer takes, beside ONNX Runtime (with the file that `kmidi
# export` writes of the reference's weights) and PyTorch, in turns; and what a pipeline that plays in
# real time leaves it (5, 10, 3, 2 and 1 ms for the five small models, 5 ms a token).
# LENGTHS="1 64": of the models of sequences.
LENGTHS=${LENGTHS:-1 64}
heading "Inference"
say "One item, fp32; milliseconds. p50 and p99 of calls, and the processor's time of one (cpu), which other work on the machine changes least. Frames or notes behind the name. limit: of the pipeline. ratio: ours to ONNX Runtime's, of p50 and of cpu."
say ""
say "| model | limit | kmidi p50 | p99 | cpu | ONNX Runtime p50 | p99 | cpu | PyTorch p50 | p99 | ratio p50 | cpu |"
say "|---|---|---|---|---|---|---|---|---|---|---|---|"

of_peers() { # name
    mv "$tmp/line" "$tmp/lines"
    for p in pytorch onnxruntime; do grep "$p" "$tmp/lines" >"$tmp/line" && keep "$p" p50_ms p99_ms cpu_ms || true; done
}
add() { awk -v a="${1:-0}" -v b="$2" 'BEGIN {print (b == "-") ? a : a + b}'; }
row() { # name limit
    o=$(figure ours p50_ms) x=$(figure onnxruntime p50_ms) oc=$(figure ours cpu_ms) xc=$(figure onnxruntime cpu_ms)
    say "| $1 | $2 | $(short "$o") | $(short "$(figure ours p99_ms)") | $(short "$oc") | $(short "$x") | $(short "$(figure onnxruntime p99_ms)") | $(short "$xc") | $(short "$(figure pytorch p50_ms)") | $(short "$(figure pytorch p99_ms)") | $(ratio "$o" "$x") | $(ratio "$oc" "$xc") |"
}
turns() { # model length
    forget
    file=""
    if [ -n "$python" ] && measure "$python" bench/inference_peer.py "$1" --save "$tmp/w.safetensors" --reference "$REFERENCE" &&
        measure ./kmidi import "$tmp/w.safetensors" --model "$1" -o "$tmp/w.h5" && measure ./kmidi export "$tmp/w.h5" --overwrite --format onnx -o "$tmp/w.onnx"; then file=$tmp/w.onnx; fi
    for _ in $(seq "$ROUNDS"); do
        measure ./kmidi bench "$1" --inference --length "$2" --threads "$THREADS" --seconds "$SECONDS_EACH" --json && keep ours p50_ms p99_ms cpu_ms
        [ -n "$python" ] && measure "$python" bench/inference_peer.py "$1" ${file:+--onnx "$file"} --length "$2" --threads "$THREADS" --seconds "$SECONDS_EACH" --reference "$REFERENCE" && of_peers || true
    done
    rm -f "$tmp/w.safetensors" "$tmp/w.h5" "$tmp/w.onnx"
}

five="" five_late="" theirs=""
for m in emotion_recognizer:5 melody_transformer:10 harmony_predictor:3 dynamics_engine:2 groove_predictor:1; do
    turns "${m%:*}" 1
    row "${m%:*}" "${m#*:}"
    five=$(add "$five" "$(figure ours p50_ms)") five_late=$(add "$five_late" "$(figure ours p99_ms)") theirs=$(add "$theirs" "$(figure onnxruntime p50_ms)")
done
say "| all five, added up | 21 | $(short "$five") | $(short "$five_late") | | $(short "$theirs") | | | | | $(ratio "$five" "$theirs") | |"
for m in emotion_recognizer melody_transformer; do
    for length in $LENGTHS; do
        [ "$length" = 1 ] || { turns "$m" "$length"; row "$m, $length" ""; }
    done
done
for m in instrument_recognizer:10 emotion_node_classifier:15 spectocloud_vit:16; do
    turns "${m%:*}" 1
    row "${m%:*}" "${m#*:}"
done

forget
for _ in $(seq "$ROUNDS"); do
    measure ./kmidi bench emotion_midi_transformer --generate --context 512 --threads "$THREADS" --json && keep ours p50_ms p99_ms cpu_ms
    measure ./kmidi bench emotion_midi_transformer --generate --precision bf16 --context 512 --threads "$THREADS" --json && keep narrow p50_ms p99_ms cpu_ms
    [ -n "$python" ] && measure "$python" bench/generate_peer.py --context 512 --threads "$THREADS" --reference "$REFERENCE" ${ONNX:+--onnx "$ONNX"} && of_peers || true
done
row "emotion_midi_transformer, a token behind 512" 5
for k in p50_ms p99_ms cpu_ms; do mv "$tmp/m.narrow.$k" "$tmp/m.ours.$k" 2>/dev/null || true; done
row "the same, weights in bf16" 5
