/* SPDX-License-Identifier: MIT
 * Owns what a plan looks like: a table for people, JSON for programs. */
#include "base/json.h"
#include "base/text.h"
#include "cli/matrix-options.h"
#include "engine/schedule.h"
#include "spec/measure.h"
#include "worker/sampler.h"

#include <json-glib/json-glib.h>
#include <string.h>

static guint64 total_runs(const BhPlan *plan) {
  guint64 total = 0;
  for (guint i = 0; i < plan->cells->len; i++)
    total += ((const BhCell *)plan->cells->pdata[i])->measure.rounds;
  return total;
}

/* The most that sampling and warm-up may take, if every cell uses all of its time. */
static double longest_ns(const BhPlan *plan) {
  double total = 0;
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhMeasure *measure = &((const BhCell *)plan->cells->pdata[i])->measure;
    const double warmup_ns = (double)bh_sampler_warmup_ns(measure, G_MAXUINT64);
    total += (double)bh_schedule_most(measure, plan->measure.budget_ns) * ((double)measure->max_time_ns + warmup_ns);
  }
  return plan->measure.budget_ns > 0 ? MIN(total, (double)plan->measure.budget_ns) : total;
}

/* "", or how many processes there may be besides, for cells that are not precise. */
static char *topup_text(const BhPlan *plan) {
  guint64 most = 0;
  for (guint i = 0; i < plan->cells->len; i++)
    most += bh_schedule_most(&((const BhCell *)plan->cells->pdata[i])->measure, plan->measure.budget_ns);
  const guint64 runs = total_runs(plan);
  if (most <= runs)
    return g_strdup("");
  if (plan->measure.budget_ns > 0)
    return g_strdup(", more for cells that are not precise by then");
  return g_strdup_printf(", up to %" G_GUINT64_FORMAT " more for cells that are not precise by then", most - runs);
}

static guint width(const char *text) {
  return (guint)g_utf8_strlen(text, -1);
}

char *bh_matrix_plan_text(const BhPlan *plan) {
  GString *text = g_string_new(NULL);
  guint label_width = width("cell");
  gboolean any_difference = FALSE;
  g_autoptr(GPtrArray) differences = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    char *difference = bh_measure_difference(&cell->measure, &plan->measure);
    g_ptr_array_add(differences, difference);
    any_difference |= difference[0] != '\0';
    label_width = MAX(label_width, width(cell->label));
  }
  g_string_append_printf(text, "%-12s  %-*s  %6s%s\n", "id", (int)label_width, "cell", "rounds",
                         any_difference ? "  overrides" : "");
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    const char *difference = differences->pdata[i];
    g_string_append_printf(text, "%s  %s%*s  %6u%s%s%s\n", cell->id, cell->label,
                           (int)(label_width - width(cell->label)), "", cell->measure.rounds, difference[0] ? "  " : "",
                           difference, cell->baseline ? "  (baseline)" : "");
  }
  g_autofree char *longest = bh_text_duration(longest_ns(plan)), *topup = topup_text(plan);
  const guint64 runs = total_runs(plan);
  g_string_append_printf(text,
                         "\n%s: %u cell%s, %" G_GUINT64_FORMAT " process%s in %u round%s%s, seed %" G_GUINT64_FORMAT
                         "; warm-up and sampling take at most %s\n",
                         plan->name, plan->cells->len, plan->cells->len == 1 ? "" : "s", runs, runs == 1 ? "" : "es",
                         bh_plan_rounds(plan), bh_plan_rounds(plan) == 1 ? "" : "s", topup, plan->seed, longest);
  return g_string_free(text, FALSE);
}

/* ---- JSON ---- */

static void add_value(JsonBuilder *builder, const BhValue *value) {
  switch (value->type) {
  case BH_BOOL:
    json_builder_add_boolean_value(builder, value->i != 0);
    break;
  case BH_INT:
  case BH_SIZE:
  case BH_DURATION:
    json_builder_add_int_value(builder, value->i);
    break;
  case BH_REAL:
    json_builder_add_double_value(builder, value->r);
    break;
  case BH_WORDS:
    json_builder_begin_array(builder);
    for (char **word = value->words; *word; word++)
      json_builder_add_string_value(builder, *word);
    json_builder_end_array(builder);
    break;
  default:
    json_builder_add_string_value(builder, value->s);
  }
}

static void add_values(JsonBuilder *builder, const char *name, const BhPlugin *plugin, const GPtrArray *values) {
  json_builder_set_member_name(builder, name);
  json_builder_begin_object(builder);
  for (guint i = 0; i < values->len; i++) {
    json_builder_set_member_name(builder, ((const BhParam *)plugin->params->pdata[i])->name);
    add_value(builder, values->pdata[i]);
  }
  json_builder_end_object(builder);
}

static void add_text(JsonBuilder *builder, const char *name, const char *text) {
  json_builder_set_member_name(builder, name);
  if (text)
    json_builder_add_string_value(builder, text);
  else
    json_builder_add_null_value(builder);
}

static void add_measure(JsonBuilder *builder, const BhMeasure *measure) {
  json_builder_set_member_name(builder, "measure");
  json_builder_begin_object(builder);
  for (const BhMeasureKey *key = bh_measure_keys; key->name; key++) {
    const gboolean unit = key->type == BH_MEASURE_DURATION || key->type == BH_MEASURE_SIZE;
    g_autofree char *name = g_strconcat(key->name, !unit ? "" : key->type == BH_MEASURE_SIZE ? "_bytes" : "_ns", NULL);
    json_builder_set_member_name(builder, name);
    if (key->type == BH_MEASURE_SHARE)
      json_builder_add_double_value(builder, G_STRUCT_MEMBER(double, measure, key->offset));
    else if (key->type == BH_MEASURE_TEXT)
      json_builder_add_string_value(builder, G_STRUCT_MEMBER(const char *, measure, key->offset));
    else if (key->type == BH_MEASURE_COUNT)
      json_builder_add_int_value(builder, G_STRUCT_MEMBER(guint, measure, key->offset));
    else
      json_builder_add_int_value(builder, G_STRUCT_MEMBER(gint64, measure, key->offset));
  }
  json_builder_end_object(builder);
}

static void add_cell(JsonBuilder *builder, const BhCell *cell) {
  json_builder_begin_object(builder);
  add_text(builder, "id", cell->id);
  add_text(builder, "label", cell->label);
  add_text(builder, "workload", cell->workload->name);
  add_values(builder, "params", cell->workload, cell->params);
  add_text(builder, "backend", cell->backend->name);
  add_values(builder, "options", cell->backend, cell->options);
  add_text(builder, "variant", cell->variant);
  json_builder_set_member_name(builder, "env");
  json_builder_begin_object(builder);
  GHashTableIter iter;
  gpointer name, value;
  g_hash_table_iter_init(&iter, cell->env);
  while (g_hash_table_iter_next(&iter, &name, &value))
    add_text(builder, name, value);
  json_builder_end_object(builder);
  add_measure(builder, &cell->measure);
  json_builder_set_member_name(builder, "baseline");
  json_builder_add_boolean_value(builder, cell->baseline);
  json_builder_end_object(builder);
}

char *bh_matrix_plan_json(const BhPlan *plan) {
  g_autoptr(JsonBuilder) builder = json_builder_new();
  json_builder_begin_object(builder);
  add_text(builder, "name", plan->name);
  add_text(builder, "matrix", plan->matrix_path);
  add_text(builder, "data", plan->data_dir);
  json_builder_set_member_name(builder, "seed");
  json_builder_add_int_value(builder, (gint64)plan->seed); /* the matrix allows no larger one */
  json_builder_set_member_name(builder, "strict");
  json_builder_add_boolean_value(builder, plan->strict);
  json_builder_set_member_name(builder, "rounds");
  json_builder_add_int_value(builder, bh_plan_rounds(plan));
  json_builder_set_member_name(builder, "processes");
  json_builder_add_int_value(builder, (gint64)total_runs(plan));
  add_measure(builder, &plan->measure);
  json_builder_set_member_name(builder, "cells");
  json_builder_begin_array(builder);
  for (guint i = 0; i < plan->cells->len; i++)
    add_cell(builder, plan->cells->pdata[i]);
  json_builder_end_array(builder);
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  return bh_json_text(root, TRUE);
}
