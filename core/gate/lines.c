/* SPDX-License-Identifier: MIT
 * Owns what the `run` and `end` lines of a comparison say beyond those of a run (docs/journal.md). */
#include "base/json.h"
#include "gate/measure.h"

static JsonObject *plugin_object(const BhPlugin *plugin) {
  JsonObject *object = json_object_new();
  bh_plugin_put_identity(object, plugin);
  return object;
}

static JsonObject *arm_object(const BhAbTask *task, BhAbSide side) {
  JsonObject *object = json_object_new();
  JsonArray *plugins = json_array_new();
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL); /* set of (const BhPlugin *) */
  json_object_set_string_member(object, "kind", bh_arm_kind_name(task->arm[side]->kind));
  bh_json_put_text(object, "given", task->arm[side]->given);
  for (guint i = 0; i < task->pairs->len; i++) {
    const BhCell *cell = ((const BhAbPair *)task->pairs->pdata[i])->side[side];
    const BhPlugin *used[] = {cell->workload, cell->backend};
    for (guint k = 0; k < 2; k++)
      if (g_hash_table_add(seen, (gpointer)used[k]))
        json_array_add_object_element(plugins, plugin_object(used[k]));
  }
  json_object_set_array_member(object, "plugins", plugins);
  return object;
}

JsonObject *bh_ab_rule_object(const BhRule *rule) {
  JsonObject *object = json_object_new();
  json_object_set_int_member(object, "screen_rounds", rule->screen_rounds);
  json_object_set_int_member(object, "confirm_rounds", rule->confirm_rounds);
  json_object_set_double_member(object, "screen_shift", rule->screen_shift);
  json_object_set_double_member(object, "margin", rule->margin);
  json_object_set_double_member(object, "q", rule->q);
  json_object_set_double_member(object, "equivalence", rule->equivalence);
  json_object_set_double_member(object, "equivalent_shift", rule->equivalent_shift);
  return object;
}

static JsonArray *pairs_array(const BhAbTask *task) {
  JsonArray *array = json_array_sized_new(task->pairs->len);
  for (guint i = 0; i < task->pairs->len; i++) {
    const BhAbPair *pair = task->pairs->pdata[i];
    JsonObject *object = json_object_new();
    bh_json_put_text(object, "label", pair->label);
    json_object_set_string_member(object, "base", pair->side[BH_SIDE_BASE]->id);
    json_object_set_string_member(object, "candidate", pair->side[BH_SIDE_CANDIDATE]->id);
    json_array_add_object_element(array, object);
  }
  return array;
}

JsonObject *bh_ab_run_line(const BhAbTask *task, const char *const *argv) {
  JsonObject *line = bh_journal_run_line(task->plan[BH_SIDE_BASE], argv);
  JsonObject *arms = json_object_new();
  JsonArray *notes = json_array_new();
  json_object_set_string_member(line, "kind", "ab");
  json_object_set_object_member(arms, "base", arm_object(task, BH_SIDE_BASE));
  json_object_set_object_member(arms, "candidate", arm_object(task, BH_SIDE_CANDIDATE));
  json_object_set_object_member(line, "arms", arms);
  json_object_set_boolean_member(line, "same", bh_ab_pairs_same(task->pairs));
  json_object_set_object_member(line, "rule", bh_ab_rule_object(&task->rule));
  json_object_set_array_member(line, "pairs", pairs_array(task));
  json_object_set_boolean_member(line, "control", !task->no_control);
  for (guint i = 0; i < task->notes->len; i++) {
    g_autofree char *valid = g_utf8_make_valid(task->notes->pdata[i], -1);
    json_array_add_string_element(notes, valid);
  }
  json_object_set_array_member(line, "notes", notes);
  return line;
}

void bh_ab_put_end(JsonObject *line, const BhAbSummary *summary) {
  json_object_set_string_member(line, "stopped",
                                summary->interrupted   ? "interrupted"
                                : summary->invalid     ? "invalid"
                                : summary->out_of_time ? "budget"
                                                       : "finished");
  bh_json_put_text(line, "reason", summary->invalid);
}
