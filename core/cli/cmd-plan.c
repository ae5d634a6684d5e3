/* SPDX-License-Identifier: MIT
 * `benchhost plan MATRIX.yaml`: prints the cells that a matrix expands to, and runs none. */
#include "cli/cli.h"
#include "cli/matrix-options.h"

#include <stdio.h>

static int print_plan(const char *path, const BhMatrixOptions *options, gboolean json) {
  GError *error = NULL;
  g_autoptr(BhMatrix) matrix = bh_matrix_load(path, options, &error);
  if (!matrix)
    return bh_cli_fail(error);
  bh_matrix_print_notes(matrix->plan);
  bh_matrix_print_budget(matrix->plan);
  g_autofree char *text = json ? bh_matrix_plan_json(matrix->plan) : bh_matrix_plan_text(matrix->plan);
  fputs(text, stdout);
  return BH_EXIT_OK;
}

int bh_cmd_plan(int argc, char **argv) {
  gboolean json = FALSE;
  BhMatrixOptions options = {0};
  g_auto(GStrv) paths = NULL;
  const GOptionEntry entries[] = {
      {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON instead of a table", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &paths, NULL, "MATRIX.yaml"},
      {NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new("- print the cells that a matrix expands to");
  g_option_context_set_description(context,
                                   "Runs nothing. What it prints is what `benchhost run` runs with the same options.");
  g_option_context_add_main_entries(context, entries, NULL);
  bh_matrix_options_add(context, &options);
  GError *error = NULL;
  int status;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    status = bh_cli_fail(error);
  else if (!paths || !paths[0] || paths[1]) {
    g_set_error(&error, BH_ERROR, BH_ERROR_USAGE, "plan: expected one matrix file; try 'benchhost plan --help'");
    status = bh_cli_fail(error);
  } else
    status = print_plan(paths[0], &options, json);
  bh_matrix_options_clear(&options);
  return status;
}
