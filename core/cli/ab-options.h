/* SPDX-License-Identifier: MIT
 * The options of `benchhost ab`: read, checked, and turned into a rule and changes of the matrix. */
#pragma once
#include "cli/matrix-options.h"
#include "gate/measure.h"

typedef struct {
  BhMatrixOptions matrix;
  BhRule rule; /* after bh_ab_options_settle; with `from` only what was given, the rest 0 */
  gboolean has_seed;
  guint64 seed;
  gint64 budget_ns; /* 0: none given */
  char *output, *json, *junit, *markdown, *from, *resume, *control, *primary;
  gboolean no_control, strict, inconclusive_fails, quiet, plain, verbose, no_color, no_table, dry_run, github;
  /* As written; settle reads them. */
  struct {
    char *margin, *equivalence, *fdr, *screen_shift, *budget, *inconclusive, *seed;
    char **measures;
    gint screen_rounds, confirm_rounds;
  } raw;
} BhAbOptions;

GOptionContext *bh_ab_options_context(BhAbOptions *options);
void bh_ab_options_clear(BhAbOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BhAbOptions, bh_ab_options_clear)
/* After parsing. `n_arguments`: what is left on the command line. FALSE with a usage error. */
gboolean bh_ab_options_settle(BhAbOptions *options, guint n_arguments, GError **error);
