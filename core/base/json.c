/* SPDX-License-Identifier: MIT
 * Owns turning a JSON tree into text that every parser takes, and what is null in one. */
#include "base/json.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

typedef struct {
  GString *out;
  gboolean indented;
  guint depth;
} Writer;

static void put_node(Writer *writer, JsonNode *node);

static void put_break(Writer *writer) {
  if (writer->indented)
    g_string_append_printf(writer->out, "\n%*s", (int)writer->depth * 2, "");
}

static void put_string(GString *out, const char *text) {
  g_autofree char *valid = g_utf8_validate(text, -1, NULL) ? NULL : g_utf8_make_valid(text, -1);
  g_string_append_c(out, '"');
  for (const char *at = valid ? valid : text; *at; at++) {
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = strchr(named, *at);
    if (found)
      g_string_append_printf(out, "\\%c", letters[found - named]);
    else if ((guchar)*at < 0x20 || *at == 0x7f)
      g_string_append_printf(out, "\\u%04x", (guint)(guchar)*at);
    else
      g_string_append_c(out, *at);
  }
  g_string_append_c(out, '"');
}

static void put_value(Writer *writer, JsonNode *node) {
  const GType type = json_node_get_value_type(node);
  if (type == G_TYPE_STRING) {
    put_string(writer->out, json_node_get_string(node));
  } else if (type == G_TYPE_BOOLEAN) {
    g_string_append(writer->out, json_node_get_boolean(node) ? "true" : "false");
  } else if (type == G_TYPE_DOUBLE) {
    const double number = json_node_get_double(node);
    g_autofree char *text = isfinite(number) ? bh_text_double(number) : g_strdup("null");
    g_string_append(writer->out, text);
  } else {
    g_string_append_printf(writer->out, "%" G_GINT64_FORMAT, json_node_get_int(node));
  }
}

static void put_array(Writer *writer, JsonArray *array) {
  const guint n = json_array_get_length(array);
  g_string_append_c(writer->out, '[');
  /* Lists of scalars stay on one line: samples. */
  gboolean flat = TRUE;
  for (guint i = 0; i < n; i++)
    flat &= !JSON_NODE_HOLDS_OBJECT(json_array_get_element(array, i)) &&
            !JSON_NODE_HOLDS_ARRAY(json_array_get_element(array, i));
  writer->depth++;
  for (guint i = 0; i < n; i++) {
    if (i > 0)
      g_string_append(writer->out, flat && writer->indented ? ", " : ",");
    if (!flat)
      put_break(writer);
    put_node(writer, json_array_get_element(array, i));
  }
  writer->depth--;
  if (!flat && n > 0)
    put_break(writer);
  g_string_append_c(writer->out, ']');
}

static void put_object(Writer *writer, JsonObject *object) {
  JsonObjectIter iter;
  const char *name;
  JsonNode *member;
  gboolean any = FALSE;
  g_string_append_c(writer->out, '{');
  writer->depth++;
  json_object_iter_init_ordered(&iter, object);
  while (json_object_iter_next_ordered(&iter, &name, &member)) {
    if (any)
      g_string_append_c(writer->out, ',');
    any = TRUE;
    put_break(writer);
    put_string(writer->out, name);
    g_string_append(writer->out, writer->indented ? ": " : ":");
    put_node(writer, member);
  }
  writer->depth--;
  if (any)
    put_break(writer);
  g_string_append_c(writer->out, '}');
}

static void put_node(Writer *writer, JsonNode *node) {
  if (JSON_NODE_HOLDS_OBJECT(node))
    put_object(writer, json_node_get_object(node));
  else if (JSON_NODE_HOLDS_ARRAY(node))
    put_array(writer, json_node_get_array(node));
  else if (JSON_NODE_HOLDS_VALUE(node))
    put_value(writer, node);
  else
    g_string_append(writer->out, "null");
}

char *bh_json_text(JsonNode *node, gboolean indented) {
  Writer writer = {.out = g_string_new(NULL), .indented = indented};
  put_node(&writer, node);
  if (indented)
    g_string_append_c(writer.out, '\n');
  return g_string_free(writer.out, FALSE);
}

char *bh_json_put_out(JsonNode *root) {
  char *text = bh_json_text(root, TRUE);
  json_node_unref(root);
  return text;
}

void bh_json_put_number(JsonObject *object, const char *key, gboolean exists, double number) {
  if (exists && isfinite(number))
    json_object_set_double_member(object, key, number);
  else
    json_object_set_null_member(object, key);
}

void bh_json_put_interval(JsonObject *object, const char *key, gboolean exists, double low, double high) {
  if (!exists || !isfinite(low) || !isfinite(high)) {
    json_object_set_null_member(object, key);
    return;
  }
  JsonArray *interval = json_array_sized_new(2);
  json_array_add_double_element(interval, low);
  json_array_add_double_element(interval, high);
  json_object_set_array_member(object, key, interval);
}

void bh_json_put_text(JsonObject *object, const char *key, const char *text) {
  g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
  if (valid)
    json_object_set_string_member(object, key, valid);
  else
    json_object_set_null_member(object, key);
}
