/* SPDX-License-Identifier: MIT
 * Owns BhPlugin, what the host knows of a plugin, and its JSON form: the probing child's answer and `describe --json`.
 */
#include "base/json.h"
#include "plugin/catalog.h"

#include <math.h>
#include <string.h>

/* The JSON's words, indexed by bh_type. */
static const char *const type_words[] = {"", "bool", "int", "real", "size", "duration", "text", "choice", "words"};

const char *bh_plugin_kind_name(BhPluginKind kind) {
  return kind == BH_PLUGIN_WORKLOAD ? "workload" : kind == BH_PLUGIN_BACKEND ? "backend" : "plugin";
}

void bh_plugin_free(BhPlugin *plugin) {
  if (!plugin)
    return;
  g_free(plugin->name);
  g_free(plugin->path);
  g_free(plugin->version);
  g_free(plugin->summary);
  g_free(plugin->build_id);
  g_free(plugin->target);
  g_clear_pointer(&plugin->params, g_ptr_array_unref);
  g_free(plugin->reason);
  g_strfreev(plugin->libraries);
  g_strfreev(plugin->loaded);
  g_free(plugin->compiler);
  g_free(plugin);
}

const BhParam *bh_plugin_param(const BhPlugin *plugin, const char *name, guint *ret_index) {
  for (guint i = 0; i < plugin->params->len; i++) {
    const BhParam *param = g_ptr_array_index(plugin->params, i);
    if (strcmp(param->name, name) != 0)
      continue;
    if (ret_index)
      *ret_index = i;
    return param;
  }
  return NULL;
}

static void set_texts(JsonObject *object, const char *key, char **texts) {
  if (!texts) {
    json_object_set_null_member(object, key);
    return;
  }
  JsonArray *array = json_array_new();
  for (char **text = texts; *text; text++)
    json_array_add_string_element(array, *text);
  json_object_set_array_member(object, key, array);
}

static void set_limit(JsonObject *object, const char *key, const BhParam *param, double limit) {
  const gboolean none = (param->min == 0 && param->max == 0) || fabs(limit) >= BH_UNBOUNDED;
  if (none)
    json_object_set_null_member(object, key);
  else
    json_object_set_double_member(object, key, limit);
}

static JsonObject *param_to_json(const BhParam *param) {
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "name", param->name);
  json_object_set_string_member(object, "type", type_words[param->type]);
  bh_json_put_text(object, "default", param->fallback);
  set_texts(object, "choices", param->choices);
  bh_json_put_text(object, "unit", param->unit);
  bh_json_put_text(object, "help", param->help);
  set_limit(object, "min", param, param->min);
  set_limit(object, "max", param, param->max);
  bh_json_put_text(object, "env", param->env);
  set_texts(object, "env_values", param->env_values);
  return object;
}

void bh_plugin_put_identity(JsonObject *object, const BhPlugin *plugin) {
  bh_json_put_text(object, "name", plugin->name);
  bh_json_put_text(object, "kind", bh_plugin_kind_name(plugin->kind));
  bh_json_put_text(object, "path", plugin->path);
  bh_json_put_text(object, "version", plugin->version);
  bh_json_put_text(object, "build_id", plugin->build_id);
}

JsonNode *bh_plugin_to_json(const BhPlugin *plugin) {
  JsonObject *object = json_object_new();
  bh_plugin_put_identity(object, plugin);
  bh_json_put_text(object, "summary", plugin->summary);
  bh_json_put_text(object, "target", plugin->target);
  json_object_set_boolean_member(object, "runnable", plugin->runnable);
  bh_json_put_text(object, "reason", plugin->reason);
  set_texts(object, "libraries", plugin->libraries);
  set_texts(object, "loaded", plugin->loaded);
  bh_json_put_text(object, "compiler", plugin->compiler);
  JsonArray *params = json_array_new();
  for (guint i = 0; i < plugin->params->len; i++)
    json_array_add_object_element(params, param_to_json(g_ptr_array_index(plugin->params, i)));
  json_object_set_array_member(object, "params", params);
  JsonNode *node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, object);
  return node;
}

/* A text member, or NULL when it is absent, null or of another type. */
static char *get_text(JsonObject *object, const char *key) {
  JsonNode *node = json_object_get_member(object, key);
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
    return NULL;
  return json_node_dup_string(node);
}

static char **get_texts(JsonObject *object, const char *key) {
  JsonNode *node = json_object_get_member(object, key);
  if (!node || !JSON_NODE_HOLDS_ARRAY(node))
    return NULL;
  JsonArray *array = json_node_get_array(node);
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < json_array_get_length(array); i++) {
    JsonNode *element = json_array_get_element(array, i);
    if (!JSON_NODE_HOLDS_VALUE(element) || json_node_get_value_type(element) != G_TYPE_STRING)
      return NULL;
    g_ptr_array_add(texts, json_node_dup_string(element));
  }
  g_ptr_array_add(texts, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&texts), FALSE);
}

/* NaN when there is none. */
static double get_limit(JsonObject *object, const char *key) {
  JsonNode *node = json_object_get_member(object, key);
  if (!node || !JSON_NODE_HOLDS_VALUE(node))
    return NAN;
  const GType type = json_node_get_value_type(node);
  return type == G_TYPE_DOUBLE || type == G_TYPE_INT64 ? json_node_get_double(node) : NAN;
}

static BhParam *param_from_json(JsonNode *node, GError **error) {
  if (!JSON_NODE_HOLDS_OBJECT(node)) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "a parameter is not an object");
    return NULL;
  }
  JsonObject *object = json_node_get_object(node);
  g_autoptr(BhParam) param = g_new0(BhParam, 1);
  param->name = get_text(object, "name");
  g_autofree char *type = get_text(object, "type");
  for (guint i = 1; type && i < G_N_ELEMENTS(type_words); i++)
    if (!strcmp(type, type_words[i]))
      param->type = (bh_type)i;
  param->fallback = get_text(object, "default");
  param->choices = get_texts(object, "choices");
  param->unit = get_text(object, "unit");
  param->help = get_text(object, "help");
  param->env = get_text(object, "env");
  param->env_values = get_texts(object, "env_values");
  const double min = get_limit(object, "min"), max = get_limit(object, "max");
  if (!isnan(min) || !isnan(max)) {
    param->min = isnan(min) ? -BH_UNBOUNDED : min;
    param->max = isnan(max) ? BH_UNBOUNDED : max;
  }
  if (!param->name || !param->type || (param->type == BH_CHOICE && !param->choices)) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "a parameter lacks its name, type or choices");
    return NULL;
  }
  return g_steal_pointer(&param);
}

BhPlugin *bh_plugin_from_json(JsonNode *node, GError **error) {
  if (!node || !JSON_NODE_HOLDS_OBJECT(node)) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "a plugin's description is not a JSON object");
    return NULL;
  }
  JsonObject *object = json_node_get_object(node);
  g_autoptr(BhPlugin) plugin = g_new0(BhPlugin, 1);
  plugin->params = g_ptr_array_new_with_free_func((GDestroyNotify)bh_param_free);
  plugin->name = get_text(object, "name");
  plugin->path = get_text(object, "path");
  plugin->version = get_text(object, "version");
  plugin->summary = get_text(object, "summary");
  plugin->build_id = get_text(object, "build_id");
  plugin->target = get_text(object, "target");
  plugin->reason = get_text(object, "reason");
  plugin->libraries = get_texts(object, "libraries");
  plugin->loaded = get_texts(object, "loaded");
  plugin->compiler = get_text(object, "compiler");
  plugin->runnable = json_object_get_boolean_member_with_default(object, "runnable", FALSE);
  g_autofree char *kind = get_text(object, "kind");
  if (!g_strcmp0(kind, "workload"))
    plugin->kind = BH_PLUGIN_WORKLOAD;
  else if (!g_strcmp0(kind, "backend"))
    plugin->kind = BH_PLUGIN_BACKEND;
  JsonNode *params = json_object_get_member(object, "params");
  if (!plugin->name || !plugin->path || !plugin->kind || !params || !JSON_NODE_HOLDS_ARRAY(params)) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "a plugin's description lacks its name, path, kind or params");
    return NULL;
  }
  JsonArray *array = json_node_get_array(params);
  for (guint i = 0; i < json_array_get_length(array); i++) {
    BhParam *param = param_from_json(json_array_get_element(array, i), error);
    if (!param)
      return NULL;
    g_ptr_array_add(plugin->params, param);
  }
  return g_steal_pointer(&plugin);
}
