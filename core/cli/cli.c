/* SPDX-License-Identifier: MIT
 * Owns what all subcommands share. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static gboolean write_into(const char *who, const char *path, const char *text, GError **error) {
  FILE *file = fopen(path, "we");
  gboolean ok = file && fputs(text, file) >= 0;
  ok = file && fclose(file) == 0 && ok;
  if (!ok)
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s%s cannot be written: %s", who, path, g_strerror(errno));
  return ok;
}

gboolean bh_cli_write_text(const char *who, const char *path, const char *text, GError **error) {
  if (!path || !strcmp(path, "-")) {
    fputs(text, stdout); /* main sees whether it arrived */
    return TRUE;
  }
  /* /dev/stdout is a link, maybe to a regular file. */
  if (g_file_test(path, G_FILE_TEST_IS_SYMLINK) ||
      (g_file_test(path, G_FILE_TEST_EXISTS) && !g_file_test(path, G_FILE_TEST_IS_REGULAR)))
    return write_into(who, path, text, error);
  g_autoptr(GError) inner = NULL;
  if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0666,
                               &inner))
    return TRUE;
  g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s%s cannot be written, and is as it was before: %s", who, path,
              inner->message);
  return FALSE;
}
