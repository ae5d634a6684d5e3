/* SPDX-License-Identifier: MIT
 * Owns --set: finds the place that "workloads.prime.n" or "workloads[0].prime.n" names in the tree, and puts a value
 * there. Names that do not exist yet are created; whether they may exist is decided where all names are checked. */
#include "base/text.h"
#include "spec/spec-internal.h"

#include <string.h>

#define MOST_STEPS 32

typedef struct {
  char *name; /* NULL: an index */
  guint index;
  guint column; /* from 1, in the assignment */
} Step;

static void clear_step(gpointer step) {
  g_free(((Step *)step)->name);
}

static gboolean bad_path(const char *assignment, const char *why, GError **error) {
  g_autofree char *shown = bh_text_shown(assignment);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "--set '%s': %s; expected PATH=VALUE, like measure.rounds=3 or 'workloads.prime.n=[10, 20]'", shown, why);
  return FALSE;
}

static gboolean read_index(const char **at, Step *step) {
  char *end = NULL;
  if (!g_ascii_isdigit((*at)[1]))
    return FALSE;
  const guint64 index = g_ascii_strtoull(*at + 1, &end, 10);
  if (*end != ']' || index > BH_NODE_MOST)
    return FALSE;
  step->index = (guint)index;
  *at = end + 1;
  return TRUE;
}

/* `ret_value` points behind the '='. */
static GArray *read_path(const char *assignment, const char **ret_value, GError **error) {
  g_autoptr(GArray) steps = g_array_new(FALSE, TRUE, sizeof(Step));
  g_array_set_clear_func(steps, clear_step);
  const char *at = assignment;
  for (;;) {
    if (steps->len == MOST_STEPS) {
      bad_path(assignment, "the path is too long", error);
      return NULL;
    }
    Step step = {.column = (guint)(at - assignment) + 1};
    if (*at == '[') {
      if (!read_index(&at, &step)) {
        bad_path(assignment, "an index is a number in brackets", error);
        return NULL;
      }
    } else {
      const gsize length = strcspn(at, ".[=");
      if (length == 0) {
        bad_path(assignment, "a name is missing in the path", error);
        return NULL;
      }
      step.name = g_strndup(at, length);
      at += length;
    }
    g_array_append_val(steps, step);
    if (*at == '=')
      break;
    if (*at == '.')
      at++;
    else if (*at != '[') {
      bad_path(assignment, *at ? "the path cannot be read" : "'=' is missing", error);
      return NULL;
    }
  }
  *ret_value = at + 1;
  return g_steal_pointer(&steps);
}

/* A list of entries is also entered by an entry's name. `ret_slot`: the place of the entry's settings. */
static BhNode **entry_slot(BhNode *list, const Step *step, BhPosition at, GError **error) {
  BhNode **found = NULL;
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (guint i = 0; i < list->items->len; i++) {
    BhNode *item = list->items->pdata[i];
    const gboolean is_map = item->kind == BH_NODE_MAP && item->keys->len == 1;
    const char *name = is_map                         ? ((BhNode *)item->keys->pdata[0])->text
                       : item->kind == BH_NODE_SCALAR ? item->text
                                                      : NULL;
    if (!name)
      continue;
    g_ptr_array_add(names, (gpointer)name);
    if (strcmp(name, step->name))
      continue;
    if (found) {
      bh_node_error(error, at, "several entries are named '%s'; say which one by its index, like [%u]", step->name, i);
      return NULL;
    }
    if (!is_map) { /* NAME becomes NAME: (nothing), so that there is a place for settings */
      BhNode *map = bh_node_new(BH_NODE_MAP, item->at);
      bh_node_put(map, item, bh_node_new_scalar(item->at, "", FALSE));
      list->items->pdata[i] = item = map;
    }
    found = (BhNode **)&item->items->pdata[0];
  }
  if (found)
    return found;
  g_ptr_array_add(names, NULL);
  g_autofree char *shown = bh_text_shown(step->name);
  g_autofree char *hint = bh_text_suggest(step->name, (const char *const *)names->pdata);
  bh_node_error(error, at, "no entry is named '%s'%s", shown, hint);
  return NULL;
}

static BhNode **step_into(BhNode **slot, const Step *step, const char *file, GError **error) {
  BhNode *node = *slot;
  const BhPosition at = {file, 1, step->column};
  if (node->kind == BH_NODE_SCALAR && bh_node_is_null(node) && step->name) {
    *slot = bh_node_new(BH_NODE_MAP, at);
    bh_node_free(node);
    node = *slot;
  }
  if (node->kind == BH_NODE_SCALAR && step->name && !strcmp(node->text, step->name)) { /* an entry that is but a name */
    BhNode *map = bh_node_new(BH_NODE_MAP, node->at);
    bh_node_put(map, node, bh_node_new_scalar(at, "", FALSE));
    *slot = map;
    return (BhNode **)&map->items->pdata[0];
  }
  if (!step->name) {
    if (node->kind == BH_NODE_LIST && step->index < node->items->len)
      return (BhNode **)&node->items->pdata[step->index];
    if (node->kind == BH_NODE_LIST)
      bh_node_error(error, at, "index %u is beyond the list's end; it has %u items, from 0", step->index,
                    node->items->len);
    else
      bh_node_error(error, at, "an index needs a list, but this is %s", bh_node_kind_name(node));
    return NULL;
  }
  if (node->kind == BH_NODE_LIST)
    return entry_slot(node, step, at, error);
  if (node->kind == BH_NODE_SCALAR) {
    bh_node_error(error, at, "'%s' cannot be inside %s; shorten the path", step->name, bh_node_kind_name(node));
    return NULL;
  }
  for (guint i = 0; i < node->keys->len; i++)
    if (!strcmp(((BhNode *)node->keys->pdata[i])->text, step->name))
      return (BhNode **)&node->items->pdata[i];
  bh_node_put(node, bh_node_new_scalar(at, step->name, FALSE), bh_node_new_scalar(at, "", FALSE));
  return (BhNode **)&node->items->pdata[node->items->len - 1];
}

gboolean bh_spec_apply_override(BhNode *root, const char *assignment, GError **error) {
  const char *text = NULL;
  if (!g_utf8_validate(assignment, -1, NULL))
    return bad_path(assignment, "it is not valid UTF-8", error);
  g_autoptr(GArray) steps = read_path(assignment, &text, error);
  if (!steps)
    return FALSE;
  g_autofree char *path = g_strndup(assignment, (gsize)(text - assignment) - 1);
  g_autofree char *shown = bh_text_shown(path);
  g_autofree char *name = g_strdup_printf("--set %s", shown);
  const char *file = bh_node_intern(name);
  g_autoptr(BhNode) value = *text ? bh_yaml_parse(text, strlen(text), file, error) : NULL;
  if (!*text)
    return bad_path(assignment, "the value is missing", error);
  if (!value)
    return FALSE;
  BhNode **slot = &root;
  for (guint i = 0; i < steps->len && slot; i++)
    slot = step_into(slot, &g_array_index(steps, Step, i), file, error);
  if (!slot)
    return FALSE;
  bh_node_free(*slot);
  *slot = g_steal_pointer(&value);
  return TRUE;
}
