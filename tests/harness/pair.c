/* SPDX-License-Identifier: MIT
 *
 * pair WORKLOAD.so BACKEND.so [name=value ...]: runs one cell's life, prints "STATUS: reason", exits with the
 * bh_status. `samples=N` (default 3); `quiet=1` prints no facts. A name goes to every plugin that has it.
 */
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  static const char *const names[] = {"ok", "skipped", "unsupported", "out-of-memory", "wrong", "failed"};
  BhTestPlugin workload = {0}, backend = {0};
  int used[64] = {0}, samples = 3;
  if (argc < 3 || argc > 64)
    return fprintf(stderr, "usage: pair WORKLOAD.so BACKEND.so [name=value ...]\n"), 64;
  for (int i = 3; i < argc; i++) {
    if (!strncmp(argv[i], "samples=", 8))
      samples = atoi(argv[i] + 8), used[i - 3] = 1;
    if (!strncmp(argv[i], "quiet=", 6))
      bh_harness_quiet(atoi(argv[i] + 6)), used[i - 3] = 1;
  }
  bh_harness_load(&backend, argv[2], argv + 3, argc - 3, used);
  bh_harness_load(&workload, argv[1], argv + 3, argc - 3, used);
  for (int i = 3; i < argc; i++)
    if (!used[i - 3])
      return fprintf(stderr, "pair: nobody has the parameter of %s\n", argv[i]), 64;
  bh_status status = bh_harness_run(&workload, &backend, samples);
  printf("%s: %s\n", names[status], bh_harness_reason());
  return (int)status;
}
