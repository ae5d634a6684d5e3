/* SPDX-License-Identifier: MIT
 * Owns what all subcommands share. */
#include "cli/cli.h"

#include <stdio.h>

int bh_cli_fail(GError *error) {
  int status = BH_EXIT_SOFTWARE;
  if (error->domain == BH_ERROR && (error->code == BH_ERROR_USAGE || error->code == BH_ERROR_PLUGIN))
    status = BH_EXIT_USAGE;
  else if (error->domain == G_OPTION_ERROR || error->domain == G_FILE_ERROR)
    status = BH_EXIT_USAGE;
  fprintf(stderr, "benchhost: %s\n", error->message);
  g_error_free(error);
  return status;
}
