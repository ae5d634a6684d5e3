/* SPDX-License-Identifier: MIT
 *
 * timing.c - device time of a loop, by nvbench's conventions, and its replay as a graph. The wall time of a run is the
 * host's to measure and holds all that happens here; `device time`, a metric, is what lies between two events.
 *
 *   events    two events around what the loop enqueues; nothing is added to the run
 *   isolated  each run starts with a cold L2 cache, is enqueued while a kernel holds the stream back, so that no launch
 *             is in it, and is discarded where the SM clock was below 75 % of its rating
 *   batch     once per cell the loop runs back to back for `batch-time`: device time is the mean, without gaps
 */
#include "lane.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LEAST_CLOCK 0.75
#define PAUSE_NS 50000000 /* the first; each next one is longer by as much */
enum { MOST_DISCARDS = 20, BATCH_TRIES = 5, MOST_REPEATS = 1 << 20, FEW_METRICS = 20000 };

static cuda_loop *loop_of(dev_lane *lane, uint32_t index) {
  for (cuda_loop *l = lane->loops; l; l = l->next)
    if (l->loop == index)
      return l;
  cuda_loop *l = calloc(1, sizeof *l);
  if (!l)
    return NULL;
  l->loop = index;
  l->next = lane->loops;
  lane->loops = l;
  return l;
}

void lane_free_loops(dev_lane *lane) {
  lane->running = NULL;
  for (cuda_loop *next; lane->loops; lane->loops = next) {
    next = lane->loops->next;
    if (lane->loops->graph)
      cu.cuGraphExecDestroy(lane->loops->graph);
    record_free(&lane->loops->record);
    free(lane->loops);
  }
}

static bh_status cannot_repeat(dev_lane *lane, uint32_t loop, const char *option, const char *why) {
  return lane->head.host->stop(lane->head.host, BH_UNSUPPORTED, "%s: loop %u cannot be repeated as it was: %s", option,
                               loop, why);
}

/* A program's or a team's work is not ours to know. */
static bh_status check_unknown(dev_lane *lane, uint32_t loop) {
  static const char why[] = "a device program or a team enqueues it";
  if (lane->timing == TIMING_BATCH)
    return cannot_repeat(lane, loop, "timing: batch", why);
  return lane->graph == GRAPH_YES ? cannot_repeat(lane, loop, "graph: yes", why) : BH_OK;
}

static void say(dev_lane *lane, const char *what, const char *format, unsigned long long number) {
  char name[48], text[160];
  if (!lane->speaks)
    return;
  snprintf(name, sizeof name, "gpu %d %s", lane->device->ordinal, what);
  snprintf(text, sizeof text, format, number);
  lane->head.host->fact(lane->head.host, name, "%s", text);
}

/* What a program or a team enqueues may wait for the device, so nothing is held back for it. */
static bh_status isolate(dev_lane *lane, cuda_loop *l, int known) {
  if (!known && l->runs == 0)
    say(lane, "not isolated", "a device program or a team enqueues loop %llu: launches are in its device time",
        l->loop);
  LANE_TRY(clock_flush(lane));
  LANE_TRY(clock_stamp(lane, 0));
  if (!known || l->stuck || l->runs == 0) /* a kernel's first launch may wait for the device: it is loaded then */
    return BH_OK;
  LANE_TRY(clock_block(lane));
  l->blocked = 1;
  return BH_OK;
}

bh_status lane_run_begin(dev_lane *lane, uint32_t loop, int *ret_replayed) {
  LANE_TRY(lane_enter(lane));
  cuda_loop *l = loop_of(lane, loop);
  if (!l)
    return lane_no_memory(lane);
  if (!ret_replayed)
    LANE_TRY(check_unknown(lane, loop));
  l->blocked = 0;
  l->known = ret_replayed != NULL;
  if (lane->timing == TIMING_ISOLATED)
    LANE_TRY(isolate(lane, l, l->known));
  lane->running = l;
  l->recording = l->known && l->runs == 0 && (lane->graph != GRAPH_NO || lane->timing == TIMING_BATCH);
  CU_TRY(lane, cuEventRecord, lane->started, lane->stream);
  if (!l->known || !l->graph)
    return BH_OK;
  CU_TRY(lane, cuGraphLaunch, l->graph, lane->stream);
  *ret_replayed = 1;
  return BH_OK;
}

bh_status lane_run_enqueued(dev_lane *lane, uint32_t loop) {
  cuda_loop *l = lane->running;
  (void)loop;
  LANE_TRY(lane_enter(lane));
  CU_TRY(lane, cuEventRecord, lane->stopped, lane->stream);
  l->recording = 0;
  if (l->blocked)
    clock_unblock(lane);
  return lane->timing == TIMING_ISOLATED ? clock_stamp(lane, 1) : BH_OK;
}

/* ---- After the first run: what there is to know of the loop is known ---- */

static void say_graph(dev_lane *lane, const cuda_loop *l, const char *no) {
  const bh_host *h = lane->head.host;
  if (lane->head.index != 0)
    return;
  if (no)
    h->fact(h, "graph", "loop %u: no, %s", l->loop, no);
  else
    h->fact(h, "graph", "loop %u: yes, of %u operations", l->loop, l->record.n);
}

static bh_status settle_graph(dev_lane *lane, cuda_loop *l) {
  const bh_host *h = lane->head.host;
  if (lane->graph == GRAPH_YES && l->record.not_again)
    return cannot_repeat(lane, l->loop, "graph: yes", l->record.not_again);
  if (l->record.not_again || lane->graph == GRAPH_NO || !l->record.n ||
      (lane->graph == GRAPH_AUTO && l->record.n < 2)) {
    say_graph(lane, l,
              lane->graph == GRAPH_NO ? "the option says so"
              : l->record.not_again   ? l->record.not_again
                                      : "it is a single operation");
    return BH_OK;
  }
  h->phase(h, lane->head.index, "graph");
  const bh_status status = record_graph(lane, &l->record, &l->graph);
  h->phase(h, lane->head.index, NULL);
  if (status == BH_OK)
    say_graph(lane, l, NULL);
  return status;
}

static bh_status settle(dev_lane *lane, cuda_loop *l) {
  if (lane->timing == TIMING_BATCH && (l->record.not_again || l->record.changes))
    return cannot_repeat(lane, l->loop, "timing: batch",
                         l->record.not_again ? l->record.not_again : "it changes its own input");
  return settle_graph(lane, l);
}

/* ---- Batch ---- */

static bh_status repeat(dev_lane *lane, const cuda_loop *l, uint32_t times) {
  for (uint32_t i = 0; i < times; i++) {
    if (!l->graph) {
      LANE_TRY(record_enqueue(lane, &l->record));
      continue;
    }
    CU_TRY(lane, cuGraphLaunch, l->graph, lane->stream);
  }
  return BH_OK;
}

/* At most two are enqueued while the stream is held back: more might not fit into its queue. */
static bh_status run_batch(dev_lane *lane, cuda_loop *l, uint32_t times, double *ret_s) {
  const uint32_t first = times < 2 ? times : 2;
  float ms = 0;
  LANE_TRY(clock_stamp(lane, 0));
  LANE_TRY(clock_block(lane));
  CU_TRY(lane, cuEventRecord, lane->started, lane->stream);
  const bh_status status = repeat(lane, l, first);
  clock_unblock(lane);
  if (status != BH_OK)
    return status;
  LANE_TRY(repeat(lane, l, times - first));
  CU_TRY(lane, cuEventRecord, lane->stopped, lane->stream);
  LANE_TRY(clock_stamp(lane, 1));
  CU_TRY(lane, cuStreamSynchronize, lane->stream);
  CU_TRY(lane, cuEventElapsedTime, &ms, lane->started, lane->stopped);
  *ret_s = ms / 1e3 / times;
  return BH_OK;
}

static void pause_growing(cuda_loop *l) {
  const long ns = (long)++l->pauses * PAUSE_NS;
  nanosleep(&(struct timespec){ns / 1000000000, ns % 1000000000}, NULL);
}

static int throttled(const dev_lane *lane) {
  const double share = clock_share(lane);
  return share > 0 && share < LEAST_CLOCK;
}

static bh_status measure_batch(dev_lane *lane, cuda_loop *l, double one_s) {
  const bh_host *h = lane->head.host;
  const double wanted = one_s > 0 ? ceil((double)lane->batch_ns / 1e9 / one_s) : MOST_REPEATS;
  const uint32_t times = wanted > MOST_REPEATS ? MOST_REPEATS : wanted < 2 ? 2 : (uint32_t)wanted;
  int low = 1, tries = 0;
  for (; tries < BATCH_TRIES && low; tries++) {
    LANE_TRY(run_batch(lane, l, times, &l->batch_s));
    if ((low = throttled(lane)) && tries + 1 < BATCH_TRIES)
      pause_growing(l);
  }
  char name[48];
  snprintf(name, sizeof name, "batch of loop %u", l->loop);
  if (lane->head.index == 0)
    h->fact(h, name, "%u runs, %d discarded for a low SM clock%s", times, tries - 1,
            low ? "; the last one is low too" : "");
  return BH_OK;
}

/* ---- Each run ---- */

/* Many short runs would fill the host's table: after the first thousands, one in a millisecond. */
static void report(dev_lane *lane, const cuda_loop *l, double seconds) {
  const bh_host *h = lane->head.host;
  const uint64_t now_ns = h->now_ns();
  char name[40] = "device time";
  if (lane->metrics >= FEW_METRICS / lane->head.count && now_ns - lane->last_metric_ns < 1000000)
    return;
  lane->metrics++;
  lane->last_metric_ns = now_ns;
  if (l->loop)
    snprintf(name, sizeof name, "device time, loop %u", l->loop);
  h->metric(h, name, seconds, "s", BH_LOWER);
}

/* 1: the run's device time says nothing. */
static int discard(dev_lane *lane, cuda_loop *l) {
  if (l->blocked && clock_was_stuck(lane)) {
    l->stuck++;
    say(lane, "not isolated", "loop %llu waits for the device while it is enqueued: launches are in its device time",
        l->loop);
    return 1;
  }
  if (!throttled(lane) || l->discarded > MOST_DISCARDS)
    return 0;
  if (++l->discarded > MOST_DISCARDS) {
    say(lane, "discarded", "%llu runs discarded for an SM clock below 75 %% of its rating; then they were kept",
        MOST_DISCARDS);
    return 0;
  }
  say(lane, "discarded", "%llu runs discarded for an SM clock below 75 %% of its rating", l->discarded);
  pause_growing(l);
  return 1;
}

bh_status lane_run_end(dev_lane *lane, uint32_t loop) {
  cuda_loop *l = lane->running;
  float ms = 0;
  (void)loop;
  LANE_TRY(lane_enter(lane));
  lane->running = NULL;
  CU_TRY(lane, cuEventElapsedTime, &ms, lane->started, lane->stopped);
  l->runs++;
  if (l->known && l->runs == 1)
    LANE_TRY(settle(lane, l));
  if (lane->timing == TIMING_BATCH && l->runs == 2)
    LANE_TRY(measure_batch(lane, l, ms / 1e3));
  if (lane->timing != TIMING_EVENTS && l->runs == 1) /* cold: neither kind of figure, and no sample of the host */
    return BH_OK;
  if (lane->timing == TIMING_ISOLATED && discard(lane, l))
    return BH_OK;
  report(lane, l, lane->timing == TIMING_BATCH ? l->batch_s : ms / 1e3);
  return BH_OK;
}
