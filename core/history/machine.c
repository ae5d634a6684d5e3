/* SPDX-License-Identifier: MIT
 * Owns saying what differs between the places where two runs were measured. */
#include "history/machine.h"
#include "environment/fingerprint.h"
#include "results/fields.h"

#include <string.h>

/* What is unknown on one side only is a difference; on both sides nobody can say. */
GHashTable *bh_machine_set(JsonObject *environment) {
  GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(BhFingerprint) fingerprint = bh_fingerprint_new(environment);
  for (guint i = 0; i < fingerprint->fields->len; i++) {
    const BhFingerprintField *field = fingerprint->fields->pdata[i];
    if (strcmp(field->text, "unknown"))
      g_hash_table_insert(set, g_strdup(field->name), g_strdup(field->text));
  }
  return set;
}

char *bh_machine_fingerprint(JsonObject *environment) {
  g_autoptr(BhFingerprint) fingerprint = bh_fingerprint_new(environment);
  return g_strdup(fingerprint->digest);
}

const char *bh_differs_name(BhDiffersKind kind) {
  static const char *const names[] = {"machine", "program", "plugin", "setting"};
  return names[kind];
}

static void differs_free(gpointer data) {
  BhDiffers *differs = data;
  g_free(differs->name);
  g_free(differs->old);
  g_free(differs->now);
  g_free(differs);
}

static void add(GPtrArray *found, BhDiffersKind kind, const char *name, const char *old, const char *now) {
  if (!g_strcmp0(old, now))
    return;
  BhDiffers *differs = g_new0(BhDiffers, 1);
  *differs = (BhDiffers){.kind = kind, .name = g_strdup(name), .old = g_strdup(old), .now = g_strdup(now)};
  g_ptr_array_add(found, differs);
}

/* Keys of both, each once. */
static void add_sets(GPtrArray *found, BhDiffersKind kind, GHashTable *old, GHashTable *now) {
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init(&iter, old);
  while (g_hash_table_iter_next(&iter, &key, &value))
    add(found, kind, key, value, g_hash_table_lookup(now, key));
  g_hash_table_iter_init(&iter, now);
  while (g_hash_table_iter_next(&iter, &key, &value))
    if (!g_hash_table_contains(old, key))
      add(found, kind, key, NULL, value);
}

/* Of the run, or of the arm of a comparison. */
static JsonArray *plugins_of(const BhStored *stored) {
  JsonObject *arm = stored->arm ? bh_fields_object(bh_fields_object(stored->run, "arms"), stored->arm) : NULL;
  JsonArray *own = bh_fields_array(arm, "plugins");
  return own ? own : bh_fields_array(stored->run, "plugins");
}

static GHashTable *plugin_builds(const BhStored *stored) {
  GHashTable *builds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  JsonArray *plugins = plugins_of(stored);
  for (guint i = 0; plugins && i < json_array_get_length(plugins); i++) {
    JsonNode *node = json_array_get_element(plugins, i);
    JsonObject *plugin = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
    const char *name = bh_fields_string(plugin, "name"), *kind = bh_fields_string(plugin, "kind");
    const char *version = bh_fields_string(plugin, "version"), *build = bh_fields_string(plugin, "build_id");
    const char *compiler = bh_fields_string(plugin, "compiler");
    if (name && (version || build))
      g_hash_table_insert(builds, g_strdup_printf("%s %s", kind ? kind : "plugin", name),
                          g_strdup_printf("%s, build %.12s%s%s", version ? version : "-", build ? build : "-",
                                          compiler ? ", " : "", compiler ? compiler : ""));
  }
  return builds;
}

/* Only plugins that both runs used: those of added and removed cells are no change of a plugin. */
static void keep_common(GHashTable *set, GHashTable *other) {
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init(&iter, set);
  while (g_hash_table_iter_next(&iter, &key, NULL))
    if (!g_hash_table_contains(other, key))
      g_hash_table_iter_remove(&iter);
}

static GHashTable *settings(JsonObject *run) {
  GHashTable *set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  JsonObject *measure = bh_fields_object(run, "measure");
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  if (measure)
    for (json_object_iter_init(&iter, measure); json_object_iter_next(&iter, &name, &value);)
      g_hash_table_insert(set, g_strdup(name), bh_fields_text(value));
  return set;
}

static gint by_kind(gconstpointer a, gconstpointer b) {
  const BhDiffers *x = *(const BhDiffers *const *)a, *y = *(const BhDiffers *const *)b;
  return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcmp(x->name, y->name);
}

GPtrArray *bh_machine_differences(const BhStored *old, const BhStored *now) {
  GPtrArray *found = g_ptr_array_new_with_free_func(differs_free);
  add_sets(found, BH_DIFFERS_MACHINE, old->machine_set, now->machine_set);
  add(found, BH_DIFFERS_PROGRAM, "benchhost", old->benchhost, now->benchhost);
  g_autoptr(GHashTable) old_builds = plugin_builds(old);
  g_autoptr(GHashTable) builds = plugin_builds(now);
  keep_common(old_builds, builds);
  keep_common(builds, old_builds);
  add_sets(found, BH_DIFFERS_PLUGIN, old_builds, builds);
  g_autoptr(GHashTable) old_settings = settings(old->run);
  g_autoptr(GHashTable) now_settings = settings(now->run);
  add_sets(found, BH_DIFFERS_SETTING, old_settings, now_settings);
  g_ptr_array_sort(found, by_kind);
  return found;
}

gboolean bh_machine_differ(const GPtrArray *differences) {
  for (guint i = 0; i < differences->len; i++)
    if (((const BhDiffers *)differences->pdata[i])->kind == BH_DIFFERS_MACHINE)
      return TRUE;
  return FALSE;
}
