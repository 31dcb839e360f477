# SPDX-License-Identifier: GPL-3.0-or-later
# table_generate.sh: tokens a second that emotion_midi_transformer draws behind its cache, one
# sequence and eight, in f32, bf16 and int8, in turns with PyTorch with a cache of keys and values
# and weights of as many bytes, and with ONNX Runtime with the steps that `kmidi export
# --with-past` writes: in f32 (ONNX=FILE), and by --format onnx-int8 --quant dynamic
# (ONNX_INT8=FILE).
: "${tmp:?this is a table of bench/run.sh}"
heading "Generation"
say "emotion_midi_transformer; tokens a second of all sequences behind a context, and processor milliseconds a token. PyTorch with weights in as many bytes: bf16 by F.linear, int8 by torch._weight_int8pack_mm. ONNX Runtime: the step in f32, or with products in whole numbers."
say ""
say "| context | sequences | weights | kmidi | PyTorch | ONNX Runtime | ratio to the better | processor ms: kmidi | PyTorch |"
say "|---|---|---|---|---|---|---|---|---|"
generation() { # context count ours theirs
    forget
    for _ in $(seq "$ROUNDS"); do
        measure ./kmidi bench emotion_midi_transformer --generate --context "$1" --count "$2" --precision "$3" --threads "$THREADS" --json && keep ours tokens_per_s cpu_ms
        [ -n "$python" ] && [ -f bench/generate_peer.py ] || continue
        case $3 in fp32) step=${ONNX:-} ;; int8) step=${ONNX_INT8:-} ;; *) step="" ;; esac
        measure "$python" bench/generate_peer.py --context "$1" --count "$2" --weights "$4" --threads "$THREADS" --reference "$REFERENCE" ${step:+--onnx "$step"} || continue
        mv "$tmp/line" "$tmp/lines"
        for p in pytorch onnxruntime; do grep $p "$tmp/lines" >"$tmp/line" && keep $p tokens_per_s cpu_ms || true; done
    done
    o=$(figure ours tokens_per_s); t=$(figure pytorch tokens_per_s); x=$(figure onnxruntime tokens_per_s)
    say "| $1 | $2 | $3 | $(short "$o") | $(short "$t") | $(short "$x") | $(ratio "$o" "$(larger "$t" "$x")") | $(short "$(figure ours cpu_ms)") | $(short "$(figure pytorch cpu_ms)") |"
}
for context in 0 512; do
    for count in 1 8; do
        generation "$context" "$count" fp32 f32
        generation "$context" "$count" bf16 bf16
        generation "$context" "$count" int8 int8
    done
done
