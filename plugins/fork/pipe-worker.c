/* SPDX-License-Identifier: MIT
 *
 * The worker's end of transport: pipe, and what both ends compute alike: which bytes travel with which message. A
 * worker holds each region at its full size as untouched private pages, so that item i lies at base + i * stride as
 * everywhere and only pages it was sent or wrote cost memory.
 */
#include "pipe.h"

/* Whether the slice holds what must be kept where the kernel writes nothing: an INOUT region's data, or what an earlier
 * loop of the run or another use of this kernel wrote. Then it is sent like INOUT. Else a fresh OUT slice is poison,
 * which the worker can make itself. */
static int kept_before(const bh_problem *problem, uint32_t loop, uint32_t u) {
  const bh_kernel *kernel = &problem->kernels[problem->loops[loop].kernel];
  uint32_t region = kernel->uses[u].region;
  if (problem->regions[region].role == BH_INOUT)
    return 1;
  for (uint32_t i = 0; i < kernel->n_uses; i++)
    if (i != u && kernel->uses[i].region == region)
      return 1;
  for (uint32_t l = 0; l < loop; l++) {
    const bh_kernel *earlier = &problem->kernels[problem->loops[l].kernel];
    for (uint32_t i = 0; i < earlier->n_uses; i++)
      if (earlier->uses[i].region == region && earlier->uses[i].role != BH_IN)
        return 1;
  }
  return 0;
}

uint32_t bh_pipe_flags(const bh_fork *f, uint32_t loop, uint32_t u) {
  const bh_use *use = &f->problem->kernels[f->problem->loops[loop].kernel].uses[u];
  const bh_region *region = &f->problem->regions[use->region];
  if (region->role == BH_SCRATCH || use->role == BH_SCRATCH)
    return 0;
  if (use->role == BH_REDUCE)
    return BH_PIPE_REDUCED;
  int writes = use->role != BH_IN;
  if (use->split != BH_BY_ITEM) {
    if (use->split == BH_WHOLE && !writes)
      return BH_PIPE_ALL;
    return BH_PIPE_OWN | (writes ? BH_PIPE_OWN_BACK : 0);
  }
  if (!writes)
    return BH_PIPE_SENT;
  if (use->role != BH_OUT || kept_before(f->problem, loop, u))
    return BH_PIPE_SENT | BH_PIPE_BACK;
  return BH_PIPE_BACK | BH_PIPE_FILLED;
}

struct iovec bh_pipe_part(const bh_fork *f, uint32_t region, uint32_t worker) {
  const bh_region *r = &f->problem->regions[region];
  char *base = f->view[region];
  return (struct iovec){r->split == BH_BY_WORKER ? base + worker * r->bytes : base, r->bytes};
}

/* The bytes of items [begin, end) in use `u` of loop `loop`, in this process's view. */
static struct iovec slice_of(const bh_fork *f, uint32_t loop, uint32_t u, uint64_t begin, uint64_t end) {
  const bh_loop *l = &f->problem->loops[loop];
  const bh_use *use = &f->problem->kernels[l->kernel].uses[u];
  uint64_t offset = begin * use->stride_bytes, length = (end - begin) * use->stride_bytes;
  if (use->slice)
    use->slice(l->params, begin, end, &offset, &length);
  return (struct iovec){(char *)f->view[use->region] + offset, length};
}

int bh_pipe_slices(const bh_fork *f, const bh_pipe_header *header, uint32_t flag, struct iovec *ret) {
  const bh_kernel *kernel = &f->problem->kernels[f->problem->loops[header->index].kernel];
  int n = 0;
  for (uint32_t u = 0; u < kernel->n_uses; u++)
    if (bh_pipe_flags(f, header->index, u) & flag)
      ret[n++] = slice_of(f, header->index, u, header->begin, header->end);
  return n;
}

int bh_pipe_parts(const bh_fork *f, const bh_pipe_header *header, uint32_t worker, struct iovec *ret) {
  const bh_kernel *kernel = &f->problem->kernels[f->problem->loops[header->index].kernel];
  int n = 0;
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    uint32_t flags = bh_pipe_flags(f, header->index, u), region = kernel->uses[u].region;
    if (flags & BH_PIPE_REDUCED)
      ret[n++] = (struct iovec){f->lanes[worker].own[region], f->problem->regions[region].bytes};
    if (flags & BH_PIPE_OWN_BACK)
      ret[n++] = bh_pipe_part(f, region, worker);
  }
  return n;
}

int bh_pipe_advance(struct iovec *list, int n, size_t done) {
  int used = 0;
  while (used < n && done >= list[used].iov_len)
    done -= list[used++].iov_len;
  if (used < n) {
    list[used].iov_base = (char *)list[used].iov_base + done;
    list[used].iov_len -= done;
  }
  return used;
}

/* ---- The worker ---- */

typedef struct {
  bh_fork *f;
  uint32_t worker;
  int from, to;
  uint64_t run;            /* whose REDUCE parts are started */
  uint64_t *words;         /* per region: the poison of the last bind */
  unsigned char **touched; /* per region and page: 1: was poisoned once, so it is again at every bind */
} pipe_worker;

#define POISON_PAGE UINT64_C(4096)

/* Moves all of `list`, or leaves: the other end is gone. */
static void move_all(int fd, struct iovec *list, int n, int writing) {
  for (int at = bh_pipe_advance(list, n, 0); at < n;) {
    ssize_t done = writing ? writev(fd, list + at, n - at) : readv(fd, list + at, n - at);
    if (done == -1 && errno == EINTR)
      continue;
    if (done <= 0)
      _exit(0);
    at += bh_pipe_advance(list + at, n - at, (size_t)done);
  }
}

static void answer(pipe_worker *w, bh_pipe_header *header, struct iovec *list, int n) {
  list[0] = (struct iovec){header, sizeof *header};
  move_all(w->to, list, n + 1, 1);
}

/* Bytes [offset, offset + length) of a region of one repeated word. */
static void fill_poison(char *base, uint64_t word, uint64_t offset, uint64_t length) {
  char *at = base + offset, *end = at + length;
  unsigned char bytes[8];
  memcpy(bytes, &word, 8);
  for (; at < end && (uintptr_t)(at - base) % 8; at++)
    *at = (char)bytes[(at - base) % 8];
  for (; end - at >= 8; at += 8)
    memcpy(at, &word, 8);
  for (; at < end; at++)
    *at = (char)bytes[(at - base) % 8];
}

static void poison_page(pipe_worker *w, uint32_t region, uint64_t page) {
  uint64_t bytes = bh_regions_view_bytes(w->f->problem, region, w->f->workers), at = page * POISON_PAGE;
  w->touched[region][page] = 1;
  fill_poison(w->f->view[region], w->words[region], at, bytes - at < POISON_PAGE ? bytes - at : POISON_PAGE);
}

/* Poison under a slice that this worker is about to write. Runs are timed and binds are not, so a run pays only for
 * pages that this worker never touched before, which cost a page fault anyway. */
static void poison_slice(pipe_worker *w, uint32_t region, uint64_t offset, uint64_t length) {
  for (uint64_t page = offset / POISON_PAGE; length && page <= (offset + length - 1) / POISON_PAGE; page++)
    if (!w->touched[region][page])
      poison_page(w, region, page);
}

static void poison_again(pipe_worker *w, uint32_t region) {
  uint64_t pages = bh_regions_view_bytes(w->f->problem, region, w->f->workers) / POISON_PAGE + 1;
  for (uint64_t page = 0; page < pages; page++)
    if (w->touched[region][page])
      poison_page(w, region, page);
}

static void begin_run(pipe_worker *w, const bh_pipe_header *header, const bh_kernel *kernel) {
  if (w->run == header->run)
    return;
  w->run = header->run;
  bh_lane_identity(&w->f->lanes[w->worker], kernel->uses, kernel->n_uses);
}

static void run_chunk(pipe_worker *w, bh_pipe_header *header) {
  struct iovec list[BH_MAX_USES + 1];
  const bh_kernel *kernel = &w->f->problem->kernels[w->f->problem->loops[header->index].kernel];
  int n = bh_pipe_slices(w->f, header, BH_PIPE_SENT, list);
  move_all(w->from, list, n, 0);
  begin_run(w, header, kernel);
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    if (!(bh_pipe_flags(w->f, header->index, u) & BH_PIPE_FILLED))
      continue;
    uint32_t region = kernel->uses[u].region;
    struct iovec slice = slice_of(w->f, header->index, u, header->begin, header->end);
    poison_slice(w, region, (uint64_t)((char *)slice.iov_base - (char *)w->f->view[region]), slice.iov_len);
  }
  kernel->host(&w->f->lanes[w->worker].loops[header->index], header->begin, header->end);
  n = bh_pipe_slices(w->f, header, BH_PIPE_BACK, list + 1);
  answer(w, header, list, n);
}

static void end_loop(pipe_worker *w, bh_pipe_header *header) {
  struct iovec list[2 * BH_MAX_USES + 1];
  begin_run(w, header, &w->f->problem->kernels[w->f->problem->loops[header->index].kernel]);
  answer(w, header, list, bh_pipe_parts(w->f, header, w->worker, list + 1));
}

static void take_region(pipe_worker *w, const bh_pipe_header *header) {
  uint32_t r = header->index;
  struct iovec part = bh_pipe_part(w->f, r, w->worker);
  if (header->kind == BH_PIPE_WHOLE)
    part = (struct iovec){w->f->view[r], bh_regions_view_bytes(w->f->problem, r, w->f->workers)};
  if (header->kind != BH_PIPE_POISON) {
    move_all(w->from, &part, 1, 0);
    return;
  }
  w->words[r] = header->begin;
  if (header->end)
    fill_poison(w->f->view[r], header->begin, (uint64_t)((char *)part.iov_base - (char *)w->f->view[r]), part.iov_len);
  else
    poison_again(w, r);
}

_Noreturn void bh_pipe_worker(bh_fork *f, uint32_t worker, int from, int to) {
  pipe_worker w = {.f = f, .worker = worker, .from = from, .to = to};
  bh_pipe_header header = {.kind = BH_PIPE_READY, .begin = (uint64_t)bh_fork_settle(f, worker)};
  struct iovec list[1];
  w.words = calloc(f->problem->n_regions + 1u, sizeof *w.words);
  w.touched = calloc(f->problem->n_regions + 1u, sizeof *w.touched);
  for (uint32_t r = 0; w.touched && r < f->problem->n_regions; r++)
    if (!(w.touched[r] = bh_regions_pages(bh_regions_view_bytes(f->problem, r, f->workers) / POISON_PAGE + 1, 0)))
      _exit(1);
  if (!w.words || !w.touched)
    _exit(1);
  answer(&w, &header, list, 0);
  for (;;) {
    list[0] = (struct iovec){&header, sizeof header};
    move_all(from, list, 1, 0);
    switch (header.kind) {
    case BH_PIPE_WHOLE:
    case BH_PIPE_PART:
    case BH_PIPE_POISON:
      take_region(&w, &header);
      break;
    case BH_PIPE_CHUNK:
      run_chunk(&w, &header);
      break;
    case BH_PIPE_END:
      end_loop(&w, &header);
      break;
    case BH_PIPE_SYNC:
      answer(&w, &header, list, 0);
      break;
    default:
      _exit(0);
    }
  }
}
