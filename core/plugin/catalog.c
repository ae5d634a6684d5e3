/* SPDX-License-Identifier: MIT
 * Owns the catalog: plugins by name, each probed at most once. */
#include "plugin/catalog.h"
#include "base/text.h"
#include "plugin/probe.h"
#include "plugin/search.h"

#include <string.h>

typedef struct {
  BhPlugin *plugin;
  GError *error; /* why there is none */
} Entry;

struct BhCatalog {
  GHashTable *entries; /* of (char *, Entry): by name or path, as asked for */
  GHashTable *places;  /* of (char *, char *): name, path of the file that takes its place; NULL: none */
};

static void entry_free(Entry *entry) {
  bh_plugin_free(entry->plugin);
  g_clear_error(&entry->error);
  g_free(entry);
}

BhCatalog *bh_catalog_new(void) {
  BhCatalog *catalog = g_new0(BhCatalog, 1);
  catalog->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)entry_free);
  return catalog;
}

void bh_catalog_free(BhCatalog *catalog) {
  if (!catalog)
    return;
  g_hash_table_unref(catalog->entries);
  g_clear_pointer(&catalog->places, g_hash_table_unref);
  g_free(catalog);
}

void bh_catalog_add(BhCatalog *catalog, BhPlugin *plugin) {
  Entry *entry = g_new0(Entry, 1);
  entry->plugin = plugin;
  g_hash_table_replace(catalog->entries, g_strdup(plugin->name), entry);
}

void bh_catalog_place(BhCatalog *catalog, const char *name, const char *path) {
  if (!catalog->places)
    catalog->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_replace(catalog->places, g_strdup(name), g_strdup(path));
}

/* The file behind a name or a path, or NULL. Caller frees. */
static char *find_file(const BhCatalog *catalog, const char *name_or_path) {
  g_autofree char *base = g_path_get_basename(name_or_path);
  if (strchr(name_or_path, '/') && g_str_has_suffix(base, ".so"))
    base[strlen(base) - 3] = '\0';
  const char *placed = catalog->places ? g_hash_table_lookup(catalog->places, base) : NULL;
  return placed ? g_strdup(placed) : bh_search_find(name_or_path);
}

void bh_catalog_prefetch(BhCatalog *catalog, const char *const *names_or_paths) {
  g_autoptr(GPtrArray) names = g_ptr_array_new();                      /* of names_or_paths' */
  g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free); /* of char *, parallel */
  for (const char *const *name = names_or_paths; name && *name; name++) {
    if (g_hash_table_contains(catalog->entries, *name) ||
        g_ptr_array_find_with_equal_func(names, *name, g_str_equal, NULL))
      continue;
    char *path = find_file(catalog, *name);
    if (!path)
      continue;
    g_ptr_array_add(names, (char *)*name);
    g_ptr_array_add(paths, path);
  }
  if (!names->len)
    return;
  g_autofree BhPlugin **plugins = g_new0(BhPlugin *, names->len);
  g_autofree GError **errors = g_new0(GError *, names->len);
  bh_probe_files((const char *const *)paths->pdata, names->len, plugins, errors);
  for (guint i = 0; i < names->len; i++) {
    Entry *entry = g_new0(Entry, 1);
    *entry = (Entry){plugins[i], errors[i]};
    g_hash_table_insert(catalog->entries, g_strdup(g_ptr_array_index(names, i)), entry);
  }
}

static int compare_names(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **bh_catalog_names(BhCatalog *catalog) {
  g_auto(GStrv) found = bh_search_names();
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (char **name = found; *name; name++)
    g_ptr_array_add(names, g_strdup(*name));
  GHashTableIter iter;
  const char *key;
  const Entry *entry;
  g_hash_table_iter_init(&iter, catalog->entries);
  while (g_hash_table_iter_next(&iter, (gpointer *)&key, (gpointer *)&entry))
    if (entry->plugin && !strchr(key, '/') && !g_ptr_array_find_with_equal_func(names, key, g_str_equal, NULL))
      g_ptr_array_add(names, g_strdup(key));
  g_ptr_array_sort(names, compare_names);
  g_ptr_array_add(names, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* Suggests names of the wanted kind only: a workload is no help where a backend was misspelt. */
static void set_not_found(BhCatalog *catalog, BhPluginKind kind, const char *name, GError **error) {
  if (strchr(name, '/')) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: no such file", name);
    return;
  }
  g_auto(GStrv) all = bh_catalog_names(catalog);
  bh_catalog_prefetch(catalog, (const char *const *)all);
  g_autoptr(GPtrArray) names = g_ptr_array_new();
  for (char **other = all; *other; other++) {
    const Entry *entry = g_hash_table_lookup(catalog->entries, *other);
    if (!kind || (entry && entry->plugin && entry->plugin->kind == kind))
      g_ptr_array_add(names, *other);
  }
  if (!names->len) {
    g_auto(GStrv) folders = bh_search_folders();
    g_autofree char *list = g_strjoinv(", ", folders);
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "no %s '%s': there is none at all in: %s (set BENCHHOST_PLUGIN_PATH)",
                bh_plugin_kind_name(kind), name, *list ? list : "an empty search path");
    return;
  }
  g_ptr_array_add(names, NULL);
  g_autofree char *hint = bh_text_suggest(name, (const char *const *)names->pdata);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "no %s '%s'%s", bh_plugin_kind_name(kind), name, hint);
}

const BhPlugin *bh_catalog_find(BhCatalog *catalog, const char *name_or_path, GError **error) {
  return bh_catalog_get(catalog, 0, name_or_path, error);
}

const BhPlugin *bh_catalog_get(BhCatalog *catalog, BhPluginKind kind, const char *name_or_path, GError **error) {
  bh_catalog_prefetch(catalog, (const char *const[]){name_or_path, NULL});
  const Entry *entry = g_hash_table_lookup(catalog->entries, name_or_path);
  if (!entry) {
    set_not_found(catalog, kind, name_or_path, error);
    return NULL;
  }
  if (entry->error) {
    g_propagate_error(error, g_error_copy(entry->error));
    return NULL;
  }
  if (kind && entry->plugin->kind != kind) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "'%s' is a %s, not a %s", name_or_path,
                bh_plugin_kind_name(entry->plugin->kind), bh_plugin_kind_name(kind));
    return NULL;
  }
  return entry->plugin;
}
