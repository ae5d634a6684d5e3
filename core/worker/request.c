/* SPDX-License-Identifier: MIT
 * Owns the one line by which the supervisor tells a cell's process what to do: built from a planned cell, written as
 * JSON, read back with every type checked. The seed travels as text: JSON readers keep 63 bits at most. */
#include "worker/request.h"

#include "base/json.h"
#include "spec/measure.h"

#include "machine/placement.h"

#include <string.h>

void bh_worker_request_free(BhWorkerRequest *request) {
  if (!request)
    return;
  g_free(request->workload_path);
  g_free(request->backend_path);
  g_strfreev(request->param_names);
  g_strfreev(request->param_values);
  g_strfreev(request->option_names);
  g_strfreev(request->option_values);
  g_clear_pointer(&request->given, g_hash_table_unref);
  g_free(request->variant);
  g_free(request->data_dir);
  g_free(request->scratch_dir);
  g_clear_pointer(&request->cpus_compact, g_array_unref);
  g_clear_pointer(&request->cpus_spread, g_array_unref);
  g_free(request);
}

guint64 bh_worker_request_seed(const BhPlan *plan, const BhCell *cell, guint round) {
  g_autoptr(GString) text = g_string_new(NULL);
  g_string_append_printf(text, "%" G_GUINT64_FORMAT " %u %s", plan->seed, round, cell->workload->name);
  for (guint i = 0; cell->params && i < cell->params->len; i++) {
    const BhParam *param = cell->workload->params->pdata[i];
    const BhValue *value = cell->params->pdata[i];
    g_string_append_printf(text, " %s=%s", param->name, value->text);
  }
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(sum, (const guchar *)text->str, (gssize)text->len);
  guint8 digest[32];
  gsize length = sizeof digest;
  g_checksum_get_digest(sum, digest, &length);
  guint64 mixed = 0;
  for (guint i = 0; i < 8; i++)
    mixed = mixed << 8 | digest[i];
  return mixed;
}

/* `prefix`: "w:" or "b:". Parallel NULL-terminated lists, in table order. */
static void take_values(const GPtrArray *table, const GPtrArray *values, const char *prefix, GHashTable *given,
                        char ***ret_names, char ***ret_values) {
  g_autoptr(GStrvBuilder) names = g_strv_builder_new();
  g_autoptr(GStrvBuilder) texts = g_strv_builder_new();
  for (guint i = 0; table && values && i < table->len && i < values->len; i++) {
    const BhParam *param = table->pdata[i];
    const BhValue *value = values->pdata[i];
    g_strv_builder_add(names, param->name);
    g_strv_builder_add(texts, value->text);
    if (value->given)
      g_hash_table_add(given, g_strconcat(prefix, param->name, NULL));
  }
  *ret_names = g_strv_builder_end(names);
  *ret_values = g_strv_builder_end(texts);
}

static GArray *copy_ints(const GArray *from) {
  GArray *to = g_array_sized_new(FALSE, FALSE, sizeof(int), from->len);
  g_array_append_vals(to, from->data, from->len);
  return to;
}

BhWorkerRequest *bh_worker_request_from_cell(const BhPlan *plan, const BhCell *cell, guint round,
                                             const char *scratch_dir) {
  const BhPlacement *placement = bh_placement_shared();
  BhWorkerRequest *request = g_new0(BhWorkerRequest, 1);
  request->workload_path = g_strdup(cell->workload->path);
  request->backend_path = g_strdup(cell->backend->path);
  request->given = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  take_values(cell->workload->params, cell->params, "w:", request->given, &request->param_names,
              &request->param_values);
  take_values(cell->backend->params, cell->options, "b:", request->given, &request->option_names,
              &request->option_values);
  request->variant = g_strdup(cell->variant);
  request->measure = cell->measure;
  request->seed = bh_worker_request_seed(plan, cell, round);
  request->data_dir = g_strdup(plan->data_dir);
  request->scratch_dir = g_strdup(scratch_dir);
  request->cores = placement->cores;
  request->cpus_compact = copy_ints(placement->compact);
  request->cpus_spread = copy_ints(placement->spread);
  const guint64 available = bh_placement_memory_available_bytes();
  const guint64 limit = cell->measure.memory_bytes > 0 ? (guint64)cell->measure.memory_bytes : available;
  request->memory_bytes = MIN(limit, available);
  return request;
}

/* ---- JSON ---- */

static void add_strings(JsonBuilder *builder, const char *key, char **texts) {
  json_builder_set_member_name(builder, key);
  json_builder_begin_array(builder);
  for (char **text = texts; text && *text; text++)
    json_builder_add_string_value(builder, *text);
  json_builder_end_array(builder);
}

static void add_ints(JsonBuilder *builder, const char *key, const GArray *ints) {
  json_builder_set_member_name(builder, key);
  json_builder_begin_array(builder);
  for (guint i = 0; ints && i < ints->len; i++)
    json_builder_add_int_value(builder, g_array_index(ints, int, i));
  json_builder_end_array(builder);
}

static void add_text(JsonBuilder *builder, const char *key, const char *text) {
  json_builder_set_member_name(builder, key);
  if (text)
    json_builder_add_string_value(builder, text);
  else
    json_builder_add_null_value(builder);
}

static void add_measure(JsonBuilder *builder, const BhMeasure *measure) {
  JsonNode *node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, bh_measure_to_json(measure));
  json_builder_set_member_name(builder, "measure");
  json_builder_add_value(builder, node);
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *bh_worker_request_to_text(const BhWorkerRequest *request) {
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  add_text(builder, "workload", request->workload_path);
  add_text(builder, "backend", request->backend_path);
  add_strings(builder, "param_names", request->param_names);
  add_strings(builder, "param_values", request->param_values);
  add_strings(builder, "option_names", request->option_names);
  add_strings(builder, "option_values", request->option_values);
  guint n_given = 0;
  g_autofree gpointer *given =
      request->given ? g_hash_table_get_keys_as_array(request->given, &n_given) : g_new0(gpointer, 1);
  qsort(given, n_given, sizeof *given, compare_keys);
  add_strings(builder, "given", (char **)given);
  add_text(builder, "variant", request->variant);
  add_measure(builder, &request->measure);
  g_autofree char *seed = g_strdup_printf("%" G_GUINT64_FORMAT, request->seed);
  add_text(builder, "seed", seed);
  add_text(builder, "data_dir", request->data_dir);
  add_text(builder, "scratch_dir", request->scratch_dir);
  json_builder_set_member_name(builder, "cores");
  json_builder_add_int_value(builder, request->cores);
  add_ints(builder, "cpus_compact", request->cpus_compact);
  add_ints(builder, "cpus_spread", request->cpus_spread);
  json_builder_set_member_name(builder, "memory_bytes");
  json_builder_add_int_value(builder, (gint64)MIN(request->memory_bytes, (guint64)G_MAXINT64));
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  return bh_json_text(root, FALSE);
}

/* ---- Reading: the first thing wrong is said, later reads do nothing. ---- */

static JsonNode *member(JsonObject *object, const char *key, GError **error) {
  if (*error)
    return NULL;
  JsonNode *node = json_object_get_member(object, key);
  if (!node)
    g_set_error(error, BH_ERROR, BH_ERROR_INTERNAL, "the worker's request has no '%s'", key);
  return node;
}

static void complain(const char *key, const char *expected, GError **error) {
  g_set_error(error, BH_ERROR, BH_ERROR_INTERNAL, "the worker's request: '%s' must be %s", key, expected);
}

static char *read_text(JsonObject *object, const char *key, gboolean may_be_null, GError **error) {
  JsonNode *node = member(object, key, error);
  if (!node || (may_be_null && JSON_NODE_HOLDS_NULL(node)))
    return NULL;
  if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING)
    return json_node_dup_string(node);
  complain(key, "a text", error);
  return NULL;
}

static gint64 read_int(JsonObject *object, const char *key, gint64 max, GError **error) {
  JsonNode *node = member(object, key, error);
  if (!node)
    return 0;
  if (JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64) {
    const gint64 value = json_node_get_int(node);
    if (value >= 0 && value <= max)
      return value;
  }
  complain(key, "an integer in range", error);
  return 0;
}

static JsonArray *read_list(JsonObject *object, const char *key, GError **error) {
  JsonNode *node = member(object, key, error);
  if (node && JSON_NODE_HOLDS_ARRAY(node))
    return json_node_get_array(node);
  if (node)
    complain(key, "a list", error);
  return NULL;
}

static char **read_strings(JsonObject *object, const char *key, GError **error) {
  JsonArray *array = read_list(object, key, error);
  if (!array)
    return NULL;
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
  for (guint i = 0; i < json_array_get_length(array); i++) {
    JsonNode *item = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_VALUE(item) || json_node_get_value_type(item) != G_TYPE_STRING) {
      complain(key, "a list of texts", error);
      return NULL;
    }
    g_strv_builder_add(builder, json_node_get_string(item));
  }
  return g_strv_builder_end(builder);
}

static GArray *read_ints(JsonObject *object, const char *key, GError **error) {
  JsonArray *array = read_list(object, key, error);
  if (!array)
    return NULL;
  g_autoptr(GArray) ints = g_array_new(FALSE, FALSE, sizeof(int));
  for (guint i = 0; i < json_array_get_length(array); i++) {
    JsonNode *item = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_VALUE(item) || json_node_get_value_type(item) != G_TYPE_INT64 || json_node_get_int(item) < 0 ||
        json_node_get_int(item) > G_MAXINT) {
      complain(key, "a list of CPU numbers", error);
      return NULL;
    }
    const int cpu = (int)json_node_get_int(item);
    g_array_append_val(ints, cpu);
  }
  return g_steal_pointer(&ints);
}

static void read_measure(JsonObject *object, BhMeasure *measure, GError **error) {
  JsonNode *node = member(object, "measure", error);
  if (!node)
    return;
  if (!JSON_NODE_HOLDS_OBJECT(node)) {
    complain("measure", "an object", error);
    return;
  }
  if (!*error)
    bh_measure_from_json(json_node_get_object(node), measure, error);
}

static void read_request(JsonObject *object, BhWorkerRequest *request, GError **error) {
  request->workload_path = read_text(object, "workload", FALSE, error);
  request->backend_path = read_text(object, "backend", FALSE, error);
  request->param_names = read_strings(object, "param_names", error);
  request->param_values = read_strings(object, "param_values", error);
  request->option_names = read_strings(object, "option_names", error);
  request->option_values = read_strings(object, "option_values", error);
  g_auto(GStrv) given = read_strings(object, "given", error);
  for (char **name = given; name && *name; name++)
    g_hash_table_add(request->given, g_strdup(*name));
  request->variant = read_text(object, "variant", TRUE, error);
  read_measure(object, &request->measure, error);
  g_autofree char *seed = read_text(object, "seed", FALSE, error);
  if (seed && !g_ascii_string_to_unsigned(seed, 10, 0, G_MAXUINT64, &request->seed, NULL))
    complain("seed", "a number", error);
  request->data_dir = read_text(object, "data_dir", TRUE, error);
  request->scratch_dir = read_text(object, "scratch_dir", FALSE, error);
  request->cores = (guint)read_int(object, "cores", G_MAXUINT32, error);
  request->cpus_compact = read_ints(object, "cpus_compact", error);
  request->cpus_spread = read_ints(object, "cpus_spread", error);
  request->memory_bytes = (guint64)read_int(object, "memory_bytes", G_MAXINT64, error);
  if (*error)
    return;
  if (g_strv_length(request->param_names) != g_strv_length(request->param_values))
    complain("param_values", "as long as 'param_names'", error);
  else if (g_strv_length(request->option_names) != g_strv_length(request->option_values))
    complain("option_values", "as long as 'option_names'", error);
}

BhWorkerRequest *bh_worker_request_parse(const char *text, GError **error) {
  g_autoptr(GError) local = NULL;
  g_autoptr(JsonNode) root = json_from_string(text, &local);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
    g_set_error(error, BH_ERROR, BH_ERROR_INTERNAL,
                "the worker's request is not a JSON object%s%s (internal-worker is started by 'benchhost run' only)",
                local ? ": " : "", local ? local->message : "");
    return NULL;
  }
  g_autoptr(BhWorkerRequest) request = g_new0(BhWorkerRequest, 1);
  request->given = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  read_request(json_node_get_object(root), request, &local);
  if (local) {
    g_propagate_error(error, g_steal_pointer(&local));
    return NULL;
  }
  return g_steal_pointer(&request);
}
