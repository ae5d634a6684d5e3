/* SPDX-License-Identifier: MIT
 * A team's calls on regions that its body only exchanges (BH_EXCHANGED): collectives move bytes from lane to lane and
 * reduce them there, in rank order, so that all members get the same bits as on the host. An address in the host's view
 * of such a region stands for the same byte of the member's part on its lane. Messages, and collectives in which some
 * member's buffer lies in the host's memory, go through that view.
 *
 * A member's lane is idle at the start of each call, and again at its end. Between a collective's barriers members read
 * what the others put up (dev_seat.offer) and the device memory that it names; the last barrier ends that. */
#include "engine.h"
#include "exchange.k.h"
#include "exchange.k.inc"

#define MOST_BYTES (UINT64_C(4) << 20)   /* of a collective at a time */
#define SMALL_BYTES (UINT64_C(64) << 10) /* all_reduce up to here: everybody reduces everything, one step less */

_Static_assert(EXCHANGE_SUM == BH_SUM && EXCHANGE_MIN == BH_MIN && EXCHANGE_MAX == BH_MAX, "exchange.k.h has bh_op");

#define FOLD(NAME)                                                                                                     \
  { .name = #NAME, BH_KERNEL_DEVICE(NAME, exchange_source) }
static const bh_kernel folds[] = {
    [BH_U8] = FOLD(exchange_u8),   [BH_I32] = FOLD(exchange_i32), [BH_U32] = FOLD(exchange_u32),
    [BH_I64] = FOLD(exchange_i64), [BH_U64] = FOLD(exchange_u64), [BH_F32] = FOLD(exchange_f32),
    [BH_F64] = FOLD(exchange_f64)};

/* ---- Regions that are exchanged ---- */

static int is_exchanged(const bh_problem *problem, uint32_t count, uint32_t index) {
  for (uint32_t u = 0; problem->member && u < problem->n_uses; u++)
    if (problem->uses[u].region == index && problem->uses[u].flags & BH_EXCHANGED)
      return dev_has_copy(problem, index) && dev_is_resident(problem, count, index);
  return 0;
}

uint64_t dev_exchange_bytes(const bh_problem *problem, uint32_t count) {
  uint64_t most = 0;
  for (uint32_t r = 0; r < problem->n_regions; r++)
    if (is_exchanged(problem, count, r) && problem->regions[r].bytes > most)
      most = problem->regions[r].bytes;
  return bh_regions_round(most < MOST_BYTES ? most : MOST_BYTES);
}

static bh_status open_region(dev_seat *seat, uint32_t index) {
  const dev_engine *engine = seat->engine;
  dev_code *code; /* compiled now, so that no run waits for it */
  seat->copies[index].exchanged = 1;
  return engine->driver->compile(seat->lane, &folds[engine->problem->regions[index].dtype], &code);
}

bh_status dev_exchange_open(dev_seat *seat) {
  const dev_engine *engine = seat->engine;
  bh_status status = engine->driver->alloc(seat->lane, engine->exchange_bytes, &seat->sum);
  if (status == BH_OK)
    status = engine->driver->alloc(seat->lane, engine->exchange_bytes, &seat->piece);
  for (uint32_t r = 0; r < engine->problem->n_regions && status == BH_OK; r++)
    if (is_exchanged(engine->problem, engine->count, r))
      status = open_region(seat, r);
  return status;
}

/* ---- Where a buffer lies ---- */

typedef struct {
  dev_place place; /* memory NULL: in the host's memory */
  uint32_t region;
  dev_range range; /* of the region */
} span;

static dev_seat *seat_of(const bh_team *team) {
  return ((bh_team_member *)team->member)->run_arg;
}

/* What fails here ends the others' waits too. */
static bh_status over(const bh_team *team, bh_status status) {
  if (status != BH_OK)
    bh_team_area_fail(((bh_team_member *)team->member)->area);
  return status;
}

static bh_status find(const bh_team *team, const char *call, const void *buffer, uint64_t bytes, span *ret_span) {
  const dev_seat *seat = seat_of(team);
  const dev_engine *engine = seat->engine;
  *ret_span = (span){{NULL, 0}, 0, {0, 0}};
  for (uint32_t r = 0; r < engine->problem->n_regions && bytes; r++) {
    const uint64_t part = engine->problem->regions[r].bytes, first = seat->index * part;
    const uint64_t at = (uint64_t)((uintptr_t)buffer - (uintptr_t)engine->view[r]); /* wraps below the view */
    if (at >= part * engine->count || !seat->copies[r].exchanged)
      continue;
    if (at < first || at - first >= part || bytes > part - (at - first))
      return over(team, engine->host->stop(engine->host, BH_FAIL,
                                           "team: member %" PRIu32 " gives %s %" PRIu64 " bytes at byte %" PRIu64
                                           " of region '%s', of which it has bytes %" PRIu64 " to %" PRIu64,
                                           seat->index, call, bytes, at, engine->problem->regions[r].name, first,
                                           first + part));
    ret_span->place = (dev_place){seat->copies[r].memory, at - seat->copies[r].held.at};
    ret_span->region = r;
    ret_span->range = (dev_range){at, at + bytes};
    break;
  }
  return BH_OK;
}

/* ---- Through the host's view ---- */

/* `move`: dev_get brings the lane's bytes to the view, dev_put the other way. */
static bh_status by_view(const bh_team *team, const span *bytes,
                         bh_status (*move)(dev_seat *, uint32_t index, dev_range)) {
  dev_seat *seat = seat_of(team);
  if (!bytes->place.memory)
    return BH_OK;
  bh_status status = move(seat, bytes->region, bytes->range);
  return over(team, status == BH_OK ? seat->engine->driver->finish(seat->lane) : status);
}

/* ---- From lane to lane ---- */

/* Puts `mine` up, and says whether all members' buffers are on their lanes (`other`: a second one of this call, or
 * NULL): then the others' memory may be read until `leave`. */
static bh_status meet(bh_team *team, const span *mine, const span *other, int *ret_on_lanes) {
  dev_seat *seat = seat_of(team);
  seat->offer = other && !other->place.memory ? (dev_place){NULL, 0} : mine->place;
  bh_status status = bh_team_barrier(team);
  *ret_on_lanes = 1;
  for (uint32_t i = 0; i < team->size && status == BH_OK; i++)
    if (!seat->engine->seats[i].offer.memory)
      *ret_on_lanes = 0;
  return status;
}

static bh_status leave(bh_team *team, bh_status status) {
  const dev_seat *seat = seat_of(team);
  if (status == BH_OK)
    status = seat->engine->driver->finish(seat->lane);
  return over(team, status) == BH_OK ? bh_team_barrier(team) : status;
}

/* From byte `at` of what member `rank` put up. */
static bh_status take(dev_seat *seat, uint32_t rank, uint64_t at, dev_memory *to, uint64_t to_offset, uint64_t bytes) {
  const dev_place *from = &seat->engine->seats[rank].offer;
  return seat->engine->driver->copy(seat->lane, to, to_offset, from->memory, from->offset_bytes + at, bytes);
}

/* sum[i] = sum[i] op piece[i] */
static bh_status fold(dev_seat *seat, uint64_t count, bh_dtype dtype, bh_op op) {
  const exchange_params params = {(uint32_t)op};
  const dev_argument memory[] = {{.memory = seat->sum}, {.memory = seat->piece}};
  return dev_launch(seat, &folds[dtype], 0, count, memory, 2, &params, sizeof params);
}

/* All members' bytes [at, at + bytes), at most exchange_bytes, into `sum`. */
static bh_status reduce_piece(dev_seat *seat, uint64_t at, uint64_t bytes, bh_dtype dtype, bh_op op) {
  bh_status status = take(seat, 0, at, seat->sum, 0, bytes);
  for (uint32_t rank = 1; rank < seat->engine->count && status == BH_OK; rank++) {
    status = take(seat, rank, at, seat->piece, 0, bytes);
    if (status == BH_OK)
      status = fold(seat, bytes / bh_team_dtype_bytes(dtype), dtype, op);
  }
  return status;
}

static bh_status reduce_into(dev_seat *seat, uint64_t at, uint64_t bytes, bh_dtype dtype, bh_op op, dev_place into) {
  bh_status status = BH_OK;
  for (uint64_t done = 0, n; done < bytes && status == BH_OK; done += n) {
    n = bytes - done < seat->engine->exchange_bytes ? bytes - done : seat->engine->exchange_bytes;
    status = reduce_piece(seat, at + done, n, dtype, op);
    if (status == BH_OK)
      status = seat->engine->driver->copy(seat->lane, into.memory, into.offset_bytes + done, seat->sum, 0, n);
  }
  return status;
}

/* ---- The calls ---- */

static bh_status all_reduce_small(bh_team *team, const span *mine, bh_dtype dtype, bh_op op) {
  dev_seat *seat = seat_of(team);
  const dev_driver *driver = seat->engine->driver;
  const uint64_t bytes = mine->range.end - mine->range.at;
  bh_status status = leave(team, reduce_piece(seat, 0, bytes, dtype, op));
  if (status == BH_OK)
    status = driver->copy(seat->lane, mine->place.memory, mine->place.offset_bytes, seat->sum, 0, bytes);
  return over(team, status == BH_OK ? driver->finish(seat->lane) : status);
}

/* Each member reduces its slice in place, which nobody else reads, then takes the others'. */
static bh_status all_reduce_sliced(bh_team *team, const span *mine, uint64_t count, bh_dtype dtype, bh_op op) {
  dev_seat *seat = seat_of(team);
  const uint64_t element = bh_team_dtype_bytes(dtype), all = count * element;
  const uint64_t each = (count + team->size - 1) / team->size * element;
  const dev_place own = mine->place;
  uint64_t at = each * team->rank < all ? each * team->rank : all, n = all - at < each ? all - at : each;
  bh_status status = leave(team, reduce_into(seat, at, n, dtype, op, (dev_place){own.memory, own.offset_bytes + at}));
  if (status != BH_OK)
    return status;
  for (uint32_t rank = 0; rank < team->size && each * rank < all && status == BH_OK; rank++) {
    at = each * rank;
    n = all - at < each ? all - at : each;
    if (rank != team->rank)
      status = take(seat, rank, at, own.memory, own.offset_bytes + at, n);
  }
  return leave(team, status);
}

static bh_status all_reduce(bh_team *team, void *inout, uint64_t count, bh_dtype dtype, bh_op op) {
  const uint64_t bytes = count * bh_team_dtype_bytes(dtype);
  const dev_engine *engine = seat_of(team)->engine;
  span mine;
  int on_lanes;
  if (team->size == 1 || bytes == 0)
    return BH_OK;
  bh_status status = find(team, "all_reduce", inout, bytes, &mine);
  if (status == BH_OK)
    status = meet(team, &mine, NULL, &on_lanes);
  if (status != BH_OK)
    return status;
  if (on_lanes)
    return bytes <= SMALL_BYTES && bytes <= engine->exchange_bytes ? all_reduce_small(team, &mine, dtype, op)
                                                                   : all_reduce_sliced(team, &mine, count, dtype, op);
  status = by_view(team, &mine, dev_get);
  if (status == BH_OK)
    status = bh_team_all_reduce(team, inout, count, dtype, op);
  return status == BH_OK ? by_view(team, &mine, dev_put) : status;
}

static bh_status broadcast(bh_team *team, void *buffer, uint64_t bytes, uint32_t root) {
  span mine;
  int on_lanes;
  if (team->size == 1 || bytes == 0 || root >= team->size)
    return bh_team_broadcast(team, buffer, bytes, root);
  bh_status status = find(team, "broadcast", buffer, bytes, &mine);
  if (status == BH_OK)
    status = meet(team, &mine, NULL, &on_lanes);
  if (status != BH_OK)
    return status;
  if (on_lanes)
    return leave(team, team->rank == root
                           ? BH_OK
                           : take(seat_of(team), root, 0, mine.place.memory, mine.place.offset_bytes, bytes));
  if (team->rank == root)
    status = by_view(team, &mine, dev_get);
  if (status == BH_OK)
    status = bh_team_broadcast(team, buffer, bytes, root);
  return status == BH_OK && team->rank != root ? by_view(team, &mine, dev_put) : status;
}

static bh_status reduce_scatter(bh_team *team, const void *in, void *out, uint64_t count, bh_dtype dtype, bh_op op) {
  const uint64_t bytes = count * bh_team_dtype_bytes(dtype);
  span from, to;
  int on_lanes;
  if (bytes == 0)
    return BH_OK;
  bh_status status = find(team, "reduce_scatter", in, team->size * bytes, &from);
  if (status == BH_OK)
    status = find(team, "reduce_scatter", out, bytes, &to);
  if (status == BH_OK)
    status = meet(team, &from, &to, &on_lanes);
  if (status != BH_OK)
    return status;
  if (on_lanes)
    return leave(team, reduce_into(seat_of(team), team->rank * bytes, bytes, dtype, op, to.place));
  status = by_view(team, &from, dev_get);
  if (status == BH_OK)
    status = bh_team_reduce_scatter(team, in, out, count, dtype, op);
  return status == BH_OK ? by_view(team, &to, dev_put) : status;
}

static bh_status all_gather(bh_team *team, const void *in, void *out, uint64_t bytes) {
  dev_seat *seat = seat_of(team);
  span from, to;
  int on_lanes;
  if (bytes == 0)
    return BH_OK;
  bh_status status = find(team, "all_gather", in, bytes, &from);
  if (status == BH_OK)
    status = find(team, "all_gather", out, team->size * bytes, &to);
  if (status == BH_OK)
    status = meet(team, &from, &to, &on_lanes);
  if (status != BH_OK)
    return status;
  for (uint32_t rank = 0; rank < team->size && on_lanes && status == BH_OK; rank++)
    status = take(seat, rank, 0, to.place.memory, to.place.offset_bytes + rank * bytes, bytes);
  if (on_lanes)
    return leave(team, status);
  status = by_view(team, &from, dev_get);
  if (status == BH_OK)
    status = bh_team_all_gather(team, in, out, bytes);
  return status == BH_OK ? by_view(team, &to, dev_put) : status;
}

static bh_status send_message(bh_team *team, const void *data, uint64_t bytes, uint32_t to, uint32_t tag) {
  span from;
  bh_status status = find(team, "send", data, bytes, &from);
  if (status == BH_OK)
    status = by_view(team, &from, dev_get);
  return status == BH_OK ? bh_team_send(team, data, bytes, to, tag) : status;
}

static bh_status receive_message(bh_team *team, void *data, uint64_t bytes, uint32_t from, uint32_t tag) {
  span to;
  bh_status status = find(team, "receive", data, bytes, &to);
  if (status == BH_OK)
    status = bh_team_receive(team, data, bytes, from, tag);
  return status == BH_OK ? by_view(team, &to, dev_put) : status;
}

static bh_status exchange(bh_team *team, const void *out, uint64_t out_bytes, uint32_t to, void *in, uint64_t in_bytes,
                          uint32_t from, uint32_t tag) {
  span sent, received;
  bh_status status = find(team, "exchange", out, out_bytes, &sent);
  if (status == BH_OK)
    status = find(team, "exchange", in, in_bytes, &received);
  if (status == BH_OK)
    status = by_view(team, &sent, dev_get);
  if (status == BH_OK)
    status = bh_team_exchange(team, out, out_bytes, to, in, in_bytes, from, tag);
  return status == BH_OK ? by_view(team, &received, dev_put) : status;
}

void dev_exchange_join(bh_team_member *member) {
  member->team.broadcast = broadcast;
  member->team.all_reduce = all_reduce;
  member->team.reduce_scatter = reduce_scatter;
  member->team.all_gather = all_gather;
  member->team.send = send_message;
  member->team.receive = receive_message;
  member->team.exchange = exchange;
}
