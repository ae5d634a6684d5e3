/* SPDX-License-Identifier: MIT
 * Owns the way from command-line options and a matrix file to a plan. */
#include "cli/matrix-options.h"

#include "base/text.h"
#include "engine/schedule.h"
#include "machine/placement.h"

#include <stdio.h>

void bh_matrix_options_add(GOptionContext *context, BhMatrixOptions *options) {
  const GOptionEntry entries[] = {
      {"set", 's', 0, G_OPTION_ARG_STRING_ARRAY, &options->sets,
       "Change the matrix: measure.rounds=3, workloads.prime.n=[10,20] (repeatable)", "PATH=VALUE"},
      {"param", 'p', 0, G_OPTION_ARG_STRING_ARRAY, &options->params,
       "Give a parameter another value wherever it is declared: n=1000, prime.n=[10,20] (repeatable)", "NAME=VALUE"},
      {"filter", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &options->filters,
       "Only cells whose label matches a glob, or KEY=VALUE[,VALUE]: backend=fork (repeatable: all must match)",
       "FILTER"},
      {"data", 0, 0, G_OPTION_ARG_FILENAME, &options->data,
       "Folder of input data; comes before BENCHHOST_DATA and the matrix's own `data`", "DIR"},
      {NULL},
  };
  g_option_context_add_main_entries(context, entries, NULL); /* copies them */
}

void bh_matrix_options_clear(BhMatrixOptions *options) {
  g_clear_pointer(&options->sets, g_strfreev);
  g_clear_pointer(&options->params, g_strfreev);
  g_clear_pointer(&options->filters, g_strfreev);
  g_clear_pointer(&options->data, g_free);
}

void bh_matrix_free(BhMatrix *matrix) {
  if (!matrix)
    return;
  bh_plan_free(matrix->plan);
  bh_spec_free(matrix->spec);
  bh_catalog_free(matrix->catalog);
  g_free(matrix);
}

static gboolean settle_data(BhPlan *plan, const char *option, GError **error) {
  const char *variable = g_getenv("BENCHHOST_DATA");
  const char *folder = option ? option : variable && *variable ? variable : NULL;
  if (!folder)
    return TRUE;
  if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s '%s': no such folder; name the folder that holds the input data",
                option ? "--data" : "BENCHHOST_DATA", folder);
    return FALSE;
  }
  g_free(plan->data_dir);
  plan->data_dir = g_canonicalize_filename(folder, NULL);
  return TRUE;
}

BhMatrix *bh_matrix_load(const char *path, const BhMatrixOptions *options, GError **error) {
  g_autoptr(BhMatrix) matrix = g_new0(BhMatrix, 1);
  matrix->spec = bh_spec_load(path, (const char *const *)options->sets, error);
  if (!matrix->spec)
    return NULL;
  for (const char *const *fallback = options->fallbacks; fallback && *fallback; fallback++)
    if (!bh_spec_set_fallback(matrix->spec, *fallback, error))
      return NULL;
  g_autoptr(BhPlacement) placement = bh_placement_new();
  matrix->catalog = bh_catalog_new();
  for (const char *const *file = options->files; file && *file; file += 2)
    bh_catalog_place(matrix->catalog, file[0], file[1]);
  const BhPlanOptions plan_options = {.filters = (const char *const *)options->filters,
                                      .params = (const char *const *)options->params,
                                      .cores = placement->cores,
                                      .memory_bytes = placement->memory_total_bytes};
  matrix->plan = bh_plan_new(matrix->spec, matrix->catalog, &plan_options, error);
  if (!matrix->plan || !settle_data(matrix->plan, options->data, error))
    return NULL;
  return g_steal_pointer(&matrix);
}

void bh_matrix_print_budget(const BhPlan *plan) {
  const double least_ns = bh_schedule_least_ns(plan), budget_ns = (double)plan->measure.budget_ns;
  if (budget_ns <= 0 || least_ns <= budget_ns)
    return;
  g_autofree char *least = bh_text_duration(least_ns), *budget = bh_text_duration(budget_ns);
  fprintf(stderr,
          "benchhost: note: the budget of %s is too small: a round of all %u cells takes at least %s; cells get few "
          "samples, and some may not be run\n",
          budget, plan->cells->len, least);
}

void bh_matrix_print_notes(const BhPlan *plan) {
  for (guint i = 0; i < plan->notes->len; i++)
    fprintf(stderr, "benchhost: note: %s\n", (const char *)plan->notes->pdata[i]);
}
