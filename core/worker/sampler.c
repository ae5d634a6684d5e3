/* SPDX-License-Identifier: MIT
 * Owns the stop rule and the sequence prepare -> run -> check of every sample. */
#include "worker/sampler.h"

#include "base/clock.h"
#include "stats/series.h"
#include "stats/summary.h"
#include "worker/probe.h"

#include <math.h>
#include <string.h>

enum { WINDOW = BH_SAMPLER_WINDOW, SPOTS = 64, MAX_INNER = 1 << 30, FIRST_LOOK = 10 };
#define SPOT_FETCH_BYTES                                                                                               \
  (UINT64_C(64) << 20) /* device results up to here are brought back for every sample's spot check */

const char *bh_stop_reason_name(BhStopReason reason) {
  static const char *const names[] = {"precision", "max-samples", "max-time", "min-samples", "budget", "interrupted"};
  return names[reason];
}

void bh_sampling_clear(BhSampling *sampling) {
  g_clear_pointer(&sampling->samples_ns, g_array_unref);
  g_clear_pointer(&sampling->primary, g_array_unref);
}

guint bh_sampler_next_look(guint n, guint first) {
  return n < first ? first : (n * 3 + 1) / 2;
}

guint bh_sampler_first_look(const BhMeasure *measure, gboolean per_sample) {
  return MAX(measure->min_samples, per_sample ? FIRST_LOOK : 1);
}

/* Time that this process may take; G_MAXUINT64: no share was given. */
static guint64 share_ns(const BhSession *s) {
  return s->request->measure.budget_ns > 0 ? (guint64)s->request->measure.budget_ns : G_MAXUINT64;
}

/* The share is spent, but for bringing back and verifying the last sample, which take as long as they took before. */
static gboolean share_spent(const BhSession *s) {
  const guint64 spent_ns = bh_clock_now_ns() - s->started_ns;
  return spent_ns + s->phase_ns[BH_PHASE_FETCH] + s->phase_ns[BH_PHASE_VERIFY] >= share_ns(s);
}

guint64 bh_sampler_warmup_ns(const BhMeasure *measure, guint64 share_ns) {
  const guint64 whole_ns = MIN((guint64)MAX(measure->max_time_ns, 0), share_ns);
  return MIN((guint64)MAX(measure->warmup_ns, 0), whole_ns / 5);
}

static guint64 fetched_bytes(const BhSession *s) {
  guint64 bytes = 0;
  for (guint i = 0; i < s->problem->problem.n_regions; i++)
    if (s->view[i] && bh_session_fetches(s, i))
      bytes += s->view_bytes[i];
  return bytes;
}

/* One sample: prepared, timed, checked. `ret_ns`: of all `inner` runs together. */
static bh_status take_sample(BhSession *s, guint inner, guint64 *ret_ns) {
  bh_status status = bh_session_prepare(s);
  if (status != BH_OK)
    return status;
  bh_arena_begin_sample(s->arena, (guint)s->sample);
  bh_probe_begin(s->probe);
  const guint64 start_ns = bh_clock_now_ns();
  status = bh_session_run(s, inner);
  *ret_ns = bh_clock_now_ns() - start_ns;
  bh_probe_end(s->probe, inner, *ret_ns);
  if (status != BH_OK)
    return status;
  if (s->backend->backend.fetch) {
    if (fetched_bytes(s) > SPOT_FETCH_BYTES)
      return BH_OK;
    status = bh_session_fetch(s);
  }
  return status == BH_OK ? bh_session_spot_check(s, SPOTS) : status;
}

static bh_status verify_last(BhSession *s) {
  const bh_status status = bh_session_fetch(s);
  return status == BH_OK ? bh_session_verify(s) : status;
}

/* The first run of the process, on the outputs that fill poisoned; its fetch is the one that `total` counts. */
static bh_status run_cold(BhSession *s, BhSampling *ret) {
  bh_status status = s->workload->workload.prepare ? bh_session_prepare(s) : BH_OK;
  if (status != BH_OK)
    return status;
  bh_session_begin(s, BH_PHASE_COLD);
  status = bh_session_run(s, 1);
  bh_session_end(s, BH_PHASE_COLD);
  ret->cold_ns = s->phase_ns[BH_PHASE_COLD];
  if (status != BH_OK)
    return status;
  bh_session_begin(s, BH_PHASE_FETCH);
  status = bh_session_fetch(s);
  bh_session_end(s, BH_PHASE_FETCH);
  return status == BH_OK ? bh_session_verify(s) : status;
}

/* Whether samples of `ns` should and can be made of more runs. Half is still good: sizes need not be exact. */
static gboolean too_short(const BhSession *s, const BhSampling *sampling, double ns, guint64 target_ns) {
  /* What a run used up is restored before each sample: then one run is a sample. */
  return !s->restores && sampling->inner < MAX_INNER && ns < (double)target_ns / 2;
}

/* Raises the runs per sample until one lasts `target_ns`. These runs are warm-up too. */
static bh_status size_samples(BhSession *s, BhSampling *ret, guint64 target_ns) {
  for (;;) {
    guint64 ns;
    const bh_status status = take_sample(s, ret->inner, &ns);
    if (status != BH_OK || ns >= target_ns || ret->inner >= MAX_INNER || bh_arena_cancelled(s->arena) || share_spent(s))
      return status;
    const double per_run = MAX((double)ns / ret->inner, 0.1);
    const double wanted = ceil(1.05 * (double)target_ns / per_run);
    ret->inner = (guint)MIN(MAX(MIN(wanted, ret->inner * 16.0), ret->inner + 1.0), MAX_INNER);
  }
}

gboolean bh_sampler_is_steady(const double x[2 * BH_SAMPLER_WINDOW]) {
  const double before = bh_stats_median(x, WINDOW), now = bh_stats_median(x + WINDOW, WINDOW);
  double slope, low, high;
  const gboolean drifts = bh_stats_trend(x, 2 * WINDOW, 0.95, &slope, &low, &high) && (low > 0 || high < 0);
  return fabs(now - before) <= 0.01 * MIN(before, now) && !drifts;
}

/* Until two windows are steady, or the time is up. Samples that turn out too short (the first run was slow, or
 * something else ran while they were sized) are sized again. */
static bh_status warm_up(BhSession *s, BhSampling *ret, guint64 target_ns) {
  const guint64 limit_ns = bh_sampler_warmup_ns(&s->request->measure, share_ns(s));
  const guint64 start_ns = bh_clock_now_ns();
  double window[2 * WINDOW];
  guint n = 0;
  while (!bh_arena_cancelled(s->arena) && bh_clock_now_ns() - start_ns < limit_ns && !share_spent(s)) {
    guint64 ns;
    bh_status status = take_sample(s, ret->inner, &ns);
    if (status != BH_OK)
      return status;
    window[n++] = (double)ns;
    if (n % WINDOW)
      continue;
    if (too_short(s, ret, bh_stats_median(window + n - WINDOW, WINDOW), target_ns)) {
      if ((status = size_samples(s, ret, target_ns)) != BH_OK)
        return status;
      n = 0;
    } else if (n == 2 * WINDOW) {
      if (bh_sampler_is_steady(window)) {
        ret->steady = TRUE;
        return BH_OK;
      }
      memmove(window, window + WINDOW, WINDOW * sizeof *window);
      n = WINDOW;
    }
  }
  return BH_OK;
}

/* The sample just taken, as the primary figure sees it. */
static gboolean primary_of(const BhSession *s, const BhPrimary *primary, double per_run_ns, double *ret) {
  switch (primary->kind) {
  case BH_PRIMARY_WALL:
    *ret = per_run_ns;
    return TRUE;
  case BH_PRIMARY_METRIC:
    return bh_arena_sample_metric(s->arena, (guint)s->sample, primary->name, ret);
  default:
    return bh_primary_per_sample(primary) && bh_probe_value(s->probe, primary, ret);
  }
}

/* A cell whose primary figure does not exist stops by its times. */
static gboolean precise_enough(const BhSampling *sampling, double precision) {
  const GArray *values = sampling->primary->len ? sampling->primary : sampling->samples_ns;
  const BhSummary summary = bh_stats_summary_series((const double *)(void *)values->data, values->len);
  return precision > 0 && bh_stats_precise(&summary, precision);
}

/* Whether sampling is over after the sample just kept, and why. `look`: the next size at which precision counts. */
static gboolean enough(const BhSession *s, BhSampling *ret, gboolean per_sample, guint64 start_ns, guint *look) {
  const BhMeasure *m = &s->request->measure;
  const guint n = ret->samples_ns->len;
  if (n == *look) {
    *look = bh_sampler_next_look(n, *look);
    ret->stopped = per_sample ? BH_STOP_PRECISION : BH_STOP_MIN_SAMPLES;
    if (!per_sample || precise_enough(ret, m->precision))
      return TRUE;
  }
  ret->stopped = n >= m->max_samples ? BH_STOP_MAX_SAMPLES : BH_STOP_MAX_TIME;
  if (n >= m->max_samples || (n >= m->min_samples && bh_clock_now_ns() - start_ns >= (guint64)m->max_time_ns))
    return TRUE;
  ret->stopped = BH_STOP_BUDGET;
  return share_spent(s);
}

/* The first sample tells on one that warm-up, cut short, could not size. */
static bh_status first_sample(BhSession *s, BhSampling *ret, guint64 target_ns, guint64 *ret_ns) {
  bh_status status = take_sample(s, ret->inner, ret_ns);
  if (status != BH_OK || bh_arena_cancelled(s->arena) || !too_short(s, ret, (double)*ret_ns, target_ns))
    return status;
  status = size_samples(s, ret, target_ns);
  bh_arena_forget_metrics(s->arena);
  bh_arena_forget_phases(s->arena);
  return status == BH_OK ? take_sample(s, ret->inner, ret_ns) : status;
}

static bh_status sample(BhSession *s, BhSampling *ret, guint64 target_ns) {
  const BhMeasure *m = &s->request->measure;
  const guint64 start_ns = bh_clock_now_ns();
  BhPrimary primary;
  bh_primary_parse(m->primary ? m->primary : "wall", &primary);
  guint look = bh_sampler_first_look(m, bh_primary_per_sample(&primary));
  do {
    if (bh_arena_cancelled(s->arena)) {
      ret->stopped = BH_STOP_INTERRUPTED;
      return BH_OK;
    }
    guint64 ns;
    const bh_status status =
        ret->samples_ns->len ? take_sample(s, ret->inner, &ns) : first_sample(s, ret, target_ns, &ns);
    if (status != BH_OK)
      return status;
    bh_probe_keep(s->probe);
    double value = (double)ns / ret->inner;
    g_array_append_val(ret->samples_ns, value);
    if (primary_of(s, &primary, value, &value))
      g_array_append_val(ret->primary, value);
  } while (!enough(s, ret, bh_primary_per_sample(&primary), start_ns, &look));
  return BH_OK;
}

bh_status bh_sampler_run(BhSession *s, BhSampling *ret) {
  const BhMeasure *m = &s->request->measure;
  *ret = (BhSampling){.samples_ns = g_array_new(FALSE, FALSE, sizeof(double)),
                      .primary = g_array_new(FALSE, FALSE, sizeof(double)),
                      .resolution_ns = bh_clock_resolution_ns()};
  const guint64 target_ns = MAX((guint64)MAX(m->min_sample_ns, 0), 1000 * ret->resolution_ns);
  bh_status status = run_cold(s, ret);
  s->cold_phases = bh_arena_worker_phases(s->arena);
  bh_arena_forget_phases(s->arena);
  if (status != BH_OK || bh_arena_cancelled(s->arena))
    return status;
  bh_session_begin(s, BH_PHASE_WARMUP);
  ret->inner = 1;
  /* A long first run need not be repeated for its length alone: should it have been the exception, warm-up sees it. */
  if (!s->restores && ret->cold_ns < 4 * target_ns)
    status = size_samples(s, ret, target_ns);
  if (status == BH_OK)
    status = warm_up(s, ret, target_ns);
  bh_session_end(s, BH_PHASE_WARMUP);
  if (status != BH_OK)
    return status;
  bh_arena_forget_metrics(s->arena);
  bh_arena_forget_phases(s->arena);
  bh_probe_find_workers(s->probe, s); /* again: libraries start threads of their own when they are first used */
  bh_session_begin(s, BH_PHASE_MEASURE);
  status = sample(s, ret, target_ns);
  bh_session_end(s, BH_PHASE_MEASURE);
  if (status != BH_OK)
    return status;
  if (ret->stopped == BH_STOP_INTERRUPTED && ret->samples_ns->len < m->min_samples) { /* too little to be a result */
    g_array_set_size(ret->samples_ns, 0);
    return BH_OK;
  }
  const double shortest = bh_stats_quantile((const double *)(void *)ret->samples_ns->data, ret->samples_ns->len, 0);
  ret->coarse = shortest * ret->inner < 1000.0 * (double)ret->resolution_ns;
  return verify_last(s);
}
