/* SPDX-License-Identifier: MIT
 *
 * lane.h - what the pieces of this driver share: a device of the process, a lane (a stream of it), its memory and code.
 */
#pragma once
#include "api.h"
#include "options.h"
#include <driver.h>

/* One GPU that this process uses: its primary context, retained until the last lane on it is closed. */
typedef struct {
  cu_device handle;
  cu_context context;
  int ordinal, lanes; /* of the driver's list; lanes that are open */
  int sms, major, minor, clock_khz, architecture;
  size_t l2_bytes, total_bytes;
  char name[128];
  cu_uuid uuid;
  int64_t clock_offset_ns;   /* of CLOCK_MONOTONIC from the device's clock */
  uint64_t timer_step_ns;    /* of the device's clock; 0: not known */
  int calibrated, described; /* described: as facts */
  nvml_state *nvml;
} cuda_device;

struct dev_memory {
  dev_memory *next;
  const cuda_device *device;
  cu_pointer address;
  uint64_t bytes;
};

typedef struct cuda_module {
  struct cuda_module *next;
  const char *source;
  uint64_t source_bytes;
  cu_module module;
} cuda_module;

struct dev_code {
  dev_code *next;
  const bh_kernel *kernel;
  cu_function function;
  int max_threads;
};

/* Page-locked memory for copies of what the host may not lend us: used in turn. */
typedef struct {
  void *host;
  cu_event done;
  int busy;
  void *into; /* a download that the host has yet to copy out; NULL: none */
  uint64_t bytes;
  void *late_into; /* the same, handed to the stream */
  uint64_t late_bytes;
} cuda_slot;

typedef struct cuda_loop cuda_loop;
typedef struct cuda_clock cuda_clock;
enum { SLOTS = 2, MOST_ARGUMENTS = 3 + 2 * BH_MAX_USES };
#define SLOT_BYTES (UINT64_C(4) << 20)

struct dev_lane {
  dev_lane_head head;
  cuda_device *device;
  cu_stream stream;
  int64_t block, grid, batch_ns;
  cuda_timing timing;
  cuda_graph graph;
  int speaks; /* the first lane of its device: facts that are the device's are its to tell */
  int lost;   /* a call failed in a way that ends the process's use of the device */
  dev_memory *memory;
  cuda_module *modules;
  dev_code *codes;
  cuda_slot slot[SLOTS];
  uint32_t next_slot;
  /* timing.c */
  cuda_loop *loops;   /* a list */
  cuda_loop *running; /* between begin and end */
  cu_event started, stopped;
  cuda_clock *clock; /* helper kernels, for isolated and batch */
  uint64_t metrics, last_metric_ns;
  uint64_t opened_ns, clocks_ns; /* clocks: when they were looked at last */
  uint32_t cubins_made, cubins_cached;
  uint64_t jit_ns;
};

/* ---- lane.c ---- */

extern const dev_driver cuda_driver;

/* Makes the lane's context the calling thread's. Each entry of the driver begins with it. */
bh_status lane_enter(dev_lane *);
/* What a failed driver call means; says it. */
bh_status lane_fail(dev_lane *, cu_result, const char *call);
bh_status cuda_fail(const bh_host *, cu_result, const char *call);
/* The same of a call that was to allocate so many bytes. */
bh_status lane_not_allocated(dev_lane *, cu_result, uint64_t bytes, const char *call);
bh_status lane_no_memory(dev_lane *);
/* Within `device`'s context. */
#define CU_TRY(LANE, CALL, ...)                                                                                        \
  do {                                                                                                                 \
    const cu_result cu_result_ = cu.CALL(__VA_ARGS__);                                                                 \
    if (cu_result_ != CU_SUCCESS)                                                                                      \
      return lane_fail(LANE, cu_result_, #CALL);                                                                       \
  } while (0)
#define LANE_TRY(WHAT)                                                                                                 \
  do {                                                                                                                 \
    const bh_status status_ = (WHAT);                                                                                  \
    if (status_ != BH_OK)                                                                                              \
      return status_;                                                                                                  \
  } while (0)

/* ---- device.c ---- */

bh_status cuda_probe(const bh_host *);
bh_status cuda_count(const bh_host *, const bh_value *values, uint32_t members, uint32_t *ret_lanes);
bh_status cuda_free_bytes(const bh_host *, const bh_value *values, uint32_t index, uint32_t count, uint64_t *ret_bytes);
/* The device of lane `index`, its context retained and current. */
bh_status cuda_device_take(const bh_host *, const bh_value *values, uint32_t index, cuda_device **ret_device);
void cuda_device_give(cuda_device *);
void cuda_device_facts(const bh_host *, cuda_device *);
/* The last cache of all devices that `count` lanes are on, `first` being the first one's. */
void cuda_cache_fact(const bh_host *, const bh_value *values, uint32_t count, const cuda_device *first);
/* Clocks and what holds them down, as facts; `when`: "before", "after". */
void cuda_device_clocks(const bh_host *, const cuda_device *, const char *when);
/* "1.5 GiB" */
const char *cuda_bytes_text(uint64_t bytes, char ret_text[32]);

/* ---- copies.c ---- */

bh_status lane_alloc(dev_lane *, uint64_t bytes, dev_memory **ret_memory);
void lane_release(dev_lane *, dev_memory *);
bh_status lane_memory(dev_lane *, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes);
bh_status lane_upload(dev_lane *, dev_memory *, uint64_t offset_bytes, const void *from, uint64_t bytes);
bh_status lane_download(dev_lane *, const dev_memory *, uint64_t offset_bytes, void *into, uint64_t bytes);
bh_status lane_fill(dev_lane *, dev_memory *, uint64_t offset_bytes, uint64_t word, uint64_t bytes);
bh_status lane_copy(dev_lane *, dev_memory *to, uint64_t to_offset, const dev_memory *from, uint64_t from_offset,
                    uint64_t bytes);
bh_status lane_host_func(dev_lane *, void (*work)(void *), void *arg);
bh_status lane_pinned(dev_lane *, uint64_t bytes, void **ret_memory);
void lane_unpin(dev_lane *, void *memory);
void lane_free_pinned(dev_lane *);
/* Copies out what downloads brought, as far as they are done; waits for them. */
bh_status lane_drain(dev_lane *);
void lane_free_slots(dev_lane *);
/* The primitives that a recorded loop is made of, by address. */
bh_status lane_put(dev_lane *, cu_pointer to, const void *from, uint64_t bytes);
bh_status lane_fill_at(dev_lane *, cu_pointer at, uint64_t word, uint64_t bytes);

/* ---- code.c ---- */

bh_status lane_compile(dev_lane *, const bh_kernel *, dev_code **ret_code);
bh_status lane_shape(dev_lane *, const dev_code *, const bh_kernel *, uint64_t items, uint32_t most_groups,
                     dev_shape *ret_shape);
bh_status lane_launch(dev_lane *, const dev_code *, dev_shape, const dev_argument *, uint32_t n_arguments);
void lane_free_code(dev_lane *);
/* The module of a text, compiled or from the cache. `name`: for messages. */
bh_status lane_module(dev_lane *, const char *source, uint64_t source_bytes, const char *name, cu_module *ret_module);

/* ---- timing.c, record.c, clock.c ---- */

bh_status lane_run_begin(dev_lane *, uint32_t loop, int *ret_replayed);
bh_status lane_run_enqueued(dev_lane *, uint32_t loop);
bh_status lane_run_end(dev_lane *, uint32_t loop);
void lane_free_loops(dev_lane *);

/* What a loop enqueued in its first run, to be enqueued again. */
typedef enum { OP_LAUNCH, OP_FILL, OP_COPY, OP_DOWNLOAD } cuda_op_kind;
typedef struct {
  cuda_op_kind kind;
  cu_function function;
  dev_shape shape;
  unsigned char *values; /* the arguments' bytes, each 16-byte aligned; owned */
  uint32_t n_values;
  uint32_t offset[MOST_ARGUMENTS];
  cu_pointer to, from;
  void *into; /* page-locked */
  uint64_t word, bytes;
} cuda_op;

typedef struct {
  cuda_op *op; /* owned */
  uint32_t n, room;
  const char *not_again; /* why it cannot be enqueued again: a literal; NULL: it can */
  const char *changes;   /* the kernel that changes its own input: runs differ; NULL: none */
} cuda_record;

/* Each does nothing unless the lane is in the first run of a loop. */
void record_launch(dev_lane *, const dev_code *, dev_shape, const dev_argument *, uint32_t n_arguments);
void record_fill(dev_lane *, cu_pointer to, uint64_t word, uint64_t bytes);
void record_copy(dev_lane *, cu_pointer to, cu_pointer from, uint64_t bytes);
void record_download(dev_lane *, void *into, cu_pointer from, uint64_t bytes);
void record_other(dev_lane *, const char *what);
/* Device memory went away: no recorded loop may touch it again. */
void record_forget(dev_lane *);
void record_free(cuda_record *);
bh_status record_enqueue(dev_lane *, const cuda_record *);
/* Captures what is recorded into a graph. */
bh_status record_graph(dev_lane *, const cuda_record *, cu_graph_exec *ret_graph);

struct cuda_loop {
  cuda_loop *next;
  uint32_t loop;
  uint64_t runs, discarded, stuck; /* stuck: the host waited for the device while a run was held back */
  int pauses;
  cuda_record record;
  int recording, known; /* known: only the engine enqueues, and the same each time */
  cu_graph_exec graph;
  int blocked;    /* of the present run */
  double batch_s; /* mean of the batch; 0: not measured yet */
};

/* ---- clock.c: small kernels of our own ---- */

typedef struct {
  uint64_t time_ns, cycles, sm; /* %globaltimer, clock64, %smid */
} cuda_stamp;
struct cuda_clock {
  cu_function stamp, step, block;
  cuda_stamp *stamps;       /* pinned: two */
  volatile uint32_t *flags; /* pinned: go on; it took too long */
  cu_pointer stamps_at, flags_at, flush;
  void *pinned;
};
/* Makes lane->clock where it is missing. `flush`: with a buffer to empty the L2 cache by. */
bh_status clock_open(dev_lane *, int flush);
void clock_close(dev_lane *);
bh_status clock_stamp(dev_lane *, int which);
/* Holds the stream until clock_unblock, or, so that a mistake ends, for two seconds. */
bh_status clock_block(dev_lane *);
void clock_unblock(dev_lane *);
int clock_was_stuck(const dev_lane *);
bh_status clock_flush(dev_lane *);
/* The SM clock between the two stamps as a part of the device's rated one; 0: unknown. */
double clock_share(const dev_lane *);
/* device->clock_offset_ns. */
bh_status clock_calibrate(dev_lane *);
