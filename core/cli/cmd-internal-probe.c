/* SPDX-License-Identifier: MIT
 * `benchhost internal-probe PATH`: loads one plugin and prints what it is, for the process that asked; with --open it
 * opens a workload and prints its kernels. */
#include "check/kernels.h"
#include "cli/cli.h"
#include "plugin/probe.h"

#include <stdio.h>
#include <string.h>

int bh_cmd_internal_probe(int argc, char **argv) {
  if (argc >= 4 && !strcmp(argv[1], "--open"))
    return bh_kernels_answer(argv[2], argv[3], (const char *const *)argv + 4);
  if (argc != 2) {
    fprintf(stderr, "usage: benchhost internal-probe [--open SCRATCH] PATH [NAME=VALUE...]\n");
    return BH_EXIT_USAGE;
  }
  return bh_probe_answer(argv[1]);
}
