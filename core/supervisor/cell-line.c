/* SPDX-License-Identifier: MIT
 * Owns the meaning of what was seen: which status a cell ended in, why, and the journal line that says so. */
#include "supervisor/cell-line.h"

#include "base/json.h"
#include "base/text.h"
#include "results/results.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define FOOTPRINT "footprint_bytes" /* in a worker's result; in the line it is part of `memory` */

typedef struct {
  BhCellStatus status;
  char *reason; /* owned */
  char *signal; /* owned; NULL: none */
} Verdict;

static char *signal_name(int number) {
  const char *name = sigabbrev_np(number);
  if (name)
    return g_strconcat("SIG", name, NULL);
  return g_strdup_printf("SIGRTMIN+%d", number - SIGRTMIN);
}

static char *where(const BhOutcome *out) {
  return out->phase ? g_strdup_printf("in phase %s", out->phase) : g_strdup("before its first phase");
}

static char *out_of_memory_reason(const BhOutcome *out, const char *phase) {
  g_autofree char *limit = bh_text_bytes((double)out->limit_bytes);
  if (out->killed != BH_KILLED_MEMORY)
    return g_strdup_printf("the kernel's out-of-memory killer ended it %s; it might have used %s", phase, limit);
  g_autofree char *seen = bh_text_bytes((double)out->seen_bytes);
  return g_strdup_printf("its processes used %s %s, the limit is %s", seen, phase, limit);
}

/* Without a result that counts: how it died. */
static Verdict death(const BhOutcome *out, gint64 deadline_ns) {
  g_autofree char *phase = where(out);
  const gboolean signalled = WIFSIGNALED(out->status);
  Verdict verdict = {.status = BH_CELL_CRASHED, .signal = signalled ? signal_name(WTERMSIG(out->status)) : NULL};
  const gboolean by_kernel = !out->killed && signalled && WTERMSIG(out->status) == SIGKILL && out->oom_killer;
  if (out->killed == BH_KILLED_MEMORY || by_kernel) {
    verdict.status = BH_CELL_OUT_OF_MEMORY;
    verdict.reason = out_of_memory_reason(out, phase);
  } else if (out->killed == BH_KILLED_DEADLINE) {
    g_autofree char *after = bh_text_duration((double)deadline_ns);
    verdict.status = BH_CELL_TIMEOUT;
    verdict.reason = g_strdup_printf("no end after %s (the cell's deadline), %s", after, phase);
  } else if (out->exec_errno) {
    verdict.status = BH_CELL_FAILED;
    verdict.reason = g_strdup_printf("the cell's program could not be started: %s", g_strerror(out->exec_errno));
  } else if (out->bad_event) {
    verdict.status = BH_CELL_FAILED;
    verdict.reason = g_strdup(out->bad_event);
  } else if (signalled) {
    verdict.reason = g_strdup_printf("killed by %s (%s) %s", verdict.signal, strsignal(WTERMSIG(out->status)), phase);
  } else {
    verdict.reason =
        g_strdup_printf("ended with exit status %d and without a result, %s", WEXITSTATUS(out->status), phase);
  }
  if (verdict.status != BH_CELL_CRASHED)
    g_clear_pointer(&verdict.signal, g_free); /* it was ours, or the kernel's way of saying something else */
  return verdict;
}

/* `ret_result`: set when the worker's own result stands. */
static Verdict judge(const BhCell *cell, const BhOutcome *out, JsonObject **ret_result) {
  *ret_result = NULL;
  if (!out->result || out->bad_event)
    return death(out, cell->measure.deadline_ns);
  g_autofree char *wrong = bh_cell_line_check(out->result);
  if (wrong)
    return (Verdict){.status = BH_CELL_FAILED,
                     .reason = g_strdup_printf("the worker's result is malformed: %s", wrong)};
  Verdict verdict = {0};
  bh_cell_status_parse(json_object_get_string_member(out->result, "status"), &verdict.status);
  if (verdict.status != BH_CELL_OK)
    verdict.reason = g_strdup(json_object_get_string_member(out->result, "reason"));
  *ret_result = out->result;
  return verdict;
}

gboolean bh_cell_line_keeps(const BhOutcome *out) {
  BhCellStatus status;
  if (!out->result || out->bad_event || out->interrupts > 1)
    return FALSE;
  g_autofree char *wrong = bh_cell_line_check(out->result);
  if (wrong || !bh_cell_status_parse(json_object_get_string_member(out->result, "status"), &status))
    return FALSE;
  /* Being told to end makes plugins fail; that says nothing about them. */
  return status != BH_CELL_FAILED && status != BH_CELL_CRASHED && status != BH_CELL_TIMEOUT;
}

gint64 bh_cell_line_inside_ns(const BhOutcome *out) {
  JsonNode *node = out->result ? json_object_get_member(out->result, "phases_ns") : NULL;
  if (!node || !JSON_NODE_HOLDS_OBJECT(node))
    return out->wall_ns;
  double inside = 0;
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  json_object_iter_init(&iter, json_node_get_object(node));
  while (json_object_iter_next(&iter, &name, &value))
    if (strcmp(name, "load") && JSON_NODE_HOLDS_VALUE(value))
      inside += json_node_get_double(value);
  return inside >= 0 && inside <= (double)out->wall_ns ? (gint64)inside : out->wall_ns;
}

/* ---- The line ---- */

static JsonNode *value_node(const BhValue *value) {
  JsonNode *node = json_node_new(JSON_NODE_VALUE);
  switch (value->type) {
  case BH_BOOL:
    json_node_set_boolean(node, value->i != 0);
    return node;
  case BH_INT:
  case BH_SIZE:
  case BH_DURATION:
    json_node_set_int(node, value->i);
    return node;
  case BH_REAL:
    json_node_set_double(node, value->r);
    return node;
  case BH_WORDS: {
    json_node_unref(node);
    node = json_node_new(JSON_NODE_ARRAY);
    JsonArray *words = json_array_new();
    for (char **word = value->words; word && *word; word++) {
      g_autofree char *valid = g_utf8_make_valid(*word, -1);
      json_array_add_string_element(words, valid);
    }
    json_node_take_array(node, words);
    return node;
  }
  default: {
    g_autofree char *valid = g_utf8_make_valid(value->s ? value->s : "", -1);
    json_node_set_string(node, valid);
    return node;
  }
  }
}

static JsonObject *values_object(const GPtrArray *table, const GPtrArray *values) {
  JsonObject *object = json_object_new();
  for (guint i = 0; table && values && i < table->len && i < values->len; i++) {
    const BhParam *param = table->pdata[i];
    json_object_set_member(object, param->name, value_node(values->pdata[i]));
  }
  return object;
}

/* The worker's value of `key`, else `fallback` (taken). */
static void set_from(JsonObject *line, JsonObject *result, const char *key, JsonNode *fallback) {
  JsonNode *node = result ? json_object_get_member(result, key) : NULL;
  json_object_set_member(line, key, json_node_copy(node && !JSON_NODE_HOLDS_NULL(node) ? node : fallback));
  json_node_unref(fallback);
}

static JsonNode *empty(JsonNodeType type) {
  JsonNode *node = json_node_new(type);
  if (type == JSON_NODE_OBJECT)
    json_node_take_object(node, json_object_new());
  else if (type == JSON_NODE_ARRAY)
    json_node_take_array(node, json_array_new());
  return node;
}

static void set_memory(JsonObject *line, JsonObject *result, const BhOutcome *out) {
  JsonNode *footprint = result ? json_object_get_member(result, FOOTPRINT) : NULL;
  JsonObject *memory = json_object_new();
  json_object_set_member(memory, "footprint_bytes",
                         footprint ? json_node_copy(footprint) : json_node_new(JSON_NODE_NULL));
  json_object_set_int_member(memory, "peak_bytes", (gint64)out->peak_bytes);
  if (out->limit_bytes)
    json_object_set_int_member(memory, "limit_bytes", (gint64)out->limit_bytes);
  else
    json_object_set_null_member(memory, "limit_bytes");
  json_object_set_object_member(line, "memory", memory);
}

static void set_usage(JsonObject *line, const struct rusage *usage) {
  JsonObject *object = json_object_new();
  const struct timeval *user = &usage->ru_utime, *sys = &usage->ru_stime;
  json_object_set_double_member(object, "user_s", (double)user->tv_sec + (double)user->tv_usec * 1e-6);
  json_object_set_double_member(object, "system_s", (double)sys->tv_sec + (double)sys->tv_usec * 1e-6);
  json_object_set_int_member(object, "minflt", usage->ru_minflt);
  json_object_set_int_member(object, "majflt", usage->ru_majflt);
  json_object_set_int_member(object, "nvcsw", usage->ru_nvcsw);
  json_object_set_int_member(object, "nivcsw", usage->ru_nivcsw);
  json_object_set_int_member(object, "maxrss_bytes", (gint64)usage->ru_maxrss * 1024);
  json_object_set_object_member(line, "rusage", object);
}

/* What the worker itself says there, to be added to; `result` NULL: nothing. */
static JsonArray *texts_of(JsonObject *result, const char *key) {
  JsonArray *texts = json_array_new();
  JsonNode *node = result ? json_object_get_member(result, key) : NULL;
  JsonArray *own = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
  for (guint i = 0; own && i < json_array_get_length(own); i++)
    json_array_add_string_element(texts, json_array_get_string_element(own, i));
  return texts;
}

static void set_flags(JsonObject *line, JsonObject *result, const BhOutcome *out) {
  JsonArray *flags = texts_of(result, "flags");
  if (out->strays)
    json_array_add_string_element(flags, "left-processes");
  if (result && out->killed == BH_KILLED_LINGERING)
    json_array_add_string_element(flags, "lingered");
  else if (result && !out->killed && (WIFSIGNALED(out->status) || WEXITSTATUS(out->status)))
    json_array_add_string_element(flags, "died-after-result");
  if (result && out->oom_killer)
    json_array_add_string_element(flags, "oom-killer");
  json_object_set_array_member(line, "flags", flags);
}

static void set_log(JsonObject *line, JsonObject *result, const BhOutcome *out) {
  JsonArray *log = texts_of(result, "log");
  for (guint i = 0; i < out->log->len; i++)
    json_array_add_string_element(log, out->log->pdata[i]);
  if (out->log_dropped) {
    g_autofree char *more = g_strdup_printf("(%u more lines were not kept)", out->log_dropped);
    json_array_add_string_element(log, more);
  }
  json_object_set_array_member(line, "log", log);
}

static void set_identity(JsonObject *line, const BhCell *cell, guint round, JsonObject *result) {
  json_object_set_string_member(line, "type", "cell");
  bh_json_put_text(line, "id", cell->id);
  g_autofree char *label = g_utf8_make_valid(cell->label, -1);
  bh_json_put_text(line, "label", label);
  bh_json_put_text(line, "workload", cell->workload->name);
  json_object_set_object_member(line, "params", values_object(cell->workload->params, cell->params));
  bh_json_put_text(line, "backend", cell->backend->name);
  json_object_set_object_member(line, "options", values_object(cell->backend->params, cell->options));
  JsonNode *variant = json_node_new(JSON_NODE_VALUE);
  json_node_set_string(variant, cell->variant ? cell->variant : "portable");
  set_from(line, result, "variant", variant);
  json_object_set_int_member(line, "round", round);
}

/* Keys that a newer worker may send: kept, since readers ignore what they do not know. Those that say which visit this
 * was are the supervisor's to give, also where it gives none. */
static void set_unknown(JsonObject *line, JsonObject *result) {
  static const char *const ours[] = {FOOTPRINT, "arm", "stage", "disturbance", "measure", NULL};
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  json_object_iter_init(&iter, result);
  while (json_object_iter_next(&iter, &name, &value))
    if (!json_object_has_member(line, name) && !g_strv_contains(ours, name))
      json_object_set_member(line, name, json_node_copy(value));
}

JsonObject *bh_cell_line_new(const BhCell *cell, guint round, const BhOutcome *out) {
  JsonObject *result, *line = json_object_new();
  const Verdict verdict = judge(cell, out, &result);
  set_identity(line, cell, round, result);
  json_object_set_string_member(line, "status", bh_cell_status_name(verdict.status));
  bh_json_put_text(line, "reason", verdict.reason);
  json_object_set_boolean_member(line, "baseline", cell->baseline);
  json_object_set_string_member(line, "primary", cell->measure.primary ? cell->measure.primary : "wall");
  set_from(line, result, "primary_reason", json_node_new(JSON_NODE_NULL));
  const char *const null_keys[] = {"steady", "total", "cold_ns"};
  for (guint i = 0; i < G_N_ELEMENTS(null_keys); i++)
    set_from(line, result, null_keys[i], json_node_new(JSON_NODE_NULL));
  set_from(line, result, "phases_ns", empty(JSON_NODE_OBJECT));
  set_from(line, result, "cold_phases", empty(JSON_NODE_OBJECT));
  set_from(line, result, "worker_phases", empty(JSON_NODE_OBJECT));
  set_from(line, result, "throughput", json_node_new(JSON_NODE_NULL));
  set_from(line, result, "cost", json_node_new(JSON_NODE_NULL));
  set_from(line, result, "metrics", empty(JSON_NODE_OBJECT));
  set_from(line, result, "facts", empty(JSON_NODE_OBJECT));
  set_from(line, result, "workers", json_node_new(JSON_NODE_NULL));
  set_from(line, result, "placement", empty(JSON_NODE_ARRAY));
  set_memory(line, result, out);
  set_usage(line, &out->usage);
  set_flags(line, result, out);
  set_from(line, result, "kernels", empty(JSON_NODE_ARRAY));
  set_log(line, result, out);
  bh_json_put_text(line, "signal", verdict.signal);
  bh_json_put_text(line, "stderr_tail", verdict.status == BH_CELL_OK ? NULL : out->stderr_tail);
  json_object_set_int_member(line, "wall_ns", out->wall_ns);
  bh_json_put_text(line, "started", out->started);
  if (result)
    set_unknown(line, result);
  g_free(verdict.reason);
  g_free(verdict.signal);
  return line;
}
