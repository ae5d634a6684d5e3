/* SPDX-License-Identifier: MIT
 * Scaffolding for the first days only: commands whose files do not exist yet. Whoever writes one deletes its line; the
 * last one deletes this file. */
#include "cli/cli.h"
#include <stdio.h>

#define UNWRITTEN(command)                                                                                             \
  int command(int argc, char **argv) {                                                                                 \
    (void)argc;                                                                                                        \
    fprintf(stderr, "benchhost: '%s' is not written yet\n", argv[0]);                                                  \
    return BH_EXIT_SOFTWARE;                                                                                           \
  }
