/* SPDX-License-Identifier: MIT
 * Owns getting runs and series out of the store. Each is one statement, so that what is read belongs together while
 * others write. What the file holds is checked like any foreign data: somebody may have edited it. */
#include "history/store-internal.h"

#include <math.h>
#include <string.h>

static void run_free(BhStoreRun *run) {
  if (!run)
    return;
  char **texts[] = {&run->digest,        &run->journal,   &run->arm,     &run->started, &run->added,  &run->matrix,
                    &run->matrix_digest, &run->benchhost, &run->machine, &run->commit,  &run->branch, &run->label};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    g_free(*texts[i]);
  g_free(run);
}

char *bh_store_commit_text(const BhStoreRun *run) {
  if (!run->commit)
    return g_strdup("-");
  gboolean hex = TRUE;
  for (const char *at = run->commit; *at; at++)
    hex &= g_ascii_isxdigit(*at);
  return g_strdup_printf("%.*s%s", hex ? 10 : 40, run->commit, run->dirty ? "+" : "");
}

static char *text_at(sqlite3_stmt *row, int column) {
  const char *text = (const char *)sqlite3_column_text(row, column);
  return text ? g_utf8_make_valid(text, -1) : NULL;
}

static char *text_or_empty(sqlite3_stmt *row, int column) {
  char *text = text_at(row, column);
  return text ? text : g_strdup("");
}

/* FALSE: NULL, or not finite. */
static gboolean number_at(sqlite3_stmt *row, int column, double *ret) {
  *ret = sqlite3_column_type(row, column) == SQLITE_NULL ? NAN : sqlite3_column_double(row, column);
  const gboolean exists = isfinite(*ret);
  *ret = exists ? *ret : 0;
  return exists;
}

static void bind(sqlite3_stmt *statement, int at, const char *text) {
  if (text)
    sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
}

/* The part of both queries that chooses runs: machine, since, branch are parameters 1 to 3. */
#define CHOOSE                                                                                                         \
  "(?1 IS NULL OR substr(machine.fingerprint, 1, length(?1)) = ?1) AND (?2 IS NULL OR run.started >= ?2)"              \
  " AND (?3 IS NULL OR run.branch = ?3)"

static void bind_query(sqlite3_stmt *statement, const BhStoreQuery *query) {
  bind(statement, 1, query->machine);
  bind(statement, 2, query->since);
  bind(statement, 3, query->branch);
}

static BhStoreRun *run_of(sqlite3_stmt *row) {
  BhStoreRun *run = g_new0(BhStoreRun, 1);
  run->id = sqlite3_column_int64(row, 0);
  run->digest = text_or_empty(row, 1);
  run->arm = text_at(row, 2);
  run->journal = text_or_empty(row, 3);
  run->started = text_or_empty(row, 4);
  run->added = text_or_empty(row, 5);
  run->matrix = text_or_empty(row, 6);
  run->matrix_digest = text_or_empty(row, 7);
  run->benchhost = text_or_empty(row, 8);
  run->machine = text_or_empty(row, 9);
  run->commit = text_at(row, 10);
  run->dirty = sqlite3_column_int(row, 11) != 0;
  run->branch = text_at(row, 12);
  run->label = text_at(row, 13);
  run->finished = sqlite3_column_int(row, 14) != 0;
  run->rounds = (guint)CLAMP(sqlite3_column_int64(row, 15), 0, G_MAXINT);
  run->cells = (guint)CLAMP(sqlite3_column_int64(row, 16), 0, G_MAXINT);
  run->cells_ok = (guint)CLAMP(sqlite3_column_int64(row, 17), 0, G_MAXINT);
  return run;
}

GPtrArray *bh_store_runs(BhStore *store, const BhStoreQuery *query, GError **error) {
  g_autoptr(GPtrArray) runs = g_ptr_array_new_with_free_func((GDestroyNotify)run_free);
  g_autoptr(BhStatement) row = bh_store_prepare(
      store,
      "SELECT run.id, digest, arm, journal, started, added, matrix, matrix_digest, benchhost, machine.fingerprint,"
      " commit_id, dirty, branch, run.label, finished, run.rounds,"
      " (SELECT count(*) FROM result WHERE result.run = run.id),"
      " (SELECT count(*) FROM result WHERE result.run = run.id AND status = 'ok')"
      " FROM run JOIN machine ON machine.id = run.machine WHERE " CHOOSE " ORDER BY started, run.id",
      error);
  if (!row)
    return NULL;
  bind_query(row, query);
  int result;
  while ((result = sqlite3_step(row)) == SQLITE_ROW)
    g_ptr_array_add(runs, run_of(row));
  if (result != SQLITE_DONE) {
    bh_store_fail(store, error);
    return NULL;
  }
  return g_steal_pointer(&runs);
}

/* ---- series ---- */

static void point_free(gpointer data) {
  BhStorePoint *point = data;
  bh_stored_cell_free(point->cell);
  g_free(point);
}

static void series_free(gpointer data) {
  BhStoreSeries *series = data;
  g_free(series->id);
  g_free(series->label);
  g_free(series->machine);
  g_free(series->figure);
  g_free(series->arm);
  g_ptr_array_unref(series->points);
  g_free(series);
}

void bh_store_history_free(BhStoreHistory *history) {
  if (!history)
    return;
  g_clear_pointer(&history->series, g_ptr_array_unref);
  g_clear_pointer(&history->runs, g_ptr_array_unref);
  g_free(history);
}

static GArray *values_of(const char *text) {
  GArray *values = g_array_new(FALSE, FALSE, sizeof(double));
  g_autoptr(JsonParser) parser = json_parser_new();
  JsonNode *root = text && json_parser_load_from_data(parser, text, -1, NULL) ? json_parser_get_root(parser) : NULL;
  JsonArray *array = root && JSON_NODE_HOLDS_ARRAY(root) ? json_node_get_array(root) : NULL;
  for (guint i = 0; array && i < json_array_get_length(array); i++) {
    JsonNode *node = json_array_get_element(array, i);
    const GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
    const double value = type == G_TYPE_INT64 || type == G_TYPE_DOUBLE ? json_node_get_double(node) : NAN;
    if (isfinite(value))
      g_array_append_val(values, value);
  }
  return values;
}

static BhStoredCell *cell_of(sqlite3_stmt *row) {
  BhStoredCell *cell = g_new0(BhStoredCell, 1);
  g_autofree char *status = text_or_empty(row, 4), *better = text_or_empty(row, 8), *basis = text_or_empty(row, 12);
  cell->id = text_or_empty(row, 1);
  cell->label = text_or_empty(row, 2);
  cell->workload = text_or_empty(row, 17);
  cell->backend = text_or_empty(row, 18);
  if (!bh_cell_status_parse(status, &cell->status))
    cell->status = BH_CELL_FAILED;
  cell->reason = text_at(row, 5);
  cell->figure = text_or_empty(row, 6);
  cell->unit = text_or_empty(row, 7);
  cell->better = !strcmp(better, "higher") ? BH_HIGHER : BH_LOWER;
  cell->exists = number_at(row, 9, &cell->median) && cell->status == BH_CELL_OK;
  if (number_at(row, 10, &cell->low) & number_at(row, 11, &cell->high))
    cell->basis = !strcmp(basis, "rounds") ? BH_BASIS_ROUNDS : BH_BASIS_SAMPLES;
  cell->n = (guint)CLAMP(sqlite3_column_int64(row, 13), 0, G_MAXINT);
  cell->rounds = (guint)CLAMP(sqlite3_column_int64(row, 14), 0, G_MAXINT);
  g_autofree char *values = text_at(row, 15);
  cell->values = values_of(values);
  cell->has_total = number_at(row, 16, &cell->total_ns);
  return cell;
}

/* Is it the series that this row goes on? The query's order keeps those of one series together. */
static gboolean goes_on(const BhStoreSeries *series, const BhStoredCell *cell, const BhStoreRun *run) {
  const BhStorePoint *last = series->points->pdata[series->points->len - 1];
  return !strcmp(series->id, cell->id) && !strcmp(series->machine, run->machine) &&
         !strcmp(series->figure, cell->figure) && !strcmp(last->cell->unit, cell->unit) &&
         !g_strcmp0(series->arm, run->arm);
}

static void add_point(BhStoreHistory *history, BhStoredCell *cell, const BhStoreRun *run) {
  const guint n = history->series->len;
  BhStoreSeries *series = n ? history->series->pdata[n - 1] : NULL;
  if (!series || !goes_on(series, cell, run)) {
    series = g_new0(BhStoreSeries, 1);
    series->id = g_strdup(cell->id);
    series->label = g_strdup(cell->label);
    series->machine = g_strdup(run->machine);
    series->figure = g_strdup(cell->figure);
    series->arm = g_strdup(run->arm);
    series->points = g_ptr_array_new_with_free_func(point_free);
    g_ptr_array_add(history->series, series);
  }
  BhStorePoint *point = g_new0(BhStorePoint, 1);
  *point = (BhStorePoint){.run = run, .cell = cell};
  g_ptr_array_add(series->points, point);
}

typedef struct {
  GPatternSpec *glob;
  const char *id; /* the beginning of one; NULL: cannot be */
} Wanted;

static gboolean is_wanted(const Wanted *wanted, sqlite3_stmt *row) {
  const char *id = (const char *)sqlite3_column_text(row, 1), *label = (const char *)sqlite3_column_text(row, 2);
  return !wanted->glob || (wanted->id && id && g_str_has_prefix(id, wanted->id)) ||
         (label && g_utf8_validate(label, -1, NULL) && g_pattern_spec_match_string(wanted->glob, label));
}

static void choose_cell(Wanted *wanted, const char *cell) {
  gsize hex = 0;
  if (!cell)
    return;
  while (g_ascii_isxdigit(cell[hex]))
    hex++;
  wanted->id = hex >= 6 && !cell[hex] ? cell : NULL;
  g_autofree char *within = g_strdup_printf("*%s*", cell);
  wanted->glob = g_pattern_spec_new(strpbrk(cell, "*?") ? cell : within);
}

static gboolean read_rows(BhStore *store, BhStoreHistory *history, const BhStoreQuery *query, GError **error) {
  g_autoptr(GHashTable) runs = g_hash_table_new(g_int64_hash, g_int64_equal); /* of (id, BhStoreRun); the list's */
  for (guint i = 0; i < history->runs->len; i++) {
    BhStoreRun *run = history->runs->pdata[i];
    g_hash_table_insert(runs, &run->id, run);
  }
  g_autoptr(BhStatement) row = bh_store_prepare(
      store,
      "SELECT result.run, result.cell, cell.label, machine.fingerprint, status, reason, figure, unit, better, median,"
      " low, high, basis, n, result.rounds, round_values, total_ns, workload, backend"
      " FROM result JOIN run ON run.id = result.run JOIN cell ON cell.id = result.cell"
      " JOIN machine ON machine.id = run.machine WHERE " CHOOSE
      " ORDER BY cell.label, cell.id, machine.fingerprint, figure, unit, run.arm, run.started, run.id",
      error);
  if (!row)
    return FALSE;
  bind_query(row, query);
  Wanted wanted = {0};
  choose_cell(&wanted, query->cell);
  int result;
  while ((result = sqlite3_step(row)) == SQLITE_ROW) {
    const gint64 id = sqlite3_column_int64(row, 0);
    const BhStoreRun *run = g_hash_table_lookup(runs, &id);
    if (run && is_wanted(&wanted, row))
      add_point(history, cell_of(row), run);
  }
  g_clear_pointer(&wanted.glob, g_pattern_spec_free);
  return result == SQLITE_DONE || bh_store_fail(store, error);
}

BhStoreHistory *bh_store_history(BhStore *store, const BhStoreQuery *query, GError **error) {
  g_autoptr(BhStoreHistory) history = g_new0(BhStoreHistory, 1);
  history->series = g_ptr_array_new_with_free_func(series_free);
  /* Both statements within one transaction see the same runs. */
  if (!bh_store_run_sql(store, "BEGIN", error))
    return NULL;
  history->runs = bh_store_runs(store, query, error);
  const gboolean ok = history->runs && read_rows(store, history, query, error);
  bh_store_end(store, FALSE, NULL); /* nothing to commit */
  return ok ? g_steal_pointer(&history) : NULL;
}
