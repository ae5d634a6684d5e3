/* SPDX-License-Identifier: MIT
 * Owns the order in which people see cells. A run visits them in a seeded random order, so the journal's own says
 * nothing: workloads and backends come in the order of the run line's plugins (the matrix's), parameters and options by
 * value. */
#include "results/order.h"
#include "results/fields.h"

#include <string.h>

typedef struct {
  GHashTable *rank; /* of (plugin name, place from 1) */
} Order;

static int compare_names(const Order *order, const char *a, const char *b) {
  const guint x = GPOINTER_TO_UINT(g_hash_table_lookup(order->rank, a));
  const guint y = GPOINTER_TO_UINT(g_hash_table_lookup(order->rank, b));
  if (x != y)
    return !x ? 1 : !y ? -1 : x < y ? -1 : 1; /* those that are not listed come last */
  return strcmp(a, b);
}

/* Numbers by value and before everything else, the rest as text; what is missing comes first. */
static int compare_values(JsonObject *a, JsonObject *b, const char *name) {
  double x = 0, y = 0;
  const gboolean is_x = bh_fields_number(a, name, &x), is_y = bh_fields_number(b, name, &y);
  if (is_x && is_y)
    return (x > y) - (x < y);
  JsonNode *p = json_object_get_member(a, name), *q = json_object_get_member(b, name);
  if (!p || !q)
    return (p != NULL) - (q != NULL);
  if (is_x != is_y)
    return is_x ? -1 : 1;
  g_autofree char *s = bh_fields_text(p);
  g_autofree char *t = bh_fields_text(q);
  return strcmp(s, t);
}

/* In the order in which `a` has them, which is its plugin's table; then those that only `b` has. */
static int compare_objects(JsonObject *a, JsonObject *b) {
  JsonObject *const sides[] = {a, b};
  for (guint i = 0; i < G_N_ELEMENTS(sides); i++) {
    g_autoptr(GList) names = json_object_get_members(sides[i]);
    for (GList *l = names; l; l = l->next) {
      const int result = compare_values(a, b, l->data);
      if (result)
        return result;
    }
  }
  return 0;
}

static gint compare_cells(gconstpointer a, gconstpointer b, gpointer user) {
  const Order *order = user;
  const BhMerged *x = *(const BhMerged *const *)a, *y = *(const BhMerged *const *)b;
  int result = compare_names(order, x->first->workload, y->first->workload);
  if (!result)
    result = compare_objects(x->first->params, y->first->params);
  if (!result)
    result = compare_names(order, x->first->backend, y->first->backend);
  if (!result)
    result = compare_objects(x->first->options, y->first->options);
  if (!result)
    result = strcmp(x->first->variant, y->first->variant);
  return result ? result : strcmp(x->first->id, y->first->id);
}

void bh_order_cells(const BhResults *results, GPtrArray *cells) {
  Order order = {.rank = g_hash_table_new(g_str_hash, g_str_equal)};
  JsonArray *plugins = bh_fields_array(results->run, "plugins");
  for (guint i = 0; plugins && i < json_array_get_length(plugins); i++) {
    JsonNode *node = json_array_get_element(plugins, i);
    const char *name = JSON_NODE_HOLDS_OBJECT(node) ? bh_fields_string(json_node_get_object(node), "name") : NULL;
    if (name && !g_hash_table_contains(order.rank, name))
      g_hash_table_insert(order.rank, (gpointer)name, GUINT_TO_POINTER(i + 1));
  }
  g_ptr_array_sort_with_data(cells, compare_cells, &order);
  g_hash_table_unref(order.rank);
}
