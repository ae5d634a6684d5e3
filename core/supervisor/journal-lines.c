/* SPDX-License-Identifier: MIT
 * Owns the journal's lines about the run as a whole: `run`, `resume`, `end`, and the check that a journal to be resumed
 * belongs to the plan at hand. */
#include "base/json.h"
#include "environment/files.h"
#include "environment/record.h"
#include "spec/measure.h"
#include "supervisor/cell-env.h"
#include "supervisor/journal.h"
#include "supervisor/tree.h"

#include <string.h>

char *bh_journal_now_text(void) {
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *seconds = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S");
  return g_strdup_printf("%s.%03dZ", seconds, g_date_time_get_microsecond(now) / 1000);
}

static void set_now(JsonObject *line, const char *key) {
  g_autofree char *now = bh_journal_now_text();
  json_object_set_string_member(line, key, now);
}

static JsonObject *new_line(const char *type) {
  JsonObject *line = json_object_new();
  json_object_set_string_member(line, "type", type);
  return line;
}

static void set_argv(JsonObject *line, const char *const *argv) {
  JsonArray *array = json_array_new();
  for (; argv && *argv; argv++) {
    g_autofree char *valid = g_utf8_make_valid(*argv, -1);
    json_array_add_string_element(array, valid);
  }
  json_object_set_array_member(line, "argv", array);
}

static JsonNode *capture(void) {
  g_auto(GStrv) removed = bh_cell_env_removed(), kept = bh_cell_env_suspicious();
  return bh_record_capture(bh_files_root(), (const char *const *)removed, (const char *const *)kept);
}

/* SHA-256 over what is going to be run: ids, rounds and measuring of every cell, in order. Caller frees. */
static char *plan_digest(const BhPlan *plan) {
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, bh_measure_to_json(&cell->measure));
    g_autofree char *measure = bh_json_text(node, FALSE);
    g_checksum_update(sum, (const guchar *)cell->id, -1);
    g_checksum_update(sum, (const guchar *)measure, -1);
  }
  return g_strdup(g_checksum_get_string(sum));
}

/* Each plugin that a cell uses, once, in order of first use; of BhPlugin, not owned. */
static GPtrArray *used_plugins(const BhPlan *plan) {
  GPtrArray *used = g_ptr_array_new();
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL); /* set of (const BhPlugin *) */
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    const BhPlugin *pair[] = {cell->workload, cell->backend};
    for (guint k = 0; k < 2; k++)
      if (g_hash_table_add(seen, (gpointer)pair[k]))
        g_ptr_array_add(used, (gpointer)pair[k]);
  }
  return used;
}

static JsonArray *plugins_array(const BhPlan *plan) {
  JsonArray *array = json_array_new();
  g_autoptr(GPtrArray) used = used_plugins(plan);
  for (guint i = 0; i < used->len; i++) {
    const BhPlugin *plugin = used->pdata[i];
    JsonObject *object = json_object_new();
    bh_plugin_put_identity(object, plugin);
    bh_json_put_text(object, "compiler", plugin->compiler);
    JsonArray *loaded = json_array_new();
    for (char **name = plugin->loaded; name && *name; name++) {
      g_autofree char *valid = g_utf8_make_valid(*name, -1);
      json_array_add_string_element(loaded, valid);
    }
    json_object_set_array_member(object, "loaded", loaded);
    json_array_add_object_element(array, object);
  }
  return array;
}

JsonObject *bh_journal_run_line(const BhPlan *plan, const char *const *argv) {
  JsonObject *line = new_line("run");
  json_object_set_int_member(line, "schema", BH_JOURNAL_SCHEMA);
  json_object_set_string_member(line, "benchhost", BH_VERSION);
  set_now(line, "started");
  set_argv(line, argv);
  JsonObject *matrix = json_object_new();
  bh_json_put_text(matrix, "path", plan->matrix_path);
  bh_json_put_text(matrix, "name", plan->name);
  bh_json_put_text(matrix, "text", plan->matrix_text);
  json_object_set_object_member(line, "matrix", matrix);
  json_object_set_int_member(line, "seed", (gint64)plan->seed);
  json_object_set_boolean_member(line, "strict", plan->strict);
  json_object_set_object_member(line, "measure", bh_measure_to_json(&plan->measure));
  json_object_set_int_member(line, "cells", plan->cells->len);
  json_object_set_int_member(line, "rounds", bh_plan_rounds(plan));
  g_autofree char *digest = plan_digest(plan);
  json_object_set_string_member(line, "plan_digest", digest);
  /* Rounds visit cells in random order; readers show them in the matrix's. */
  JsonArray *ids = json_array_sized_new(plan->cells->len);
  for (guint i = 0; i < plan->cells->len; i++)
    json_array_add_string_element(ids, ((const BhCell *)plan->cells->pdata[i])->id);
  json_object_set_array_member(line, "plan", ids);
  json_object_set_int_member(line, "memory_watch_ms", BH_TREE_WATCH_MS);
  json_object_set_member(line, "environment", capture());
  json_object_set_array_member(line, "plugins", plugins_array(plan));
  return line;
}

JsonObject *bh_journal_resume_line(const char *const *argv) {
  JsonObject *line = new_line("resume");
  set_now(line, "started");
  set_argv(line, argv);
  json_object_set_string_member(line, "benchhost", BH_VERSION);
  json_object_set_member(line, "environment", capture());
  return line;
}

JsonObject *bh_journal_end_line(gboolean interrupted, guint cells_done, double wall_s, double overhead_s) {
  JsonObject *line = new_line("end");
  set_now(line, "finished");
  json_object_set_boolean_member(line, "interrupted", interrupted);
  json_object_set_int_member(line, "cells", cells_done);
  json_object_set_double_member(line, "wall_s", wall_s);
  json_object_set_double_member(line, "overhead_s", overhead_s);
  if (cells_done)
    json_object_set_double_member(line, "overhead_per_cell_ms", overhead_s * 1e3 / cells_done);
  else
    json_object_set_null_member(line, "overhead_per_cell_ms");
  return line;
}

JsonObject *bh_journal_round_line(gint round, const char *started, const BhDisturbance *disturbance,
                                  gboolean rejected) {
  JsonObject *line = new_line("round");
  if (round >= 0)
    json_object_set_int_member(line, "round", round);
  else
    json_object_set_null_member(line, "round");
  json_object_set_string_member(line, "started", started);
  json_object_set_double_member(line, "wall_s", (double)disturbance->wall_ns * 1e-9);
  json_object_set_object_member(line, "disturbance", bh_disturbance_to_json(disturbance));
  JsonArray *flags = json_array_new();
  bh_disturbance_add_flags(disturbance, flags);
  json_object_set_array_member(line, "flags", flags);
  bh_json_put_text(line, "disturbed", bh_disturbance_rejects(disturbance));
  json_object_set_boolean_member(line, "rejected", rejected);
  return line;
}

/* ---- Does a journal fit? ---- */

static const char *text_of(JsonObject *object, const char *key) {
  JsonNode *node = object ? json_object_get_member(object, key) : NULL;
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
             ? json_node_get_string(node)
             : NULL;
}

static JsonObject *object_of(JsonObject *object, const char *key) {
  JsonNode *node = object ? json_object_get_member(object, key) : NULL;
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static gboolean int_equals(JsonObject *object, const char *key, gint64 value) {
  JsonNode *node = json_object_get_member(object, key);
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64 &&
         json_node_get_int(node) == value;
}

/* The name of a plugin whose build is not the recorded one, or NULL. A plugin that the journal does not list is not
 * ours to judge: plan_digest did. */
static const char *changed_plugin(const BhPlan *plan, JsonObject *run) {
  JsonNode *node = json_object_get_member(run, "plugins");
  g_autoptr(GPtrArray) used = used_plugins(plan);
  if (!node || !JSON_NODE_HOLDS_ARRAY(node))
    return NULL;
  JsonArray *array = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(array); i++) {
    JsonNode *element = json_array_get_element(array, i);
    JsonObject *old = JSON_NODE_HOLDS_OBJECT(element) ? json_node_get_object(element) : NULL;
    for (guint k = 0; k < used->len; k++) {
      const BhPlugin *plugin = used->pdata[k];
      const char *kind = bh_plugin_kind_name(plugin->kind);
      if (!g_strcmp0(text_of(old, "name"), plugin->name) && !g_strcmp0(text_of(old, "kind"), kind) &&
          g_strcmp0(text_of(old, "build_id"), plugin->build_id))
        return plugin->name;
    }
  }
  return NULL;
}

static const char *cpu_model(JsonObject *environment) {
  return text_of(object_of(environment, "cpu_model"), "value");
}

gboolean bh_journal_check_resume(const BhPlan *plan, const BhResults *results, const char *path, GError **error) {
  JsonObject *run = results->run;
  g_autofree char *why = NULL;
  g_autofree char *digest = plan_digest(plan);
  g_autofree char *matrix = g_utf8_make_valid(plan->matrix_text ? plan->matrix_text : "", -1);
  g_autoptr(JsonNode) now = capture();
  const char *old_cpu = cpu_model(object_of(run, "environment")), *cpu = cpu_model(json_node_get_object(now));
  const char *plugin = run ? changed_plugin(plan, run) : NULL;
  if (!run)
    why = g_strdup("it has no run line: nothing was kept, so start anew with another --output");
  else if (!int_equals(run, "schema", BH_JOURNAL_SCHEMA))
    why = g_strdup_printf("its schema is not %d: resume it with the version of benchhost that wrote it",
                          BH_JOURNAL_SCHEMA);
  else if (!int_equals(run, "seed", (gint64)plan->seed))
    why = g_strdup_printf("its seed is not %" G_GUINT64_FORMAT ": give the same --set seed=", plan->seed);
  else if (g_strcmp0(text_of(object_of(run, "matrix"), "text"), matrix))
    why = g_strdup("its matrix is another one: use the file as it was, or start anew with another --output");
  else if (text_of(run, "plan_digest") && strcmp(text_of(run, "plan_digest"), digest))
    why = g_strdup("its cells are others: give the same --set, --param and --filter, on as many cores");
  else if (plugin)
    why = g_strdup_printf("the plugin %s was rebuilt since: start anew with another --output", plugin);
  else if (old_cpu && cpu && strcmp(old_cpu, cpu))
    why = g_strdup_printf("it was begun on another processor (%s, here: %s)", old_cpu, cpu);
  if (why)
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: cannot resume this journal: %s", path, why);
  return !why;
}
