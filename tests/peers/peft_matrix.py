# SPDX-License-Identifier: GPL-3.0-or-later
"""Adapters by Hugging Face PEFT in all its variants, and what PEFT makes of each.

    python tests/peers/peft_matrix.py FOLDER [REFERENCE]
        needs PyTorch, PEFT and the reference models.py (default ../shared/reference)

Writes FOLDER/MODEL.safetensors (a base), FOLDER/NN (an adapter as PEFT saved it, in some with a
configuration that was changed by hand) and FOLDER/list: "NN MODEL ok" where
PeftModel.from_pretrained takes it, whose merged weights are then in NN.safetensors; "NN MODEL
refused" where it raises; "NN MODEL other" where PEFT has a method that kmidi names and refuses.
Called by tests/lora/peft.c.
"""

import json
import os
import random
import sys
import warnings
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

warnings.filterwarnings("ignore")
FOLDER = sys.argv[1]
sys.path.insert(
    0,
    (
        sys.argv[2]
        if len(sys.argv) > 2
        else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/reference")
    ),
)
from models import MODELS, ConvNorm, EmotionMIDITransformer  # noqa: E402

torch.manual_seed(5)
torch.set_num_threads(1)
draw = random.Random(5)


def narrow(model, first):
    """Of the networks of pictures, with blocks of 4, 8, 16 and 32 channels."""
    m = MODELS[model][0]()
    wide = [(1, 4, *first), (4, 8, 3, 2), (8, 16, 3, 2), (16, 32, 3, 2)]
    m.blocks = torch.nn.ModuleList([ConvNorm(*w) for w in wide])
    if model == I:
        m.fc = torch.nn.Linear(32, 512)
    else:
        m.fc1 = torch.nn.Linear(128, 512)
    return m


SMALL = {
    "instrument_recognizer": lambda: narrow(I, (7, 2)),
    "emotion_node_classifier": lambda: narrow(N, (3, 1)),
    "emotion_midi_transformer": lambda: EmotionMIDITransformer(
        dim=32, layers=4, heads=2, ffn=48, cross=(0, 2), emotion_tokens=2
    )
}
LSTM = ["lstm.weight_ih_l0", "lstm.weight_hh_l0"]
M, E, H, G, D, T, I, N = (
    "melody_transformer",
    "emotion_recognizer",
    "harmony_predictor",
    "groove_predictor",
    "dynamics_engine",
    "emotion_midi_transformer",
    "instrument_recognizer",
    "emotion_node_classifier",
)

# (model, LoraConfig, what is changed by hand in the saved configuration)
CASES = [
    (M, dict(target_modules=["fc1", "fc2", "fc3"], r=40), {}),  # a rank above a side of some
    (D, dict(target_modules=["fc3"], r=40, lora_alpha=7), {}),
    (G, dict(target_modules=["fc1", "fc3"], r=100, use_rslora=True), {}),
    (M, dict(target_modules=["fc1"], target_parameters=LSTM, r=3), {}),
    (
        M,
        dict(target_modules=[], target_parameters=["fc1.weight", "fc3.weight"], r=5),
        {},
    ),  # weights of linear layers as parameters
    (
        M,
        dict(
            target_modules=["fc2"],
            target_parameters=["fc1.weight", LSTM[1]],
            rank_pattern={"fc1": 2, "fc1.weight": 6},
        ),
        {},
    ),
    (
        E,
        dict(target_modules=["fc2"], target_parameters=["weight"], r=2),
        {},
    ),  # fc1, fc2 and fc3; fc2 twice: refused
    (E, dict(target_modules=[], target_parameters=["weight"], r=2), {}),
    (
        E,
        dict(target_modules=[], target_parameters=["weight_hh_l0", "fc2.bias"], r=2),
        {},
    ),  # a vector
    (
        H,
        dict(target_modules=["fc1", "fc2"], target_parameters=["fc3.weight"]),
        {"lora_dropout": 0.1},
    ),
    (H, dict(target_modules=["fc1", "fc2"]), {"fan_in_fan_out": True}),
    (H, dict(target_modules=["fc1"], target_parameters=["fc3.weight"]), {"fan_in_fan_out": True}),
    (H, dict(target_modules=["fc1", "fc2"], modules_to_save=["fc3"]), {}),
    (
        H,
        dict(target_modules=["fc1", "fc2", "fc3"], modules_to_save=["fc3"], exclude_modules="fc2"),
        {},
    ),
    (H, dict(target_modules="all-linear", r=4), {}),
    (H, dict(target_modules=["fc1", "fc2", "fc3"], r=4), {"target_modules": "all-linear"}),
    (H, dict(target_modules="fc[12]", rank_pattern={"fc1": 3}, alpha_pattern={"fc.": 2.5}), {}),
    (H, dict(target_modules="fc[12]"), {"layers_to_transform": [0]}),
    (H, dict(target_modules="fc[12]"), {"layers_to_transform": []}),
    (H, dict(target_modules="fc[12]"), {"layers_pattern": "layers"}),
    (H, dict(target_modules=["fc1"]), {"layers_pattern": ["layers"]}),
    (H, dict(target_modules=["fc1", "fc2"]), {"layers_to_transform": [0]}),
    (H, dict(target_modules=["fc1"]), {"target_parameters": "fc1.weight"}),
    (H, dict(target_modules=[], target_parameters=["fc2.weight"]), {"target_modules": None}),
    (H, dict(target_modules=[], target_parameters=["fc2.weight"]), {"fan_in_fan_out": True}),
    (H, dict(target_modules=["fc1"]), {"target_modules": None}),
    (H, dict(target_modules=["fc1"]), {"target_modules": []}),
    (H, dict(target_modules=["fc1"]), {"target_modules": ["fc9"]}),
    (H, dict(target_modules=["fc1"]), {"r": 0}),
    (H, dict(target_modules=["fc1"], lora_alpha=0), {}),
    (H, dict(target_modules=["fc1"], lora_alpha=-3), {}),
    (H, dict(target_modules=["fc1"]), {"init_lora_weights": "nothing"}),
    (H, dict(target_modules=["fc1"], init_lora_weights="gaussian"), {}),
    (H, dict(target_modules=["fc1"], init_lora_weights=False), {}),
    (H, dict(target_modules=["fc1"], init_lora_weights="orthogonal"), {}),
    (H, dict(target_modules=["fc1"]), {"init_lora_weights": "eva"}),
    (H, dict(target_modules=["fc1"]), {"bias": "some"}),
    (H, dict(target_modules=["fc1"]), {"peft_type": "LORA2"}),
    (
        M,
        dict(target_modules=["fc1"]),
        {"target_modules": ["fc1", "lstm"]},
    ),  # modules of another kind
    (M, dict(target_modules=["fc1", "fc2", "fc3"]), {"target_modules": ".*"}),
    (M, dict(target_modules=["fc1"], target_parameters=LSTM[:1]), {"modules_to_save": []}),
    (
        T,
        dict(
            target_modules=["q_proj", "v_proj"],
            layers_to_transform=[1, 3],
            layers_pattern="layers",
            r=6,
        ),
        {},
    ),
    (T, dict(target_modules=["q_proj", "layers.2.up_proj"], layers_to_transform=1), {}),
    (T, dict(target_modules=["q_proj"], layers_to_transform=[-1, 0]), {}),
    (T, dict(target_modules=["k_proj", "down_proj"], layers_to_transform=[2, 9]), {}),
    (
        T,
        dict(
            target_modules=r".*\.(0|3)\.(self_attn\.[qv]_proj|gate_proj)",
            alpha_pattern={r"layers\.0\..*": 3},
        ),
        {},
    ),
    (
        T,
        dict(
            target_modules=["emotion_fc1", "out_proj"],
            exclude_modules=["cross_attn.out_proj"],
            rank_pattern={"out_proj": 9},
        ),
        {},
    ),
    (T, dict(target_modules=["q_proj"], modules_to_save=["embed", "norm"]), {}),
    (T, dict(target_modules=["q_proj"]), {"target_modules": ["q_proj", "self_attn"]}),
    (T, dict(target_modules="all-linear", r=2, use_rslora=True), {}),
    (T, dict(target_modules=["q_proj"], ensure_weight_tying=True), {}),
    # convolutions: A [r, in, kh, kw], B [out, r, 1, 1]
    (I, dict(target_modules=["conv"], r=3), {}),
    (I, dict(target_modules=["conv", "fc", "fc2"], r=5, lora_alpha=7, use_rslora=True), {}),
    (
        I,
        dict(
            target_modules=r"blocks\.[123]\.conv",
            rank_pattern={r"blocks\.2\.conv": 1},
            alpha_pattern={r"blocks\..*": 3},
        ),
        {},
    ),
    (I, dict(target_modules=["conv"], exclude_modules=["blocks.0.conv"]), {}),
    (I, dict(target_modules="all-linear", r=2), {}),
    (I, dict(target_modules=["conv"], target_parameters=["fc.weight"], r=2), {}),
    (I, dict(target_modules=["conv"], layers_to_transform=[0, 3], layers_pattern="blocks"), {}),
    (I, dict(target_modules=["conv"], modules_to_save=["fc"]), {}),
    (I, dict(target_modules=["norm"]), {}),
    (N, dict(target_modules=["conv", "head"], r=40), {}),
    (N, dict(target_modules=["blocks.0.conv", "fc1"], init_lora_weights="gaussian"), {}),
    # DoRA: magnitudes [out], of a convolution [1, out, 1, 1]
    (H, dict(target_modules=["fc1"], use_dora=True), {}),
    (H, dict(target_modules="all-linear", use_dora=True, use_rslora=True, r=5), {}),
    (
        M,
        dict(
            target_modules=["fc1", "fc2", "fc3"],
            use_dora=True,
            rank_pattern={"fc2": 3},
            alpha_pattern={"fc[13]": 5},
            modules_to_save=["fc3"],
        ),
        {},
    ),
    (T, dict(target_modules=["q_proj", "down_proj", "emotion_fc1"], use_dora=True, r=3), {}),
    (I, dict(target_modules=["conv", "fc", "fc2"], use_dora=True, r=4, lora_alpha=3), {}),
    (N, dict(target_modules=["conv", "head"], use_dora=True, lora_dropout=0.2), {}),
    (M, dict(target_modules=["fc1"], target_parameters=LSTM[:1]), {"use_dora": True}),
    # What PEFT does and kmidi says by name that it does not
    (T, dict(target_modules=["q_proj", "embed"]), {}),
    (T, dict(target_modules=["q_proj"], target_parameters=["embed.weight"]), {}),
    (T, dict(target_modules=["q_proj"], trainable_token_indices={"embed": [0, 3]}), {}),
    (H, dict(target_modules=["fc1"], lora_bias=True), {}),
    (H, dict(target_modules=["fc1"], bias="all"), {}),
    (H, dict(target_modules=["fc1"], bias="lora_only"), {}),
    (H, dict(target_modules=["fc1"], init_lora_weights="pissa"), {}),
    (H, dict(target_modules=["fc1"], init_lora_weights="olora"), {}),
    (H, dict(target_modules=["fc1"], init_lora_weights="mica"), {}),
    (T, dict(target_modules=["q_proj"]), {"layer_replication": [[0, 4], [2, 4]]}),
    (H, dict(target_modules=["fc1"]), {"arrow_config": {}}),
    (H, dict(target_modules=["fc1"]), {"kasa_config": {}}),
    (H, dict(target_modules=["fc1"]), {"use_qalora": True}),
    (H, dict(target_modules=["fc1"]), {"alora_invocation_tokens": [1]}),
]
OTHER = len(CASES) - 14  # from here on


def some(names):
    return draw.sample(names, draw.randint(1, len(names)))


def drawn():
    """One more of plain LoRA or DoRA, at random."""
    model = draw.choice([M, E, H, G, D, T])
    names = (
        ["fc1", "fc2", "fc3"]
        if model != T
        else [
            "self_attn.q_proj",
            "k_proj",
            "out_proj",
            "up_proj",
            "emotion_fc2",
            "layers.1.gate_proj",
        ]
    )
    kw = dict(
        target_modules=some(names),
        r=draw.randint(1, 24),
        lora_alpha=draw.choice([1, 4, 9, 2.5]),
        use_rslora=draw.random() < 0.4,
    )
    if draw.random() < 0.5:
        kw["rank_pattern"] = {n: draw.randint(1, 12) for n in some(names + [".*_proj", "fc[13]"])}
    if draw.random() < 0.5:
        kw["alpha_pattern"] = {n: draw.randint(1, 12) for n in some(names + [".*_proj", "fc[13]"])}
    if draw.random() < 0.3:
        kw["use_dora"] = True
    elif model in (M, E) and draw.random() < 0.6:
        kw["target_parameters"] = some(LSTM)
    if draw.random() < 0.3:
        kw["exclude_modules"] = some(names)
    if model == T and draw.random() < 0.6:
        kw["layers_to_transform"] = some([0, 1, 2, 3])
    if model == T and draw.random() < 0.3 and "layers_to_transform" in kw:
        kw["layers_pattern"] = ["blocks", "layers"]
    return model, kw, {}


def build(model):
    return SMALL.get(model, MODELS[model][0])()


def based(model):
    m = build(model)
    m.load_state_dict(load_file(os.path.join(FOLDER, model + ".safetensors")))
    return m.eval()


def save(folder, model, kw, changes):
    p = get_peft_model(based(model), LoraConfig(**kw))
    for n, w in p.named_parameters():
        if "lora_" in n or "modules_to_save" in n:
            w.data = torch.randn_like(w) * 0.1
    p.save_pretrained(folder)
    path = os.path.join(folder, "adapter_config.json")
    config = {**json.load(open(path)), **changes}
    json.dump(config, open(path, "w"))


for model in (M, E, H, G, D, T, I, N):
    save_file(build(model).state_dict(), os.path.join(FOLDER, model + ".safetensors"))
with open(os.path.join(FOLDER, "list"), "w") as out:
    for i, (model, kw, changes) in enumerate(
        CASES[:OTHER] + [drawn() for _ in range(40)] + CASES[OTHER:]
    ):
        folder = os.path.join(FOLDER, f"{i:02d}")
        verdict = "ok" if i < OTHER + 40 else "other"
        try:
            save(folder, model, kw, changes)
            merged = (
                PeftModel.from_pretrained(based(model), folder).merge_and_unload()
                if verdict == "ok"
                else None
            )
            if merged:
                save_file(
                    {k: v.contiguous() for k, v in merged.state_dict().items()},
                    folder + ".safetensors",
                )
        except Exception as e:
            if verdict == "ok":
                verdict = "refused" if os.path.isdir(folder) else "none"
            print(i, model, kw, changes, type(e).__name__, str(e)[:100])
        print(f"{i:02d} {model} {verdict}", file=out)
