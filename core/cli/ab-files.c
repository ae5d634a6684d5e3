/* SPDX-License-Identifier: MIT
 * Owns writing reports: each file whole or not at all, except the job's summary, which belongs to all of a job's steps
 * and is appended to. */
#include "cli/ab-files.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>

static gboolean append_file(const char *path, const char *text, GError **error) {
  FILE *file = fopen(path, "ae");
  if (file) {
    fputs(text, file);
    const gboolean whole = !ferror(file);
    if (fclose(file) == 0 && whole)
      return TRUE;
  }
  g_set_error(error, BH_ERROR, BH_ERROR_IO, "--github: cannot append to GITHUB_STEP_SUMMARY (%s): %s", path,
              g_strerror(errno));
  return FALSE;
}

static gboolean write_github(const BhAbReport *report, GError **error) {
  g_autofree char *annotations = bh_ab_annotations(report);
  const char *summary = g_getenv("GITHUB_STEP_SUMMARY");
  fputs(annotations, stdout);
  if (!summary || !*summary)
    return TRUE;
  g_autofree char *markdown = bh_ab_markdown(report);
  return append_file(summary, markdown, error);
}

gboolean bh_ab_files_write(const BhAbOptions *o, const BhAbReport *report, GError **error) {
  const struct {
    const char *option; /* as it begins a message */
    const char *path;
    char *(*make)(const BhAbReport *);
  } files[] = {{"--json ", o->json, bh_ab_json},
               {"--junit ", o->junit, bh_ab_junit},
               {"--markdown ", o->markdown, bh_ab_markdown}};
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autofree char *text = files[i].path ? files[i].make(report) : NULL;
    if (text && !bh_cli_write_text(files[i].option, files[i].path, text, error))
      return FALSE;
  }
  return !o->github || write_github(report, error);
}
