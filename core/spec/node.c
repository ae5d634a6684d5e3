/* SPDX-License-Identifier: MIT
 * Owns the nodes of a matrix: life, copies, look-up, and messages that name a place. */
#include "spec/node.h"

#include <string.h>

/* Not g_intern_string: that leaks a little whenever its table grows, which a fuzzer takes for our leak. */
const char *bh_node_intern(const char *file) {
  G_LOCK_DEFINE_STATIC(files);
  static GHashTable *files; /* of (char *): lives as long as the process */
  G_LOCK(files);
  if (!files)
    files = g_hash_table_new(g_str_hash, g_str_equal);
  char *known = NULL;
  if (!g_hash_table_lookup_extended(files, file, (gpointer *)&known, NULL)) {
    known = g_strdup(file);
    g_hash_table_add(files, known);
  }
  G_UNLOCK(files);
  return known;
}

void bh_node_free(BhNode *node) {
  if (!node)
    return;
  g_free(node->text);
  g_clear_pointer(&node->items, g_ptr_array_unref);
  g_clear_pointer(&node->keys, g_ptr_array_unref);
  g_free(node);
}

BhNode *bh_node_new(BhNodeKind kind, BhPosition at) {
  BhNode *node = g_new0(BhNode, 1);
  node->kind = kind;
  node->at = at;
  if (kind != BH_NODE_SCALAR)
    node->items = g_ptr_array_new_with_free_func((GDestroyNotify)bh_node_free);
  if (kind == BH_NODE_MAP)
    node->keys = g_ptr_array_new_with_free_func((GDestroyNotify)bh_node_free);
  return node;
}

BhNode *bh_node_new_scalar(BhPosition at, const char *text, gboolean quoted) {
  BhNode *node = bh_node_new(BH_NODE_SCALAR, at);
  node->text = g_strdup(text);
  node->quoted = quoted;
  return node;
}

BhNode *bh_node_copy(const BhNode *node) {
  if (node->kind == BH_NODE_SCALAR)
    return bh_node_new_scalar(node->at, node->text, node->quoted);
  BhNode *copy = bh_node_new(node->kind, node->at);
  for (guint i = 0; i < node->items->len; i++) {
    g_ptr_array_add(copy->items, bh_node_copy(node->items->pdata[i]));
    if (node->kind == BH_NODE_MAP)
      g_ptr_array_add(copy->keys, bh_node_copy(node->keys->pdata[i]));
  }
  return copy;
}

guint bh_node_count(const BhNode *node) {
  guint count = 1;
  if (node->kind != BH_NODE_SCALAR)
    for (guint i = 0; i < node->items->len; i++)
      count += bh_node_count(node->items->pdata[i]);
  if (node->kind == BH_NODE_MAP)
    count += node->keys->len;
  return count;
}

guint bh_node_height(const BhNode *node) {
  guint below = 0;
  if (node->kind != BH_NODE_SCALAR)
    for (guint i = 0; i < node->items->len; i++) {
      const guint height = bh_node_height(node->items->pdata[i]); /* MAX names its arguments twice */
      below = MAX(below, height);
    }
  return below + 1;
}

gboolean bh_node_is_null(const BhNode *node) {
  return node->kind == BH_NODE_SCALAR && !node->quoted &&
         (!node->text[0] || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

const char *bh_node_kind_name(const BhNode *node) {
  switch (node->kind) {
  case BH_NODE_LIST:
    return "a list";
  case BH_NODE_MAP:
    return "a map (key: value)";
  case BH_NODE_SCALAR:
    break;
  }
  return bh_node_is_null(node) ? "nothing" : "a single value";
}

BhNode *bh_node_get(const BhNode *map, const char *key) {
  if (!map || map->kind != BH_NODE_MAP)
    return NULL;
  for (guint i = 0; i < map->keys->len; i++)
    if (!strcmp(((const BhNode *)map->keys->pdata[i])->text, key))
      return map->items->pdata[i];
  return NULL;
}

void bh_node_put(BhNode *map, BhNode *key, BhNode *value) {
  g_ptr_array_add(map->keys, key);
  g_ptr_array_add(map->items, value);
}

void bh_node_error(GError **error, BhPosition at, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, BH_ERROR, BH_ERROR_USAGE, message);
  bh_node_prefix(error, at);
}

void bh_node_prefix(GError **error, BhPosition at) {
  if (!at.file || !error || !*error)
    return;
  const gsize length = strlen(at.file);
  if (!strncmp((*error)->message, at.file, length) && (*error)->message[length] == ':')
    return; /* a place inside was named already */
  if (at.line)
    g_prefix_error(error, "%s:%u:%u: ", at.file, at.line, at.column);
  else
    g_prefix_error(error, "%s: ", at.file);
}
