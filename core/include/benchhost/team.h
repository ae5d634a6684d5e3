/* SPDX-License-Identifier: MIT
 *
 * benchhost/team.h - a team over shared memory: members are threads or processes that see one common area at any
 * address. Optional: plugin.h alone is the contract. C11 (gnu11 or _GNU_SOURCE).
 *
 * Members' buffers are private to them (they may be other processes' memory), so all data passes through the area:
 * every member has a staging part for collectives, every ordered pair a ring for messages (team-messages.h); large
 * buffers go through in pieces.
 *
 * - Collectives alternate between two halves of the staging area, so that each piece costs one barrier (all_reduce of
 * more than a few KiB: two, each member reducing only its slice). Sums are formed in rank order on every member: all
 * get the same bits, and the same ones every time. `in` and `out` of reduce_scatter and all_gather must not overlap.
 * - send blocks only while the pair's ring is full. receive takes the oldest message of that tag from that member;
 *   messages of other tags that come first are kept aside, so tags may be received in any order. A message of another
 *   length than asked for is an error. A message to oneself is kept aside at once.
 * - When a member fails, dies, or ends its body while another waits for it, all others' calls return BH_FAIL.
 */
#ifndef BENCHHOST_TEAM_H
#define BENCHHOST_TEAM_H
#include <benchhost/plugin.h>
#include <benchhost/wait.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BH_TEAM_STAGE_BYTES 65536u /* of one member, one half, one of `in` and `result` */
#define BH_TEAM_SMALL_BYTES                                                                                            \
  2048u /* all_reduce up to here: everybody reduces everything, one barrier instead of two                             \
         */
#define BH_TEAM_ANY UINT32_MAX

/* Free-running byte counts of one ordered pair; each side writes one of them. */
typedef struct {
  _Alignas(64) _Atomic uint64_t head; /* written by the sender */
  _Alignas(64) _Atomic uint64_t tail; /* written by the receiver */
} bh_team_ring;

typedef struct {
  bh_gate bell; /* changes whenever a ring that this member waits for may have moved */
  _Alignas(64) _Atomic uint32_t ended;
} bh_team_seat;

/* The head of the shared area; behind it seats, rings, staging, ring data. */
typedef struct {
  uint32_t members, ring_bytes;
  uint64_t rings_at, stage_at, data_at;
  _Alignas(64) _Atomic uint32_t failed; /* ends all waits */
  _Alignas(64) _Atomic uint32_t arrived;
  _Alignas(64) _Atomic uint32_t messages; /* 1: rings were used */
  bh_gate passed;                         /* word: how many barriers were passed */
  bh_team_seat seats[];
} bh_team_area;

typedef struct bh_team_note bh_team_note; /* a message kept aside */
struct bh_team_note {
  bh_team_note *next;
  uint64_t bytes;
  uint32_t from, tag;
  unsigned char data[];
};

typedef struct {
  uint64_t bytes;
  uint32_t tag, reserved;
} bh_team_header;

/* A member: lives in its own memory for one run of the body. */
typedef struct {
  bh_team team; /* what the body gets */
  bh_team_area *area;
  bh_waiter waiter, outer; /* outer: the backend's, whose poll is asked first */
  uint32_t passed, turn;
  uint32_t needs[2];   /* whom this member waits for: BH_TEAM_ANY, a rank, or its own rank for nobody */
  uint32_t missing;    /* 1 + the rank that ended while it was waited for */
  bh_team_note *notes; /* oldest first */
  bh_status (*run)(void *run_arg, uint32_t loop, uint64_t begin, uint64_t end, const void *params);
  void *run_arg;
} bh_team_member;

static inline uint32_t bh_team_ring_bytes(uint32_t members) {
  return members <= 16 ? 65536 : members <= 128 ? 16384 : 4096;
}
static inline uint64_t bh_team_area_bytes(uint32_t members) {
  uint64_t pairs = (uint64_t)members * members;
  return sizeof(bh_team_area) + members * (sizeof(bh_team_seat) + UINT64_C(4) * BH_TEAM_STAGE_BYTES) +
         pairs * (sizeof(bh_team_ring) + bh_team_ring_bytes(members));
}

/* What is touched for sure: for footprints (rings cost memory only where a pair talks). */
static inline uint64_t bh_team_stage_bytes(uint32_t members) {
  return UINT64_C(4) * members * BH_TEAM_STAGE_BYTES;
}

/* `area`: bh_team_area_bytes of zeroes (pages that were never touched), 64-byte aligned. */
static inline void bh_team_area_init(bh_team_area *area, uint32_t members) {
  area->members = members;
  area->ring_bytes = bh_team_ring_bytes(members);
  area->rings_at = sizeof *area + members * sizeof area->seats[0];
  area->stage_at = area->rings_at + (uint64_t)members * members * sizeof(bh_team_ring);
  area->data_at = area->stage_at + UINT64_C(4) * members * BH_TEAM_STAGE_BYTES;
}

static inline bh_team_ring *bh_team_ring_of(bh_team_area *area, uint32_t from, uint32_t to) {
  return (bh_team_ring *)((char *)area + area->rings_at) + (uint64_t)from * area->members + to;
}
static inline unsigned char *bh_team_ring_data(bh_team_area *area, uint32_t from, uint32_t to) {
  return (unsigned char *)area + area->data_at + ((uint64_t)from * area->members + to) * area->ring_bytes;
}
/* Member `rank`'s staging of this turn; `result` 0: what it contributes, 1: what it computed for others. */
static inline unsigned char *bh_team_stage(bh_team_area *area, uint32_t rank, uint32_t turn, uint32_t result) {
  return (unsigned char *)area + area->stage_at + (UINT64_C(4) * rank + 2 * (turn & 1) + result) * BH_TEAM_STAGE_BYTES;
}

/* Ends all waits of all members, now and until bh_team_area_reset. From any thread or process. */
static inline void bh_team_area_fail(bh_team_area *area) {
  atomic_store_explicit(&area->failed, 1, memory_order_seq_cst);
}

/* Before each run, by one thread while no member runs: forgets who ended, and all that a failed run left behind. */
static inline void bh_team_area_reset(bh_team_area *area) {
  if (atomic_load(&area->failed))
    memset((char *)area + area->rings_at, 0, area->stage_at - area->rings_at);
  atomic_store(&area->failed, 0);
  atomic_store(&area->arrived, 0);
  for (uint32_t m = 0; m < area->members; m++)
    atomic_store(&area->seats[m].ended, 0);
}

/* ---- Waiting ---- */

static inline int bh_team_ended(bh_team_member *m, uint32_t rank) {
  if (rank == m->team.rank || !atomic_load_explicit(&m->area->seats[rank].ended, memory_order_acquire))
    return 0;
  m->missing = rank + 1;
  return 1;
}

static inline int bh_team_poll(void *arg) {
  bh_team_member *m = arg;
  if (m->outer.poll && m->outer.poll(m->outer.poll_arg))
    return 1;
  for (uint32_t i = 0; i < 2; i++) {
    if (m->needs[i] != BH_TEAM_ANY) {
      if (bh_team_ended(m, m->needs[i]))
        return 1;
      continue;
    }
    for (uint32_t rank = 0; rank < m->team.size; rank++)
      if (bh_team_ended(m, rank))
        return 1;
  }
  return 0;
}

/* A wait that came to nothing: somebody else's failure, or this member's finding. */
static inline bh_status bh_team_lost(bh_team_member *m, const char *what) {
  uint32_t rank = m->team.rank, missing = m->missing;
  m->missing = 0;
  if (missing && !atomic_load(&m->area->failed))
    m->team.host->stop(m->team.host, BH_FAIL,
                       "team: member %" PRIu32 " ended its body while member %" PRIu32 " waited for it in %s",
                       missing - 1, rank, what);
  else
    m->team.host->stop(m->team.host, BH_FAIL, "team: %s of member %" PRIu32 " was given up: another member failed",
                       what, rank);
  bh_team_area_fail(m->area);
  return BH_FAIL;
}

static inline int bh_team_arrive(bh_team_member *m) {
  bh_team_area *area = m->area;
  uint32_t target = ++m->passed;
  if (m->team.size == 1)
    return 0;
  if (atomic_fetch_add_explicit(&area->arrived, 1, memory_order_acq_rel) + 1 == m->team.size) {
    atomic_store_explicit(&area->arrived, 0, memory_order_relaxed);
    bh_gate_set(&area->passed, target, &m->waiter);
    return 0;
  }
  m->needs[0] = m->needs[1] = BH_TEAM_ANY;
  return bh_gate_wait_for(&area->passed, target, &m->waiter);
}

static inline bh_status bh_team_barrier(bh_team *team) {
  bh_team_member *m = team->member;
  return bh_team_arrive(m) ? bh_team_lost(m, "barrier") : BH_OK;
}

/* ---- Reductions of elements ---- */

#define BH_TEAM_FOLD(TYPE, EXPRESSION)                                                                                 \
  do {                                                                                                                 \
    TYPE *restrict into = into_;                                                                                       \
    const TYPE *restrict from = from_;                                                                                 \
    for (uint64_t i = 0; i < count; i++) {                                                                             \
      TYPE a = into[i], b = from[i];                                                                                   \
      into[i] = EXPRESSION;                                                                                            \
    }                                                                                                                  \
  } while (0)
/* Signed sums wrap around, as unsigned ones do. */
#define BH_TEAM_OPS(TYPE, WRAPPING)                                                                                    \
  do {                                                                                                                 \
    if (op == BH_SUM)                                                                                                  \
      BH_TEAM_FOLD(TYPE, (TYPE)((WRAPPING)a + (WRAPPING)b));                                                           \
    else if (op == BH_MIN)                                                                                             \
      BH_TEAM_FOLD(TYPE, b < a ? b : a);                                                                               \
    else                                                                                                               \
      BH_TEAM_FOLD(TYPE, b > a ? b : a);                                                                               \
  } while (0)

static inline uint64_t bh_team_dtype_bytes(bh_dtype dtype) {
  return dtype == BH_U8 ? 1 : dtype == BH_I32 || dtype == BH_U32 || dtype == BH_F32 ? 4 : 8;
}

/* into[i] = into[i] op from[i] */
static inline void bh_team_fold(void *into_, const void *from_, uint64_t count, bh_dtype dtype, bh_op op) {
  switch (dtype) {
  case BH_U8:
    BH_TEAM_OPS(uint8_t, uint32_t);
    break;
  case BH_I32:
    BH_TEAM_OPS(int32_t, uint32_t);
    break;
  case BH_U32:
    BH_TEAM_OPS(uint32_t, uint32_t);
    break;
  case BH_I64:
    BH_TEAM_OPS(int64_t, uint64_t);
    break;
  case BH_U64:
    BH_TEAM_OPS(uint64_t, uint64_t);
    break;
  case BH_F32:
    BH_TEAM_OPS(float, float);
    break;
  case BH_F64:
    BH_TEAM_OPS(double, double);
    break;
  }
}

static inline void bh_team_copy(void *to, const void *from, uint64_t bytes) {
  if (bytes && to != from)
    memcpy(to, from, bytes);
}

/* ---- Collectives ---- */

static inline bh_status bh_team_bad_root(bh_team_member *m, const char *what, uint32_t rank) {
  bh_team_area_fail(m->area);
  return m->team.host->stop(m->team.host, BH_FAIL, "team: %s names member %" PRIu32 ", but there are %" PRIu32, what,
                            rank, m->team.size);
}

static inline bh_status bh_team_broadcast(bh_team *team, void *buffer, uint64_t bytes, uint32_t root) {
  bh_team_member *m = team->member;
  if (root >= team->size)
    return bh_team_bad_root(m, "broadcast", root);
  if (team->size == 1)
    return BH_OK;
  for (uint64_t at = 0, n; at < bytes; at += n) {
    n = bytes - at < BH_TEAM_STAGE_BYTES ? bytes - at : BH_TEAM_STAGE_BYTES;
    unsigned char *stage = bh_team_stage(m->area, root, m->turn++, 0);
    if (team->rank == root)
      memcpy(stage, (char *)buffer + at, n);
    if (bh_team_arrive(m))
      return bh_team_lost(m, "broadcast");
    if (team->rank != root)
      memcpy((char *)buffer + at, stage, n);
  }
  return BH_OK;
}

/* Folds elements [first, first + count) of all members' stages, in rank order, into `out`. */
static inline void bh_team_fold_stages(bh_team_member *m, uint32_t turn, uint64_t first_bytes, void *out,
                                       uint64_t count, bh_dtype dtype, bh_op op) {
  bh_team_copy(out, bh_team_stage(m->area, 0, turn, 0) + first_bytes, count * bh_team_dtype_bytes(dtype));
  for (uint32_t rank = 1; rank < m->team.size; rank++)
    bh_team_fold(out, bh_team_stage(m->area, rank, turn, 0) + first_bytes, count, dtype, op);
}

/* One piece that fits the stage: each member reduces its slice, then collects all slices. */
static inline int bh_team_all_reduce_sliced(bh_team_member *m, char *inout, uint64_t count, bh_dtype dtype, bh_op op) {
  uint64_t element = bh_team_dtype_bytes(dtype), each = (count + m->team.size - 1) / m->team.size;
  uint32_t turn = m->turn++;
  uint64_t first = each * m->team.rank < count ? each * m->team.rank : count;
  uint64_t mine = count - first < each ? count - first : each;
  memcpy(bh_team_stage(m->area, m->team.rank, turn, 0), inout, count * element);
  if (bh_team_arrive(m))
    return 1;
  bh_team_fold_stages(m, turn, first * element, bh_team_stage(m->area, m->team.rank, turn, 1), mine, dtype, op);
  if (bh_team_arrive(m))
    return 1;
  for (uint32_t rank = 0; rank < m->team.size && each * rank < count; rank++) {
    uint64_t n = count - each * rank < each ? count - each * rank : each;
    memcpy(inout + each * rank * element, bh_team_stage(m->area, rank, turn, 1), n * element);
  }
  return 0;
}

static inline bh_status bh_team_all_reduce(bh_team *team, void *inout, uint64_t count, bh_dtype dtype, bh_op op) {
  bh_team_member *m = team->member;
  uint64_t element = bh_team_dtype_bytes(dtype), most = BH_TEAM_STAGE_BYTES / element;
  if (team->size == 1 || count == 0)
    return BH_OK;
  if (count * element <= BH_TEAM_SMALL_BYTES) {
    uint32_t turn = m->turn++;
    memcpy(bh_team_stage(m->area, team->rank, turn, 0), inout, count * element);
    if (bh_team_arrive(m))
      return bh_team_lost(m, "all_reduce");
    bh_team_fold_stages(m, turn, 0, inout, count, dtype, op);
    return BH_OK;
  }
  for (uint64_t at = 0, n; at < count; at += n) {
    n = count - at < most ? count - at : most;
    if (bh_team_all_reduce_sliced(m, (char *)inout + at * element, n, dtype, op))
      return bh_team_lost(m, "all_reduce");
  }
  return BH_OK;
}

static inline bh_status bh_team_reduce_scatter(bh_team *team, const void *in, void *out, uint64_t count, bh_dtype dtype,
                                               bh_op op) {
  bh_team_member *m = team->member;
  uint64_t element = bh_team_dtype_bytes(dtype), most = BH_TEAM_STAGE_BYTES / element / team->size;
  if (team->size == 1)
    bh_team_copy(out, in, count * element);
  for (uint64_t at = 0, n; team->size > 1 && at < count; at += n) {
    uint32_t turn = m->turn++;
    n = count - at < most ? count - at : most;
    for (uint32_t rank = 0; rank < team->size; rank++)
      memcpy(bh_team_stage(m->area, team->rank, turn, 0) + rank * n * element,
             (const char *)in + (rank * count + at) * element, n * element);
    if (bh_team_arrive(m))
      return bh_team_lost(m, "reduce_scatter");
    bh_team_fold_stages(m, turn, team->rank * n * element, (char *)out + at * element, n, dtype, op);
  }
  return BH_OK;
}

static inline bh_status bh_team_all_gather(bh_team *team, const void *in, void *out, uint64_t bytes) {
  bh_team_member *m = team->member;
  if (team->size == 1)
    bh_team_copy(out, in, bytes);
  for (uint64_t at = 0, n; team->size > 1 && at < bytes; at += n) {
    uint32_t turn = m->turn++;
    n = bytes - at < BH_TEAM_STAGE_BYTES ? bytes - at : BH_TEAM_STAGE_BYTES;
    memcpy(bh_team_stage(m->area, team->rank, turn, 0), (const char *)in + at, n);
    if (bh_team_arrive(m))
      return bh_team_lost(m, "all_gather");
    for (uint32_t rank = 0; rank < team->size; rank++)
      memcpy((char *)out + rank * bytes + at, bh_team_stage(m->area, rank, turn, 0), n);
  }
  return BH_OK;
}

#include <benchhost/team-messages.h>

/* ---- A member's life ---- */

static inline bh_status bh_team_run(bh_team *team, uint32_t loop, uint64_t begin, uint64_t end, const void *params) {
  bh_team_member *m = team->member;
  bh_status status = m->run(m->run_arg, loop, begin, end, params);
  if (status != BH_OK)
    bh_team_area_fail(m->area);
  return status;
}

/* [worker] `waiter`: the backend's way to wait; its poll (NULL: none) is asked in every wait. `run` runs a loop inline.
 */
static inline void
bh_team_join(bh_team_member *m, const bh_host *host, bh_team_area *area, uint32_t rank, const bh_waiter *waiter,
             bh_status (*run)(void *run_arg, uint32_t loop, uint64_t begin, uint64_t end, const void *params),
             void *run_arg) {
  memset(m, 0, sizeof *m);
  m->area = area;
  m->outer = m->waiter = *waiter;
  m->waiter.abort = &area->failed;
  m->waiter.poll = bh_team_poll;
  m->waiter.poll_arg = m;
  m->passed = atomic_load_explicit(&area->passed.word, memory_order_relaxed);
  m->run = run;
  m->run_arg = run_arg;
  m->team = (bh_team){.size_of = sizeof m->team,
                      .rank = rank,
                      .size = area->members,
                      .member = m,
                      .host = host,
                      .run = bh_team_run,
                      .barrier = bh_team_barrier,
                      .broadcast = bh_team_broadcast,
                      .all_reduce = bh_team_all_reduce,
                      .reduce_scatter = bh_team_reduce_scatter,
                      .all_gather = bh_team_all_gather,
                      .send = bh_team_send,
                      .receive = bh_team_receive,
                      .exchange = bh_team_exchange};
}

/* [worker] After the body, with what it returned; returns what the member comes to. */
static inline bh_status bh_team_leave(bh_team_member *m, bh_status status) {
  if (status == BH_OK && m->notes)
    status = m->team.host->stop(m->team.host, BH_FAIL,
                                "team: member %" PRIu32 " never received the message with tag %" PRIu32
                                " from member %" PRIu32,
                                m->team.rank, m->notes->tag, m->notes->from);
  while (m->notes) {
    bh_team_note *note = m->notes;
    m->notes = note->next;
    free(note);
  }
  if (status != BH_OK)
    bh_team_area_fail(m->area);
  atomic_store_explicit(&m->area->seats[m->team.rank].ended, 1, memory_order_seq_cst);
  return status;
}

/* After all members left: a message that nobody received is an error too. */
static inline bh_status bh_team_area_check(bh_team_area *area, const bh_host *h) {
  if (!atomic_exchange(&area->messages, 0) || atomic_load(&area->failed))
    return BH_OK;
  for (uint32_t from = 0; from < area->members; from++)
    for (uint32_t to = 0; to < area->members; to++) {
      bh_team_ring *ring = bh_team_ring_of(area, from, to);
      if (atomic_load(&ring->head) == atomic_load(&ring->tail))
        continue;
      bh_team_area_fail(area);
      return h->stop(h, BH_FAIL, "team: member %" PRIu32 " never received a message that member %" PRIu32 " sent", to,
                     from);
    }
  return BH_OK;
}
#endif
