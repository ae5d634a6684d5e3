/* SPDX-License-Identifier: MIT
 * Owns the stop rule and the sequence prepare -> run -> check of every sample. */
#include "worker/sampler.h"

#include "base/clock.h"
#include "base/stats.h"

#include <math.h>
#include <string.h>

enum { WINDOW = 5, SPOTS = 64, MAX_INNER = 1 << 30 };
#define SPOT_FETCH_BYTES                                                                                               \
  (UINT64_C(64) << 20) /* device results up to here are brought back for every sample's spot check */

const char *bh_stop_reason_name(BhStopReason reason) {
  static const char *const names[] = {"precision", "max-samples", "max-time", "interrupted"};
  return names[reason];
}

void bh_sampling_clear(BhSampling *sampling) {
  g_clear_pointer(&sampling->samples_ns, g_array_unref);
}

guint bh_sampler_next_look(guint n, guint first) {
  return n < first ? first : (n * 3 + 1) / 2;
}

static guint64 result_bytes(const BhSession *s) {
  guint64 bytes = 0;
  for (guint i = 0; i < s->problem->problem.n_regions; i++)
    if (s->view[i])
      bytes += s->view_bytes[i];
  return bytes;
}

/* One sample: prepared, timed, checked. `ret_ns`: of all `inner` runs together. */
static bh_status take_sample(BhSession *s, guint inner, guint64 *ret_ns) {
  bh_status status = bh_session_prepare(s);
  if (status != BH_OK)
    return status;
  bh_arena_begin_sample(s->arena, (guint)s->sample);
  const guint64 start_ns = bh_clock_now_ns();
  status = bh_session_run(s, inner);
  *ret_ns = bh_clock_now_ns() - start_ns;
  if (status != BH_OK)
    return status;
  if (s->backend->backend.fetch) {
    if (result_bytes(s) > SPOT_FETCH_BYTES)
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

/* Doubles the runs per sample until one lasts `target_ns`. These runs are warm-up too. */
static bh_status size_samples(BhSession *s, BhSampling *ret, guint64 target_ns) {
  ret->inner = 1;
  if (s->restores || ret->cold_ns >= 4 * target_ns)
    return BH_OK; /* what a run used up is restored before each sample: one run per sample */
  for (;;) {
    guint64 ns;
    const bh_status status = take_sample(s, ret->inner, &ns);
    if (status != BH_OK || ns >= target_ns || ret->inner >= MAX_INNER || bh_arena_cancelled(s->arena))
      return status;
    const double per_run = MAX((double)ns / ret->inner, 0.1);
    const double wanted = ceil(1.05 * (double)target_ns / per_run);
    ret->inner = (guint)MIN(MAX(MIN(wanted, ret->inner * 16.0), ret->inner + 1.0), MAX_INNER);
  }
}

/* Until the medians of two windows agree within 1 %, or the time is up. */
static bh_status warm_up(BhSession *s, BhSampling *ret) {
  const guint64 limit_ns = (guint64)MAX(s->request->measure.warmup_ns, 0);
  const guint64 start_ns = bh_clock_now_ns();
  double window[2][WINDOW];
  for (guint n = 0;; n++) {
    if (bh_arena_cancelled(s->arena) || bh_clock_now_ns() - start_ns >= limit_ns)
      return BH_OK;
    if (n && n % WINDOW == 0) {
      if (n >= 2 * WINDOW) {
        const double before = bh_stats_median(window[0], WINDOW), now = bh_stats_median(window[1], WINDOW);
        if (fabs(now - before) <= 0.01 * MIN(before, now)) {
          ret->steady = TRUE;
          return BH_OK;
        }
      }
      memcpy(window[0], window[1], sizeof window[0]);
    }
    guint64 ns;
    const bh_status status = take_sample(s, ret->inner, &ns);
    if (status != BH_OK)
      return status;
    window[1][n % WINDOW] = (double)ns;
  }
}

static gboolean precise_enough(const GArray *samples, double precision) {
  if (precision <= 0)
    return FALSE;
  const BhSummary summary = bh_stats_summary((const double *)(void *)samples->data, samples->len);
  return summary.has_interval && (summary.high - summary.low) / 2 <= precision * summary.median;
}

static bh_status sample(BhSession *s, BhSampling *ret) {
  const BhMeasure *m = &s->request->measure;
  const guint64 start_ns = bh_clock_now_ns();
  guint look = MAX(m->min_samples, 1);
  for (;;) {
    if (bh_arena_cancelled(s->arena)) {
      ret->stopped = BH_STOP_INTERRUPTED;
      return BH_OK;
    }
    guint64 ns;
    const bh_status status = take_sample(s, ret->inner, &ns);
    if (status != BH_OK)
      return status;
    const double per_run = (double)ns / ret->inner;
    g_array_append_val(ret->samples_ns, per_run);
    const guint n = ret->samples_ns->len;
    if (n == look) {
      if (precise_enough(ret->samples_ns, m->precision)) {
        ret->stopped = BH_STOP_PRECISION;
        return BH_OK;
      }
      look = bh_sampler_next_look(n, m->min_samples);
    }
    if (n >= m->max_samples) {
      ret->stopped = BH_STOP_MAX_SAMPLES;
      return BH_OK;
    }
    if (n >= m->min_samples && bh_clock_now_ns() - start_ns >= (guint64)m->max_time_ns) {
      ret->stopped = BH_STOP_MAX_TIME;
      return BH_OK;
    }
  }
}

bh_status bh_sampler_run(BhSession *s, BhSampling *ret) {
  const BhMeasure *m = &s->request->measure;
  *ret =
      (BhSampling){.samples_ns = g_array_new(FALSE, FALSE, sizeof(double)), .resolution_ns = bh_clock_resolution_ns()};
  const guint64 target_ns = MAX((guint64)MAX(m->min_sample_ns, 0), 1000 * ret->resolution_ns);
  bh_status status = run_cold(s, ret);
  if (status != BH_OK || bh_arena_cancelled(s->arena))
    return status;
  bh_session_begin(s, BH_PHASE_WARMUP);
  status = size_samples(s, ret, target_ns);
  if (status == BH_OK)
    status = warm_up(s, ret);
  bh_session_end(s, BH_PHASE_WARMUP);
  if (status != BH_OK)
    return status;
  bh_arena_forget_metrics(s->arena);
  bh_arena_forget_phases(s->arena);
  bh_session_begin(s, BH_PHASE_MEASURE);
  status = sample(s, ret);
  bh_session_end(s, BH_PHASE_MEASURE);
  if (status != BH_OK)
    return status;
  if (ret->samples_ns->len < m->min_samples) { /* interrupted: too little to be a result */
    g_array_set_size(ret->samples_ns, 0);
    return BH_OK;
  }
  const double shortest = bh_stats_quantile((const double *)(void *)ret->samples_ns->data, ret->samples_ns->len, 0);
  ret->coarse = shortest * ret->inner < 1000.0 * (double)ret->resolution_ns;
  return verify_last(s);
}
