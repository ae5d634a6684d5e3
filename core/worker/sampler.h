/* SPDX-License-Identifier: MIT
 * How often one process runs its cell: cold run, sizing of samples, warm-up, sampling until the stop rule says enough.
 * Every sample runs on poisoned outputs and is checked; the first and the last are verified in full.
 *
 * In a request `budget` is this process's share of the run's: sampling ends so that the process ends in time, after one
 * sample at the least. */
#pragma once
#include "worker/session.h"

typedef enum {
  BH_STOP_PRECISION = 0,
  BH_STOP_MAX_SAMPLES,
  BH_STOP_MAX_TIME,
  BH_STOP_MIN_SAMPLES, /* the primary figure has one value per process: more samples would not make it more precise */
  BH_STOP_BUDGET,      /* the process's share of the run's budget, also before min_samples */
  BH_STOP_INTERRUPTED,
} BhStopReason;
const char *bh_stop_reason_name(BhStopReason reason);

typedef struct {
  GArray *samples_ns; /* of double: per run */
  GArray
      *primary; /* of double: the primary figure's, of those samples that have one; empty when it is not per sample */
  guint inner;  /* runs per sample */
  guint64 cold_ns, resolution_ns;
  BhStopReason stopped;
  gboolean steady; /* warm-up saw two windows agree */
  gboolean coarse; /* a sample is shorter than 1000 x the clock's resolution and could not be made longer */
} BhSampling;

void bh_sampling_clear(BhSampling *sampling);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BhSampling, bh_sampling_clear)

/* The session must be filled. BH_OK with `ret`, or the cell's end. Interrupted before min_samples: BH_OK and no
 * samples. */
bh_status bh_sampler_run(BhSession *session, BhSampling *ret);

#define BH_SAMPLER_WINDOW 5
/* Whether warm-up is over after these last samples: the medians of both windows agree within 1 %, and the 95 % interval
 * of Theil and Sen's slope covers 0. Times, > 0. */
gboolean bh_sampler_is_steady(const double x[2 * BH_SAMPLER_WINDOW]);
/* The next size at which the stop rule looks after looking at `n` (0: the first): 10, 15, 23, 35, ...: looking at every
 * sample would stop on lucky ones (coverage 0.91 instead of 0.95, simulated). */
guint bh_sampler_next_look(guint n, guint first);
/* The first size at which it looks: at 10 or min_samples, whichever is more, as looks at fewer would stop on lucky ones
 * (from 6 on: coverage 0.92, simulated). A primary figure with one value per process is not looked at: min_samples. */
guint bh_sampler_first_look(const BhMeasure *measure, gboolean per_sample);
/* The most that warm-up may take: what the matrix says, and no more than a fifth of the cell's time, which is max_time
 * or `share_ns`, whichever is less. */
guint64 bh_sampler_warmup_ns(const BhMeasure *measure, guint64 share_ns);
