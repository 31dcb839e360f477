// SPDX-License-Identifier: GPL-3.0-or-later
// check.cpp: loads what `kmidi export --format rtneural` wrote by RTNeural's own loader, runs the
// golden sequence a frame at a time with the state carried on, twice behind a reset, and prints the
// largest difference from what must come out. Compiled by tests/cmd/rtneural.c, against RTNeural's
// headers.
#define RTNEURAL_USE_STL 1
#define RTNEURAL_DEFAULT_ALIGNMENT 16
#include <RTNeural/RTNeural.h>

#include <cmath>
#include <cstdio>
#include <fstream>

static double run(RTNeural::Model<float> &model, const nlohmann::json &j)
{
    double most = 0;
    const auto &in = j.at("input_batch"), &out = j.at("output_batch");
    model.reset();
    for (size_t t = 0; t < in.size(); t++) {
        auto x = in.at(t).get<std::vector<float>>(), y = out.at(t).get<std::vector<float>>();
        model.forward(x.data());
        for (size_t k = 0; k < y.size(); k++)
            most = std::fmax(most, std::fabs((double)model.getOutputs()[k] - (double)y[k]));
    }
    return most;
}

int main(int argc, char **argv)
{
    std::ifstream f(argv[argc - 1]);
    nlohmann::json j = nlohmann::json::parse(f);
    auto model = RTNeural::json_parser::parseJson<float>(j);
    // a layer that it does not know would be passed over
    size_t activations = 0;
    for (const auto &l : j.at("layers"))
        activations += l.at("type") == "dense" && !l.at("activation").get<std::string>().empty();
    if (!model || model->layers.size() != j.at("layers").size() + activations ||
        (size_t)model->getOutSize() != j.at("output_batch").at(0).size()) {
        std::puts("not all layers were taken");
        return 1;
    }
    double first = run(*model, j), again = run(*model, j);
    std::printf("%.3g\n", std::fmax(first, again));
    return std::isnan(first) || first != again;
}
