/* SPDX-License-Identifier: MIT
 * Owns what counts as a sweep, and how it falls into series. */
#include "parallel/sweep.h"

#include <string.h>

#define LEAST_VALUES 3
#define LEAST_ASKED 2 /* with --over */

static void series_free(gpointer data) {
  BhSeries *series = data;
  g_free(series->side);
  g_ptr_array_unref(series->cells);
  g_free(series->x);
  g_free(series);
}

static void sweep_free(gpointer data) {
  BhSweep *sweep = data;
  g_free(sweep->title);
  g_ptr_array_unref(sweep->series);
  g_free(sweep);
}

static gint by_value(gconstpointer a, gconstpointer b, gpointer param) {
  double x = 0, y = 0;
  bh_family_number(*(const BhMerged *const *)a, param, &x);
  bh_family_number(*(const BhMerged *const *)b, param, &y);
  return (x > y) - (x < y);
}

static BhSeries *series_new(const GPtrArray *family, const char *param) {
  BhSeries *series = g_new0(BhSeries, 1);
  series->cells = g_ptr_array_new();
  series->side = bh_family_side(g_ptr_array_index(family, 0), FALSE);
  for (guint i = 0; i < family->len; i++) {
    const BhMerged *cell = g_ptr_array_index(family, i);
    double x;
    if (cell->steady.exists && cell->steady.median > 0 && bh_family_number(cell, param, &x) && x > 0)
      g_ptr_array_add(series->cells, (gpointer)cell);
  }
  g_ptr_array_sort_with_data(series->cells, by_value, (gpointer)param);
  series->x = g_new(double, MAX(series->cells->len, 1));
  guint n = 0;
  while (n < series->cells->len) {
    bh_family_number(series->cells->pdata[n], param, &series->x[n]);
    if (n > 0 && series->x[n] == series->x[n - 1])
      g_ptr_array_remove_index(series->cells, n);
    else
      n++;
  }
  return series;
}

static char *series_key(const BhMerged *cell, gconstpointer param) {
  return bh_family_key(cell, param, FALSE);
}

/* Equal for all cells of the same work but for `param`; NULL where it is no number. */
static char *work_key(const BhMerged *cell, gconstpointer param) {
  double x;
  if (!bh_family_number(cell, param, &x))
    return NULL;
  g_autofree char *key = bh_family_key(cell, param, FALSE);
  *strstr(key, "\n\n") = '\0';
  return g_steal_pointer(&key);
}

static guint distinct(const GPtrArray *cells, const char *param) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_double_hash, g_double_equal, g_free, NULL);
  for (guint i = 0; i < cells->len; i++) {
    double x;
    if (bh_family_number(g_ptr_array_index(cells, i), param, &x))
      g_hash_table_add(seen, g_memdup2(&x, sizeof x));
  }
  return g_hash_table_size(seen);
}

static BhSweep *sweep_new(const GPtrArray *group, const char *param) {
  const BhMerged *first = g_ptr_array_index(group, 0);
  BhSweep *sweep = g_new0(BhSweep, 1);
  sweep->param = param;
  sweep->title = bh_family_work(first, param);
  sweep->workload = first->first->workload;
  sweep->series = g_ptr_array_new_with_free_func(series_free);
  g_autoptr(GPtrArray) families = bh_family_split(group, series_key, param);
  for (guint i = 0; i < families->len; i++) {
    BhSeries *series = series_new(g_ptr_array_index(families, i), param);
    if (series->cells->len < 2) {
      series_free(series);
      continue;
    }
    sweep->largest = MAX(sweep->largest, series->x[series->cells->len - 1]);
    g_ptr_array_add(sweep->series, series);
  }
  return sweep;
}

static void add_sweeps(GPtrArray *sweeps, const GPtrArray *cells, const char *param, guint least) {
  g_autoptr(GPtrArray) groups = bh_family_split(cells, work_key, param);
  for (guint i = 0; i < groups->len; i++) {
    const GPtrArray *group = g_ptr_array_index(groups, i);
    if (distinct(group, param) >= least)
      g_ptr_array_add(sweeps, sweep_new(group, param));
  }
}

static char *workload_key(const BhMerged *cell, gconstpointer user) {
  (void)user;
  return g_strdup(cell->first->workload);
}

GPtrArray *bh_sweep_all(const BhAnalysis *analysis) {
  GPtrArray *sweeps = g_ptr_array_new_with_free_func(sweep_free);
  const char *over = analysis->options->over;
  g_autoptr(GPtrArray) workloads = bh_family_split(analysis->cells, workload_key, NULL);
  for (guint i = 0; i < workloads->len; i++) {
    const GPtrArray *cells = g_ptr_array_index(workloads, i);
    const BhMerged *first = g_ptr_array_index(cells, 0);
    g_autoptr(GList) names = json_object_get_members(first->first->params);
    for (GList *l = names; l; l = l->next)
      if (!over || !strcmp(over, l->data))
        add_sweeps(sweeps, cells, l->data, over ? LEAST_ASKED : LEAST_VALUES);
  }
  return sweeps;
}

void bh_sweep_put(JsonObject *object, const BhSweep *sweep) {
  json_object_set_string_member(object, "title", sweep->title);
  json_object_set_string_member(object, "workload", sweep->workload);
  json_object_set_string_member(object, "over", sweep->param);
}
