/* SPDX-License-Identifier: MIT
 * A device that is host memory, for unit tests of device programs: it keeps a list of all calls, lets any of them fail,
 * and does nothing of what is enqueued before somebody waits, so that a program which relies on more finds garbage.
 * Misuse (waiting inside `enqueue`, a device's function inside host work, bytes outside a buffer, freeing twice) ends
 * the test. */
#pragma once
#include <benchhost/device.h>
#include <glib.h>

/* What native("cuda.stream") points to: how a stub of a vendor's library enqueues. Both functions copy nothing. */
typedef struct StubStream {
  void *owner;
  void (*note)(struct StubStream *, const char *call);
  void (*enqueue)(struct StubStream *, void (*work)(void *arg), void *arg); /* frees `arg` by g_free */
} StubStream;

typedef struct {
  bh_device device; /* what the program gets */
  StubStream stream;
  GPtrArray *calls;      /* of char *: all calls so far, with their figures */
  GPtrArray *queue;      /* of StubWork *: what is enqueued and not done */
  GPtrArray *buffers;    /* of bh_buffer *: the program's own that it has not released */
  GPtrArray *pinned;     /* of void *: not unpinned */
  GHashTable *libraries; /* of char *: paths by soname */
  bh_buffer **regions;
  void *const *views; /* the host's, one a region */
  gboolean in_enqueue, in_host_work, lost;
  guint n_failable; /* calls so far that may fail */
  guint fail_at;    /* the number, from 1, of the one that does; 0: none */
  bh_status fail_with;
  guint lose_after;       /* pieces of enqueued work after which the device is lost; 0: never */
  guint forget_host_work; /* the number, from 1, of the piece of host work that silently never happens; 0: none */
} StubDevice;

/* Device `index` of `count`. `views` lives longer than the device; regions of the device are copies of it. */
StubDevice *stub_device_new(const bh_host *host, const bh_problem *problem, void *const *views, guint index,
                            guint count);
/* Nothing of the program's may be left. */
void stub_device_free(StubDevice *stub);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StubDevice, stub_device_free)

/* A program's whole life as a backend lives it, with `runs` runs; device copies are bound before and fetched after
 * each. */
bh_status stub_device_run(StubDevice *stub, const bh_program *program, uint32_t loop, uint64_t begin, uint64_t end,
                          guint runs);
/* How many of the calls begin with `prefix`. */
guint stub_device_count(const StubDevice *stub, const char *prefix);
/* All calls, one a line. */
char *stub_device_calls(const StubDevice *stub);
