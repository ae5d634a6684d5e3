/* SPDX-License-Identifier: MIT
 * Owns turning a journal into what is kept of a run. */
#include "history/stored.h"
#include "base/text.h"
#include "history/machine.h"
#include "results/fields.h"
#include "results/primary.h"
#include "results/view.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

void bh_stored_cell_free(BhStoredCell *cell) {
  if (!cell)
    return;
  g_free(cell->id);
  g_free(cell->label);
  g_free(cell->workload);
  g_free(cell->backend);
  g_free(cell->variant);
  g_clear_pointer(&cell->params, json_object_unref);
  g_clear_pointer(&cell->options, json_object_unref);
  g_free(cell->reason);
  g_free(cell->figure);
  g_free(cell->unit);
  g_clear_pointer(&cell->values, g_array_unref);
  g_free(cell);
}

static void stored_free(BhStored *stored) {
  if (!stored)
    return;
  g_free(stored->name);
  g_free(stored->arm);
  g_free(stored->digest);
  g_free(stored->started);
  g_free(stored->matrix);
  g_free(stored->matrix_digest);
  g_free(stored->benchhost);
  g_free(stored->machine);
  g_clear_pointer(&stored->machine_set, g_hash_table_unref);
  g_clear_pointer(&stored->run, json_object_unref);
  g_clear_pointer(&stored->cells, g_ptr_array_unref);
  g_free(stored);
}

static const double *doubles(const GArray *array) {
  return (const double *)(gconstpointer)array->data;
}

/* ---- one cell ---- */

/* Median and interval out of the values. */
static void summarize(BhStoredCell *cell, const BhMerged *merged) {
  const double *values = doubles(cell->values);
  const guint n = cell->values->len;
  cell->exists = n > 0;
  if (!cell->exists)
    return;
  cell->median = bh_stats_median(values, n);
  cell->why = "fewer than 6 rounds";
  if (!bh_merge_interval(merged, values, n, &cell->low, &cell->high))
    return;
  cell->why = NULL;
  cell->basis = BH_BASIS_ROUNDS;
}

static void take_values(BhStoredCell *cell, const BhMerged *merged, const BhPrimary *primary) {
  for (guint i = 0; i < merged->rounds->len; i++) {
    double value;
    bh_better better;
    const char *unit;
    if (!bh_results_primary(merged->rounds->pdata[i], primary, &value, &better, &unit))
      continue;
    if (!cell->values->len) {
      g_free(cell->unit);
      cell->unit = g_strdup(unit);
      cell->better = better;
    }
    g_array_append_val(cell->values, value);
  }
}

/* With fewer than 6 rounds, the wall time is that of all samples, within one process: as the table of a run shows it.
 */
static void take_samples(BhStoredCell *cell, const BhFigure *steady) {
  cell->n = steady->n;
  if (cell->basis == BH_BASIS_ROUNDS || !steady->exists)
    return;
  cell->median = steady->median;
  cell->basis = steady->basis;
  cell->low = steady->low;
  cell->high = steady->high;
  cell->why = steady->why;
}

/* Of a comparison's journal, the reader puts the arm behind the labels; here it is the run's. */
static char *label_of(const BhCellRecord *record) {
  const char *arm = bh_fields_string(record->record, "arm");
  g_autofree char *tail = g_strdup_printf(" [%s]", arm ? arm : "");
  const gsize length = strlen(record->label) - (arm && g_str_has_suffix(record->label, tail) ? strlen(tail) : 0);
  return g_strndup(record->label, length);
}

static BhStoredCell *cell_new(const BhResults *results, const BhMerged *merged, const BhPrimary *asked) {
  const BhCellRecord *first = merged->first;
  const BhPrimary primary = asked ? *asked : bh_results_primary_of(results, first);
  BhStoredCell *cell = g_new0(BhStoredCell, 1);
  cell->id = g_strdup(first->id);
  cell->label = label_of(first);
  cell->workload = g_strdup(first->workload);
  cell->backend = g_strdup(first->backend);
  cell->variant = g_strdup(first->variant);
  cell->params = json_object_ref(first->params);
  cell->options = json_object_ref(first->options);
  cell->status = merged->status;
  cell->reason = g_strdup(merged->reason);
  cell->figure = bh_results_primary_text(&primary);
  cell->unit = g_strdup("");
  cell->better = BH_LOWER;
  cell->rounds = merged->rounds->len;
  cell->values = g_array_new(FALSE, FALSE, sizeof(double));
  cell->why = "not verified";
  if (merged->status != BH_CELL_OK)
    return cell;
  take_values(cell, merged, &primary);
  cell->why = "no such figure was recorded";
  summarize(cell, merged);
  cell->n = cell->values->len;
  if (primary.kind == BH_PRIMARY_WALL)
    take_samples(cell, &merged->steady);
  cell->has_total = merged->total.exists;
  cell->total_ns = cell->has_total ? merged->total.median : 0;
  return cell;
}

/* ---- one run ---- */

static char *digest_of(const char *text, gsize length) {
  return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)text, length);
}

static char *text_or_empty(JsonObject *object, const char *key) {
  const char *text = bh_fields_string(object, key);
  return g_strdup(text ? text : "");
}

static BhStored *stored_new(const BhResults *results, const BhPrimary *primary) {
  BhStored *stored = g_new0(BhStored, 1);
  JsonObject *run = results->run, *matrix = bh_fields_object(run, "matrix");
  const char *text = bh_fields_string(matrix, "text");
  stored->started = text_or_empty(run, "started");
  stored->matrix = text_or_empty(matrix, "name");
  stored->matrix_digest = text ? digest_of(text, strlen(text)) : g_strdup("");
  stored->benchhost = text_or_empty(run, "benchhost");
  stored->finished = results->end && !results->torn && !bh_fields_true(results->end, "interrupted");
  stored->run = json_object_ref(run);
  stored->machine_set = bh_machine_set(bh_fields_object(run, "environment"));
  stored->machine = bh_machine_fingerprint(bh_fields_object(run, "environment"));
  stored->cells = g_ptr_array_new_with_free_func((GDestroyNotify)bh_stored_cell_free);
  g_autoptr(GPtrArray) merged = bh_merge_cells(results);
  for (guint i = 0; i < merged->len; i++) {
    BhStoredCell *cell = cell_new(results, merged->pdata[i], primary);
    stored->rounds = MAX(stored->rounds, cell->rounds);
    g_ptr_array_add(stored->cells, cell);
  }
  return stored;
}

/* The arms' names, the base first, whichever a coin let be measured first; empty: the journal has none. The control of
 * a comparison is a check of the measurement, no figure of anything. */
static GPtrArray *arms_of(const BhResults *results) {
  static const char *const known[] = {"base", "candidate"};
  GPtrArray *arms = g_ptr_array_new();
  for (guint k = 0; k < G_N_ELEMENTS(known); k++)
    for (guint i = 0; i < results->records->len; i++)
      if (!g_strcmp0(((const BhCellRecord *)results->records->pdata[i])->arm, known[k])) {
        g_ptr_array_add(arms, (gpointer)known[k]);
        break;
      }
  return arms;
}

/* The lines of one arm as if they were a run of their own. */
static BhResults *results_of_arm(const BhResults *all, const char *arm, GError **error) {
  g_autoptr(BhResults) results = bh_results_new();
  gboolean ok = bh_results_add(results, all->run, error);
  for (guint i = 0; ok && i < all->records->len; i++) {
    const BhCellRecord *record = all->records->pdata[i];
    if (!g_strcmp0(record->arm, arm))
      ok = bh_results_add(results, record->record, error);
  }
  if (ok && all->end)
    ok = bh_results_add(results, all->end, error);
  results->torn = all->torn;
  return ok ? g_steal_pointer(&results) : NULL;
}

static GPtrArray *split(const BhResults *results, const char *name, const char *digest, const BhPrimary *primary,
                        GError **error) {
  g_autoptr(GPtrArray) runs = g_ptr_array_new_with_free_func((GDestroyNotify)stored_free);
  g_autoptr(GPtrArray) arms = arms_of(results);
  for (guint i = 0; i < MAX(arms->len, 1); i++) {
    const char *arm = arms->len ? arms->pdata[i] : NULL;
    g_autoptr(BhResults) own = arm ? results_of_arm(results, arm, error) : NULL;
    if (arm && !own) {
      g_prefix_error(error, "%s: ", name);
      return NULL;
    }
    BhStored *stored = stored_new(own ? own : results, primary);
    stored->name = g_strdup(name);
    stored->arm = g_strdup(arm);
    stored->digest = g_strdup(digest);
    g_ptr_array_add(runs, stored);
  }
  return g_steal_pointer(&runs);
}

GPtrArray *bh_stored_parse(const char *text, gsize length, const char *name, const BhPrimary *primary, GError **error) {
  g_autoptr(BhResults) results = bh_results_parse(text, length, name, error);
  if (!results)
    return NULL;
  if (!results->run || !results->records->len) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: %s", name,
                results->run ? "holds no cell yet: the run was stopped before its first cell ended"
                             : "holds no whole line: expected a journal of benchhost (*.jsonl)");
    return NULL;
  }
  g_autofree char *digest = digest_of(text, length);
  return split(results, name, digest, primary, error);
}

/* Read once, so that the digest is that of what was read. */
static GPtrArray *open_one(const char *path, const BhPrimary *primary, GError **error) {
  struct stat status;
  g_autofree char *text = NULL;
  gsize length = 0;
  g_autoptr(GError) inner = NULL;
  if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: cannot be read: it is a folder; expected a journal (*.jsonl)",
                path);
    return NULL;
  }
  if (!g_file_get_contents(path, &text, &length, &inner)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s; expected a journal (*.jsonl)", inner->message);
    return NULL;
  }
  return bh_stored_parse(text, length, path, primary, error);
}

GPtrArray *bh_stored_open_all(char *const *paths, const BhPrimary *primary, GError **error) {
  g_autoptr(GPtrArray) runs = g_ptr_array_new_with_free_func((GDestroyNotify)stored_free);
  for (; *paths; paths++) {
    g_autoptr(GPtrArray) arms = open_one(*paths, primary, error);
    if (!arms)
      return NULL;
    g_ptr_array_extend_and_steal(runs, g_steal_pointer(&arms));
  }
  return g_steal_pointer(&runs);
}

/* ---- for people ---- */

char *bh_stored_figure_text(const BhStoredCell *cell, double value) {
  if (!strcmp(cell->unit, "ns"))
    return bh_text_duration(value);
  if (!strcmp(cell->unit, "bytes") || !strcmp(cell->unit, "B"))
    return bh_text_bytes(value);
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];
  g_ascii_formatd(buffer, sizeof buffer, "%.4g", value);
  return g_strconcat(buffer, *cell->unit ? " " : NULL, cell->unit, NULL);
}

char *bh_stored_half_text(const BhStoredCell *cell) {
  if (cell->basis == BH_BASIS_NONE || !(cell->median > 0))
    return g_strdup("-");
  g_autofree char *percent = bh_view_percent(MAX(cell->high - cell->median, cell->median - cell->low) / cell->median);
  return g_strconcat(percent, cell->basis == BH_BASIS_SAMPLES ? "'" : NULL, NULL);
}

char *bh_stored_title(const BhStored *stored) {
  return stored->arm ? g_strdup_printf("%s (%s)", stored->name, stored->arm) : g_strdup(stored->name);
}
