/* SPDX-License-Identifier: MIT
 * Owns the checking backend: allocation on guarded memory, chunks in any order, slices watched, teams on threads. */
#include "check/runner.h"
#include "worker/poison.h"

#include <benchhost/team.h>
#include <pthread.h>
#include <sys/mman.h>
#include <string.h>

static const char *const chunks_names[] = {"all items at once", "smallest chunks", "uneven chunks",
                                           "chunks in reverse order"};

const char *bh_chunks_name(BhChunks chunks) {
  return chunks_names[chunks];
}

gboolean bh_runner_is_result(const bh_region *region) {
  return region->role == BH_OUT || region->role == BH_INOUT || region->role == BH_REDUCE;
}

static gboolean alloc_region(BhRunner *r, guint index, GError **error) {
  const bh_region *region = &r->problem->problem.regions[index];
  const guint64 bytes = bh_problem_view_bytes(&r->problem->problem, index, r->workers);
  gboolean ok = TRUE;
  if (region->role != BH_SCRATCH)
    ok = (r->view[index] = bh_guard_new(region->name, bytes)) != NULL;
  for (guint w = 0; ok && w < r->workers && (region->role == BH_SCRATCH || region->role == BH_REDUCE); w++)
    ok = (r->parts[index * r->workers + w] = bh_guard_new(region->name, region->bytes)) != NULL;
  if (!ok)
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "region %s: %" G_GUINT64_FORMAT " bytes could not be allocated",
                region->name, bytes);
  return ok;
}

BhRunner *bh_runner_new(const BhProblem *problem, const void *state, BhMiniHost *mini, guint workers, GError **error) {
  const guint n = problem->problem.n_regions;
  g_autoptr(BhRunner) r = g_new0(BhRunner, 1);
  r->problem = problem;
  r->state = state;
  r->mini = mini;
  r->workers = workers;
  r->view = g_new0(BhGuard *, n + 1);
  r->parts = g_new0(BhGuard *, (gsize)n * workers + 1);
  r->pristine = g_new0(guint8 *, n + 1);
  r->states = g_new0(void *, (gsize)problem->problem.n_loops *workers + 1);
  for (guint i = 0; i < problem->problem.n_kernels; i++)
    if (!problem->kernels[i].host) {
      g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "kernel %s has no portable host code", problem->kernels[i].name);
      return NULL;
    }
  for (guint i = 0; i < n; i++)
    if (!alloc_region(r, i, error))
      return NULL;
  return g_steal_pointer(&r);
}

void bh_runner_free(BhRunner *r) {
  if (!r)
    return;
  for (guint i = 0; i < r->problem->problem.n_regions; i++) {
    bh_guard_free(r->view[i]);
    g_free(r->pristine[i]);
    for (guint w = 0; w < r->workers; w++)
      bh_guard_free(r->parts[i * r->workers + w]);
  }
  for (guint i = 0; i < r->problem->problem.n_loops * r->workers; i++) {
    const bh_kernel *kernel = &r->problem->kernels[r->problem->problem.loops[i / r->workers].kernel];
    if (r->states[i] && kernel->teardown)
      kernel->teardown(r->states[i]);
  }
  g_free(r->states);
  g_free(r->view);
  g_free(r->parts);
  g_free(r->pristine);
  g_free(r->trespass);
  g_free(r);
}

void **bh_runner_regions(const BhRunner *r, gboolean for_fill) {
  void **regions = g_new0(void *, r->problem->problem.n_regions + 1);
  for (guint i = 0; i < r->problem->problem.n_regions; i++)
    if (r->view[i] && !(for_fill && r->problem->problem.regions[i].role == BH_TEMP))
      regions[i] = r->view[i]->data;
  return regions;
}

void bh_runner_filled(BhRunner *r) {
  for (guint i = 0; i < r->problem->problem.n_regions; i++) {
    const bh_role role = r->problem->problem.regions[i].role;
    if (role == BH_INOUT)
      r->pristine[i] = g_memdup2(r->view[i]->data, r->view[i]->bytes);
    if (role == BH_IN)
      bh_guard_protect(r->view[i], TRUE);
  }
}

void bh_runner_poison(BhRunner *r, guint64 word) {
  for (guint i = 0; i < r->problem->problem.n_regions; i++) {
    const bh_region *region = &r->problem->problem.regions[i];
    BhGuard *view = r->view[i];
    if (r->pristine[i])
      memcpy(view->data, r->pristine[i], view->bytes);
    else if (region->role == BH_OUT && region->flags & BH_PARTIAL)
      memset(view->data, 0, view->bytes);
    else if (region->role == BH_OUT || region->role == BH_REDUCE || region->role == BH_TEMP)
      bh_poison_fill(view->data, view->bytes, word);
  }
}

static void *region_for(const BhRunner *r, const bh_use *use, guint worker) {
  const bh_region *region = &r->problem->problem.regions[use->region];
  if (region->role == BH_SCRATCH || use->role == BH_REDUCE)
    return r->parts[use->region * r->workers + worker]->data;
  return r->view[use->region]->data + (region->split == BH_BY_WORKER ? worker * region->bytes : 0);
}

/* The bytes of `use` that items [begin, end) own. */
static void slice_of(const bh_use *use, const bh_loop *loop, guint64 begin, guint64 end, guint64 *ret_offset,
                     guint64 *ret_length) {
  *ret_offset = begin * use->stride_bytes;
  *ret_length = (end - begin) * use->stride_bytes;
  if (use->slice)
    use->slice(loop->params, begin, end, ret_offset, ret_length);
}

static gboolean is_watched(const bh_use *use) {
  return use->split == BH_BY_ITEM && use->role != BH_IN;
}

/* Compares what lies outside the chunk's slice with what it was. */
static void compare_outside(BhRunner *r, const bh_use *use, const bh_loop *loop, const guint8 *before, guint64 begin,
                            guint64 end) {
  const BhGuard *view = r->view[use->region];
  guint64 offset, length;
  slice_of(use, loop, begin, end, &offset, &length);
  for (guint64 at = 0; at < view->bytes && !r->trespass; at++) {
    if (at == offset && length) {
      at += length - 1;
      continue;
    }
    if (view->data[at] != before[at])
      r->trespass =
          g_strdup_printf("the chunk [%" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT ") owns bytes %" G_GUINT64_FORMAT
                          "..%" G_GUINT64_FORMAT " of region %s but wrote byte %" G_GUINT64_FORMAT,
                          begin, end, offset, offset + length, view->name, at);
  }
}

/* `loop`: one of the problem's, or a copy with other params of the one at `index`. */
static bh_status run_chunk(BhRunner *r, guint index, const bh_loop *loop, guint worker, guint64 begin, guint64 end) {
  const bh_kernel *kernel = &r->problem->kernels[loop->kernel];
  void **state = &r->states[index * r->workers + worker];
  void *regions[BH_MAX_USES] = {NULL};
  guint8 *before[BH_MAX_USES] = {NULL};
  for (guint u = 0; u < kernel->n_uses; u++) {
    regions[u] = region_for(r, &kernel->uses[u], worker);
    if (r->watch_slices && is_watched(&kernel->uses[u]))
      before[u] = g_memdup2(regions[u], r->view[kernel->uses[u].region]->bytes);
  }
  /* The loop's own are write-protected: a kernel that writes there would crash instead of being told. */
  g_autofree void *params = loop->params_bytes ? g_memdup2(loop->params, loop->params_bytes) : NULL;
  bh_args args = {regions, params, worker, r->workers, NULL};
  const bh_status status = kernel->setup && !*state ? kernel->setup(&r->mini->host, &args, loop->items, state) : BH_OK;
  args.state = *state;
  if (status == BH_OK)
    kernel->host(&args, begin, end);
  if (params && memcmp(params, loop->params, loop->params_bytes) != 0 && !r->trespass)
    r->trespass = g_strdup_printf("kernel %s changed its parameters' bytes", kernel->name);
  for (guint u = 0; u < kernel->n_uses; u++) {
    if (before[u])
      compare_outside(r, &kernel->uses[u], loop, before[u], begin, end);
    g_free(before[u]);
  }
  return status;
}

static guint64 chunk_size(const bh_loop *loop, BhChunks chunks, guint64 index) {
  const guint64 least = MAX(loop->min_chunk, 1);
  switch (chunks) {
  case BH_CHUNKS_SINGLE:
    return index < 256 ? least : loop->items;
  case BH_CHUNKS_UNEVEN:
    return index < 64 ? least * (index + 1) : loop->items;
  case BH_CHUNKS_REVERSE:
    return MAX((loop->items / 8 + least - 1) / least * least, least);
  default:
    return loop->items;
  }
}

static void identities(BhRunner *r, const bh_use *uses, guint n) {
  for (guint u = 0; u < n; u++)
    for (guint w = 0; uses[u].role == BH_REDUCE && w < r->workers; w++) {
      const bh_region *region = &r->problem->problem.regions[uses[u].region];
      void *part = r->parts[uses[u].region * r->workers + w]->data;
      if (region->identity)
        region->identity(part, region->bytes);
      else
        memset(part, 0, region->bytes);
    }
}

static void join(BhRunner *r, const bh_use *uses, guint n) {
  for (guint u = 0; u < n; u++) {
    if (uses[u].role != BH_REDUCE)
      continue;
    const bh_region *region = &r->problem->problem.regions[uses[u].region];
    guint8 *view = r->view[uses[u].region]->data;
    if (region->identity)
      region->identity(view, region->bytes);
    else
      memset(view, 0, region->bytes);
    for (guint w = 0; w < r->workers; w++)
      region->combine(view, r->parts[uses[u].region * r->workers + w]->data, region->bytes);
  }
}

static bh_status run_loop(BhRunner *r, guint index, BhChunks chunks) {
  const bh_loop *loop = &r->problem->problem.loops[index];
  bh_status status = BH_OK;
  const bh_kernel *kernel = &r->problem->kernels[loop->kernel];
  g_autoptr(GArray) begins = g_array_new(FALSE, FALSE, sizeof(guint64));
  for (guint64 begin = 0; begin < loop->items;) {
    g_array_append_val(begins, begin);
    const guint64 size = chunk_size(loop, chunks, begins->len - 1);
    begin = size > loop->items - begin ? loop->items : begin + size;
  }
  identities(r, kernel->uses, kernel->n_uses);
  for (guint k = 0; k < begins->len && status == BH_OK; k++) {
    const guint i = chunks == BH_CHUNKS_REVERSE ? begins->len - 1 - k : k;
    const guint64 begin = g_array_index(begins, guint64, i);
    const guint64 end = i + 1 < begins->len ? g_array_index(begins, guint64, i + 1) : loop->items;
    status = run_chunk(r, index, loop, k % r->workers, begin, end);
  }
  join(r, kernel->uses, kernel->n_uses);
  return status;
}

typedef struct {
  BhRunner *runner;
  bh_team_area *area;
  guint rank;
  bh_status status;
} Seat;

static bh_status run_on_lane(void *seat_, uint32_t index, uint64_t begin, uint64_t end, const void *params) {
  const Seat *seat = seat_;
  const bh_problem *p = &seat->runner->problem->problem;
  const bh_host *h = &seat->runner->mini->host;
  if (index >= p->n_loops || begin > end || end > p->loops[index].items)
    return h->stop(h, BH_FAIL, "member %u runs a loop or items that the problem does not have", seat->rank);
  bh_loop loop = p->loops[index];
  if (params)
    loop.params = params;
  return begin < end ? run_chunk(seat->runner, index, &loop, seat->rank, begin, end) : BH_OK;
}

static void *run_member(void *seat_) {
  Seat *seat = seat_;
  const bh_problem *p = &seat->runner->problem->problem;
  const bh_waiter waiter = bh_waiter_make(1, 0, 1);
  bh_team_member member;
  bh_team_join(&member, &seat->runner->mini->host, seat->area, seat->rank, &waiter, run_on_lane, seat);
  void *regions[BH_MAX_USES] = {NULL};
  for (guint u = 0; u < p->n_uses; u++)
    regions[u] = region_for(seat->runner, &p->uses[u], seat->rank);
  const bh_args args = {regions, NULL, seat->rank, seat->runner->workers, NULL};
  seat->status = bh_team_leave(&member, p->member(seat->runner->state, &member.team, &args));
  return NULL;
}

static bh_status run_team(BhRunner *r) {
  const bh_problem *p = &r->problem->problem;
  const gsize bytes = bh_team_area_bytes(r->workers);
  bh_team_area *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (area == MAP_FAILED)
    return r->mini->host.stop(&r->mini->host, BH_OUT_OF_MEMORY, "no memory for the team");
  bh_team_area_init(area, r->workers);
  identities(r, p->uses, p->n_uses);
  g_autofree Seat *seats = g_new0(Seat, r->workers);
  g_autofree pthread_t *threads = g_new0(pthread_t, r->workers);
  bh_status status = BH_OK;
  for (guint w = 0; w < r->workers; w++) {
    seats[w] = (Seat){r, area, w, BH_OK};
    if (w && pthread_create(&threads[w], NULL, run_member, &seats[w]) != 0)
      g_error("cannot start a thread");
  }
  run_member(&seats[0]);
  for (guint w = 0; w < r->workers; w++) {
    if (w)
      pthread_join(threads[w], NULL);
    if (status == BH_OK)
      status = seats[w].status;
  }
  if (status == BH_OK)
    status = bh_team_area_check(area, &r->mini->host);
  munmap(area, bytes);
  join(r, p->uses, p->n_uses);
  return status;
}

bh_status bh_runner_run(BhRunner *r, BhChunks chunks) {
  if (r->problem->problem.member)
    return run_team(r);
  for (guint i = 0; i < r->problem->problem.n_loops; i++) {
    const bh_status status = run_loop(r, i, chunks);
    if (status != BH_OK)
      return status;
  }
  return bh_mini_host_reason(r->mini) ? r->mini->status : BH_OK;
}

char *bh_runner_damage(const BhRunner *r) {
  for (guint i = 0; i < r->problem->problem.n_regions; i++) {
    char *damage = r->view[i] ? bh_guard_damage(r->view[i]) : NULL;
    for (guint w = 0; w < r->workers && !damage; w++)
      if (r->parts[i * r->workers + w])
        damage = bh_guard_damage(r->parts[i * r->workers + w]);
    if (damage)
      return damage;
  }
  return NULL;
}
