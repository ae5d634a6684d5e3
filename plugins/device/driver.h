/* SPDX-License-Identifier: MIT
 * What the device backends share is in this folder: the engine (regions, reductions, scratch, programs, teams) is one
 * piece of code, linked into opencl.so and cuda.so, and knows no vendor. This is what it needs of a driver.
 *
 * A lane is one device with one in-order stream. All calls for a lane come from one thread at a time; different lanes
 * may be driven by different threads. Everything that is enqueued on a lane happens in order; `finish` waits for it,
 * and reports what went wrong since. Calls that fail have said why by `host->stop` (BH_OUT_OF_MEMORY with the figures,
 * BH_SKIP where a thing is not here, else BH_FAIL with the driver's own words and name of the call). */
#pragma once
#include <benchhost/device.h>
#include <benchhost/plugin.h>

typedef struct dev_lane dev_lane;     /* the driver's own; its first member is a dev_lane_head */
typedef struct dev_memory dev_memory; /* the driver's own */
typedef struct dev_code dev_code;     /* a compiled kernel; the driver's own */

typedef struct {
  const bh_host *host;
  uint32_t index, count; /* this lane among the cell's */
} dev_lane_head;

/* One argument of a launch, in the kernel's order: memory at an offset, or bytes by value, which `launch` copies. */
typedef struct {
  dev_memory *memory; /* NULL: by value */
  uint64_t offset_bytes;
  const void *value;
  uint32_t value_bytes;
} dev_argument;

/* How many lanes or groups a launch has. */
typedef struct {
  uint32_t groups, lanes; /* groups of so many lanes each */
} dev_shape;

typedef struct {
  const char *target; /* "opencl", "cuda" */

  /* Can it run on this machine at all? BH_SKIP with the reason. */
  bh_status (*probe)(const bh_host *);
  /* How many lanes do these options ask for? Cheap. `members`: 0 for items; for a team the fewest members that it takes
   * (at least 1), which the driver answers where the options leave the number open. */
  bh_status (*count)(const bh_host *, const bh_value *values, uint32_t members, uint32_t *ret_lanes);
  /* What lane `index` of `count` may take before anything is opened: its device's free memory divided by the lanes that
   * share the device. Cheap enough for `accept`. */
  bh_status (*free_bytes)(const bh_host *, const bh_value *values, uint32_t index, uint32_t count, uint64_t *ret_bytes);

  /* Opens lane `index` of `count`: device, context, stream; records the device's facts (name, driver, ...) once. */
  bh_status (*open)(const bh_host *, const bh_value *values, uint32_t index, uint32_t count, dev_lane **ret_lane);
  void (*close)(dev_lane *); /* accepts NULL; waits for what is enqueued; frees code and memory that is left */

  bh_status (*memory)(dev_lane *, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes);
  bh_status (*alloc)(dev_lane *, uint64_t bytes, dev_memory **ret_memory); /* bytes > 0; 256-byte aligned, undefined */
  void (*release)(dev_lane *, dev_memory *);                               /* accepts NULL */

  /* In order. `from` may change after upload returned; `into` is filled when the lane gets there. `fill`: one 8-byte
   * word repeated; offset and bytes are multiples of 8, or the last word is cut. `copy`: no overlap; `from` may be
   * another lane's memory, on this device or another one: the caller knows that lane to be done with it. */
  bh_status (*upload)(dev_lane *, dev_memory *, uint64_t offset_bytes, const void *from, uint64_t bytes);
  bh_status (*download)(dev_lane *, const dev_memory *, uint64_t offset_bytes, void *into, uint64_t bytes);
  bh_status (*fill)(dev_lane *, dev_memory *, uint64_t offset_bytes, uint64_t word, uint64_t bytes);
  bh_status (*copy)(dev_lane *, dev_memory *to, uint64_t to_offset, const dev_memory *from, uint64_t from_offset,
                    uint64_t bytes);

  /* Compiles kernel->source (or gives what was compiled before: one text may hold several entries) and finds its entry.
   * The lane owns the code. Compile errors: BH_FAIL with the compiler's words, cut to a page. */
  bh_status (*compile)(dev_lane *, const bh_kernel *, dev_code **ret_code);
  /* The shape of a launch over `items` items that fills the device, by the options and the kernel's own limits; for
   * BH_BY_GROUP `lanes` is the kernel's. At most `most_groups` groups (0: no limit). The engine may launch fewer
   * groups, and fewer lanes of a BH_BY_LANE kernel, where private parts do not fit. */
  bh_status (*shape)(dev_lane *, const dev_code *, const bh_kernel *, uint64_t items, uint32_t most_groups,
                     dev_shape *ret_shape);
  bh_status (*launch)(dev_lane *, const dev_code *, dev_shape, const dev_argument *, uint32_t n_arguments);

  bh_status (*host_func)(dev_lane *, void (*work)(void *arg), void *arg);
  /* Page-locked memory of the host, 64-byte aligned, contents undefined, usable with every lane of the cell; plain
   * memory where locking brings nothing. */
  bh_status (*pinned)(dev_lane *, uint64_t bytes, void **ret_memory);
  void (*unpin)(dev_lane *, void *memory); /* accepts NULL */
  bh_status (*finish)(dev_lane *);

  /* Around all that one loop enqueues on a lane: the driver may time it (`device time`, a metric), flush caches before
   * it, or capture it into a graph and replay that. `begin` sets *ret_replayed to 1 when nothing is left to enqueue;
   * where ret_replayed is NULL (a program, a team's loop) what follows differs from run to run and must not be
   * replayed. `end` comes after `finish` succeeded, in a loop of items on every lane. All three may be NULL. */
  bh_status (*run_begin)(dev_lane *, uint32_t loop, int *ret_replayed);
  bh_status (*run_enqueued)(dev_lane *, uint32_t loop); /* all is enqueued, before `finish` */
  bh_status (*run_end)(dev_lane *, uint32_t loop);

  /* Before code of a program is called on this thread: makes the lane's device the thread's current one, where the
   * driver has such a thing; may be NULL. */
  void (*enter)(dev_lane *);
  void *(*native)(dev_lane *, const char *name);
  uintptr_t (*address)(dev_lane *, const dev_memory *);
  /* dlopen where the vendor puts its libraries; silent: NULL when `soname` is not here. The member NULL: plain dlopen.
   */
  void *(*library)(const char *soname);
  const char *library_hint; /* with `library`: what a person can do when none of a program's names is here */
} dev_driver;

/* ---- engine.c: the functions of a bh_backend over a driver. Each plugin has one static const dev_driver, and wraps
 * these (bh_backend has no place for a context pointer). ---- */

bh_status dev_accept(const dev_driver *, const bh_host *, const bh_value *values, const bh_problem *,
                     bh_needs *ret_needs);
bh_status dev_open(const dev_driver *, const bh_host *, const bh_value *values, const bh_problem *,
                   const void *workload_state, void **ret_state);
void *dev_alloc(void *state, uint32_t index);
bh_status dev_bind(void *state, uint32_t index);
bh_status dev_run_loop(void *state, uint32_t index);
bh_status dev_run_team(void *state);
bh_status dev_fetch(void *state, uint32_t index);
void dev_close(void *state);
