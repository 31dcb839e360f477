// SPDX-License-Identifier: GPL-3.0-or-later
// card.c: the page but for its figures (card.h).
#include "cmd/card.h"

#include <string.h>

#include "base/version.h"

static void put_head(const trained *d, const json *entry, strbuf *out)
{
    strbuf_printf(out, "%s\n\n# %s\n\n", CARD_MARK, json_str(json_get(entry, "id"), ""));
    strbuf_printf(
        out, "The network `%s` of kmidi: %s. %lld parameters; fingerprint of the weights\n`%s`.\n",
        d->model->name, d->model->summary, (long long)params_count(d->p, false),
        json_str(json_get(json_get(entry, "training"), "fingerprint"), ""));
}

static void put_ports(const json *list, const char *what, strbuf *out)
{
    for (size_t i = 0; i < json_len(list); i++) {
        const json *p = json_at(list, i), *dims = json_get(p, "shape");
        strbuf_printf(out, "| %s | `%s` | %s | ", what, json_str(json_get(p, "name"), ""),
                      json_str(json_get(p, "type"), ""));
        for (size_t k = 0; k < json_len(dims); k++) {
            const char *sym = json_str(json_at(dims, k), NULL);
            strbuf_printf(out, k ? ", " : "");
            if (sym)
                strbuf_printf(out, "%s", sym);
            else
                strbuf_printf(out, "%lld", (long long)json_int(json_at(dims, k), 0));
        }
        strbuf_printf(out, " |\n");
    }
}

// ---- How to run it

typedef struct recipe {
    const char *key, *text; // %s: the file
} recipe;

static const recipe recipes[] = {
    {"onnx_path", "ONNX Runtime (Python; or any other runtime of ONNX):\n\n"
                  "    model = onnxruntime.InferenceSession(\"%s\")\n"
                  "    outputs = model.run(None, {p.name: ... for p in model.get_inputs()})\n"},
    {"pt_path", "PyTorch, with the network of kmidi's `python/kmidi_models.py`:\n\n"
                "    state = torch.load(\"%s\", weights_only=True)\n"
                "    network.load_state_dict(state)\n"},
    {"safetensors_path", "PyTorch by safetensors:\n\n"
                         "    network = kmidi_models.load(\"%s\")\n"},
    {"rtneural_path", "RTNeural (C++), a frame at a time:\n\n"
                      "    std::ifstream file(\"%s\");\n"
                      "    auto model = RTNeural::json_parser::parseJson<float>(file);\n"
                      "    model->reset();\n"
                      "    model->forward(frame);          // model->getOutputs()\n"},
    {"coreml_path", "Core ML (Swift, macOS 13, iOS 16):\n\n"
                    "    let model = try MLModel(contentsOf: MLModel.compileModel(at: "
                    "URL(fileURLWithPath: \"%s\")))\n"},
    {"adapter_path", "Hugging Face PEFT, over its base:\n\n"
                     "    network = PeftModel.from_pretrained(base, \"%s\")\n"},
};

static void put_recipes(const json *exports, strbuf *out)
{
    strbuf_printf(out, "\n## How to run it\n");
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        const char *file = json_str(json_get(exports, recipes[i].key), NULL),
                   *place = strstr(recipes[i].text, "%s");
        if (!file)
            continue;
        strbuf_printf(out, "\n%.*s%s%s", (int)(place - recipes[i].text), recipes[i].text, file,
                      place + 2);
    }
    strbuf_printf(out,
                  "\nOf ONNX and Core ML the metadata's `selftest` is an example with the outputs "
                  "that it must\ngive; of RTNeural `input_batch` and `output_batch` are.\n");
}

static void put_exports(const json *exports, arena *a, strbuf *out)
{
    strbuf_printf(out, "\n## Exports\n\n| file | bytes | off from f32 at most | sha256 |\n"
                       "|---|---|---|---|\n");
    for (void *it = json_first(exports); it; it = json_next(exports, it)) {
        const char *key = json_key(it);
        if (!str_ends(key, "_path"))
            continue;
        const char *format = arena_printf(a, "%.*s", (int)(strlen(key) - 5), key);
        const json *off = json_get(exports, arena_printf(a, "%s_max_difference", format));
        strbuf_printf(
            out, "| `%s` | %lld | ", json_str(json_value(it), ""),
            (long long)json_int(json_get(exports, arena_printf(a, "%s_bytes", format)), 0));
        if (off)
            strbuf_printf(out, "%.2g | ", json_num(off, 0));
        else
            strbuf_printf(out, "not measured | ");
        strbuf_printf(out, "`%s` |\n",
                      json_str(json_get(exports, arena_printf(a, "%s_sha256", format)), ""));
    }
}

// ---- Input

static void put_features(const trained *d, const json *integration, strbuf *out)
{
    const char *settings = d->hear.settings;
    strbuf_printf(
        out, "\n## Inputs, outputs, features\n\n| | name | type | shape |\n|---|---|---|---|\n");
    put_ports(json_get(integration, "inputs"), "in", out);
    put_ports(json_get(integration, "outputs"), "out", out);
    if (d->labels) {
        strbuf_printf(out, "\nClasses, in order:");
        for (int i = 0; i < d->classes; i++)
            strbuf_printf(out, "%s %s", i ? "," : "", d->labels[i]);
        strbuf_printf(out, ".\n");
    }
    if (!settings)
        strbuf_printf(out, "\nHow its input is made is not known (imported weights).\n");
    else
        strbuf_printf(out, "\nFeature settings: `%s`%s.\n", settings,
                      d->hear.mean
                          ? "; bands are standardised by the `mean` and `deviation` of the "
                            "metadata"
                          : "");
    if (d->hear.window)
        strbuf_printf(out, "\nIt was trained on windows of %lld.\n", (long long)d->hear.window);
}

void card_write(const trained *d, const json *entry, arena *a, strbuf *out)
{
    const json *exports = json_get(entry, "exports");
    put_head(d, entry, out);
    put_recipes(exports, out);
    put_features(d, json_get(entry, "integration"), out);
    card_results(d, a, out);
    put_exports(exports, a, out);
    strbuf_printf(out, "\nkmidi %s, revision %s.\n", KMIDI_VERSION, version_revision());
}
