/* SPDX-License-Identifier: MIT
 * One cell in this process: loads the pair, opens it, and runs it once at a time, each phase timed. Decides nothing about
 * how often; the sampler does. */
#pragma once
#include "plugin/loader.h"
#include "worker/arena.h"
#include "worker/problem.h"
#include "worker/request.h"

typedef enum {
  BH_PHASE_LOAD = 0, /* dlopen of both */
  BH_PHASE_OPEN,     /* workload.open, backend.open: workers up */
  BH_PHASE_ALLOC,
  BH_PHASE_FILL,
  BH_PHASE_BIND,
  BH_PHASE_COLD, /* the first run */
  BH_PHASE_FETCH,
  BH_PHASE_VERIFY,
  BH_PHASE_WARMUP,
  BH_PHASE_MEASURE,
  BH_PHASE_CLOSE,
  BH_N_PHASES
} BhPhase;
const char *bh_phase_name(BhPhase phase);

typedef struct {
  const BhWorkerRequest *request;
  BhArena *arena;
  const bh_host *host;
  BhLoaded *workload, *backend;
  GPtrArray *value_store; /* of BhValue: what the plugins' values point into */
  bh_value *params, *options;
  BhProblem *problem;
  bh_needs needs;
  void *workload_state, *backend_state;
  gboolean workload_open, backend_open;
  void **view;          /* per region: the host's view; NULL for SCRATCH */
  guint64 *view_bytes;  /* per region */
  void **pristine;      /* per region: what an INOUT is restored from; else NULL */
  guint64 *input_sums;  /* per region: the checksum of an IN after fill */
  gboolean restores;    /* some region is INOUT or `prepare` restores something: one run per sample */
  guint64 sample;       /* counts runs of bh_session_prepare: seeds the poison */
  guint64 poison;       /* the word in place now */
  guint64 footprint_bytes;
  JsonNode *cold_phases; /* what workers reported by `phase` up to the end of the first run; NULL: there was none */
  guint64 phase_ns[BH_N_PHASES];
  gboolean phase_seen[BH_N_PHASES];
  void (*on_phase)(BhPhase phase); /* told when one starts; may be NULL */
  guint64 started_ns;   /* when it was made: what a share of the budget counts from */
  struct BhProbe *probe;           /* observes samples; the caller's; may be NULL */
} BhSession;

BhSession *bh_session_new(const BhWorkerRequest *request, BhArena *arena);
/* Every step: BH_OK, or the cell's end with its reason stopped on the arena. Call in this order. */
bh_status bh_session_load(BhSession *session);
bh_status bh_session_open(BhSession *session);
bh_status bh_session_fill(BhSession *session); /* alloc, fill, poison, bind */
/* Untimed: poisons outputs, restores INOUT regions, runs the workload's `prepare`. */
bh_status bh_session_prepare(BhSession *session);
/* Timed by its caller: `inner` runs of all loops, or of the team. */
bh_status bh_session_run(BhSession *session, guint inner);
bh_status bh_session_fetch(BhSession *session);
gboolean bh_session_fetches(const BhSession *session, guint region); /* is it brought back? */
/* Looks at `spots` words of every output for poison left standing: cheap, for every sample. */
bh_status bh_session_spot_check(BhSession *session, guint spots);
/* In full: every word, then the workload's own verify. Needs a fetch. */
bh_status bh_session_verify(BhSession *session);
void bh_session_close(BhSession *session); /* the plugins' close, timed; at most once. What was recorded stays readable */
void bh_session_free(BhSession *session);  /* closes first if need be; accepts NULL */

void bh_session_begin(BhSession *session, BhPhase phase); /* adds time to `phase` until the matching end */
void bh_session_end(BhSession *session, BhPhase phase);
