/* SPDX-License-Identifier: MIT
 * Owns patterns: exclude, overrides and baseline stand on them. Values are compared as values of the parameter's type,
 * so that 64KiB matches 65536. */
#include "plan/pattern.h"
#include "base/text.h"

#include <string.h>

typedef enum { KEY_WORKLOAD = 1, KEY_BACKEND, KEY_PARAM } KeyKind;

typedef struct {
  KeyKind kind;
  BhPosition at;
  char *name;        /* of a parameter, without its qualifier */
  gboolean asks[2];  /* KEY_PARAM: may it be a parameter of the workload, of the backend? */
  GPtrArray *names;  /* KEY_WORKLOAD, KEY_BACKEND: of char * */
  GHashTable *terms; /* KEY_PARAM: of (BhParam *, GPtrArray of BhTerm): the values, read as each plugin's type */
} Key;

struct BhPattern {
  BhPosition at;
  GPtrArray *keys; /* of Key */
  guint uses;
};

static void free_key(Key *key) {
  g_free(key->name);
  g_clear_pointer(&key->names, g_ptr_array_unref);
  g_clear_pointer(&key->terms, g_hash_table_unref);
  g_free(key);
}

void bh_pattern_free(BhPattern *pattern) {
  if (!pattern)
    return;
  g_ptr_array_unref(pattern->keys);
  g_free(pattern);
}

guint bh_pattern_uses(const BhPattern *pattern) {
  return pattern->uses;
}

BhPosition bh_pattern_at(const BhPattern *pattern) {
  return pattern->at;
}

static const BhParam *side_param(const BhSide *side, const char *name) {
  for (guint i = 0; i < bh_side_slots(side); i++)
    if (!strcmp(bh_side_param(side, i)->name, name))
      return bh_side_param(side, i);
  return NULL;
}

static gboolean is_side(const BhSide *side, guint which) {
  return (side->plugin->kind == BH_PLUGIN_WORKLOAD) == (which == BH_WORKLOAD_SIDE);
}

/* ---- reading ---- */

static gboolean add_name(Key *key, const BhNode *node, const GPtrArray *sides, GError **error) {
  const guint which = key->kind == KEY_WORKLOAD ? BH_WORKLOAD_SIDE : BH_BACKEND_SIDE;
  const char *what = which == BH_WORKLOAD_SIDE ? "workload" : "backend";
  if (node->kind != BH_NODE_SCALAR) {
    bh_node_error(error, node->at, "'%s' in a pattern is %s; expected a name or a list of names", what,
                  bh_node_kind_name(node));
    return FALSE;
  }
  g_autoptr(GPtrArray) known = g_ptr_array_new();
  for (guint i = 0; i < sides->len; i++) {
    const BhSide *side = sides->pdata[i];
    if (!is_side(side, which))
      continue;
    if (!strcmp(side->plugin->name, node->text) || !strcmp(side->entry->name, node->text)) {
      g_ptr_array_add(key->names, g_strdup(side->plugin->name));
      return TRUE;
    }
    if (!g_ptr_array_find_with_equal_func(known, side->plugin->name, g_str_equal, NULL))
      g_ptr_array_add(known, side->plugin->name);
  }
  g_ptr_array_add(known, NULL);
  g_autofree char *hint = bh_text_suggest(node->text, (const char *const *)known->pdata);
  g_autofree char *shown = bh_text_shown(node->text);
  bh_node_error(error, node->at, "the matrix has no %s '%s'%s", what, shown, hint);
  return FALSE;
}

static gboolean read_names(Key *key, const BhNode *node, const GPtrArray *sides, GError **error) {
  key->names = g_ptr_array_new_with_free_func(g_free);
  if (node->kind != BH_NODE_LIST)
    return add_name(key, node, sides, error);
  for (guint i = 0; i < node->items->len; i++)
    if (!add_name(key, node->items->pdata[i], sides, error))
      return FALSE;
  return TRUE;
}

static gboolean unknown_param(const Key *key, const GPtrArray *sides, GError **error) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  g_ptr_array_add(names, (gpointer) "workload");
  g_ptr_array_add(names, (gpointer) "backend");
  for (guint i = 0; i < sides->len; i++)
    for (guint k = 0; k < bh_side_slots(sides->pdata[i]); k++) {
      char *name = bh_side_param(sides->pdata[i], k)->name;
      if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_ptr_array_add(names, name);
    }
  g_ptr_array_add(names, NULL);
  g_autofree char *hint = bh_text_suggest(key->name, (const char *const *)names->pdata);
  g_autofree char *shown = bh_text_shown(key->name);
  bh_node_error(error, key->at, "'%s' is not a parameter of any %s in the matrix%s", shown,
                key->asks[0] && key->asks[1] ? "workload or backend"
                : key->asks[0]               ? "workload"
                                             : "backend",
                hint);
  return FALSE;
}

/* The value must be right for at least one of the plugins that have the parameter. */
static gboolean read_values(Key *key, const BhNode *node, const GPtrArray *sides, const BhMachine *machine,
                            GError **error) {
  g_autoptr(GError) first = NULL;
  key->terms = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_ptr_array_unref);
  gboolean known = FALSE;
  for (guint i = 0; i < sides->len; i++) {
    const BhSide *side = sides->pdata[i];
    const BhParam *param = side_param(side, key->name);
    if (!param || !key->asks[is_side(side, BH_WORKLOAD_SIDE) ? BH_WORKLOAD_SIDE : BH_BACKEND_SIDE] ||
        g_hash_table_contains(key->terms, param))
      continue;
    known = TRUE;
    GPtrArray *terms = bh_sweep_terms(param, node, machine, first ? NULL : &first);
    if (terms)
      g_hash_table_insert(key->terms, (gpointer)param, terms);
  }
  if (!known)
    return unknown_param(key, sides, error);
  if (g_hash_table_size(key->terms) > 0)
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&first));
  return FALSE;
}

static gboolean read_key(BhPattern *pattern, const BhNode *name, const BhNode *value, const GPtrArray *sides,
                         const BhMachine *machine, GError **error) {
  Key *key = g_new0(Key, 1);
  const gboolean in_workload = g_str_has_prefix(name->text, "workload.");
  const gboolean in_backend = g_str_has_prefix(name->text, "backend.");
  g_ptr_array_add(pattern->keys, key);
  key->at = name->at;
  key->kind = !strcmp(name->text, "workload") ? KEY_WORKLOAD : !strcmp(name->text, "backend") ? KEY_BACKEND : KEY_PARAM;
  key->name = g_strdup(in_workload || in_backend ? strchr(name->text, '.') + 1 : name->text);
  key->asks[BH_WORKLOAD_SIDE] = !in_backend;
  key->asks[BH_BACKEND_SIDE] = !in_workload;
  return key->kind == KEY_PARAM ? read_values(key, value, sides, machine, error) : read_names(key, value, sides, error);
}

BhPattern *bh_pattern_new(const BhNode *map, const GPtrArray *sides, const BhMachine *machine, GError **error) {
  g_autoptr(BhPattern) pattern = g_new0(BhPattern, 1);
  pattern->at = map->at;
  pattern->keys = g_ptr_array_new_with_free_func((GDestroyNotify)free_key);
  for (guint i = 0; i < map->keys->len; i++)
    if (!read_key(pattern, map->keys->pdata[i], map->items->pdata[i], sides, machine, error))
      return NULL;
  return g_steal_pointer(&pattern);
}

/* ---- matching ---- */

static const BhValue *draft_value(const BhDraft *draft, guint side, const BhParam *param) {
  for (guint i = 0; i < bh_side_slots(draft->side[side]); i++)
    if (bh_side_param(draft->side[side], i) == param)
      return draft->values[side][i];
  return NULL;
}

static gboolean value_matches(const Key *key, BhDraft *draft, guint side, const BhParam *param) {
  const BhValue *value = draft_value(draft, side, param);
  const GPtrArray *terms = g_hash_table_lookup(key->terms, param);
  for (guint i = 0; value && terms && i < terms->len; i++) {
    g_autoptr(GError) ignored = NULL; /* what cannot be computed for this cell does not match it */
    const BhValue *wanted = bh_draft_term(draft, side, param, terms->pdata[i], &ignored);
    if (wanted && !strcmp(wanted->text, value->text))
      return TRUE;
  }
  return FALSE;
}

static gboolean param_matches(const Key *key, BhDraft *draft, GError **error) {
  const BhParam *params[2];
  for (guint s = 0; s < 2; s++)
    params[s] = key->asks[s] ? side_param(draft->side[s], key->name) : NULL;
  if (params[0] && params[1]) {
    bh_node_error(error, key->at,
                  "'%s' is ambiguous: workload '%s' and backend '%s' both have it; write 'workload.%s' or 'backend.%s'",
                  key->name, draft->side[0]->plugin->name, draft->side[1]->plugin->name, key->name, key->name);
    return FALSE;
  }
  for (guint s = 0; s < 2; s++)
    if (params[s])
      return value_matches(key, draft, s, params[s]);
  return FALSE;
}

static gboolean name_matches(const Key *key, const BhDraft *draft) {
  const BhSide *side = draft->side[key->kind == KEY_WORKLOAD ? BH_WORKLOAD_SIDE : BH_BACKEND_SIDE];
  return g_ptr_array_find_with_equal_func(key->names, side->plugin->name, g_str_equal, NULL);
}

gboolean bh_pattern_matches(BhPattern *pattern, BhDraft *draft, GError **error) {
  for (guint pass = 0; pass < 2; pass++) /* names first: a parameter is looked at only where the names fit */
    for (guint i = 0; i < pattern->keys->len; i++) {
      const Key *key = pattern->keys->pdata[i];
      if ((key->kind == KEY_PARAM) != (pass == 1))
        continue;
      if (!(key->kind == KEY_PARAM ? param_matches(key, draft, error) : name_matches(key, draft)))
        return FALSE;
    }
  pattern->uses++;
  return TRUE;
}
