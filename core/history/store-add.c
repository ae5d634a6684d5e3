/* SPDX-License-Identifier: MIT
 * Owns putting runs into the store, and taking them out: one transaction each. */
#include "base/json.h"
#include "history/store-internal.h"

#include <math.h>
#include <string.h>

/* NULL: NULL. SQLite copies. */
static void bind_text(sqlite3_stmt *statement, int at, const char *text) {
  if (text)
    sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT);
  else
    sqlite3_bind_null(statement, at);
}

static void bind_number(sqlite3_stmt *statement, int at, gboolean exists, double number) {
  if (exists && isfinite(number))
    sqlite3_bind_double(statement, at, number);
  else
    sqlite3_bind_null(statement, at);
}

static void bind_json(sqlite3_stmt *statement, int at, JsonObject *object) {
  g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), object);
  g_autofree char *text = bh_json_text(node, FALSE);
  bind_text(statement, at, text);
}

static void bind_values(sqlite3_stmt *statement, int at, const GArray *values) {
  JsonArray *array = json_array_sized_new(values->len);
  for (guint i = 0; i < values->len; i++)
    json_array_add_double_element(array, g_array_index(values, double, i));
  g_autoptr(JsonNode) node = json_node_new(JSON_NODE_ARRAY);
  json_node_take_array(node, array);
  g_autofree char *text = bh_json_text(node, FALSE);
  bind_text(statement, at, text);
}

static char *pairs_text(GHashTable *set) {
  g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(set), (GCompareFunc)strcmp);
  JsonObject *object = json_object_new();
  for (GList *l = names; l; l = l->next)
    json_object_set_string_member(object, l->data, g_hash_table_lookup(set, l->data));
  g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, object);
  return bh_json_text(node, FALSE);
}

typedef struct {
  sqlite3_stmt *known, *machine, *run, *cell, *result;
} Statements;

static void clear_statements(Statements *all) {
  sqlite3_finalize(all->known);
  sqlite3_finalize(all->machine);
  sqlite3_finalize(all->run);
  sqlite3_finalize(all->cell);
  sqlite3_finalize(all->result);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Statements, clear_statements)

static gboolean prepare_all(BhStore *store, Statements *all, GError **error) {
  const struct {
    sqlite3_stmt **at;
    const char *sql;
  } table[] = {
      {&all->known, "SELECT id FROM run WHERE digest = ? AND arm IS ? ORDER BY id LIMIT 1"},
      {&all->machine, "INSERT INTO machine (fingerprint, pairs) VALUES (?, ?) ON CONFLICT DO NOTHING"},
      {&all->run, "INSERT INTO run (digest, arm, journal, started, added, matrix, matrix_digest, benchhost, machine,"
                  " commit_id, dirty, branch, label, finished, rounds) VALUES (?, ?, ?, ?,"
                  " strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?, ?, ?,"
                  " (SELECT id FROM machine WHERE fingerprint = ?), ?, ?, ?, ?, ?, ?)"},
      {&all->cell, "INSERT INTO cell (id, label, workload, backend, variant, params, options)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"},
      {&all->result, "INSERT INTO result (run, cell, status, reason, figure, unit, better, median, low, high, basis, n,"
                     " rounds, round_values, total_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(table); i++)
    if (!(*table[i].at = bh_store_prepare(store, table[i].sql, error)))
      return FALSE;
  return TRUE;
}

static gboolean refuse_known(BhStore *store, const Statements *all, const BhStored *run, GError **error) {
  bind_text(all->known, 1, run->digest);
  bind_text(all->known, 2, run->arm);
  const int result = sqlite3_step(all->known);
  const gint64 id = result == SQLITE_ROW ? sqlite3_column_int64(all->known, 0) : 0;
  gboolean ok = result == SQLITE_DONE;
  if (result == SQLITE_ROW)
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "%s: is in %s already, as run %" G_GINT64_FORMAT "; nothing was added (--again adds it once more)",
                run->name, store->path, id);
  else if (!ok)
    bh_store_fail(store, error);
  sqlite3_reset(all->known);
  return ok;
}

static gboolean add_run(BhStore *store, const Statements *all, const BhStored *run, const BhStoreTags *tags,
                        GError **error) {
  g_autofree char *pairs = pairs_text(run->machine_set);
  g_autofree char *journal = g_path_get_basename(run->name);
  g_autofree char *valid = g_utf8_make_valid(journal, -1);
  bind_text(all->machine, 1, run->machine);
  bind_text(all->machine, 2, pairs);
  if (!bh_store_step(store, all->machine, error))
    return FALSE;
  /* The commit of the folder is what a comparison measures against its base. */
  const gboolean base = !g_strcmp0(run->arm, "base");
  const char *texts[] = {run->digest,    run->arm,     valid,
                         run->started,   run->matrix,  run->matrix_digest,
                         run->benchhost, run->machine, base ? NULL : tags->commit};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    bind_text(all->run, (int)i + 1, texts[i]);
  sqlite3_bind_int(all->run, 10, tags->dirty && !base);
  bind_text(all->run, 11, base ? NULL : tags->branch);
  bind_text(all->run, 12, tags->label);
  sqlite3_bind_int(all->run, 13, run->finished);
  sqlite3_bind_int64(all->run, 14, run->rounds);
  return bh_store_step(store, all->run, error);
}

static gboolean add_cell(BhStore *store, const Statements *all, gint64 id, const BhStoredCell *cell, GError **error) {
  const char *identity[] = {cell->id, cell->label, cell->workload, cell->backend, cell->variant};
  for (guint i = 0; i < G_N_ELEMENTS(identity); i++)
    bind_text(all->cell, (int)i + 1, identity[i]);
  bind_json(all->cell, 6, cell->params);
  bind_json(all->cell, 7, cell->options);
  const gboolean interval = cell->exists && cell->basis != BH_BASIS_NONE;
  sqlite3_bind_int64(all->result, 1, id);
  const char *texts[] = {cell->id,     bh_cell_status_name(cell->status),
                         cell->reason, cell->figure,
                         cell->unit,   cell->better == BH_HIGHER ? "higher" : "lower"};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    bind_text(all->result, (int)i + 2, texts[i]);
  bind_number(all->result, 8, cell->exists, cell->median);
  bind_number(all->result, 9, interval, cell->low);
  bind_number(all->result, 10, interval, cell->high);
  bind_text(all->result, 11, interval ? bh_basis_name(cell->basis) : NULL);
  sqlite3_bind_int64(all->result, 12, cell->n);
  sqlite3_bind_int64(all->result, 13, cell->rounds);
  bind_values(all->result, 14, cell->values);
  bind_number(all->result, 15, cell->has_total, cell->total_ns);
  return bh_store_step(store, all->cell, error) && bh_store_step(store, all->result, error);
}

static gboolean add_all(BhStore *store, const GPtrArray *runs, const BhStoreTags *tags, GArray *ids, GError **error) {
  g_auto(Statements) all = {0};
  if (!prepare_all(store, &all, error))
    return FALSE;
  for (guint r = 0; r < runs->len; r++) {
    const BhStored *run = runs->pdata[r];
    if ((!tags->again && !refuse_known(store, &all, run, error)) || !add_run(store, &all, run, tags, error))
      return FALSE;
    const gint64 id = sqlite3_last_insert_rowid(store->db);
    for (guint i = 0; i < run->cells->len; i++)
      if (!add_cell(store, &all, id, run->cells->pdata[i], error))
        return FALSE;
    g_array_append_val(ids, id);
  }
  return TRUE;
}

gboolean bh_store_add(BhStore *store, const GPtrArray *runs, const BhStoreTags *tags, GArray *ret_ids, GError **error) {
  g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(gint64));
  if (!bh_store_begin(store, error) || !bh_store_end(store, add_all(store, runs, tags, ids, error), error))
    return FALSE;
  g_array_append_vals(ret_ids, ids->data, ids->len);
  return TRUE;
}

static gboolean remove_all(BhStore *store, const GArray *ids, GError **error) {
  g_autoptr(BhStatement) statement = bh_store_prepare(store, "DELETE FROM run WHERE id = ?", error);
  for (guint i = 0; statement && i < ids->len; i++) {
    const gint64 id = g_array_index(ids, gint64, i);
    sqlite3_bind_int64(statement, 1, id);
    if (!bh_store_step(store, statement, error))
      return FALSE;
    if (sqlite3_changes(store->db) == 0) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                  "%s: has no run %" G_GINT64_FORMAT ": nothing was removed; `benchhost history list` shows all",
                  store->path, id);
      return FALSE;
    }
  }
  return statement &&
         bh_store_run_sql(store,
                          "DELETE FROM cell WHERE NOT EXISTS (SELECT 1 FROM result WHERE result.cell = cell.id);"
                          "DELETE FROM machine WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.machine = machine.id)",
                          error);
}

gboolean bh_store_remove(BhStore *store, const GArray *ids, GError **error) {
  return bh_store_begin(store, error) && bh_store_end(store, remove_all(store, ids, error), error);
}
