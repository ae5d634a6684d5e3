/* SPDX-License-Identifier: MIT
 * Owns which cells belong together, and the form of a figure in the report. */
#include "parallel/model.h"
#include "results/fields.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

static void append_object(GString *key, JsonObject *object, const char *without) {
  g_autoptr(GList) names = g_list_sort(json_object_get_members(object), (GCompareFunc)strcmp);
  for (GList *l = names; l; l = l->next) {
    if (without && !strcmp(l->data, without))
      continue;
    g_autofree char *value = bh_fields_text(json_object_get_member(object, l->data));
    g_string_append_printf(key, "\n%s=%s", (const char *)l->data, value);
  }
}

char *bh_family_key(const BhMerged *cell, const char *param, gboolean workers) {
  GString *key = g_string_new(cell->first->workload);
  if (cell->first->arm) /* a comparison's arms are no cells of one run */
    g_string_append_printf(key, "\n[%s]", cell->first->arm);
  append_object(key, cell->first->params, param);
  g_string_append_printf(key, "\n\n%s\n%s", cell->first->backend, cell->first->variant);
  append_object(key, cell->first->options, workers ? "workers" : NULL);
  return g_string_free(key, FALSE);
}

GPtrArray *bh_family_split(const GPtrArray *cells, BhKeyFunction key, gconstpointer user) {
  GPtrArray *families = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
  g_autoptr(GHashTable) index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL); /* of GPtrArray, theirs */
  for (guint i = 0; i < cells->len; i++) {
    char *text = key(g_ptr_array_index(cells, i), user);
    if (!text)
      continue;
    GPtrArray *family = g_hash_table_lookup(index, text);
    if (!family) {
      family = g_ptr_array_new();
      g_ptr_array_add(families, family);
      g_hash_table_insert(index, text, family);
    } else {
      g_free(text);
    }
    g_ptr_array_add(family, cells->pdata[i]);
  }
  return families;
}

/* Takes " NAME=..." up to the next blank out of `text`. */
static void take_out(char *text, const char *name) {
  g_autofree char *start = g_strdup_printf(" %s=", name);
  char *at = strstr(text, start);
  if (!at)
    return;
  char *end = strchr(at + 1, ' ');
  memmove(at, end ? end : at + strlen(at), end ? strlen(end) + 1 : 1);
}

char *bh_family_work(const BhMerged *cell, const char *param) {
  const char *bar = strstr(cell->first->label, " | "), *arm = cell->first->arm;
  g_autofree char *text =
      bar ? g_strndup(cell->first->label, (gsize)(bar - cell->first->label)) : g_strdup(cell->first->workload);
  take_out(text, "variant");
  if (param)
    take_out(text, param);
  return arm ? g_strdup_printf("%s [%s]", text, arm) : g_steal_pointer(&text);
}

char *bh_family_side(const BhMerged *cell, gboolean workers) {
  const char *bar = strstr(cell->first->label, " | ");
  g_autofree char *text = g_strdup(bar ? bar + 3 : cell->first->backend);
  if (workers)
    take_out(text, "workers");
  return strcmp(cell->first->variant, "portable") ? g_strdup_printf("%s (%s)", text, cell->first->variant)
                                                  : g_steal_pointer(&text);
}

gboolean bh_family_number(const BhMerged *cell, const char *param, double *ret) {
  return bh_fields_number(cell->first->params, param, ret);
}

gboolean bh_family_flagged(const BhMerged *cell, const char *flag) {
  return g_ptr_array_find_with_equal_func(cell->flags, flag, g_str_equal, NULL);
}

const char *bh_family_fact(const BhMerged *cell, const char *name) {
  return bh_fields_string(bh_fields_object(cell->first->record, "facts"), name);
}

static void add_end(JsonArray *array, double x) {
  if (isfinite(x))
    json_array_add_double_element(array, x);
  else
    json_array_add_null_element(array);
}

void bh_model_put(JsonObject *object, const char *key, const BhEstimate *estimate) {
  JsonObject *figure = json_object_new();
  bh_json_put_number(figure, "value", estimate->exists, estimate->value);
  bh_json_put_text(figure, "reason", estimate->exists ? NULL : estimate->why ? estimate->why : "not known");
  if (estimate->interval) {
    JsonArray *interval = json_array_sized_new(2);
    add_end(interval, estimate->low);
    add_end(interval, estimate->high);
    json_object_set_array_member(figure, "ci", interval);
    json_object_set_null_member(figure, "ci_reason");
  } else {
    json_object_set_null_member(figure, "ci");
    bh_json_put_text(figure, "ci_reason", estimate->no_interval ? estimate->no_interval : "not known");
  }
  json_object_set_int_member(figure, "rounds", estimate->rounds);
  json_object_set_object_member(object, key, figure);
}

void bh_model_error(const BhAnalysis *analysis, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  json_array_add_string_element(analysis->errors, text);
}

JsonObject *bh_model_section(const char *key, JsonArray *list, const char *reason_if_empty) {
  JsonObject *section = json_object_new();
  const guint n = json_array_get_length(list);
  json_object_set_array_member(section, key, list);
  bh_json_put_text(section, "reason", n ? NULL : reason_if_empty);
  return section;
}
