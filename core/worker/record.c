/* SPDX-License-Identifier: MIT
 * Owns the shape of what a worker reports. */
#include "worker/record.h"

#include "stats/series.h"
#include "stats/summary.h"
#include "worker/probe.h"

#include <math.h>
#include <string.h>

#define DISTURBED_SHARE 0.2 /* of the samples */

static const char *status_name(bh_status status) {
  static const char *const names[] = {"ok", "skipped", "unsupported", "out-of-memory", "wrong", "failed"};
  return names[status];
}

/* A thousandth of a nanosecond is far below any clock; more digits would only be noise in the file. */
static double tidy(double ns) {
  return round(ns * 1000) / 1000;
}

static void set_pair(JsonObject *object, const char *key, double low, double high) {
  JsonArray *pair = json_array_sized_new(2);
  json_array_add_double_element(pair, tidy(low));
  json_array_add_double_element(pair, tidy(high));
  json_object_set_array_member(object, key, pair);
}

JsonObject *bh_record_figure(const double *x, guint n) {
  const BhSummary s = bh_stats_summary_series(x, n);
  JsonObject *object = json_object_new();
  json_object_set_double_member(object, "median_ns", tidy(s.median));
  if (s.has_interval) {
    set_pair(object, "ci_ns", s.low, s.high);
    json_object_set_null_member(object, "ci_reason");
  } else {
    g_autofree char *why = g_strdup_printf("%u sample%s; an interval needs 6", n, n == 1 ? "" : "s");
    json_object_set_null_member(object, "ci_ns");
    json_object_set_string_member(object, "ci_reason", why);
  }
  json_object_set_double_member(object, "min_ns", tidy(s.min));
  json_object_set_double_member(object, "p95_ns", tidy(s.p95));
  json_object_set_double_member(object, "mean_ns", tidy(s.mean));
  json_object_set_double_member(object, "cv", s.cv);
  json_object_set_int_member(object, "n", n);
  JsonArray *samples = json_array_sized_new(n);
  for (guint i = 0; i < n; i++)
    json_array_add_double_element(samples, tidy(x[i]));
  json_object_set_array_member(object, "samples_ns", samples);
  return object;
}

static void add_figures(JsonObject *record, const BhSession *s, const BhSampling *sampling) {
  if (!sampling) {
    json_object_set_null_member(record, "steady");
    json_object_set_null_member(record, "total");
    return;
  }
  JsonObject *steady = bh_record_figure((const double *)(void *)sampling->samples_ns->data, sampling->samples_ns->len);
  const double *samples = (const double *)(void *)sampling->samples_ns->data;
  json_object_set_double_member(steady, "autocorrelation",
                                bh_stats_autocorrelation(samples, sampling->samples_ns->len));
  json_object_set_double_member(steady, "effective_n", bh_stats_effective_n(samples, sampling->samples_ns->len));
  json_object_set_int_member(steady, "modes", bh_stats_modes(samples, sampling->samples_ns->len));
  json_object_set_int_member(steady, "inner", sampling->inner);
  json_object_set_string_member(steady, "stopped", bh_stop_reason_name(sampling->stopped));
  json_object_set_object_member(record, "steady", steady);
  /* What a user waits for. `alloc` too: else a backend that allocates there would hide what others do in `open`. */
  static const BhPhase waited[] = {BH_PHASE_LOAD, BH_PHASE_OPEN, BH_PHASE_ALLOC,
                                   BH_PHASE_BIND, BH_PHASE_COLD, BH_PHASE_FETCH};
  double total_ns = 0;
  for (guint i = 0; i < G_N_ELEMENTS(waited); i++)
    total_ns += (double)s->phase_ns[waited[i]];
  json_object_set_object_member(record, "total", bh_record_figure(&total_ns, 1));
  json_object_set_int_member(record, "cold_ns", (gint64)sampling->cold_ns);
  json_object_set_int_member(record, "clock_resolution_ns", (gint64)sampling->resolution_ns);
}

static void set_positive(JsonObject *object, const char *key, double value) {
  if (value > 0 && isfinite(value))
    json_object_set_double_member(object, key, value);
  else
    json_object_set_null_member(object, key);
}

static void add_model(JsonObject *record, const BhSession *s) {
  if (!s->problem)
    return;
  const bh_problem *p = &s->problem->problem;
  JsonObject *cost = json_object_new();
  set_positive(cost, "items", p->items);
  set_positive(cost, "flops", p->flops);
  set_positive(cost, "bytes_read", p->bytes_read);
  set_positive(cost, "bytes_written", p->bytes_written);
  json_object_set_string_member(cost, "item_unit", p->item_unit ? p->item_unit : "items");
  json_object_set_object_member(record, "cost", cost);
  JsonObject *rate = json_object_new();
  JsonNode *steady = json_object_get_member(record, "steady");
  const double median_ns =
      JSON_NODE_HOLDS_OBJECT(steady) ? json_object_get_double_member(json_node_get_object(steady), "median_ns") : 0;
  set_positive(rate, "items_per_s", median_ns > 0 ? p->items * 1e9 / median_ns : 0);
  set_positive(rate, "gflops", median_ns > 0 ? p->flops / median_ns : 0);
  set_positive(rate, "gb_per_s", median_ns > 0 ? (p->bytes_read + p->bytes_written) / median_ns : 0);
  json_object_set_object_member(record, "throughput", rate);
}

void bh_record_add_phases(JsonObject *record, const BhSession *s) {
  JsonObject *phases = json_object_new();
  for (guint i = 0; i < BH_N_PHASES; i++)
    if (s->phase_seen[i])
      json_object_set_int_member(phases, bh_phase_name(i), (gint64)s->phase_ns[i]);
  json_object_set_object_member(record, "phases_ns", phases);
}

static JsonArray *kernels(const BhSession *s) {
  JsonArray *array = json_array_new();
  for (guint i = 0; s->problem && i < s->problem->problem.n_loops; i++) {
    const bh_loop *loop = &s->problem->problem.loops[i];
    JsonObject *entry = json_object_new();
    json_object_set_string_member(entry, "name", s->problem->kernels[loop->kernel].name);
    json_object_set_string_member(entry, "variant", s->problem->chosen[loop->kernel]);
    json_object_set_int_member(entry, "items", (gint64)MIN(loop->items, (guint64)G_MAXINT64));
    json_object_set_boolean_member(entry, "uneven", loop->uneven != 0);
    json_array_add_object_element(array, entry);
  }
  return array;
}

/* Precision is the primary figure's; one with a value per process has none in here. */
static gboolean too_wide(const BhSession *s, const BhSampling *sampling) {
  const double precision = s->request->measure.precision;
  BhPrimary primary;
  bh_primary_parse(s->request->measure.primary ? s->request->measure.primary : "wall", &primary);
  if (!bh_primary_per_sample(&primary))
    return FALSE;
  const GArray *values = sampling->primary->len ? sampling->primary : sampling->samples_ns;
  const BhSummary summary = bh_stats_summary_series((const double *)(void *)values->data, values->len);
  return precision > 0 && !bh_stats_precise(&summary, precision);
}

/* Why the primary figure is missing, for people; NULL: it is there, or is not the worker's to tell. */
static char *no_primary(const BhSession *s, const BhSampling *sampling) {
  const char *text = s->request->measure.primary;
  BhPrimary primary;
  if (!bh_primary_parse(text ? text : "wall", &primary) || !bh_primary_per_sample(&primary) || sampling->primary->len)
    return NULL;
  if (primary.kind == BH_PRIMARY_METRIC)
    return g_strdup_printf("the workload reported no metric '%s' in %u samples", primary.name,
                           sampling->samples_ns->len);
  if (primary.kind == BH_PRIMARY_COUNTER)
    return g_strdup_printf("no counter '%s' was read: see `counters`, and give its group in measure.counters",
                           primary.name);
  return g_strdup("no sample has a CPU time: see `cpu`");
}

static JsonArray *flags(const BhSession *s, const BhSampling *sampling, gboolean misplaced) {
  JsonArray *array = json_array_new();
  if (s->problem && s->needs.workers) {
    const bh_problem *p = &s->problem->problem;
    const guint64 threads = (guint64)s->needs.workers * MAX(p->inner_threads, 1);
    if (threads > s->request->cores && !(p->flags & BH_BLOCKING))
      json_array_add_string_element(array, "oversubscribed");
  }
  if (misplaced)
    json_array_add_string_element(array, "not-pinned");
  if (bh_arena_overflowed(s->arena))
    json_array_add_string_element(array, "reports-dropped");
  if (!sampling)
    return array;
  const BhSummary summary =
      bh_stats_summary((const double *)(void *)sampling->samples_ns->data, sampling->samples_ns->len);
  const double *samples = (const double *)(void *)sampling->samples_ns->data;
  if (bh_stats_is_autocorrelated(samples, summary.n))
    json_array_add_string_element(array, "autocorrelated");
  if (bh_stats_modes(samples, summary.n) > 1)
    json_array_add_string_element(array, "bimodal");
  if (!sampling->steady)
    json_array_add_string_element(array, "no-steady-state");
  if (!summary.has_interval)
    json_array_add_string_element(array, "few-samples");
  else if (too_wide(s, sampling))
    json_array_add_string_element(array, "interval-wide");
  g_autofree char *reason = no_primary(s, sampling);
  if (reason)
    json_array_add_string_element(array, "no-primary");
  if (sampling->coarse)
    json_array_add_string_element(array, "below-clock-resolution");
  if (bh_probe_flagged_share(s->probe) > DISTURBED_SHARE)
    json_array_add_string_element(array, "disturbed-samples");
  return array;
}

static void add_reason(JsonObject *record, const BhSession *s, bh_status status) {
  const char *message = "";
  json_object_set_string_member(record, "status", status_name(status));
  if (status == BH_OK) {
    json_object_set_null_member(record, "reason");
    return;
  }
  bh_arena_stopped(s->arena, &message);
  g_autofree char *text = g_utf8_make_valid(message, -1);
  json_object_set_string_member(record, "reason", text);
}

JsonObject *bh_record_new(BhSession *s, bh_status status, const BhSampling *sampling) {
  JsonObject *record = json_object_new();
  add_reason(record, s, status);
  add_figures(record, s, sampling);
  if (sampling) {
    bh_probe_add_to_record(s->probe, record);
    g_autofree char *reason = no_primary(s, sampling);
    if (reason)
      json_object_set_string_member(record, "primary_reason", reason);
  }
  add_model(record, s);
  if (s->cold_phases)
    json_object_set_member(record, "cold_phases", json_node_copy(s->cold_phases));
  json_object_set_member(record, "worker_phases", bh_arena_worker_phases(s->arena));
  gboolean misplaced;
  JsonNode *placement = bh_arena_placement(s->arena, &misplaced);
  json_object_set_int_member(record, "process_peak_bytes", (gint64)bh_probe_add_peaks(placement));
  json_object_set_member(record, "placement", placement);
  json_object_set_member(record, "facts", bh_arena_facts(s->arena));
  json_object_set_member(record, "metrics", bh_arena_metrics(s->arena));
  json_object_set_member(record, "log", bh_arena_log(s->arena));
  json_object_set_int_member(record, "workers", s->needs.workers);
  json_object_set_int_member(record, "footprint_bytes", (gint64)MIN(s->footprint_bytes, (guint64)G_MAXINT64));
  json_object_set_array_member(record, "kernels", kernels(s));
  json_object_set_array_member(record, "flags", flags(s, sampling, misplaced));
  return record;
}
