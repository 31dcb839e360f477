// SPDX-License-Identifier: GPL-3.0-or-later
// bench.c: what `kmidi bench` measures beside training steps says so in JSON, and refuses what it
// cannot measure. How fast is no test.
#include <stdio.h>
#include <string.h>

#include "cmd/bench.h"
#include "tests/test.h"

static json *measured(const char *args)
{
    const char *out;
    err e = {0};
    EXPECT_INT(test_shell(&out, "%s bench %s --json", test_kmidi(), args), 0);
    json *j = json_parse(out, strlen(out), &e);
    EXPECT_OK(j != NULL, e);
    return j;
}

TEST(bench_generates_behind_a_context)
{
    json *j = measured("emotion_midi_transformer --sizes 'layers=2 dim=32 heads=2 ffn=48 cross=0 "
                       "emotion_tokens=3' --generate "
                       "--context 40 --threads 2");
    double rate = json_num(json_get(j, "tokens_per_s"), 0);
    EXPECT(rate > 0);
    EXPECT_INT(json_int(json_get(j, "context"), 0), 40);
    EXPECT_INT(json_int(json_get(j, "threads"), 0), 2);
    EXPECT_NEAR(json_num(json_get(j, "ms_per_token"), 0) * rate, 1000, 1e-6);
    // the table [388, 32] and a norm; a layer: attention, norms, feed-forward; the
    // cross-attention's queries and outputs, and its norm
    int64_t linear = 32 * 32 + 32, norm = 2 * 32, layer = 4 * linear + 2 * norm + 3 * 32 * 48;
    EXPECT_INT(json_int(json_get(j, "weight_bytes"), 0),
               4 * (388 * 32 + norm + 2 * layer + 2 * linear + norm));
    EXPECT_STR(json_str(json_get(j, "precision"), ""), "fp32");
    json_free(j);
    j = measured("emotion_midi_transformer --sizes 'layers=2 dim=32 heads=2 ffn=48 cross=0 "
                 "emotion_tokens=3' --generate --context 4 "
                 "--precision bf16");
    EXPECT_STR(json_str(json_get(j, "precision"), ""), "bf16");
    EXPECT_INT(json_int(json_get(j, "weight_bytes"), 0),
               2 * (388 * 32 + 10 * 32 * 32 + 2 * 3 * 32 * 48) + 4 * (10 * 32 + 6 * norm));
    json_free(j);
    j = measured("melody_transformer --generate --context 0 --threads 1");
    EXPECT(json_num(json_get(j, "tokens_per_s"), 0) > 0);
    json_free(j);
}

static double number(json *j, const char *name)
{
    return json_num(json_get(j, name), -1);
}

TEST(bench_says_the_processor_time_of_a_step)
{
    json *j = measured("dynamics_engine --threads 1 --seconds 0.1");
    double ms = 1000 / number(j, "steps_per_s"), cpu = number(j, "cpu_ms");
    EXPECT(ms > 0);
    EXPECT(cpu > 0 && cpu <= 1.1 * ms); // one thread has no more of a step than the step
    json_free(j);
}

TEST(bench_times_answers_one_by_one)
{
    const char *const cases[] = {"dynamics_engine --batch 3", "emotion_recognizer --length 5",
                                 "melody_transformer"};
    const int64_t batches[] = {3, 1, 1}, lengths[] = {1, 5, 1};
    for (int i = 0; i < 3; i++) {
        char args[128];
        snprintf(args, sizeof args, "%s --inference --threads 1 --seconds 0.05", cases[i]);
        json *j = measured(args);
        double mean = number(j, "mean_ms"), p50 = number(j, "p50_ms"), p90 = number(j, "p90_ms"),
               p99 = number(j, "p99_ms"), most = number(j, "max_ms");
        EXPECT(p50 > 0 && p50 <= p90 && p90 <= p99 && p99 <= most);
        EXPECT(mean > 0 && mean <= most && number(j, "cpu_ms") > 0);
        EXPECT_INT(json_int(json_get(j, "batch"), 0), batches[i]);
        EXPECT_INT(json_int(json_get(j, "length"), 0), lengths[i]);
        EXPECT_INT(json_int(json_get(j, "threads"), 0), 1);
        json_free(j);
    }
}

TEST(bench_places_times_by_the_nearest_rank)
{
    double took[200];
    for (int i = 0; i < 200; i++)
        took[i] = (double)((i * 77) % 200 + 1) * 1e-3; // 1 .. 200 ms in another order
    bench_times t = bench_times_of(took, 200);
    EXPECT_NEAR(t.mean, 100.5, 1e-9);
    EXPECT_NEAR(t.p50, 100, 1e-9);
    EXPECT_NEAR(t.p90, 180, 1e-9);
    EXPECT_NEAR(t.p99, 198, 1e-9);
    EXPECT_NEAR(t.max, 200, 1e-9);
    double one = 0.25;
    t = bench_times_of(&one, 1);
    EXPECT_NEAR(t.p50, 250, 1e-9);
    EXPECT_NEAR(t.p99, 250, 1e-9);
}

TEST(bench_runs_attention_by_itself)
{
    json *j = measured("attention --batch 2 --length 70 --seconds 0.05");
    double rate = json_num(json_get(j, "passes_per_s"), 0);
    EXPECT_NEAR(json_num(json_get(j, "gflops"), 0), 7.0 * 2 * 6 * 70 * 70 * 64 * 1e-9 * rate,
                1e-9 * rate);
    json_free(j);
}

TEST(bench_refuses_what_it_cannot_measure)
{
    const char *out;
    EXPECT_INT(test_shell(&out, "%s bench groove_predictor --generate", test_kmidi()), 2);
    EXPECT_HAS(out, "makes no music");
    EXPECT_INT(test_shell(&out, "%s bench melody_transformer --generate --profile", test_kmidi()),
               2);
    EXPECT_HAS(out, "--profile is of training steps");
    EXPECT_INT(test_shell(&out, "%s bench groove_predictor --inference --lora 4", test_kmidi()), 2);
    EXPECT_HAS(out, "--lora is of training steps");
    EXPECT_INT(test_shell(&out, "%s bench groove_predictor --inference --batch 0", test_kmidi()),
               2);
    EXPECT_HAS(out, "--batch");
    EXPECT_INT(test_shell(&out, "%s bench groove_predictor --activations fp8", test_kmidi()), 2);
    EXPECT_HAS(out, "fp32 or bf16, not 'fp8'");
    EXPECT_INT(
        test_shell(&out, "%s bench emotion_midi_transformer --generate --context=-1", test_kmidi()),
        2);
    EXPECT_HAS(out, "--context");
    EXPECT_INT(
        test_shell(&out, "%s bench melody_transformer --generate --precision bf16x3", test_kmidi()),
        2);
    EXPECT_HAS(out, "fp32, bf16 or int8, not 'bf16x3'");
    EXPECT_INT(
        test_shell(&out, "%s bench attention --batch 99999999 --length 99999999", test_kmidi()), 2);
    EXPECT_HAS(out, "--length");
    EXPECT_INT(test_shell(&out, "%s bench nothing --generate", test_kmidi()), 2);
    EXPECT_HAS(out, "no model 'nothing'");
}
