/* SPDX-License-Identifier: MIT
 * Owns the JSON Schema of a matrix: its fixed parts as text, the settings from their table, the plugins from theirs. It
 * is looser than the parser where a schema cannot follow (expressions, names in patterns), and never stricter. */
#include "cli/matrix-schema.h"
#include "base/json.h"
#include "base/text.h"
#include "spec/measure.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define SET_PATTERN "\"^\\\\$[A-Za-z][A-Za-z0-9_-]*$\""
#define NUMBER_WITH(units) "\"^ *[+]?[0-9._eE+-]*[0-9](\\\\.)? *(" units ")? *$\""

/* What does not depend on plugins. Texts of numbers: ranges and expressions, or a set's name. */
static const char fixed_defs[] =
    "{\"set\":{\"type\":\"string\",\"pattern\":" SET_PATTERN ",\"description\":\"a named set\"},"
    "\"count\":{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\",\"pattern\":" NUMBER_WITH(
        "") "},{\"$ref\":\"#/$defs/set\"}]},"
            "\"share\":{\"anyOf\":[{\"type\":\"number\",\"minimum\":0,\"maximum\":0.5},"
            "{\"type\":\"string\",\"pattern\":" NUMBER_WITH(
                "%") "},{\"$ref\":\"#/$defs/set\"}]},"
                     "\"duration\":{\"anyOf\":[{\"type\":\"number\",\"minimum\":0},{\"type\":\"string\","
                     "\"pattern\":" NUMBER_WITH("ns|us|\302\265s|ms|s|min|m|h") "},{\"$ref\":\"#/$defs/set\"}]},"
                                                                                "\"size\":{\"anyOf\":[{\"type\":"
                                                                                "\"integer\",\"minimum\":0},{"
                                                                                "\"type\":\"string\","
                                                                                "\"pattern\":" NUMBER_WITH(
                                                                                    "B|[kK]B|KiB|MB|MiB|GB|GiB|TB|"
                                                                                    "TiB") "},{\"$ref\":\"#/$defs/"
                                                                                           "set\"}]},"
                                                                                           "\"computed\":{\"type\":"
                                                                                           "\"string\",\"pattern\":"
                                                                                           "\"^[-+*/"
                                                                                           "%(),.0-9A-Za-z_ "
                                                                                           "\302\265]*[0-9A-Za-z)] "
                                                                                           "*$\","
                                                                                           "\"description\":\"a "
                                                                                           "number with a unit, a "
                                                                                           "range (1..16 x2, 1..9 "
                                                                                           "+3) or an expression "
                                                                                           "(cores / 2)\"},"
                                                                                           "\"scalar\":{\"type\":["
                                                                                           "\"string\",\"number\","
                                                                                           "\"boolean\"]},"
                                                                                           "\"any\":{\"anyOf\":[{"
                                                                                           "\"$ref\":\"#/$defs/"
                                                                                           "scalar\"},{\"type\":"
                                                                                           "\"array\",\"minItems\":"
                                                                                           "1,\"items\":{\"anyOf\":"
                                                                                           "["
                                                                                           "{\"$ref\":\"#/$defs/"
                                                                                           "scalar\"},{\"type\":"
                                                                                           "\"array\",\"items\":{"
                                                                                           "\"$ref\":\"#/$defs/"
                                                                                           "scalar\"}}]}}]},"
                                                                                           "\"env\":{\"type\":"
                                                                                           "\"object\","
                                                                                           "\"propertyNames\":{"
                                                                                           "\"pattern\":\"^[A-Za-z_"
                                                                                           "][A-Za-z0-9_]*$\"},"
                                                                                           "\"additionalProperties"
                                                                                           "\":{\"type\":["
                                                                                           "\"string\",\"number\","
                                                                                           "\"boolean\",\"null\"]},"
                                                                                           "\"description\":"
                                                                                           "\"environment "
                                                                                           "variables for the "
                                                                                           "cell's process\"},"
                                                                                           "\"names\":{\"anyOf\":[{"
                                                                                           "\"type\":\"string\"},{"
                                                                                           "\"type\":\"array\","
                                                                                           "\"items\":{\"type\":"
                                                                                           "\"string\"}}]},"
                                                                                           "\"pattern\":{\"anyOf\":"
                                                                                           "[{\"$ref\":\"#/$defs/"
                                                                                           "set\"},{\"type\":"
                                                                                           "\"object\","
                                                                                           "\"minProperties\":1,"
                                                                                           "\"properties\":{"
                                                                                           "\"workload\":{\"$ref\":"
                                                                                           "\"#/$defs/"
                                                                                           "names\"},\"backend\":{"
                                                                                           "\"$ref\":\"#/$defs/"
                                                                                           "names\"}},"
                                                                                           "\"additionalProperties"
                                                                                           "\":{\"$ref\":\"#/$defs/"
                                                                                           "any\"}}],"
                                                                                           "\"description\":"
                                                                                           "\"cells that match all "
                                                                                           "keys: workload, "
                                                                                           "backend, variant, "
                                                                                           "parameters "
                                                                                           "(workload.n, "
                                                                                           "backend.n)\"},"
                                                                                           "\"zip\":{\"type\":"
                                                                                           "\"object\","
                                                                                           "\"minProperties\":1,"
                                                                                           "\"additionalProperties"
                                                                                           "\":{\"$ref\":\"#/$defs/"
                                                                                           "any\"}}}";

static const char fixed_properties[] =
    "{\"benchhost\":{\"enum\":[1,\"1\"],\"description\":\"version of this format\"},"
    "\"name\":{\"type\":[\"string\",\"number\",\"boolean\"],\"description\":\"for tables and files; default: the "
    "file's name\"},"
    "\"seed\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},{\"type\":\"string\"}],\"default\":1,"
    "\"description\":\"of the order of cells and of inputs\"},"
    "\"strict\":{\"type\":\"boolean\",\"default\":false,\"description\":\"skipped cells fail the run\"},"
    "\"measure\":{\"$ref\":\"#/$defs/suite-measure\"},\"limits\":{\"$ref\":\"#/$defs/limits\"},"
    "\"data\":{\"type\":\"string\",\"minLength\":1,\"description\":\"folder of input data, from the matrix's folder\"},"
    "\"env\":{\"$ref\":\"#/$defs/env\"},"
    "\"sets\":{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[A-Za-z][A-Za-z0-9_-]*$\"},"
    "\"description\":\"values to be used by name: $name\"},"
    "\"workloads\":{\"$ref\":\"#/$defs/workloads\",\"description\":\"what is done\"},"
    "\"backends\":{\"$ref\":\"#/$defs/backends\",\"description\":\"how it is done\"},"
    "\"baseline\":{\"anyOf\":[{\"type\":\"string\"},{\"$ref\":\"#/$defs/pattern\"}],"
    "\"description\":\"what others are compared with: a backend, or a pattern\"},"
    "\"exclude\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/pattern\"},\"description\":\"cells to drop\"},"
    "\"include\":{\"type\":\"array\",\"description\":\"cells to "
    "add\",\"items\":{\"anyOf\":[{\"$ref\":\"#/$defs/set\"},{\"type\":\"object\","
    "\"required\":[\"workload\",\"backend\"],\"additionalProperties\":false,\"properties\":{"
    "\"workload\":{\"anyOf\":[{\"$ref\":\"#/$defs/workload\"},{\"$ref\":\"#/$defs/workloads\"}]},"
    "\"backend\":{\"anyOf\":[{\"$ref\":\"#/$defs/backend\"},{\"$ref\":\"#/$defs/backends\"}]}}}]}},"
    "\"overrides\":{\"type\":\"array\",\"description\":\"settings for some cells; later ones "
    "win\",\"items\":{\"anyOf\":["
    "{\"$ref\":\"#/$defs/"
    "set\"},{\"type\":\"object\",\"required\":[\"match\"],\"minProperties\":2,\"additionalProperties\":false,"
    "\"properties\":{\"match\":{\"$ref\":\"#/$defs/pattern\"},\"measure\":{\"$ref\":\"#/$defs/measure\"},"
    "\"limits\":{\"$ref\":\"#/$defs/limits\"},\"env\":{\"$ref\":\"#/$defs/env\"}}}]}}}";

static JsonObject *from_text(const char *text) {
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = json_from_string(text, &error);
  if (!node)
    g_error("schema: %s", error->message);
  return json_object_ref(json_node_get_object(node));
}

static JsonObject *reference(const char *name) {
  JsonObject *object = json_object_new();
  g_autofree char *path = g_strconcat("#/$defs/", name, NULL);
  json_object_set_string_member(object, "$ref", path);
  return object;
}

static JsonObject *any_of(JsonObject *a, JsonObject *b) {
  JsonObject *object = json_object_new();
  JsonArray *choices = json_array_new();
  json_array_add_object_element(choices, a);
  json_array_add_object_element(choices, b);
  json_object_set_array_member(object, "anyOf", choices);
  return object;
}

static JsonObject *typed(const char *type) {
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "type", type);
  return object;
}

static JsonObject *list_of(JsonObject *item) {
  JsonObject *object = typed("array");
  json_object_set_int_member(object, "minItems", 1);
  json_object_set_object_member(object, "items", item);
  return object;
}

/* ---- settings ---- */

static JsonObject *settings(const char *section, gboolean suite) {
  static const char *const types[] = {NULL, "share", "count", "duration", "size", "scalar"};
  JsonObject *object = typed("object"), *properties = json_object_new();
  for (const BhMeasureKey *key = bh_measure_keys; key->name; key++) {
    if (strcmp(key->section, section) || (key->suite_only && !suite))
      continue;
    JsonObject *property = reference(types[key->type]);
    json_object_set_string_member(property, "description", key->help);
    json_object_set_string_member(property, "default", key->fallback);
    json_object_set_object_member(properties, key->name, property);
  }
  json_object_set_object_member(object, "properties", properties);
  json_object_set_boolean_member(object, "additionalProperties", FALSE);
  return any_of(object, reference("set"));
}

/* ---- parameters ---- */

static void set_limits(JsonObject *number, const BhParam *param) {
  if (param->min == 0 && param->max == 0)
    return;
  if (param->min > -BH_UNBOUNDED)
    json_object_set_double_member(number, "minimum", param->min);
  if (param->max < BH_UNBOUNDED)
    json_object_set_double_member(number, "maximum", param->max);
}

static JsonObject *one_value(const BhParam *param) {
  JsonObject *object;
  switch (param->type) {
  case BH_BOOL:
    return any_of(typed("boolean"), reference("set"));
  case BH_CHOICE: {
    JsonArray *choices = json_array_new();
    for (char **choice = param->choices; choice && *choice; choice++)
      json_array_add_string_element(choices, *choice);
    object = json_object_new();
    json_object_set_array_member(object, "enum", choices);
    return any_of(object, reference("set"));
  }
  case BH_TEXT:
  case BH_WORDS:
    return reference("scalar");
  default:
    object = typed(param->type == BH_INT || param->type == BH_SIZE ? "integer" : "number");
    if (param->type != BH_DURATION) /* a bare number is seconds, the limits are ns */
      set_limits(object, param);
    return any_of(object, any_of(reference("computed"), reference("set")));
  }
}

static char *description(const BhParam *param) {
  GString *text = g_string_new(bh_type_name(param->type));
  if (param->unit)
    g_string_append_printf(text, ", %s", param->unit);
  if (param->help)
    g_string_append_printf(text, ": %s", param->help);
  if (!param->fallback)
    g_string_append(text, " (must be given)");
  return g_string_free(text, FALSE);
}

static JsonObject *parameter(const BhParam *param) {
  JsonObject *item = one_value(param);
  if (param->type == BH_WORDS)
    item = any_of(item, list_of(reference("scalar")));
  JsonObject *object = any_of(one_value(param), list_of(item));
  g_autofree char *text = description(param);
  json_object_set_string_member(object, "description", text);
  if (param->fallback)
    json_object_set_string_member(object, "default", param->fallback);
  return object;
}

/* ---- entries ---- */

static void set_entry_keys(JsonObject *properties, gboolean workload) {
  if (workload) {
    JsonObject *variant = reference("any");
    json_object_set_string_member(variant, "description",
                                  "which of the workload's codes runs; never replaced silently");
    json_object_set_string_member(variant, "default", "portable");
    json_object_set_object_member(properties, "variant", variant);
  }
  JsonObject *zip = any_of(reference("zip"), list_of(reference("zip")));
  json_object_set_string_member(zip, "description", "groups of parameters that advance together, not as a product");
  json_object_set_object_member(properties, "zip", zip);
  json_object_set_object_member(properties, "measure", reference("measure"));
  json_object_set_object_member(properties, "limits", reference("limits"));
  json_object_set_object_member(properties, "env", reference("env"));
}

/* `plugin` NULL: one that the schema does not know. */
static JsonObject *plugin_settings(const BhPlugin *plugin, gboolean workload) {
  JsonObject *object = json_object_new(), *properties = json_object_new();
  JsonArray *types = json_array_new();
  json_array_add_string_element(types, "object");
  json_array_add_string_element(types, "null");
  json_object_set_array_member(object, "type", types);
  set_entry_keys(properties, workload);
  for (guint i = 0; plugin && i < plugin->params->len; i++) {
    const BhParam *param = plugin->params->pdata[i];
    json_object_set_object_member(properties, param->name, parameter(param));
  }
  json_object_set_object_member(object, "properties", properties);
  if (plugin) {
    json_object_set_boolean_member(object, "additionalProperties", FALSE);
    if (plugin->summary)
      json_object_set_string_member(object, "description", plugin->summary);
  } else {
    json_object_set_object_member(object, "additionalProperties", reference("any"));
  }
  return object;
}

/* NAME, or NAME: {...}; plugins by path are not known. */
static JsonObject *entry(const GPtrArray *plugins, gboolean workload) {
  JsonObject *name = typed("string"), *map = typed("object"), *properties = json_object_new();
  if (plugins) {
    JsonArray *names = json_array_new();
    JsonObject *known = json_object_new(), *others = json_object_new();
    for (guint i = 0; i < plugins->len; i++) {
      const BhPlugin *plugin = plugins->pdata[i];
      if ((plugin->kind == BH_PLUGIN_WORKLOAD) != workload)
        continue;
      json_array_add_string_element(names, plugin->name);
      json_object_set_object_member(properties, plugin->name, plugin_settings(plugin, workload));
    }
    json_object_set_array_member(known, "enum", names);
    json_object_unref(name);
    name = typed("string");
    json_object_set_string_member(name, "pattern", "/|^\\$[A-Za-z][A-Za-z0-9_-]*$");
    name = any_of(known, name);
    json_object_set_object_member(others, "/", plugin_settings(NULL, workload));
    json_object_set_object_member(map, "patternProperties", others);
    json_object_set_boolean_member(map, "additionalProperties", FALSE);
  } else {
    json_object_set_object_member(map, "additionalProperties", plugin_settings(NULL, workload));
  }
  json_object_set_object_member(map, "properties", properties);
  json_object_set_int_member(map, "minProperties", 1);
  json_object_set_int_member(map, "maxProperties", 1);
  return any_of(name, map);
}

char *bh_matrix_schema(const GPtrArray *plugins) {
  JsonObject *root = json_object_new(), *defs = from_text(fixed_defs);
  JsonArray *required = json_array_new();
  json_object_set_string_member(root, "$schema", "https://json-schema.org/draft/2020-12/schema");
  json_object_set_string_member(root, "title", "benchhost matrix");
  json_object_set_string_member(root, "description",
                                plugins ? "A matrix for the plugins that were found when this was made."
                                        : "A matrix; plugins and their parameters are not known here: "
                                          "see 'benchhost schema'.");
  json_object_set_string_member(root, "type", "object");
  json_array_add_string_element(required, "benchhost");
  json_array_add_string_element(required, "workloads");
  json_array_add_string_element(required, "backends");
  json_object_set_array_member(root, "required", required);
  json_object_set_boolean_member(root, "additionalProperties", FALSE);
  json_object_set_object_member(root, "properties", from_text(fixed_properties));
  json_object_set_object_member(defs, "suite-measure", settings("measure", TRUE));
  json_object_set_object_member(defs, "measure", settings("measure", FALSE));
  json_object_set_object_member(defs, "limits", settings("limits", FALSE));
  json_object_set_object_member(defs, "workload", entry(plugins, TRUE));
  json_object_set_object_member(defs, "backend", entry(plugins, FALSE));
  json_object_set_object_member(defs, "workloads", any_of(list_of(reference("workload")), reference("set")));
  json_object_set_object_member(defs, "backends", any_of(list_of(reference("backend")), reference("set")));
  json_object_set_object_member(root, "$defs", defs);
  g_autoptr(JsonNode) node = json_node_alloc();
  json_node_init_object(node, root);
  json_object_unref(root);
  return bh_json_text(node, TRUE);
}
