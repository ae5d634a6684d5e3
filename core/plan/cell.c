/* SPDX-License-Identifier: MIT
 * Owns a cell's identity and label. The identity covers everything that changes what runs: plugins' names, all
 * parameters (defaults included) sorted by name, the variant, and environment variables; neither how it is measured nor
 * where the plugins lie. */
#include "plan/cell.h"
#include "base/text.h"

#include <string.h>

#define ID_DIGITS 12

void bh_cell_free(BhCell *cell) {
  if (!cell)
    return;
  g_free(cell->id);
  g_free(cell->label);
  g_clear_pointer(&cell->params, g_ptr_array_unref);
  g_clear_pointer(&cell->options, g_ptr_array_unref);
  g_free(cell->variant);
  g_clear_pointer(&cell->env, g_hash_table_unref);
  g_free(cell);
}

/* ---- label ---- */

static char *whole_in_units(gint64 value, const gint64 *factors, const char *const *units) {
  for (guint i = 0; units[i]; i++)
    if (value >= factors[i] && value % factors[i] == 0)
      return g_strdup_printf("%" G_GINT64_FORMAT "%s", value / factors[i], units[i]);
  return g_strdup_printf("%" G_GINT64_FORMAT, value);
}

char *bh_cell_value_text(const BhValue *value) {
  static const gint64 sizes[] = {G_GINT64_CONSTANT(1) << 40, 1 << 30, 1 << 20, 1 << 10, 1000000000, 1000000, 1000, 1};
  static const char *const size_units[] = {"TiB", "GiB", "MiB", "KiB", "GB", "MB", "kB", "B", NULL};
  static const gint64 times[] = {60000000000, 1000000000, 1000000, 1000, 1};
  static const char *const time_units[] = {"min", "s", "ms", "us", "ns", NULL};
  if (value->type == BH_SIZE)
    return value->i ? whole_in_units(value->i, sizes, size_units) : g_strdup("0");
  if (value->type == BH_DURATION)
    return value->i ? whole_in_units(value->i, times, time_units) : g_strdup("0");
  if (value->type == BH_TEXT && !value->text[0])
    return g_strdup("\"\"");
  return bh_text_shown(value->text);
}

static void append_side(GString *label, const BhDraft *draft, guint s) {
  const BhSide *side = draft->side[s];
  g_string_append(label, side->plugin->name);
  for (guint i = 0; i < bh_side_slots(side); i++) {
    const BhValue *value = draft->values[s][i];
    if (!value->given)
      continue;
    g_autofree char *text = bh_cell_value_text(value);
    g_string_append_printf(label, " %s=%s", bh_side_param(side, i)->name, text);
  }
}

static int compare_texts(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *sorted_keys(GHashTable *table) {
  GPtrArray *keys = g_ptr_array_new();
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, table);
  while (g_hash_table_iter_next(&iter, &key, NULL))
    g_ptr_array_add(keys, key);
  g_ptr_array_sort(keys, compare_texts);
  return keys;
}

static char *make_label(const BhDraft *draft, GHashTable *env, GHashTable *common) {
  GString *label = g_string_new(NULL);
  append_side(label, draft, BH_WORKLOAD_SIDE);
  g_string_append(label, " | ");
  append_side(label, draft, BH_BACKEND_SIDE);
  g_autoptr(GPtrArray) names = sorted_keys(env);
  for (guint i = 0; i < names->len; i++) {
    const char *text = g_hash_table_lookup(env, names->pdata[i]);
    if (common && !g_strcmp0(text, g_hash_table_lookup(common, names->pdata[i])))
      continue;
    g_autofree char *value = bh_text_shown(text);
    g_string_append_printf(label, " %s=%s", (const char *)names->pdata[i], value);
  }
  return g_string_free(label, FALSE);
}

/* ---- identity ---- */

/* Lengths keep "a" + "bc" apart from "ab" + "c". */
static void hash_text(GChecksum *sum, const char *text) {
  char length[24];
  g_snprintf(length, sizeof length, "%" G_GSIZE_FORMAT ":", strlen(text));
  g_checksum_update(sum, (const guchar *)length, -1);
  g_checksum_update(sum, (const guchar *)text, -1);
}

static void hash_side(GChecksum *sum, const BhDraft *draft, guint s) {
  const BhSide *side = draft->side[s];
  g_autoptr(GHashTable) texts = g_hash_table_new(g_str_hash, g_str_equal); /* of names and canonical texts */
  for (guint i = 0; i < bh_side_slots(side); i++)
    g_hash_table_insert(texts, bh_side_param(side, i)->name, draft->values[s][i]->text);
  hash_text(sum, side->plugin->name);
  g_autoptr(GPtrArray) names = sorted_keys(texts);
  for (guint i = 0; i < names->len; i++) {
    hash_text(sum, names->pdata[i]);
    hash_text(sum, g_hash_table_lookup(texts, names->pdata[i]));
  }
}

static char *make_id(const BhDraft *draft, GHashTable *env) {
  GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
  for (guint s = 0; s < 2; s++) {
    hash_text(sum, s == BH_WORKLOAD_SIDE ? "workload" : "backend");
    hash_side(sum, draft, s);
  }
  g_autoptr(GPtrArray) names = sorted_keys(env);
  for (guint i = 0; i < names->len; i++) {
    hash_text(sum, names->pdata[i]);
    hash_text(sum, g_hash_table_lookup(env, names->pdata[i]));
  }
  char *id = g_strndup(g_checksum_get_string(sum), ID_DIGITS);
  g_checksum_free(sum);
  return id;
}

/* ---- the cell ---- */

static GPtrArray *values_of(const BhDraft *draft, guint s) {
  const guint n = draft->side[s]->plugin->params->len;
  GPtrArray *values = g_ptr_array_sized_new(n);
  for (guint i = 0; i < n; i++)
    g_ptr_array_add(values, (gpointer)draft->values[s][i]);
  return values;
}

BhCell *bh_cell_new(const BhDraft *draft, GHashTable *env, GHashTable *common, const BhMeasure *measure) {
  BhCell *cell = g_new0(BhCell, 1);
  const BhSide *workload = draft->side[BH_WORKLOAD_SIDE];
  cell->workload = workload->plugin;
  cell->backend = draft->side[BH_BACKEND_SIDE]->plugin;
  cell->params = values_of(draft, BH_WORKLOAD_SIDE);
  cell->options = values_of(draft, BH_BACKEND_SIDE);
  cell->variant = g_strdup(draft->values[BH_WORKLOAD_SIDE][bh_side_slots(workload) - 1]->text);
  cell->measure = *measure;
  cell->id = make_id(draft, env);
  cell->label = make_label(draft, env, common);
  cell->env = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  GHashTableIter iter;
  gpointer name, value;
  g_hash_table_iter_init(&iter, env);
  while (g_hash_table_iter_next(&iter, &name, &value))
    g_hash_table_insert(cell->env, g_strdup(name), g_strdup(value));
  return cell;
}
