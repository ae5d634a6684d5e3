// SPDX-License-Identifier: MIT
// The same kernel timed by google-benchmark: what overhead.py compares our measuring with, beside the loop by hand.
// Usage: gbench STEPS [google-benchmark's own options]
#include <benchmark/benchmark.h>
#include <cstdint>
#include <cstdlib>

extern "C" uint64_t spin(uint64_t seed, uint64_t steps);

static uint64_t steps;
static void kernel(benchmark::State &state) {
  for (auto _ : state) benchmark::DoNotOptimize(spin(0, steps));
}
BENCHMARK(kernel);

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  steps = std::strtoull(argv[1], nullptr, 10);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
