/* SPDX-License-Identifier: MIT
 * Tries the contract's promises on a plugin. Each *trial* is a child process (a crash, hang or exit is a failed
 * promise, not the end of the tool) which tries several *promises* and says one line about each. */
#pragma once
#include "base/error.h"

typedef struct {
  char *path;    /* the plugin's file */
  char **with;   /* other plugins' files to run it with; may be NULL */
  char **params; /* "name=value" for the plugin under test; may be NULL */
  gboolean json;
  gint64 deadline_ns; /* per trial */
} BhCheckOptions;

/* Runs all trials, prints what came out on stdout; BH_EXIT_OK or BH_EXIT_USAGE. */
int bh_check_run(const BhCheckOptions *options, GError **error);
/* With all that is in it; follows no link. */
void bh_check_remove_folder(const char *path);
/* In a child: runs one trial. `scratch`: an empty folder. */
int bh_check_trial(const BhCheckOptions *options, const char *trial, const char *scratch);
