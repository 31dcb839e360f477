# SPDX-License-Identifier: GPL-3.0-or-later
# table_models.sh: training steps a second of every model, whole and with adapters, in every
# precision, beside PyTorch eager and compiled. A precision that one side does not have shows as
# "-". bf16x3 stands beside PyTorch's fp32: it has no such thing.
: "${tmp:?this is a table of bench/run.sh}"
MODELS=${MODELS:-"dynamics_engine:64:1 groove_predictor:64:1 harmony_predictor:64:1 emotion_recognizer:64:64 melody_transformer:64:64 transformer_small:8:512
    emotion_midi_transformer:8:512 emotion_midi_transformer:2:1024 emotion_midi_transformer:2:512
    instrument_recognizer:16:1 emotion_node_classifier:8:1 spectocloud_vit:16:1"}
ADAPT=${ADAPT:-"full lora"}
PRECISIONS=${PRECISIONS:-"fp32 bf16x3 bf16"}
COMPILE=${COMPILE:-1}

peer_of() { case $1 in bf16) echo bf16 ;; *) echo fp32 ;; esac; }

# PyTorch has two memory layouts for those.
convolves() { case $1 in instrument_recognizer | emotion_node_classifier) true ;; *) false ;; esac; }

# All that one model takes in one round.
model_round() { # name batch length adapt
    lora=""
    [ "$4" = full ] || lora="--lora 8"
    [ "$4" != dora ] || lora="$lora --dora"
    for p in $PRECISIONS; do
        ours "ours.$p" "$1" "$2" "$3" --precision "$p" $lora
        [ "$p" != bf16x3 ] || continue
        pytorch "eager.$p" "$1" "$2" "$3" --precision "$p" $lora
        ! convolves "$1" || pytorch "last.$p" "$1" "$2" "$3" --precision "$p" --channels-last $lora
        [ "$COMPILE" != 1 ] && [ "$COMPILE" != "$4" ] || pytorch "compiled.$p" "$1" "$2" "$3" --precision "$p" --compile $lora
    done
}

model_row() { # name batch length adapt precision
    q=$(peer_of "$5")
    ours=$(figure "ours.$5" steps_per_s); e=$(larger "$(figure "eager.$q" steps_per_s)" "$(figure "last.$q" steps_per_s)"); c=$(figure "compiled.$q" steps_per_s)
    mb=$(figure "ours.$5" peak_rss_mb); peer=$(smaller "$(figure "eager.$q" peak_rss_mb)" "$(figure "compiled.$q" peak_rss_mb)")
    gf=$(figure "ours.$5" gflops); peak=$(figure "ours.$5" gemm_peak_gflops)
    say "| $1 $2 x $3 | $4 | $5 | $(short "$ours") | $(short "$e") | $(short "$c") | $(ratio "$ours" "$(larger "$e" "$c")") | $(short "$mb") | $(short "$peer") | $(ratio "$mb" "$peer") | $(short "$gf") | $(ratio "$gf" "$peak") |"
}

heading "Training steps"
say "Steps a second; lora, dora: adapters of rank 8. Ratio: against the better of PyTorch eager and compiled in the same precision (bf16x3: in fp32). Peak: resident memory in MB, PyTorch's"
say "the smaller of its two; eager, of convolutions, the faster of its two memory layouts. GFLOP/s: of matrix products; share: of the f32 product of 2048^3 that this machine reached in the same run."
for p in $PRECISIONS; do
    ./kmidi bench dynamics_engine --precision "$p" --seconds 0.01 --json >/dev/null 2>&1 || say "This version of kmidi does not take --precision $p: no figures of ours."
done
say ""
say "| model, batch x length | trained | precision | ours | eager | compiled | ratio | peak | PyTorch's | share | GFLOP/s | share of peak |"
say "|---|---|---|---|---|---|---|---|---|---|---|---|"
for spec in $MODELS; do
    rest=${spec#*:}
    for adapt in $ADAPT; do
        forget
        for _ in $(seq "$ROUNDS"); do
            model_round "${spec%%:*}" "${rest%%:*}" "${rest#*:}" "$adapt"
        done
        for p in $PRECISIONS; do
            model_row "${spec%%:*}" "${rest%%:*}" "${rest#*:}" "$adapt" "$p"
        done
    done
done
