/* SPDX-License-Identifier: MIT
 * Owns named sets: `$name` anywhere in a matrix stands for the value that `sets` gives to that name. A set that is a
 * list is spliced into the list that names it. Sets may use sets; cycles and explosions are refused. */
#include "base/text.h"
#include "spec/spec-internal.h"

#include <string.h>

typedef struct {
  const BhNode *sets;
  guint nodes; /* in the tree so far */
  guint depth; /* of sets inside sets */
  const char *open[BH_NODE_DEEPEST];
  const char **names;
} Expander;

/* The set's name in "$name", or NULL when the scalar is something else: "$HOME/bin" is text. */
static const char *set_name(const BhNode *node) {
  if (node->kind != BH_NODE_SCALAR || node->quoted || node->text[0] != '$' || !g_ascii_isalpha(node->text[1]))
    return NULL;
  for (const char *p = node->text + 1; *p; p++)
    if (!g_ascii_isalnum(*p) && *p != '-' && *p != '_')
      return NULL;
  return node->text + 1;
}

static gboolean expand(Expander *expander, BhNode *node, guint depth, GError **error);

/* A copy of the set's value with the sets inside it expanded. */
static BhNode *set_value(Expander *expander, const BhNode *use, const char *name, guint depth, GError **error) {
  const BhNode *value = bh_node_get(expander->sets, name);
  g_autofree char *shown = bh_text_shown(name);
  if (!value) {
    g_autofree char *hint = bh_text_suggest(name, expander->names);
    bh_node_error(error, use->at, "'$%s' is not a set%s%s (define it under 'sets', or quote it if it is text)", shown,
                  hint, expander->names[0] ? "" : "; the matrix defines none");
    return NULL;
  }
  for (guint i = 0; i < expander->depth; i++)
    if (!strcmp(expander->open[i], name)) {
      bh_node_error(error, use->at, "set '$%s' contains itself; remove the cycle", shown);
      return NULL;
    }
  const guint count = bh_node_count(value);
  if (expander->depth == BH_NODE_DEEPEST || depth + bh_node_height(value) > BH_NODE_DEEPEST) {
    bh_node_error(error, use->at, "sets are nested deeper than %u levels; flatten them", BH_NODE_DEEPEST);
    return NULL;
  }
  if (count > BH_NODE_MOST - expander->nodes) {
    bh_node_error(error, use->at,
                  "the matrix has more than %u values once its sets are expanded; use ranges or fewer sets",
                  BH_NODE_MOST);
    return NULL;
  }
  expander->nodes += count;
  expander->open[expander->depth++] = name;
  const char *other = set_name(value);
  g_autoptr(BhNode) result = other ? set_value(expander, value, other, depth, error) : bh_node_copy(value);
  if (result && !other && !expand(expander, result, depth, error))
    g_clear_pointer(&result, bh_node_free);
  expander->depth--;
  return g_steal_pointer(&result);
}

/* `ret_value`: what takes the item's place, the caller's; NULL: it stays, and what is in it has been expanded. */
static gboolean expand_item(Expander *expander, BhNode *item, guint depth, BhNode **ret_value, GError **error) {
  const char *name = set_name(item);
  *ret_value = name ? set_value(expander, item, name, depth, error) : NULL;
  return name ? *ret_value != NULL : expand(expander, item, depth, error);
}

static gboolean expand_list(Expander *expander, BhNode *list, guint depth, GError **error) {
  g_autoptr(GPtrArray) items = g_steal_pointer(&list->items);
  list->items = g_ptr_array_new_full(items->len, (GDestroyNotify)bh_node_free);
  for (guint i = 0; i < items->len; i++) {
    BhNode *item = items->pdata[i], *value;
    if (!expand_item(expander, item, depth + 1, &value, error))
      return FALSE;
    if (!value) {
      items->pdata[i] = NULL;
      g_ptr_array_add(list->items, item);
    } else if (value->kind == BH_NODE_LIST) {
      g_ptr_array_extend_and_steal(list->items, g_steal_pointer(&value->items));
      bh_node_free(value);
    } else {
      g_ptr_array_add(list->items, value);
    }
  }
  return TRUE;
}

/* `sets` itself is left alone: what is used of it is expanded where it is used. */
static gboolean expand_map(Expander *expander, BhNode *map, guint depth, GError **error) {
  for (guint i = 0; i < map->items->len; i++) {
    BhNode *item = map->items->pdata[i], *value;
    if (item == expander->sets || !strcmp(((const BhNode *)map->keys->pdata[i])->text, "env")) /* text as it is */
      continue;
    if (!expand_item(expander, item, depth + 1, &value, error))
      return FALSE;
    if (!value)
      continue;
    bh_node_free(item);
    map->items->pdata[i] = value;
  }
  return TRUE;
}

static gboolean expand(Expander *expander, BhNode *node, guint depth, GError **error) {
  if (node->kind == BH_NODE_SCALAR)
    return TRUE;
  if (depth > BH_NODE_DEEPEST) {
    bh_node_error(error, node->at, "nested deeper than %u levels; flatten the matrix", BH_NODE_DEEPEST);
    return FALSE;
  }
  return (node->kind == BH_NODE_LIST ? expand_list : expand_map)(expander, node, depth, error);
}

static gboolean check_set_names(const BhNode *sets, GError **error) {
  for (guint i = 0; i < sets->keys->len; i++) {
    const BhNode *key = sets->keys->pdata[i];
    g_autofree char *use = g_strconcat("$", key->text, NULL);
    const BhNode probe = {.kind = BH_NODE_SCALAR, .text = use};
    if (set_name(&probe))
      continue;
    g_autofree char *shown = bh_text_shown(key->text);
    bh_node_error(error, key->at, "'%s' cannot name a set; use a letter, then letters, digits, '-' and '_'", shown);
    return FALSE;
  }
  return TRUE;
}

gboolean bh_spec_expand_sets(BhNode *root, GError **error) {
  const BhNode *sets = bh_node_get(root, "sets");
  if (sets && sets->kind != BH_NODE_MAP) {
    bh_node_error(error, sets->at, "'sets' is %s; expected a map from names to values, like 'sets: {small: [10, 20]}'",
                  bh_node_kind_name(sets));
    return FALSE;
  }
  if (sets && !check_set_names(sets, error))
    return FALSE;
  const guint n = sets ? sets->keys->len : 0;
  g_autofree const char **names = g_new0(const char *, n + 1);
  for (guint i = 0; i < n; i++)
    names[i] = ((const BhNode *)sets->keys->pdata[i])->text;
  Expander expander = {.sets = sets, .names = names, .nodes = bh_node_count(root)};
  return expand(&expander, root, 0, error);
}
