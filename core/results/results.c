/* SPDX-License-Identifier: MIT
 * Owns results in memory: one record per journal line of type `cell`, checked field by field, and the cells they belong
 * to. A line is added whole or not at all. */
#include "results/results.h"
#include "base/text.h"
#include "results/fields.h"

#include <math.h>
#include <string.h>

#define MOST_ROUNDS 1000000
#define LONGEST_ID 64

static const char *const status_names[] = {"ok",      "skipped", "unsupported",   "wrong",
                                           "crashed", "timeout", "out-of-memory", "failed"};

const char *bh_cell_status_name(BhCellStatus status) {
  return (guint)status < G_N_ELEMENTS(status_names) ? status_names[status] : "failed";
}

gboolean bh_cell_status_parse(const char *name, BhCellStatus *ret) {
  for (guint i = 0; i < G_N_ELEMENTS(status_names); i++)
    if (!strcmp(status_names[i], name)) {
      *ret = (BhCellStatus)i;
      return TRUE;
    }
  return FALSE;
}

static void record_free(gpointer data) {
  BhCellRecord *record = data;
  g_free(record->id);
  g_free(record->label);
  g_free(record->workload);
  g_free(record->backend);
  g_free(record->variant);
  g_clear_pointer(&record->params, json_object_unref);
  g_clear_pointer(&record->options, json_object_unref);
  g_free(record->reason);
  g_clear_pointer(&record->steady_ns, g_array_unref);
  g_free(record->item_unit);
  g_clear_pointer(&record->flags, g_ptr_array_unref);
  g_clear_pointer(&record->record, json_object_unref);
  g_free(record);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhCellRecord, record_free)

static void cell_free(gpointer data) {
  BhCellResult *cell = data;
  g_free(cell->id);
  g_free(cell->key);
  g_ptr_array_unref(cell->rounds);
  g_free(cell);
}

BhResults *bh_results_new(void) {
  BhResults *results = g_new0(BhResults, 1);
  results->records = g_ptr_array_new_with_free_func(record_free);
  results->struck = g_ptr_array_new_with_free_func(record_free);
  results->notes = g_ptr_array_new_with_free_func(g_free);
  results->cells = g_ptr_array_new_with_free_func(cell_free);
  results->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  results->round_lines = g_ptr_array_new_with_free_func((GDestroyNotify)json_object_unref);
  results->index = g_hash_table_new(g_str_hash, g_str_equal);
  return results;
}

void bh_results_free(BhResults *results) {
  if (!results)
    return;
  g_clear_pointer(&results->run, json_object_unref);
  g_clear_pointer(&results->end, json_object_unref);
  g_hash_table_unref(results->index);
  g_ptr_array_unref(results->cells);
  g_hash_table_unref(results->places);
  g_ptr_array_unref(results->records);
  g_ptr_array_unref(results->struck);
  g_ptr_array_unref(results->round_lines);
  g_ptr_array_unref(results->notes);
  g_free(results->path);
  g_free(results);
}

static gboolean refuse(GError **error, const char *key, const char *expected) {
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "'%s' of a cell line: expected %s", key, expected);
  return FALSE;
}

/* `key` as text; `optional`: may be missing or null. */
static gboolean take_string(JsonObject *line, const char *key, gboolean optional, char **ret, GError **error) {
  const char *text = bh_fields_string(line, key);
  const gboolean absent = !json_object_has_member(line, key) || json_object_get_null_member(line, key);
  if (!text && !(optional && absent))
    return refuse(error, key, optional ? "text or null" : "text");
  *ret = g_strdup(text);
  return TRUE;
}

static gboolean take_object(JsonObject *line, const char *key, JsonObject **ret, GError **error) {
  JsonObject *object = bh_fields_object(line, key);
  if (!object && json_object_has_member(line, key))
    return refuse(error, key, "an object of names and values");
  *ret = object ? json_object_ref(object) : json_object_new();
  return TRUE;
}

static gboolean take_status(JsonObject *line, BhCellRecord *record, GError **error) {
  const char *name = bh_fields_string(line, "status");
  if (!name || !bh_cell_status_parse(name, &record->status)) {
    g_autofree char *known = g_strjoinv(", ", (char **)(char *[]){"ok", "skipped", "unsupported", "wrong", "crashed",
                                                                  "timeout", "out-of-memory", "failed", NULL});
    g_autofree char *expected = g_strdup_printf("one of %s", known);
    return refuse(error, "status", expected);
  }
  if (!take_string(line, "reason", TRUE, &record->reason, error))
    return FALSE;
  if (record->status != BH_CELL_OK && (!record->reason || !*record->reason)) {
    g_free(record->reason);
    record->reason = g_strdup("no reason was recorded");
  }
  return TRUE;
}

static gboolean take_samples(JsonObject *line, BhCellRecord *record, GError **error) {
  JsonArray *samples = bh_fields_array(bh_fields_object(line, "steady"), "samples_ns");
  const guint n = samples ? json_array_get_length(samples) : 0;
  if (n == 0)
    return refuse(error, "steady", "'samples_ns' with at least one time, as the status is ok");
  g_array_set_size(record->steady_ns, n);
  for (guint i = 0; i < n; i++) {
    JsonNode *node = json_array_get_element(samples, i);
    const GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
    const double ns = type == G_TYPE_INT64 || type == G_TYPE_DOUBLE ? json_node_get_double(node) : -1;
    if (!(ns >= 0) || !isfinite(ns))
      return refuse(error, "steady.samples_ns", "numbers, finite and not below 0, in ns");
    g_array_index(record->steady_ns, double, i) = ns;
  }
  return TRUE;
}

static gboolean take_figures(JsonObject *line, BhCellRecord *record, GError **error) {
  record->total_ns = NAN;
  record->steady_ns = g_array_new(FALSE, FALSE, sizeof(double));
  /* What a cell that is not verified measured is no figure, whatever the line says. */
  if (record->status == BH_CELL_OK) {
    if (!take_samples(line, record, error))
      return FALSE;
    double total;
    if (bh_fields_number(bh_fields_object(line, "total"), "median_ns", &total)) {
      if (total < 0)
        return refuse(error, "total.median_ns", "a time in ns, not below 0");
      record->total_ns = total;
    }
  }
  JsonObject *cost = bh_fields_object(line, "cost");
  double read = 0, written = 0;
  bh_fields_number(cost, "items", &record->items);
  bh_fields_number(cost, "flops", &record->flops);
  bh_fields_number(cost, "bytes_read", &read);
  bh_fields_number(cost, "bytes_written", &written);
  record->bytes = read + written;
  if (record->items < 0 || record->flops < 0 || !(record->bytes >= 0) || !isfinite(record->bytes))
    return refuse(error, "cost", "finite numbers, not below 0");
  record->item_unit = g_strdup(bh_fields_string(cost, "item_unit"));
  return TRUE;
}

static gboolean take_flags(JsonObject *line, BhCellRecord *record, GError **error) {
  record->flags = g_ptr_array_new_with_free_func(g_free);
  JsonArray *flags = bh_fields_array(line, "flags");
  for (guint i = 0; flags && i < json_array_get_length(flags); i++) {
    JsonNode *node = json_array_get_element(flags, i);
    if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
      return refuse(error, "flags", "a list of texts");
    g_ptr_array_add(record->flags, g_strdup(json_node_get_string(node)));
  }
  return TRUE;
}

/* A comparison visits one cell in several arms: rows must not look the same. */
static gboolean take_arm(JsonObject *line, BhCellRecord *record, GError **error) {
  static const char *const known[] = {"base", "candidate", "control-base", "control", NULL};
  const char *arm = bh_fields_string(line, "arm");
  if (!json_object_has_member(line, "arm") || json_object_get_null_member(line, "arm"))
    return TRUE;
  if (!arm || !g_strv_contains(known, arm))
    return refuse(error, "arm", "base, candidate, control-base or control");
  record->arm = g_intern_string(arm);
  char *label = g_strdup_printf("%s [%s]", record->label, arm);
  g_free(record->label);
  record->label = label;
  return TRUE;
}

static BhCellRecord *record_new(JsonObject *line, GError **error) {
  g_autoptr(BhCellRecord) record = g_new0(BhCellRecord, 1);
  record->record = json_object_ref(line);
  gint64 round = 0;
  if (!take_string(line, "id", FALSE, &record->id, error))
    return NULL;
  if (!*record->id || strlen(record->id) > LONGEST_ID) {
    refuse(error, "id", "1 to 64 characters");
    return NULL;
  }
  if (!bh_fields_int(line, "round", &round) || round < 0 || round >= MOST_ROUNDS) {
    refuse(error, "round", "a whole number from 0 to 999999");
    return NULL;
  }
  record->round = (guint)round;
  record->baseline = bh_fields_true(line, "baseline");
  if (!take_string(line, "workload", FALSE, &record->workload, error) ||
      !take_string(line, "backend", FALSE, &record->backend, error) ||
      !take_string(line, "label", TRUE, &record->label, error) ||
      !take_string(line, "variant", TRUE, &record->variant, error) ||
      !take_object(line, "params", &record->params, error) || !take_object(line, "options", &record->options, error) ||
      !take_status(line, record, error) || !take_figures(line, record, error) || !take_flags(line, record, error))
    return NULL;
  if (!record->variant)
    record->variant = g_strdup("portable");
  if (!record->label)
    record->label = g_strdup_printf("%s | %s", record->workload, record->backend);
  if (!take_arm(line, record, error))
    return NULL;
  return g_steal_pointer(&record);
}

static char *cell_key(const char *id, const char *arm) {
  return arm ? g_strconcat(id, "\n", arm, NULL) : g_strdup(id);
}

const BhCellRecord *bh_results_find(const BhResults *results, const char *id, guint round) {
  return bh_results_find_arm(results, id, NULL, round);
}

gboolean bh_results_is_ab(const BhResults *results) {
  return !g_strcmp0(bh_fields_string(results->run, "kind"), "ab");
}

const BhCellRecord *bh_results_find_arm(const BhResults *results, const char *id, const char *arm, guint round) {
  g_autofree char *key = cell_key(id, arm);
  const BhCellResult *cell = g_hash_table_lookup(results->index, key);
  /* Rounds come in order, so the one looked for is almost always the last. */
  for (guint i = cell ? cell->rounds->len : 0; i-- > 0;) {
    const BhCellRecord *record = g_ptr_array_index(cell->rounds, i);
    if (record->round == round)
      return record;
    if (record->round < round && i + 1 == cell->rounds->len)
      return NULL;
  }
  return NULL;
}

/* Keeps the rounds of a cell in ascending order, whatever the file's order. */
static void insert_round(GPtrArray *rounds, BhCellRecord *record) {
  guint at = rounds->len;
  while (at > 0 && ((BhCellRecord *)g_ptr_array_index(rounds, at - 1))->round > record->round)
    at--;
  g_ptr_array_insert(rounds, (gint)at, record);
}

/* Into `cells` behind all that come before it in the matrix. */
static void insert_cell(BhResults *results, BhCellResult *cell) {
  const guint known = GPOINTER_TO_UINT(g_hash_table_lookup(results->places, cell->id));
  cell->place = known ? known - 1 : G_MAXUINT;
  guint low = 0, high = results->cells->len;
  while (low < high) {
    const guint middle = low + (high - low) / 2;
    const BhCellResult *other = results->cells->pdata[middle];
    if (other->place <= cell->place)
      low = middle + 1;
    else
      high = middle;
  }
  g_ptr_array_insert(results->cells, (gint)low, cell);
}

static void take_plan(BhResults *results, JsonObject *line) {
  JsonArray *plan = bh_fields_array(line, "plan");
  for (guint i = 0; plan && i < json_array_get_length(plan); i++) {
    JsonNode *id = json_array_get_element(plan, i);
    if (JSON_NODE_HOLDS_VALUE(id) && json_node_get_value_type(id) == G_TYPE_STRING)
      g_hash_table_insert(results->places, g_strdup(json_node_get_string(id)), GUINT_TO_POINTER(i + 1));
  }
}

static gboolean add_cell(BhResults *results, JsonObject *line, GError **error) {
  g_autoptr(BhCellRecord) record = record_new(line, error);
  if (!record)
    return FALSE;
  g_autofree char *key = cell_key(record->id, record->arm);
  BhCellResult *cell = g_hash_table_lookup(results->index, key);
  g_autofree char *id = bh_text_shown(record->id);
  if (bh_results_find_arm(results, record->id, record->arm, record->round)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "cell %s comes a second time in round %u: expected each cell once per round; are these two journals in "
                "one file?",
                id, record->round);
    return FALSE;
  }
  if (cell) {
    const BhCellRecord *first = g_ptr_array_index(cell->rounds, 0);
    if (strcmp(first->workload, record->workload) || strcmp(first->backend, record->backend)) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                  "cell %s has another workload or backend than in its first line: expected the same in every round",
                  id);
      return FALSE;
    }
  } else {
    cell = g_new0(BhCellResult, 1);
    cell->id = g_strdup(record->id);
    cell->arm = record->arm;
    cell->key = g_steal_pointer(&key);
    cell->rounds = g_ptr_array_new();
    insert_cell(results, cell);
    g_hash_table_insert(results->index, cell->key, cell);
  }
  insert_round(cell->rounds, record);
  g_ptr_array_add(results->records, g_steal_pointer(&record));
  return TRUE;
}

static gboolean add_run(BhResults *results, JsonObject *line, GError **error) {
  gint64 schema;
  if (results->run) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "a second line of type 'run': expected one, at the start; are these two journals in one file?");
    return FALSE;
  }
  if (!bh_fields_int(line, "schema", &schema) || schema < 1) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "'schema' of the run line: expected the journal's version, 1");
    return FALSE;
  }
  if (schema > 1) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "the journal has schema %" G_GINT64_FORMAT ", this program reads schema 1: use a newer benchhost",
                schema);
    return FALSE;
  }
  results->run = json_object_ref(line);
  take_plan(results, line);
  return TRUE;
}

/* Flags the round's records where the machine was disturbed as a whole: ticks are too coarse to tell of one visit. */
static gboolean take_round(BhResults *results, JsonObject *line, GError **error) {
  gint64 round = -1; /* null: a pass over cells that are each at a round of their own */
  JsonNode *node = json_object_get_member(line, "round");
  if (!node || (!JSON_NODE_HOLDS_NULL(node) &&
                (!bh_fields_int(line, "round", &round) || round < 0 || round >= MOST_ROUNDS))) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "'round' of a round line: expected a whole number from 0 to 999999, or null");
    return FALSE;
  }
  const guint from = results->span_from;
  results->span_from = results->records->len;
  g_ptr_array_add(results->round_lines, json_object_ref(line));
  if (!bh_fields_string(line, "disturbed"))
    return TRUE;
  for (guint i = results->records->len; i-- > from;) {
    BhCellRecord *record = results->records->pdata[i];
    if ((round < 0 || record->round == (guint)round) &&
        !g_ptr_array_find_with_equal_func(record->flags, "disturbed-round", g_str_equal, NULL))
      g_ptr_array_add(record->flags, g_strdup("disturbed-round"));
  }
  return TRUE;
}

/* Strikes one record: its cell is to be run again in that round. */
static gboolean take_retry(BhResults *results, JsonObject *line, GError **error) {
  gint64 round;
  const char *id = bh_fields_string(line, "id"), *arm = bh_fields_string(line, "arm");
  BhCellRecord *record = NULL;
  if (id && bh_fields_int(line, "round", &round) && round >= 0 && round < MOST_ROUNDS)
    record = (BhCellRecord *)bh_results_find_arm(results, id, arm, (guint)round);
  if (!record) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "a 'retry' line: expected 'id' and 'round' of a cell that is in the journal above it");
    return FALSE;
  }
  g_autofree char *key = cell_key(id, arm);
  BhCellResult *cell = g_hash_table_lookup(results->index, key);
  g_ptr_array_remove(cell->rounds, record);
  if (!cell->rounds->len) {
    g_hash_table_remove(results->index, cell->key);
    g_ptr_array_remove(results->cells, cell);
  }
  guint at;
  if (g_ptr_array_find(results->records, record, &at)) {
    if (at < results->span_from)
      results->span_from--;
    g_ptr_array_add(results->struck, g_ptr_array_steal_index(results->records, at));
  }
  return TRUE;
}

gboolean bh_results_add(BhResults *results, JsonObject *line, GError **error) {
  const char *type = bh_fields_string(line, "type");
  if (!type) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "expected an object with a text 'type' (\"run\", \"cell\", \"end\")");
    return FALSE;
  }
  if (!strcmp(type, "run"))
    return add_run(results, line, error);
  if (!strcmp(type, "cell"))
    return add_cell(results, line, error);
  if (!strcmp(type, "retry"))
    return take_retry(results, line, error);
  if (!strcmp(type, "round"))
    return take_round(results, line, error);
  if (!strcmp(type, "note") && bh_fields_string(line, "text"))
    g_ptr_array_add(results->notes, g_strdup(bh_fields_string(line, "text")));
  if (!strcmp(type, "end") || !strcmp(type, "resume")) {
    /* A resumed run is not at its end any more. */
    g_clear_pointer(&results->end, json_object_unref);
    results->end = *type == 'e' ? json_object_ref(line) : NULL;
    if (!results->end)
      results->span_from = results->records->len;
  }
  return TRUE;
}
