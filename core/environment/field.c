/* SPDX-License-Identifier: MIT
 * Owns the form of a field: three states, text in valid UTF-8. */
#include "environment/field.h"

static void add(JsonObject *record, const char *name, const char *state, JsonNode *value, const char *note) {
  JsonObject *field = json_object_new();
  json_object_set_string_member(field, "state", state);
  json_object_set_member(field, "value", value ? value : json_node_new(JSON_NODE_NULL));
  if (note)
    json_object_set_string_member(field, "note", note);
  else
    json_object_set_null_member(field, "note");
  json_object_set_object_member(record, name, field);
}

void bh_field_node(JsonObject *record, const char *name, JsonNode *value, const char *bad) {
  add(record, name, bad ? "bad" : "ok", value, bad);
}

void bh_field_none(JsonObject *record, const char *name, const char *none) {
  add(record, name, "unavailable", NULL, none);
}

void bh_field_text(JsonObject *record, const char *name, const char *text, const char *bad, const char *none) {
  g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
  if (valid)
    bh_field_node(record, name, json_node_init_string(json_node_alloc(), valid), bad);
  else
    bh_field_none(record, name, none);
}

void bh_field_int(JsonObject *record, const char *name, gint64 value, const char *bad) {
  bh_field_node(record, name, json_node_init_int(json_node_alloc(), value), bad);
}

void bh_field_double(JsonObject *record, const char *name, double value, const char *bad) {
  bh_field_node(record, name, json_node_init_double(json_node_alloc(), value), bad);
}

void bh_field_texts(JsonObject *record, const char *name, const char *const *texts, const char *bad) {
  JsonArray *array = json_array_new();
  for (; texts && *texts; texts++) {
    g_autofree char *valid = g_utf8_make_valid(*texts, -1);
    json_array_add_string_element(array, valid);
  }
  const gboolean some = json_array_get_length(array) > 0;
  JsonNode *node = json_node_init_array(json_node_alloc(), array);
  json_array_unref(array);
  bh_field_node(record, name, node, some ? bad : NULL);
}
