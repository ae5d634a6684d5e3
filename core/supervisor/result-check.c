/* SPDX-License-Identifier: MIT
 * Owns the rules that a worker's result must keep before it may enter the journal. A plugin runs in the worker and may
 * have damaged anything there; what readers downstream rely on is checked here, once. */
#include "supervisor/cell-line.h"

#include "results/results.h"

#include <math.h>
#include <string.h>

typedef enum { INT, NUMBER, TEXT, OBJECT, ARRAY, NUMBERS_BY_NAME, TEXTS_BY_NAME, TEXTS } Kind;

typedef struct {
  const char *key;
  Kind kind;
  gboolean nullable; /* null is allowed; a missing key always is */
} Rule;

static const Rule rules[] = {
    {"status", TEXT, FALSE},         {"reason", TEXT, TRUE},
    {"variant", TEXT, FALSE},        {"primary_reason", TEXT, TRUE},
    {"steady", OBJECT, TRUE},        {"total", OBJECT, TRUE},
    {"cold_ns", NUMBER, TRUE},       {"phases_ns", NUMBERS_BY_NAME, TRUE},
    {"worker_phases", OBJECT, TRUE}, {"throughput", NUMBERS_BY_NAME, TRUE},
    {"cost", OBJECT, TRUE},          {"cpu", OBJECT, TRUE},
    {"samples", OBJECT, TRUE},       {"flagged", OBJECT, TRUE},
    {"counters", OBJECT, TRUE},      {"process_peak_bytes", INT, TRUE},
    {"metrics", OBJECT, TRUE},       {"facts", TEXTS_BY_NAME, TRUE},
    {"workers", INT, TRUE},          {"placement", ARRAY, TRUE},
    {"footprint_bytes", INT, TRUE},  {"flags", TEXTS, TRUE},
    {"kernels", ARRAY, TRUE},        {"log", TEXTS, TRUE},
    {"cold_phases", OBJECT, TRUE},
};

static gboolean is_number(JsonNode *node) {
  const GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
  return type == G_TYPE_INT64 || type == G_TYPE_DOUBLE;
}

static gboolean is_text(JsonNode *node) {
  return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
}

static gboolean is_number_or_null(JsonNode *node) {
  return JSON_NODE_HOLDS_NULL(node) || is_number(node);
}

/* NULL may stand for a number that does not exist. */
static gboolean all_members(JsonNode *node, gboolean (*fits)(JsonNode *), gboolean null_too) {
  if (!JSON_NODE_HOLDS_OBJECT(node))
    return FALSE;
  JsonObjectIter iter;
  JsonNode *value;
  json_object_iter_init(&iter, json_node_get_object(node));
  while (json_object_iter_next(&iter, NULL, &value))
    if (!fits(value) && !(null_too && JSON_NODE_HOLDS_NULL(value)))
      return FALSE;
  return TRUE;
}

static gboolean all_elements(JsonNode *node, gboolean (*fits)(JsonNode *)) {
  if (!JSON_NODE_HOLDS_ARRAY(node))
    return FALSE;
  JsonArray *array = json_node_get_array(node);
  for (guint i = 0; i < json_array_get_length(array); i++)
    if (!fits(json_array_get_element(array, i)))
      return FALSE;
  return TRUE;
}

/* NULL: it fits; else what it should be. */
static const char *misfit(JsonNode *node, Kind kind) {
  switch (kind) {
  case INT:
    return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_INT64 ? NULL : "an integer";
  case NUMBER:
    return is_number(node) ? NULL : "a number";
  case TEXT:
    return is_text(node) ? NULL : "a text";
  case OBJECT:
    return JSON_NODE_HOLDS_OBJECT(node) ? NULL : "an object";
  case ARRAY:
    return JSON_NODE_HOLDS_ARRAY(node) ? NULL : "a list";
  case NUMBERS_BY_NAME:
    return all_members(node, is_number, TRUE) ? NULL : "an object of numbers";
  case TEXTS_BY_NAME:
    return all_members(node, is_text, TRUE) ? NULL : "an object of texts";
  case TEXTS:
    return all_elements(node, is_text) ? NULL : "a list of texts";
  }
  return "known";
}

/* The parser reads 1e999 as infinity. */
static gboolean all_finite(JsonNode *node) {
  if (JSON_NODE_HOLDS_OBJECT(node)) {
    JsonObjectIter iter;
    JsonNode *value;
    json_object_iter_init(&iter, json_node_get_object(node));
    while (json_object_iter_next(&iter, NULL, &value))
      if (!all_finite(value))
        return FALSE;
  } else if (JSON_NODE_HOLDS_ARRAY(node)) {
    JsonArray *array = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(array); i++)
      if (!all_finite(json_array_get_element(array, i)))
        return FALSE;
  } else if (is_number(node)) {
    return isfinite(json_node_get_double(node));
  }
  return TRUE;
}

static char *check_time(JsonObject *figures, const char *name, const char *key) {
  JsonNode *node = json_object_get_member(figures, key);
  if (!node || !is_number(node) || json_node_get_double(node) < 0)
    return g_strdup_printf("'%s.%s' must be a number, not below 0", name, key);
  return NULL;
}

static char *check_times(JsonObject *figures, const char *name) {
  const char *const keys[] = {"median_ns", "min_ns", "p95_ns"};
  for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
    char *wrong = check_time(figures, name, keys[i]);
    if (wrong)
      return wrong;
  }
  JsonNode *ci = json_object_get_member(figures, "ci_ns");
  if (ci && !JSON_NODE_HOLDS_NULL(ci) &&
      (!all_elements(ci, is_number) || json_array_get_length(json_node_get_array(ci)) != 2))
    return g_strdup_printf("'%s.ci_ns' must be two numbers or null", name);
  return NULL;
}

/* `steady` or `total` of a cell that is ok. */
static char *check_figures(JsonObject *result, const char *name) {
  JsonNode *node = json_object_get_member(result, name);
  if (!node || !JSON_NODE_HOLDS_OBJECT(node))
    return g_strdup_printf("'%s' must be there when the status is ok", name);
  JsonObject *figures = json_node_get_object(node);
  char *wrong = check_times(figures, name);
  if (wrong)
    return wrong;
  JsonNode *samples = json_object_get_member(figures, "samples_ns");
  if (!samples || !all_elements(samples, is_number) || !json_array_get_length(json_node_get_array(samples)))
    return g_strdup_printf("'%s.samples_ns' must be a list of numbers, at least one", name);
  JsonArray *array = json_node_get_array(samples);
  for (guint i = 0; i < json_array_get_length(array); i++)
    if (json_array_get_double_element(array, i) < 0)
      return g_strdup_printf("'%s.samples_ns' must hold no time below 0", name);
  JsonNode *n = json_object_get_member(figures, "n");
  if (n && (!is_number(n) || json_node_get_int(n) != json_array_get_length(array)))
    return g_strdup_printf("'%s.n' must be the number of samples", name);
  return NULL;
}

static gboolean is_there(JsonObject *object, const char *key) {
  JsonNode *node = json_object_get_member(object, key);
  return node && !JSON_NODE_HOLDS_NULL(node);
}

/* Either why it is unavailable, or figures. */
static char *check_counter(const char *name, JsonNode *node) {
  JsonObject *counter = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
  JsonNode *why = counter ? json_object_get_member(counter, "unavailable") : NULL;
  if (why && is_text(why) && json_object_get_size(counter) == 1)
    return NULL;
  const char *const numbers[] = {"median", "min", "max"};
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
    JsonNode *value = counter ? json_object_get_member(counter, numbers[i]) : NULL;
    if (!value || !is_number(value) || json_node_get_double(value) < 0)
      return g_strdup_printf("'counters.%s' must have '%s', not below 0, or only 'unavailable', a text", name,
                             numbers[i]);
  }
  return NULL;
}

/* What was observed beside the time. */
static char *check_observed(JsonObject *result) {
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  JsonObject *cpu = is_there(result, "cpu") ? json_object_get_object_member(result, "cpu") : NULL;
  JsonNode *why = cpu ? json_object_get_member(cpu, "unavailable") : NULL;
  char *wrong = cpu && !(why && is_text(why)) ? check_times(cpu, "cpu") : NULL;
  if (is_there(result, "samples")) {
    json_object_iter_init(&iter, json_object_get_object_member(result, "samples"));
    while (!wrong && json_object_iter_next(&iter, &name, &node))
      if (!all_elements(node, is_number_or_null))
        wrong = g_strdup_printf("'samples.%s' must be a list of numbers", name);
  }
  if (is_there(result, "counters")) {
    json_object_iter_init(&iter, json_object_get_object_member(result, "counters"));
    while (!wrong && json_object_iter_next(&iter, &name, &node))
      wrong = check_counter(name, node);
  }
  node = is_there(result, "flagged") ? json_object_get_member(json_object_get_object_member(result, "flagged"), "share")
                                     : NULL;
  if (!wrong && node && (!is_number(node) || json_node_get_double(node) < 0 || json_node_get_double(node) > 1))
    wrong = g_strdup("'flagged.share' must be a number from 0 to 1");
  return wrong;
}

/* Whatever the status: readers refuse a line with others. */
static gboolean is_cost(JsonObject *result) {
  JsonObject *cost = is_there(result, "cost") ? json_object_get_object_member(result, "cost") : NULL;
  static const char *const figures[] = {"items", "flops", "bytes_read", "bytes_written"};
  double sum = 0;
  for (guint i = 0; cost && i < G_N_ELEMENTS(figures); i++) {
    JsonNode *node = json_object_get_member(cost, figures[i]);
    if (!node || JSON_NODE_HOLDS_NULL(node))
      continue;
    if (!is_number(node) || json_node_get_double(node) < 0)
      return FALSE;
    sum += json_node_get_double(node);
  }
  return isfinite(sum);
}

char *bh_cell_line_check(JsonObject *result) {
  for (guint i = 0; i < G_N_ELEMENTS(rules); i++) {
    JsonNode *node = json_object_get_member(result, rules[i].key);
    if (!node || (rules[i].nullable && JSON_NODE_HOLDS_NULL(node)))
      continue;
    const char *expected = misfit(node, rules[i].kind);
    if (expected)
      return g_strdup_printf("'%s' must be %s", rules[i].key, expected);
  }
  g_autoptr(JsonNode) whole = json_node_new(JSON_NODE_OBJECT);
  json_node_set_object(whole, result);
  if (!all_finite(whole))
    return g_strdup("it holds a number that is not finite");
  if (!is_cost(result))
    return g_strdup("'cost' must hold finite numbers, not below 0");
  BhCellStatus status;
  if (!json_object_has_member(result, "status") ||
      !bh_cell_status_parse(json_object_get_string_member(result, "status"), &status))
    return g_strdup("'status' must be one of ok, skipped, unsupported, wrong, crashed, timeout, out-of-memory, failed");
  if (status != BH_CELL_OK) {
    if (!is_there(result, "reason") || !*json_object_get_string_member(result, "reason"))
      return g_strdup("'reason' must say why the status is not ok");
    if (is_there(result, "steady") || is_there(result, "total"))
      return g_strdup("'steady' and 'total' must be null when the status is not ok");
    return NULL;
  }
  if (is_there(result, "reason"))
    return g_strdup("'reason' must be null when the status is ok");
  char *wrong = check_figures(result, "steady");
  if (!wrong)
    wrong = check_figures(result, "total");
  return wrong ? wrong : check_observed(result);
}
