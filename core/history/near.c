/* SPDX-License-Identifier: MIT
 * Owns finding near matches among cells that have no partner. */
#include "history/near.h"
#include "results/fields.h"

#include <string.h>

#define MOST_NEAR 3
#define MOST_TRIED 20000000 /* pairs: two renamed matrices of thousands of cells still take seconds at most */

static void near_free(gpointer data) {
  BhCompareNear *near = data;
  g_free(near->name);
  g_free(near->own);
  g_free(near->other);
  g_free(near);
}

static void lonely_free(gpointer data) {
  BhCompareLonely *lonely = data;
  g_ptr_array_unref(lonely->near);
  g_free(lonely);
}

GPtrArray *bh_near_list_new(void) {
  return g_ptr_array_new_with_free_func(lonely_free);
}

void bh_near_add(GPtrArray *lonely, const BhStoredCell *cell, guint run) {
  BhCompareLonely *one = g_new0(BhCompareLonely, 1);
  one->cell = cell;
  one->run = run;
  one->near = g_ptr_array_new_with_free_func(near_free);
  g_ptr_array_add(lonely, one);
}

typedef struct {
  guint count;      /* names that differ; stops at 2 */
  const char *name; /* the first */
  JsonNode *own, *other;
} Difference;

static void note(Difference *found, const char *name, JsonNode *own, JsonNode *other) {
  if (found->count++ == 0)
    *found = (Difference){.count = 1, .name = name, .own = own, .other = other};
}

/* Not bh_fields_text: 1 and "1" are as good as equal to people, but texts cost an allocation each. */
static gboolean same(JsonNode *a, JsonNode *b) {
  return a && b && json_node_equal(a, b);
}

static void differ(Difference *found, JsonObject *own, JsonObject *other) {
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  json_object_iter_init(&iter, own);
  while (found->count < 2 && json_object_iter_next(&iter, &name, &value)) {
    JsonNode *theirs = json_object_get_member(other, name);
    if (!same(value, theirs))
      note(found, name, value, theirs);
  }
  json_object_iter_init(&iter, other);
  while (found->count < 2 && json_object_iter_next(&iter, &name, &value))
    if (!json_object_has_member(own, name))
      note(found, name, NULL, value);
}

static void try_pair(BhCompareLonely *own, const BhStoredCell *other) {
  Difference found = {0};
  if (own->near->len >= MOST_NEAR)
    return;
  differ(&found, own->cell->params, other->params);
  differ(&found, own->cell->options, other->options);
  const gboolean variants = strcmp(own->cell->variant, other->variant) != 0;
  if (found.count + variants > 1)
    return;
  BhCompareNear *near = g_new0(BhCompareNear, 1);
  near->cell = other;
  near->name = g_strdup(variants ? "variant" : found.name);
  near->own = variants ? g_strdup(own->cell->variant) : found.own ? bh_fields_text(found.own) : NULL;
  near->other = variants ? g_strdup(other->variant) : found.other ? bh_fields_text(found.other) : NULL;
  g_ptr_array_add(own->near, near);
}

static char *pair_key(const BhStoredCell *cell) {
  return g_strconcat(cell->workload, "\n", cell->backend, NULL);
}

void bh_near_find(GPtrArray *lonely) {
  g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                                       (GDestroyNotify)g_ptr_array_unref); /* of BhCompareLonely */
  guint64 tried = 0;
  for (guint i = 0; i < lonely->len; i++) {
    BhCompareLonely *one = lonely->pdata[i];
    g_autofree char *key = pair_key(one->cell);
    GPtrArray *group = g_hash_table_lookup(groups, key);
    if (!group)
      g_hash_table_insert(groups, g_steal_pointer(&key), group = g_ptr_array_new());
    g_ptr_array_add(group, one);
  }
  for (guint i = 0; i < lonely->len; i++) {
    BhCompareLonely *own = lonely->pdata[i];
    g_autofree char *key = pair_key(own->cell);
    const GPtrArray *group = g_hash_table_lookup(groups, key);
    for (guint k = 0; k < group->len && tried++ < MOST_TRIED; k++) {
      const BhCompareLonely *other = group->pdata[k];
      if ((own->run == 0) != (other->run == 0))
        try_pair(own, other->cell);
    }
  }
}
