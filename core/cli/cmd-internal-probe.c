/* SPDX-License-Identifier: MIT
 * `benchhost internal-probe PATH`: loads one plugin and prints what it is, for the process that asked. */
#include "cli/cli.h"
#include "plugin/probe.h"

#include <stdio.h>

int bh_cmd_internal_probe(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: benchhost internal-probe PATH\n");
    return BH_EXIT_USAGE;
  }
  return bh_probe_answer(argv[1]);
}
