/* SPDX-License-Identifier: MIT
 * The loop that a careful person writes by hand: warm up, then samples of at least MS milliseconds, each `inner` runs
 * of the kernel between two clock readings. Prints the median in ns per run. With WORKLOAD and BACKEND, plugins, a run
 * is the backend's run_loop: the very call that benchhost times, so that what is left between both is the measuring
 * alone. Usage: hand STEPS SAMPLE_MS SAMPLES, or hand KEY=VALUE SAMPLE_MS SAMPLES WORKLOAD.so BACKEND.so */
#include "harness.h"
#include "spin.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static volatile uint64_t sink;

static BhTestCell cell; /* with plugins */

static double sample_ns(uint64_t steps, long inner) {
  const double start = now_ns();
  if (cell.backend)
    for (long k = 0; k < inner; k++)
      cell.backend->run_loop(cell.backend_state, 0);
  else
    for (long k = 0; k < inner; k++)
      sink = spin(0, steps);
  return now_ns() - start;
}

static void open_cell(const char *workload_path, const char *backend_path, char *text) {
  BhTestPlugin workload = {0}, backend = {0};
  char *texts[] = {text};
  int used[1] = {0};
  bh_harness_quiet(1);
  bh_harness_load(&workload, workload_path, texts, 1, used);
  bh_harness_load(&backend, backend_path, texts, 0, used);
  if (!used[0])
    fprintf(stderr, "hand: %s has no parameter for '%s'\n", workload_path, text), exit(64);
  if (bh_harness_open(&cell, &workload, &backend) != BH_OK || bh_harness_once(&cell) != BH_OK ||
      bh_harness_verify(&cell) != BH_OK)
    fprintf(stderr, "hand: %s\n", bh_harness_reason()), exit(1);
}

int main(int argc, char **argv) {
  if (argc != 4 && argc != 6)
    return fprintf(stderr, "usage: %s STEPS|KEY=VALUE SAMPLE_MS SAMPLES [WORKLOAD.so BACKEND.so]\n", argv[0]), 64;
  const uint64_t steps = strtoull(argv[1], NULL, 10);
  const double target_ns = strtod(argv[2], NULL) * 1e6;
  const int samples = atoi(argv[3]);
  if (argc == 6)
    open_cell(argv[4], argv[5], argv[1]);
  double *x = calloc((size_t)samples, sizeof *x);
  long inner = 1;
  while (sample_ns(steps, inner) < target_ns)
    inner *= 2;
  for (int i = 0; i < samples; i++)
    sample_ns(steps, inner);
  for (int i = 0; i < samples; i++)
    x[i] = sample_ns(steps, inner) / (double)inner;
  qsort(x, (size_t)samples, sizeof *x, by_value);
  printf("%.3f\n", samples % 2 ? x[samples / 2] : (x[samples / 2 - 1] + x[samples / 2]) / 2);
  free(x);
  if (cell.backend)
    bh_harness_close(&cell);
  return 0;
}
