/* SPDX-License-Identifier: MIT
 * Owns a comparison as JSON: docs/ab.md says what the keys mean, schemas/ab.schema.json checks them. */
#include "gate/ab.h"
#include "gate/known.h"
#include "gate/measure.h"

#include "base/json.h"

#define AB_SCHEMA 1

static void put_flag(JsonObject *object, const char *key, gboolean value) {
  json_object_set_boolean_member(object, key, value);
}

static void put_count(JsonObject *object, const char *key, guint value) {
  json_object_set_int_member(object, key, value);
}

static JsonArray *texts(const GPtrArray *list) {
  JsonArray *array = json_array_sized_new(list->len);
  for (guint i = 0; i < list->len; i++)
    json_array_add_string_element(array, list->pdata[i]);
  return array;
}

/* ---- Cells ---- */

static JsonObject *side_object(const BhAbSideResult *side) {
  JsonObject *object = json_object_new();
  bh_json_put_text(object, "id", side->id);
  bh_json_put_text(object, "status", bh_cell_status_name(side->status));
  bh_json_put_text(object, "reason", side->reason);
  put_count(object, "failures", side->failures);
  bh_json_put_number(object, "median", side->has_median, side->median);
  return object;
}

static JsonObject *shape_object(const BhShape *shape) {
  JsonObject *object = json_object_new();
  bh_json_put_number(object, "fast", TRUE, shape->fast);
  bh_json_put_number(object, "lower_quartile", TRUE, shape->lower);
  bh_json_put_number(object, "upper_quartile", TRUE, shape->upper);
  return object;
}

static JsonObject *decision_object(const BhAbCell *cell) {
  const BhDecision *d = &cell->decision;
  double change, low, high;
  JsonObject *object = json_object_new();
  bh_ab_change(cell, &change, &low, &high);
  put_flag(object, "suspect", d->suspect);
  bh_json_put_text(object, "verdict", bh_verdict_name(d->verdict));
  bh_json_put_number(object, "change", TRUE, change);
  bh_json_put_interval(object, "change_ci", d->has_interval, low, high);
  bh_json_put_number(object, "shift", TRUE, d->shift);
  bh_json_put_interval(object, "shift_ci", d->has_interval, d->low, d->high);
  bh_json_put_interval(object, "shift_ci90", d->has_interval, d->low90, d->high90);
  bh_json_put_text(object, "ci_reason", d->has_interval ? NULL : "too few pairs");
  bh_json_put_number(object, "p_worse", TRUE, d->p_worse);
  bh_json_put_number(object, "p_better", TRUE, d->p_better);
  bh_json_put_number(object, "p_adjusted", TRUE, d->p_adjusted);
  bh_json_put_number(object, "detectable", d->detectable > 0, d->detectable);
  put_count(object, "n", d->n);
  json_object_set_object_member(object, "shape", shape_object(&d->shape));
  return object;
}

static JsonObject *cell_object(const BhAbCell *cell) {
  JsonObject *object = json_object_new();
  bh_json_put_text(object, "label", cell->label);
  bh_json_put_text(object, "workload", cell->workload);
  bh_json_put_text(object, "backend", cell->backend);
  bh_json_put_text(object, "primary", cell->primary);
  bh_json_put_text(object, "unit", cell->unit);
  bh_json_put_text(object, "better", cell->higher_is_better ? "higher" : "lower");
  bh_json_put_text(object, "outcome", bh_ab_outcome_name(cell->outcome));
  bh_json_put_text(object, "reason", cell->reason);
  put_flag(object, "candidate_only", cell->candidate_only);
  json_object_set_object_member(object, "base", side_object(&cell->side[BH_SIDE_BASE]));
  json_object_set_object_member(object, "candidate", side_object(&cell->side[BH_SIDE_CANDIDATE]));
  if (cell->decided)
    json_object_set_object_member(object, "decision", decision_object(cell));
  else
    json_object_set_null_member(object, "decision");
  put_flag(object, "cut_short", cell->cut_short);
  put_count(object, "screen_pairs", cell->n_screen);
  put_count(object, "confirm_pairs", cell->n_confirm);
  put_count(object, "rejected_pairs", cell->rejected);
  put_count(object, "dropped_pairs", cell->dropped);
  json_object_set_array_member(object, "flags", texts(cell->flags));
  return object;
}

static JsonObject *control_object(const BhAbControl *control) {
  static const char *const states[] = {"none", "quiet", "flagged"};
  JsonObject *object = json_object_new();
  bh_json_put_text(object, "state", states[control->state]);
  bh_json_put_text(object, "reason", control->why);
  if (control->cell)
    json_object_set_object_member(object, "cell", cell_object(control->cell));
  else
    json_object_set_null_member(object, "cell");
  return object;
}

/* ---- The rest ---- */

static JsonObject *arm_object(const BhAbArm *arm) {
  JsonObject *object = json_object_new();
  JsonArray *plugins = json_array_new();
  bh_json_put_text(object, "kind", bh_arm_kind_name(arm->kind));
  bh_json_put_text(object, "given", arm->given);
  for (guint i = 0; i < arm->plugins->len; i++) {
    const BhAbPlugin *plugin = arm->plugins->pdata[i];
    JsonObject *item = json_object_new();
    bh_json_put_text(item, "name", plugin->name);
    bh_json_put_text(item, "kind", plugin->kind);
    bh_json_put_text(item, "path", plugin->path);
    bh_json_put_text(item, "version", plugin->version);
    bh_json_put_text(item, "build_id", plugin->build_id);
    json_array_add_object_element(plugins, item);
  }
  json_object_set_array_member(object, "plugins", plugins);
  return object;
}

static void put_known(JsonObject *root, const BhRule *rule) {
  BhKnown known;
  if (!bh_rule_known(rule, &known)) {
    json_object_set_null_member(root, "known");
    bh_json_put_text(root, "known_reason", "a rule with these settings was not calibrated");
    return;
  }
  JsonObject *object = json_object_new();
  bh_json_put_number(object, "false_runs", TRUE, known.false_runs);
  bh_json_put_number(object, "false_runs_high", TRUE, known.false_runs_high);
  bh_json_put_number(object, "found_5", TRUE, known.found_5);
  bh_json_put_number(object, "found_10", TRUE, known.found_10);
  put_count(object, "cells", known.cells);
  put_count(object, "runs", known.runs);
  bh_json_put_text(object, "conditions", known.conditions);
  json_object_set_object_member(root, "known", object);
  json_object_set_null_member(root, "known_reason");
}

static JsonObject *counts_object(const BhAbReport *report) {
  JsonObject *object = json_object_new();
  for (guint i = 0; i < G_N_ELEMENTS(report->count); i++)
    put_count(object, bh_ab_outcome_name(i), report->count[i]);
  return object;
}

static JsonArray *facts_array(const GPtrArray *facts) {
  JsonArray *array = json_array_sized_new(facts->len);
  for (guint i = 0; i < facts->len; i++) {
    const BhAbFact *fact = facts->pdata[i];
    JsonObject *object = json_object_new();
    bh_json_put_text(object, "name", fact->name);
    bh_json_put_text(object, "value", fact->value);
    bh_json_put_text(object, "note", fact->note);
    json_array_add_object_element(array, object);
  }
  return array;
}

static void put_run(JsonObject *root, const BhAbReport *report) {
  JsonObject *matrix = json_object_new();
  bh_json_put_text(root, "type", "ab");
  put_count(root, "schema", AB_SCHEMA);
  bh_json_put_text(root, "benchhost", report->benchhost);
  bh_json_put_text(root, "started", report->started);
  bh_json_put_text(root, "journal", report->journal);
  bh_json_put_text(matrix, "path", report->matrix_path);
  bh_json_put_text(matrix, "name", report->matrix_name);
  json_object_set_object_member(root, "matrix", matrix);
  json_object_set_int_member(root, "seed", (gint64)report->seed);
  json_object_set_object_member(root, "base", arm_object(&report->arm[BH_SIDE_BASE]));
  json_object_set_object_member(root, "candidate", arm_object(&report->arm[BH_SIDE_CANDIDATE]));
  put_flag(root, "same", report->same_files);
}

static void put_outcome(JsonObject *root, const BhAbReport *report) {
  JsonArray *cells = json_array_sized_new(report->cells->len);
  g_autofree char *closing = bh_ab_closing_text(report);
  for (guint i = 0; i < report->cells->len; i++)
    json_array_add_object_element(cells, cell_object(report->cells->pdata[i]));
  json_object_set_array_member(root, "cells", cells);
  json_object_set_object_member(root, "control", control_object(&report->control));
  json_object_set_object_member(root, "counts", counts_object(report));
  put_flag(root, "interrupted", report->interrupted);
  put_flag(root, "out_of_time", report->out_of_time);
  bh_json_put_text(root, "invalid", report->invalid);
  if (report->environment)
    json_object_set_object_member(root, "environment", json_object_ref(report->environment));
  else
    json_object_set_null_member(root, "environment");
  json_object_set_array_member(root, "environment_bad", facts_array(report->environment_bad));
  json_object_set_array_member(root, "notes", texts(report->notes));
  bh_json_put_number(root, "wall_s", report->wall_s > 0, report->wall_s);
  put_count(root, "visits", report->visits);
  put_flag(root, "strict", report->strict);
  put_flag(root, "inconclusive_fails", report->inconclusive_fails);
  put_count(root, "exit_status", (guint)report->exit_status);
  bh_json_put_text(root, "exit_why", report->exit_why);
  bh_json_put_text(root, "summary", closing);
}

char *bh_ab_json(const BhAbReport *report) {
  JsonObject *root = json_object_new();
  put_run(root, report);
  json_object_set_object_member(root, "rule", bh_ab_rule_object(&report->rule));
  put_known(root, &report->rule);
  put_outcome(root, report);
  JsonNode *node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, root);
  return bh_json_put_out(node);
}
