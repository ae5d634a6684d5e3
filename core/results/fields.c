/* SPDX-License-Identifier: MIT
 * Owns looking into a journal's JSON objects without trusting their types. */
#include "results/fields.h"
#include "base/text.h"

#include <math.h>

static JsonNode *value_of(JsonObject *object, const char *key) {
  JsonNode *node = object ? json_object_get_member(object, key) : NULL;
  return node && JSON_NODE_HOLDS_VALUE(node) ? node : NULL;
}

gboolean bh_fields_number(JsonObject *object, const char *key, double *ret) {
  JsonNode *node = value_of(object, key);
  const GType type = node ? json_node_get_value_type(node) : G_TYPE_INVALID;
  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
    return FALSE;
  const double number = json_node_get_double(node);
  if (!isfinite(number))
    return FALSE;
  *ret = number;
  return TRUE;
}

gboolean bh_fields_int(JsonObject *object, const char *key, gint64 *ret) {
  JsonNode *node = value_of(object, key);
  double number;
  if (node && json_node_get_value_type(node) == G_TYPE_INT64) {
    *ret = json_node_get_int(node);
    return TRUE;
  }
  if (!bh_fields_number(object, key, &number) || number != floor(number) || fabs(number) > 9e15)
    return FALSE;
  *ret = (gint64)number;
  return TRUE;
}

const char *bh_fields_string(JsonObject *object, const char *key) {
  JsonNode *node = value_of(object, key);
  return node && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node) : NULL;
}

JsonObject *bh_fields_object(JsonObject *object, const char *key) {
  JsonNode *node = object ? json_object_get_member(object, key) : NULL;
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonArray *bh_fields_array(JsonObject *object, const char *key) {
  JsonNode *node = object ? json_object_get_member(object, key) : NULL;
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

gboolean bh_fields_true(JsonObject *object, const char *key) {
  JsonNode *node = value_of(object, key);
  return node && json_node_get_value_type(node) == G_TYPE_BOOLEAN && json_node_get_boolean(node);
}

static char *list_text(JsonArray *list) {
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < json_array_get_length(list); i++) {
    JsonNode *node = json_array_get_element(list, i);
    g_autofree char *item = JSON_NODE_HOLDS_VALUE(node) ? bh_fields_text(node) : g_strdup("...");
    g_string_append_printf(text, "%s%s", i ? " " : "", item);
  }
  return g_string_free(text, FALSE);
}

char *bh_fields_text(JsonNode *node) {
  if (node && JSON_NODE_HOLDS_ARRAY(node))
    return list_text(json_node_get_array(node));
  if (node && JSON_NODE_HOLDS_OBJECT(node))
    return g_strdup("{...}");
  if (!node || !JSON_NODE_HOLDS_VALUE(node))
    return g_strdup("-");
  switch (json_node_get_value_type(node)) {
  case G_TYPE_BOOLEAN:
    return g_strdup(json_node_get_boolean(node) ? "true" : "false");
  case G_TYPE_INT64:
    return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
  case G_TYPE_DOUBLE:
    return bh_text_double(json_node_get_double(node));
  default:
    return g_strdup(json_node_get_string(node));
  }
}
