/* SPDX-License-Identifier: MIT
 *
 * transport: pipe, the parent's end: deals out chunks, sends what each needs, collects what comes back. It never blocks
 * on one worker: all pipes are non-blocking here and waited for together, in both directions, so big messages cannot
 * deadlock.
 *
 * A region has a version, counted up whenever its contents in the parent's view change; a link remembers which version
 * its worker holds (of the whole, and of its own part), so that data shared by all is sent once and again only when it
 * changed.
 */
#include "pipe.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

typedef struct {
  int to, from;           /* non-blocking; -1: none */
  uint64_t *whole, *part; /* per region: the version held */
  bh_pipe_header out, in;
  struct iovec out_list[BH_MAX_USES + 1], in_list[2 * BH_MAX_USES + 1];
  int out_at, out_n, in_at, in_n, in_data; /* in_data: the header is read */
  uint32_t answers;                        /* still to come */
  uint32_t synced;                         /* uses of this job that were brought up to date */
  uint64_t cursor;
  int chunks_out, closed; /* no more chunks (binding: poison was sent); the job's last message was sent */
} pipe_link;

typedef struct {
  bh_fork common; /* first: callbacks get a pointer to it */
  pipe_link *links;
  struct pollfd *polls;
  uint64_t *version;  /* per region */
  uint64_t *poisoned; /* per region: the version that is all poison; 0: none */
  bh_claims claims;
  bh_pipe_header job; /* what all links work at: CHUNK = a loop, SYNC = binding region `index`, READY = opening */
  uint64_t run;
  int broken;
} pipe_state;

/* ---- accept ---- */

static bh_status pipe_accept(const bh_host *h, const bh_value *values, const bh_problem *problem, bh_needs *ret_needs) {
  uint32_t workers = ret_needs->workers;
  ret_needs->copies = 1;
  if (problem->member)
    return h->stop(h, BH_UNSUPPORTED,
                   "transport: pipe runs no teams: members' messages need shared memory (transport: shm)");
  if (values[BH_FORK_WAIT].i == BH_WAIT_SPIN)
    return h->stop(h, BH_UNSUPPORTED, "transport: pipe waits in the kernel for its pipes: there is no wait: spin");
  for (uint32_t l = 0; l < problem->n_loops && workers > 1; l++) {
    const bh_kernel *kernel = &problem->kernels[problem->loops[l].kernel];
    for (uint32_t u = 0; u < kernel->n_uses; u++) {
      const bh_use *use = &kernel->uses[u];
      const bh_region *region = &problem->regions[use->region];
      if (use->split == BH_WHOLE && use->role != BH_IN && use->role != BH_REDUCE && use->role != BH_SCRATCH &&
          region->role != BH_SCRATCH)
        return h->stop(h, BH_UNSUPPORTED,
                       "kernel '%s' writes region '%s' as a whole: with transport: pipe nobody can tell "
                       "which worker's bytes count (one worker, or transport: shm, can)",
                       kernel->name, region->name);
    }
  }
  return BH_OK;
}

/* ---- Outgoing: what a link sends next ---- */

static void post(pipe_link *link, uint32_t kind, uint32_t index, uint64_t begin, uint64_t end, uint64_t run) {
  link->out = (bh_pipe_header){kind, index, begin, end, run};
  link->out_list[0] = (struct iovec){&link->out, sizeof link->out};
  link->out_at = 0;
  link->out_n = 1;
}

static uint64_t poison_word(const pipe_state *s, uint32_t region) {
  uint64_t word = 0, bytes = bh_regions_view_bytes(s->common.problem, region, s->common.workers);
  memcpy(&word, s->common.view[region], bytes < 8 ? bytes : 8);
  return word;
}

/* Brings one use up to date: 1 when a message was posted for it. */
static int post_region(pipe_state *s, pipe_link *link, uint32_t region, uint32_t flags) {
  uint32_t worker = (uint32_t)(link - s->links);
  uint64_t version = s->version[region];
  int poisoned = s->poisoned[region] == version;
  if (flags & BH_PIPE_ALL && link->whole[region] != version) {
    link->whole[region] = link->part[region] = version;
    post(link, BH_PIPE_WHOLE, region, 0, 0, 0);
    link->out_list[link->out_n++] =
        (struct iovec){s->common.view[region], bh_regions_view_bytes(s->common.problem, region, s->common.workers)};
    return 1;
  }
  if (flags & BH_PIPE_OWN && link->part[region] != version) {
    link->part[region] = version;
    if (poisoned) {
      post(link, BH_PIPE_POISON, region, poison_word(s, region), 1, 0);
    } else {
      post(link, BH_PIPE_PART, region, 0, 0, 0);
      link->out_list[link->out_n++] = bh_pipe_part(&s->common, region, worker);
    }
    return 1;
  }
  return 0;
}

/* Everything that loop's kernel uses, use by use: 1 when a message was posted. */
static int post_stale(pipe_state *s, pipe_link *link, uint32_t loop) {
  const bh_kernel *kernel = &s->common.problem->kernels[s->common.problem->loops[loop].kernel];
  for (; link->synced < kernel->n_uses; link->synced++)
    if (post_region(s, link, kernel->uses[link->synced].region, bh_pipe_flags(&s->common, loop, link->synced))) {
      link->synced++;
      return 1;
    }
  return 0;
}

static int loop_answers_end(const pipe_state *s, uint32_t loop) {
  const bh_kernel *kernel = &s->common.problem->kernels[s->common.problem->loops[loop].kernel];
  for (uint32_t u = 0; u < kernel->n_uses; u++)
    if (bh_pipe_flags(&s->common, loop, u) & (BH_PIPE_REDUCED | BH_PIPE_OWN_BACK))
      return 1;
  return 0;
}

static void next_of_loop(pipe_state *s, pipe_link *link) {
  const bh_share *share = &s->common.shares[s->job.index];
  uint32_t worker = (uint32_t)(link - s->links), index = s->job.index;
  uint64_t begin, end;
  if (post_stale(s, link, index))
    return;
  if (!link->chunks_out) {
    /* Static chunks are sent ahead as far as the pipe takes them; others only to a worker that has nothing to do. */
    if (share->schedule != BH_STATIC && link->answers)
      return;
    if (bh_schedule_next(share, &s->claims, &link->cursor, worker, &begin, &end)) {
      post(link, BH_PIPE_CHUNK, index, begin, end, s->run);
      link->out_n += bh_pipe_slices(&s->common, &link->out, BH_PIPE_SENT, link->out_list + 1);
      link->answers++;
      return;
    }
    link->chunks_out = 1;
  }
  link->closed = 1;
  if (!loop_answers_end(s, index))
    return;
  post(link, BH_PIPE_END, index, 0, 0, s->run);
  link->answers++;
}

static void next_of_bind(pipe_state *s, pipe_link *link) {
  const bh_problem *problem = s->common.problem;
  uint32_t region = s->job.index, flags = 0, filled = 0;
  for (uint32_t l = 0; l < problem->n_loops; l++)
    for (uint32_t u = 0; u < problem->kernels[problem->loops[l].kernel].n_uses; u++)
      if (problem->kernels[problem->loops[l].kernel].uses[u].region == region) {
        uint32_t how = bh_pipe_flags(&s->common, l, u);
        /* What a loop writes before another reads it is no input: it would be sent in vain. */
        if (problem->regions[region].role == BH_IN || problem->regions[region].role == BH_INOUT || how & BH_PIPE_OWN)
          flags |= how;
        filled |= how & BH_PIPE_FILLED;
      }
  if (post_region(s, link, region, flags))
    return;
  if (filled && !link->chunks_out) { /* once a bind: also when the word is the same, old results must go */
    link->chunks_out = 1;
    post(link, BH_PIPE_POISON, region, poison_word(s, region), 0, 0);
    return;
  }
  link->closed = 1;
  post(link, BH_PIPE_SYNC, region, 0, 0, 0);
  link->answers++;
}

/* ---- Both directions ---- */

static void expect_header(pipe_link *link) {
  link->in_list[0] = (struct iovec){&link->in, sizeof link->in};
  link->in_at = link->in_data = 0;
  link->in_n = 1;
}

/* A message is complete, or its header is: what comes now? */
static void received(pipe_state *s, pipe_link *link) {
  uint32_t worker = (uint32_t)(link - s->links);
  if (!link->in_data) {
    link->in_data = 1;
    link->in_at = link->in_n = 0;
    if (link->in.kind == BH_PIPE_CHUNK)
      link->in_n = bh_pipe_slices(&s->common, &link->in, BH_PIPE_BACK, link->in_list);
    if (link->in.kind == BH_PIPE_END)
      link->in_n = bh_pipe_parts(&s->common, &link->in, worker, link->in_list);
    if (link->in.kind == BH_PIPE_READY && link->in.begin != BH_OK)
      s->job.begin = link->in.begin;
    link->in_at = bh_pipe_advance(link->in_list, link->in_n, 0);
    if (link->in_at < link->in_n)
      return;
  }
  link->answers--;
  expect_header(link);
}

/* 0, or -1 when the worker's end is closed. */
static int move(int fd, struct iovec *list, int *at, int n, int writing) {
  while (*at < n) {
    ssize_t done = writing ? writev(fd, list + *at, n - *at) : readv(fd, list + *at, n - *at);
    if (done == -1 && errno == EINTR)
      continue;
    if (done == -1 && errno == EAGAIN)
      return 0;
    if (done <= 0)
      return -1;
    *at += bh_pipe_advance(list + *at, n - *at, (size_t)done);
  }
  return 0;
}

/* As far as it goes without waiting. -1: the worker is gone. */
static int push(pipe_state *s, pipe_link *link) {
  for (;;) {
    if (link->out_at == link->out_n) {
      if (link->closed)
        return 0;
      link->out_at = link->out_n = 0;
      if (s->job.kind == BH_PIPE_CHUNK)
        next_of_loop(s, link);
      else
        next_of_bind(s, link);
      if (link->out_n == 0)
        return 0;
    }
    if (move(link->to, link->out_list, &link->out_at, link->out_n, 1))
      return -1;
    if (link->out_at < link->out_n)
      return 0;
  }
}

static int pull(pipe_state *s, pipe_link *link) {
  while (link->answers) {
    if (move(link->from, link->in_list, &link->in_at, link->in_n, 0))
      return -1;
    if (link->in_at < link->in_n)
      return 0;
    received(s, link);
  }
  return 0;
}

static bh_status lost(pipe_state *s, uint32_t worker) {
  bh_child *child = &s->common.children[worker];
  struct timespec moment = {0, 1000000};
  s->broken = 1;
  /* Its pipes close a moment before it can be reaped; a worker that closed them and lives on is ended. */
  for (int tries = 0; !bh_child_gone(child) && tries < 1000; tries++)
    nanosleep(&moment, NULL);
  if (!child->gone)
    bh_child_end(child);
  return bh_child_report(s->common.host, child, worker);
}

static bh_status drive_all(pipe_state *s) {
  uint32_t workers = s->common.workers;
  for (;;) {
    int busy = 0;
    for (uint32_t w = 0; w < workers; w++) {
      pipe_link *link = &s->links[w];
      if (push(s, link) || pull(s, link) || push(s, link))
        return lost(s, w);
      int sending = link->out_at < link->out_n;
      busy |= sending || link->answers || !link->closed;
      s->polls[2 * w] = (struct pollfd){.fd = sending ? link->to : -1, .events = POLLOUT};
      s->polls[2 * w + 1] = (struct pollfd){.fd = link->answers ? link->from : -1, .events = POLLIN};
    }
    if (!busy)
      return BH_OK;
    /* A dead worker's pipe may be held open by a program that it started: so look after the processes too. */
    if (poll(s->polls, 2 * workers, 100) == 0)
      for (uint32_t w = 0; w < workers; w++)
        if (bh_child_gone(&s->common.children[w]))
          return lost(s, w);
  }
}

/* One job on all links, with SIGPIPE kept from killing the process for writing to a worker that died. */
static bh_status drive(pipe_state *s, uint32_t kind, uint32_t index) {
  sigset_t pipe_set, old, pending;
  struct timespec now = {0, 0};
  if (s->broken)
    return s->common.host->stop(s->common.host, BH_FAIL, "a worker process is gone: the pool cannot run any more");
  s->job = (bh_pipe_header){.kind = kind, .index = index};
  for (uint32_t w = 0; w < s->common.workers; w++) {
    pipe_link *link = &s->links[w];
    link->synced = 0;
    link->cursor = 0;
    link->chunks_out = 0;
    link->closed = link->answers = kind == BH_PIPE_READY;
  }
  sigpending(&pending);
  sigemptyset(&pipe_set);
  sigaddset(&pipe_set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
  bh_status status = drive_all(s);
  if (s->broken && !sigismember(&pending, SIGPIPE))
    while (sigtimedwait(&pipe_set, NULL, &now) == -1 && errno == EINTR)
      continue;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return status;
}

/* ---- Life ---- */

static void close_links(pipe_state *s) {
  for (uint32_t w = 0; s->links && w < s->common.workers; w++) {
    if (s->links[w].to >= 0)
      close(s->links[w].to);
    if (s->links[w].from >= 0)
      close(s->links[w].from);
    s->links[w].to = s->links[w].from = -1;
  }
}

static void pipe_close(bh_fork *common) {
  pipe_state *s = (pipe_state *)common;
  close_links(s); /* idle workers read the end of their pipe and leave */
  for (uint32_t w = 0; common->children && w < common->workers; w++)
    bh_child_end(&common->children[w]);
  for (uint32_t w = 0; s->links && w < common->workers; w++)
    free(s->links[w].whole);
  free(s->links);
  free(s->polls);
  free(s->version);
  bh_fork_release(common);
  free(s);
}

static bh_status pipe_memory(pipe_state *s) {
  uint32_t workers = s->common.workers, regions = s->common.problem->n_regions + 1;
  s->polls = calloc(2 * (size_t)workers, sizeof *s->polls);
  s->version = calloc(2 * (size_t)regions, sizeof *s->version);
  pipe_link *links = calloc(workers, sizeof *links);
  int fits = s->polls && s->version && links;
  for (uint32_t w = 0; links && w < workers; w++) {
    links[w].to = links[w].from = -1;
    expect_header(&links[w]);
    if (!(links[w].whole = calloc(2 * (size_t)regions, sizeof *links[w].whole)))
      fits = 0;
    if (!fits)
      continue;
    links[w].part = links[w].whole + regions;
  }
  s->links = links;
  if (fits)
    s->poisoned = s->version + regions;
  return fits ? BH_OK
              : s->common.host->stop(s->common.host, BH_OUT_OF_MEMORY, "no memory for %" PRIu32 " pipes", workers);
}

static bh_status pipe_start(pipe_state *s, uint32_t w) {
  const bh_host *h = s->common.host;
  pipe_link *link = &s->links[w];
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC))
    return h->stop(h, BH_FAIL, "cannot make a pipe for worker %" PRIu32 ": %s", w, strerror(errno));
  link->to = down[1];
  if (pipe2(up, O_CLOEXEC)) {
    close(down[0]);
    return h->stop(h, BH_FAIL, "cannot make a pipe for worker %" PRIu32 ": %s", w, strerror(errno));
  }
  link->from = up[0];
  /* Larger pipes mean fewer switches; the system's limit may refuse, then the usual 64 KiB stay. */
  fcntl(down[1], F_SETPIPE_SZ, 1 << 20);
  fcntl(up[1], F_SETPIPE_SZ, 1 << 20);
  pid_t pid = bh_child_start(&s->common.children[w]);
  int failed = errno;
  if (pid == 0) {
    close_links(s); /* the parent's ends, of all workers so far: else nobody would see the end of a pipe */
    bh_pipe_worker(&s->common, w, down[0], up[1]);
  }
  close(down[0]);
  close(up[1]);
  fcntl(link->to, F_SETFL, O_NONBLOCK);
  fcntl(link->from, F_SETFL, O_NONBLOCK);
  if (pid > 0)
    return BH_OK;
  return h->stop(h, BH_FAIL, "cannot fork worker %" PRIu32 " of %" PRIu32 ": %s", w, s->common.workers,
                 strerror(failed));
}

static bh_status pipe_open(const bh_host *h, const bh_value *values, const bh_problem *problem,
                           const void *workload_state, bh_fork **ret) {
  pipe_state *s = aligned_alloc(64, bh_regions_round(sizeof *s));
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the pool itself");
  memset(s, 0, sizeof *s);
  bh_status status = bh_fork_prepare(&s->common, h, values, problem, workload_state, 0);
  if (status == BH_OK)
    status = pipe_memory(s);
  for (uint32_t w = 0; status == BH_OK && w < s->common.workers; w++)
    status = pipe_start(s, w);
  if (status == BH_OK)
    status = drive(s, BH_PIPE_READY, 0);
  if (status == BH_OK)
    status = (bh_status)s->job.begin;
  if (status == BH_OK)
    *ret = &s->common;
  else
    pipe_close(&s->common);
  return status;
}

static bh_status pipe_bind(bh_fork *common, uint32_t index) {
  pipe_state *s = (pipe_state *)common;
  bh_role role = common->problem->regions[index].role;
  if (role == BH_SCRATCH)
    return BH_OK;
  s->version[index]++;
  s->poisoned[index] = role == BH_OUT || role == BH_TEMP ? s->version[index] : 0;
  return drive(s, BH_PIPE_SYNC, index);
}

static bh_status pipe_run_loop(bh_fork *common, uint32_t index) {
  pipe_state *s = (pipe_state *)common;
  const bh_kernel *kernel = &common->problem->kernels[common->problem->loops[index].kernel];
  atomic_store_explicit(&s->claims.next, 0, memory_order_relaxed);
  s->run++;
  bh_status status = drive(s, BH_PIPE_CHUNK, index);
  if (status != BH_OK)
    return status;
  bh_lanes_join_uses(common->lanes, common->workers, kernel->uses, kernel->n_uses, common->view);
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    uint32_t flags = bh_pipe_flags(common, index, u), region = kernel->uses[u].region;
    if (!(flags & (BH_PIPE_BACK | BH_PIPE_OWN_BACK | BH_PIPE_REDUCED)))
      continue;
    s->version[region]++;
    for (uint32_t w = 0; w < common->workers && flags & BH_PIPE_OWN_BACK; w++)
      s->links[w].part[region] = s->version[region];
  }
  return BH_OK;
}

static bh_status pipe_run_team(bh_fork *common) {
  return common->host->stop(common->host, BH_UNSUPPORTED, "transport: pipe runs no teams");
}

const bh_fork_transport bh_fork_pipe = {
    .accept = pipe_accept,
    .open = pipe_open,
    .bind = pipe_bind,
    .run_loop = pipe_run_loop,
    .run_team = pipe_run_team,
    .close = pipe_close,
};
