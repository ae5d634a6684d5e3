/* SPDX-License-Identifier: MIT
 * Owns the grammar of one entry of `workloads` or `backends`: NAME, or NAME: {parameter: value, ...}, and of what an
 * entry or an override can say besides parameters. */
#include "base/text.h"
#include "spec/spec-internal.h"

#include <string.h>

const char *const bh_spec_entry_keys[] = {"variant", "zip", "measure", "limits", "env", NULL};

gboolean bh_spec_is_entry_key(const char *name) {
  return g_strv_contains(bh_spec_entry_keys, name);
}

void bh_spec_clear_extras(BhExtras *extras) {
  g_clear_pointer(&extras->env, g_hash_table_unref);
}

static void free_entry(BhEntry *entry) {
  if (!entry)
    return;
  g_free(entry->name);
  bh_spec_clear_extras(&entry->extras);
  g_free(entry);
}

static gboolean is_variable_name(const char *text) {
  if (!g_ascii_isalpha(*text) && *text != '_')
    return FALSE;
  for (; *text; text++)
    if (!g_ascii_isalnum(*text) && *text != '_')
      return FALSE;
  return TRUE;
}

GHashTable *bh_spec_read_env(const BhNode *node, GError **error) {
  if (node->kind != BH_NODE_MAP) {
    bh_node_error(error, node->at,
                  "'env' is %s; expected a map of environment variables, like 'env: {OMP_PROC_BIND: close}'",
                  bh_node_kind_name(node));
    return NULL;
  }
  g_autoptr(GHashTable) env = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; i < node->keys->len; i++) {
    const BhNode *key = node->keys->pdata[i], *value = node->items->pdata[i];
    g_autofree char *shown = bh_text_shown(key->text);
    if (!is_variable_name(key->text)) {
      bh_node_error(error, key->at, "'%s' cannot name an environment variable; use letters, digits and '_'", shown);
      return NULL;
    }
    if (value->kind != BH_NODE_SCALAR) {
      bh_node_error(error, value->at, "the value of environment variable '%s' is one text, not %s; quote it if need be",
                    shown, bh_node_kind_name(value));
      return NULL;
    }
    g_hash_table_insert(env, g_strdup(key->text), g_strdup(value->text));
  }
  return g_steal_pointer(&env);
}

gboolean bh_spec_read_extras(const BhNode *map, BhExtras *extras, GError **error) {
  const BhNode *measure = bh_node_get(map, "measure"), *limits = bh_node_get(map, "limits");
  const BhNode *env = bh_node_get(map, "env");
  if (measure && !bh_measure_read(measure, "measure", FALSE, &extras->patch, error))
    return FALSE;
  if (limits && !bh_measure_read(limits, "limits", FALSE, &extras->patch, error))
    return FALSE;
  return !env || (extras->env = bh_spec_read_env(env, error));
}

static gboolean check_zip(const BhNode *zip, GError **error) {
  const gboolean is_list = zip->kind == BH_NODE_LIST;
  for (guint i = 0; i < (is_list ? zip->items->len : 1); i++) {
    const BhNode *group = is_list ? zip->items->pdata[i] : zip;
    if (group->kind == BH_NODE_MAP && group->keys->len > 0)
      continue;
    bh_node_error(
        error, group->at,
        "a zip group is %s; expected a map of parameters that advance together, like 'zip: [{n: [1, 2], k: [5, 6]}]'",
        group->kind == BH_NODE_MAP ? "empty" : bh_node_kind_name(group));
    return FALSE;
  }
  return TRUE;
}

static gboolean read_settings(BhEntry *entry, gboolean workload, GError **error) {
  const BhNode *settings = entry->settings;
  if (settings->kind != BH_NODE_MAP) {
    g_autofree char *shown = bh_text_shown(entry->name);
    bh_node_error(error, settings->at, "'%s' is followed by %s; expected its parameters, like '%s: {parameter: value}'",
                  shown, bh_node_kind_name(settings), shown);
    return FALSE;
  }
  entry->variant = bh_node_get(settings, "variant");
  if (entry->variant && !workload) {
    bh_node_error(error, entry->variant->at, "'variant' chooses a workload's code; give it to an entry of 'workloads'");
    return FALSE;
  }
  entry->zip = bh_node_get(settings, "zip");
  if (entry->zip && !check_zip(entry->zip, error))
    return FALSE;
  return bh_spec_read_extras(settings, &entry->extras, error);
}

/* A relative path is meant from the matrix's folder, so that a matrix works from everywhere. */
static char *plugin_name(const BhSpec *spec, const char *text) {
  if (!strchr(text, '/') || g_path_is_absolute(text))
    return g_strdup(text);
  g_autofree char *folder = g_path_get_dirname(spec->path);
  g_autofree char *joined = g_build_filename(folder, text, NULL);
  return g_canonicalize_filename(joined, NULL);
}

static const BhNode *entry_name(const BhNode *item, const char *section, GError **error) {
  if (item->kind == BH_NODE_SCALAR && !bh_node_is_null(item) && item->text[0])
    return item;
  if (item->kind == BH_NODE_MAP && item->keys->len == 1)
    return item->keys->pdata[0];
  if (item->kind == BH_NODE_MAP && item->keys->len > 1) {
    const BhNode *first = item->keys->pdata[0], *second = item->keys->pdata[1];
    g_autofree char *one = bh_text_shown(first->text), *two = bh_text_shown(second->text);
    bh_node_error(
        error, second->at,
        "an entry of '%s' names one plugin, but this one has the keys '%s' and '%s'; indent the parameters below "
        "'%s:', or begin a new entry with '- '",
        section, one, two, one);
  } else {
    bh_node_error(error, item->at, "an entry of '%s' is %s; expected NAME, or NAME: {parameter: value}", section,
                  item->kind == BH_NODE_MAP ? "empty" : bh_node_kind_name(item));
  }
  return NULL;
}

static BhEntry *read_entry(BhSpec *spec, const BhNode *item, const char *section, GError **error) {
  const BhNode *name = entry_name(item, section, error);
  if (!name)
    return NULL;
  BhEntry *entry = g_new0(BhEntry, 1);
  entry->at = name->at;
  entry->name = plugin_name(spec, name->text);
  if (item->kind == BH_NODE_MAP && !bh_node_is_null(item->items->pdata[0])) {
    entry->settings = item->items->pdata[0];
    if (!read_settings(entry, g_str_has_prefix(section, "workload"), error))
      g_clear_pointer(&entry, free_entry);
  }
  return entry;
}

GPtrArray *bh_spec_read_entries(BhSpec *spec, const BhNode *node, const char *section, GError **error) {
  g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)free_entry);
  const gboolean single = g_str_equal(section, "workload") || g_str_equal(section, "backend");
  if (node->kind != BH_NODE_LIST && !single) {
    bh_node_error(error, node->at,
                  "'%s' is %s; expected a list: one line '- NAME' or '- NAME: {parameter: value}' for each", section,
                  bh_node_kind_name(node));
    return NULL;
  }
  const guint n = node->kind == BH_NODE_LIST ? node->items->len : 1;
  if (n == 0) {
    bh_node_error(error, node->at, "'%s' is an empty list; name at least one, like '- NAME' (`benchhost list` shows them)", section);
    return NULL;
  }
  for (guint i = 0; i < n; i++) {
    BhEntry *entry = read_entry(spec, node->kind == BH_NODE_LIST ? node->items->pdata[i] : node, section, error);
    if (!entry)
      return NULL;
    g_ptr_array_add(entries, entry);
  }
  return g_steal_pointer(&entries);
}
