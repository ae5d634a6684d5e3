/* SPDX-License-Identifier: MIT
 * Owns a comparison as JSON (schemas/compare.schema.json). Every figure that does not exist is null with its reason
 * beside it. */
#include "base/json.h"
#include "history/compare.h"
#include "history/machine.h"

#include <math.h>

#define SCHEMA 1

static void put_array(JsonObject *object, const char *key, JsonArray *array) {
  json_object_set_array_member(object, key, array);
}

static JsonArray *runs_array(const BhCompare *compare) {
  JsonArray *runs = json_array_sized_new(compare->runs->len);
  for (guint r = 0; r < compare->runs->len; r++) {
    const BhStored *run = compare->runs->pdata[r];
    JsonObject *object = json_object_new();
    bh_json_put_text(object, "journal", run->name);
    bh_json_put_text(object, "arm", run->arm);
    bh_json_put_text(object, "digest", run->digest);
    bh_json_put_text(object, "matrix", run->matrix);
    bh_json_put_text(object, "started", run->started);
    bh_json_put_text(object, "benchhost", run->benchhost);
    bh_json_put_text(object, "machine", run->machine);
    json_object_set_boolean_member(object, "finished", run->finished);
    json_object_set_int_member(object, "cells", run->cells->len);
    json_object_set_int_member(object, "rounds", run->rounds);
    json_array_add_object_element(runs, object);
  }
  return runs;
}

static JsonArray *differences_array(const BhCompare *compare, gboolean *ret_machines) {
  JsonArray *array = json_array_new();
  *ret_machines = FALSE;
  for (guint r = 1; r < compare->runs->len; r++) {
    const GPtrArray *differences = compare->differences->pdata[r - 1];
    *ret_machines |= bh_machine_differ(differences);
    for (guint i = 0; i < differences->len; i++) {
      const BhDiffers *one = differences->pdata[i];
      JsonObject *object = json_object_new();
      json_object_set_int_member(object, "run", r);
      json_object_set_string_member(object, "kind", bh_differs_name(one->kind));
      json_object_set_string_member(object, "name", one->name);
      bh_json_put_text(object, "first", one->old);
      bh_json_put_text(object, "this", one->now);
      json_array_add_object_element(array, object);
    }
  }
  return array;
}

static void put_identity(JsonObject *object, const BhStoredCell *cell) {
  json_object_set_string_member(object, "id", cell->id);
  json_object_set_string_member(object, "label", cell->label);
  json_object_set_string_member(object, "workload", cell->workload);
  json_object_set_object_member(object, "params", json_object_ref(cell->params));
  json_object_set_string_member(object, "backend", cell->backend);
  json_object_set_object_member(object, "options", json_object_ref(cell->options));
  json_object_set_string_member(object, "variant", cell->variant);
}

static void put_ratio(JsonObject *object, const BhCompareSide *side) {
  bh_json_put_number(object, "ratio", side->exists, side->ratio);
  bh_json_put_interval(object, "ratio_ci", side->has_interval, side->low, side->high);
  bh_json_put_text(object, "ratio_reason", side->why);
  json_object_set_string_member(object, "reading", bh_reading_name(side->reading));
}

static JsonNode *side_node(const BhCompareSide *side, gboolean first) {
  const BhStoredCell *cell = side->cell;
  JsonNode *node = json_node_new(cell ? JSON_NODE_OBJECT : JSON_NODE_NULL);
  if (!cell)
    return node;
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "status", bh_cell_status_name(cell->status));
  bh_json_put_text(object, "reason", cell->reason);
  json_object_set_string_member(object, "figure", cell->figure);
  json_object_set_string_member(object, "unit", cell->unit);
  json_object_set_string_member(object, "better", cell->better == BH_HIGHER ? "higher" : "lower");
  bh_json_put_number(object, "median", cell->exists, cell->median);
  bh_json_put_interval(object, "ci", cell->exists && cell->basis != BH_BASIS_NONE, cell->low, cell->high);
  bh_json_put_text(object, "ci_basis", cell->exists ? bh_basis_name(cell->basis) : NULL);
  bh_json_put_text(object, "ci_reason", cell->why);
  json_object_set_int_member(object, "n", cell->n);
  json_object_set_int_member(object, "rounds", cell->rounds);
  if (!first)
    put_ratio(object, side);
  json_node_take_object(node, object);
  return node;
}

static JsonArray *cells_array(const BhCompare *compare) {
  JsonArray *cells = json_array_sized_new(compare->cells->len);
  for (guint i = 0; i < compare->cells->len; i++) {
    const BhCompareCell *cell = compare->cells->pdata[i];
    const BhCompareSide *last = bh_compare_last(compare, cell);
    JsonObject *object = json_object_new();
    JsonArray *sides = json_array_sized_new(compare->runs->len);
    put_identity(object, cell->cell);
    for (guint r = 0; r < compare->runs->len; r++)
      json_array_add_element(sides, side_node(&cell->sides[r], r == 0));
    put_array(object, "runs", sides);
    json_object_set_string_member(object, "reading", bh_reading_name(last ? last->reading : BH_READING_NONE));
    bh_json_put_text(object, "trend", bh_compare_trend(compare, cell));
    json_object_set_boolean_member(object, "beyond_threshold", cell->beyond);
    json_array_add_object_element(cells, object);
  }
  return cells;
}

static JsonArray *lonely_array(const BhCompare *compare, gboolean removed) {
  JsonArray *array = json_array_new();
  for (guint i = 0; i < compare->lonely->len; i++) {
    const BhCompareLonely *one = compare->lonely->pdata[i];
    if ((one->run == 0) != removed)
      continue;
    JsonObject *object = json_object_new();
    JsonArray *near = json_array_new();
    put_identity(object, one->cell);
    json_object_set_int_member(object, "run", one->run);
    json_object_set_string_member(object, "status", bh_cell_status_name(one->cell->status));
    for (guint k = 0; k < one->near->len; k++) {
      const BhCompareNear *found = one->near->pdata[k];
      JsonObject *entry = json_object_new();
      json_object_set_string_member(entry, "id", found->cell->id);
      json_object_set_string_member(entry, "label", found->cell->label);
      bh_json_put_text(entry, "differs", found->name);
      bh_json_put_text(entry, "here", found->own);
      bh_json_put_text(entry, "there", found->other);
      json_array_add_object_element(near, entry);
    }
    put_array(object, "near", near);
    json_array_add_object_element(array, object);
  }
  return array;
}

char *bh_compare_json(const BhCompare *compare) {
  JsonObject *object = json_object_new();
  gboolean machines;
  JsonArray *differences = differences_array(compare, &machines);
  json_object_set_string_member(object, "type", "compare");
  json_object_set_int_member(object, "schema", SCHEMA);
  json_object_set_string_member(object, "warning", bh_compare_warning);
  json_object_set_boolean_member(object, "machines_differ", machines);
  put_array(object, "differences", differences);
  put_array(object, "runs", runs_array(compare));
  put_array(object, "cells", cells_array(compare));
  put_array(object, "removed", lonely_array(compare, TRUE));
  put_array(object, "added", lonely_array(compare, FALSE));
  bh_json_put_number(object, "threshold", compare->threshold > 0, compare->threshold);
  json_object_set_int_member(object, "beyond_threshold", compare->beyond);
  JsonNode *root = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(root, object);
  return bh_json_put_out(root);
}
