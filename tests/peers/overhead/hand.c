/* SPDX-License-Identifier: MIT
 * The loop that a careful person writes by hand: warm up, then samples of at least MS milliseconds, each `inner` runs of
 * the kernel between two clock readings. Prints the median in ns per run.
 * Usage: hand STEPS SAMPLE_MS SAMPLES */
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

static double sample_ns(uint64_t steps, long inner) {
  const double start = now_ns();
  for (long k = 0; k < inner; k++)
    sink = spin(0, steps);
  return now_ns() - start;
}

int main(int argc, char **argv) {
  if (argc != 4)
    return fprintf(stderr, "usage: %s STEPS SAMPLE_MS SAMPLES\n", argv[0]), 64;
  const uint64_t steps = strtoull(argv[1], NULL, 10);
  const double target_ns = strtod(argv[2], NULL) * 1e6;
  const int samples = atoi(argv[3]);
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
  return 0;
}
