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

char *bh_cli_default_output(const char *plan_name, const char *mark) {
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *stamp = g_date_time_format(now, "%Y%m%dT%H%M%SZ");
  g_autofree char *name = g_strdup(plan_name && *plan_name ? plan_name : "run");
  g_strcanon(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-", '-');
  for (guint i = 0;; i++) {
    g_autofree char *file = i ? g_strdup_printf("%s-%s%s-%u.jsonl", name, mark, stamp, i)
                              : g_strdup_printf("%s-%s%s.jsonl", name, mark, stamp);
    char *path = g_build_filename("results", file, NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
      return path;
    g_free(path);
  }
}
