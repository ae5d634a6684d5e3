/* SPDX-License-Identifier: MIT
 * The inside of the driver double: one lock around everything but the work of a device (kernels, host functions),
 * objects in lists by which every handle is checked, operations in queues that nobody empties before somebody waits. */
#pragma once
#include "cuda-abi.h"
#include "fake-twin.h"

#define FAKE_EXPORT __attribute__((visibility("default")))
#define FAKE_DEVICES 8
#define FAKE_DRIVER_VERSION 13000
#define FAKE_POISON 0xd5
#define FAKE_MAX_PARAMS 64
#define FAKE_PARAM_BYTES 4096
#define FAKE_EPOCH_NS UINT64_C(7000000000000000) /* the device's clock is that far from the host's */
#define FAKE_CLOCK_KHZ 1500000
#define FAKE_QUEUE 1024 /* operations that a stream takes before its callers wait */

/* ---- Settings and faults ---- */
typedef enum {
  FAULT_NO_DEVICE,
  FAULT_STUB,
  FAULT_OOM,
  FAULT_WRONG_ARCH,
  FAULT_LAUNCH_FAILURE,
  FAULT_ILLEGAL_ADDRESS,
  FAULT_DEVICE_LOST,
  FAULT_HANG,
  FAULT_HOST_POINTER,
  FAULT_SKIP_SYNC,
  FAULT_DEVICES,
  FAULT_ARCH,
  FAULT_MEMORY,
  FAULT_CLOCK,
  FAULT_LOAD_WAITS,
  FAULT_VERSION,
  FAULT_PINNED,
  FAULT_TIMER_STEP,
  FAULTS
} fake_fault_kind;

typedef struct {
  int set;
  uint64_t value; /* what stands behind '=', or what the fault says by default */
  char entry[64]; /* "": any kernel */
  uint64_t seen;  /* launches so far */
} fake_fault;

const fake_fault *fake_fault_of(fake_fault_kind);
/* 1 if it concerns a kernel of this name. */
int fake_fault_names(fake_fault_kind, const char *entry);
/* Counts a launch of `entry`; 1 if it is the one that the fault waits for. */
int fake_fault_strikes(fake_fault_kind, const char *entry);

/* ---- Objects ---- */
typedef struct fake_op fake_op;
typedef struct fake_ops fake_ops;

typedef enum { OF_STREAM = 1, OF_EVENT, OF_MODULE, OF_FUNCTION, OF_GRAPH, OF_EXEC, OF_CONTEXT, OF_KINDS } fake_kind;
typedef struct fake_object {
  struct fake_object *next;
  fake_kind kind;
  unsigned id;
  int device;
} fake_object;

typedef struct fake_stream {
  fake_object object;
  unsigned flags;
  fake_op *head, **tail;
  int busy;          /* a thread runs its head */
  fake_ops *capture; /* where operations go while it captures */
  int capture_origin, capture_mode;
  CUstreamCaptureStatus capture_status;
} fake_stream;

typedef struct {
  fake_object object;
  unsigned flags;
  int uses, destroyed; /* uses: operations that name it */
  uint64_t pending;    /* the operation that records it; 0: none, or done */
  fake_stream *stream; /* of `pending` */
  fake_ops *captured;  /* it was recorded while this was captured */
  int recorded;
  uint64_t time_ns;
} fake_event;

typedef struct {
  uint32_t offset, bytes;
} fake_param;

typedef struct fake_module fake_module;
typedef struct fake_function {
  fake_object object;
  char name[256];
  fake_module *module;
  fake_param params[FAKE_MAX_PARAMS];
  uint32_t n_params, params_bytes;
  int registers, max_threads, shared_bytes, local_bytes, loaded;
  const fake_twin *twin;
  const fake_twin_library *library;
  struct fake_function *sibling;
} fake_function;

typedef struct fake_global {
  struct fake_global *next;
  char name[256];
  CUdeviceptr at;
  uint64_t bytes;
} fake_global;

struct fake_module {
  fake_object object;
  int arch;
  fake_function *functions;
  fake_global *globals;
};

typedef struct {
  fake_object object;
  fake_ops *ops;
  int uploaded; /* of what can be launched */
} fake_graph;

typedef struct {
  fake_object object;
  int retained;
  unsigned flags;
  CUresult error; /* it is dead of that */
  fake_stream *null_stream;
  uint64_t used_bytes;
} fake_context;

typedef enum { MEM_DEVICE = 1, MEM_PINNED, MEM_MANAGED, MEM_REGISTERED } fake_memory_kind;
typedef struct fake_memory {
  struct fake_memory *next;
  fake_memory_kind kind;
  unsigned id;
  int device, global; /* global: a variable of a module */
  char *at;
  uint64_t bytes, mapped_bytes;
} fake_memory;

/* ---- Calls: each entry point begins with fake_enter and ends with fake_leave ---- */
typedef enum { NEEDS_NOTHING, NEEDS_INIT, NEEDS_CONTEXT, NEEDS_LIVE_CONTEXT } fake_needs;
typedef struct {
  const char *name;
  CUresult error;        /* the call may not go on */
  fake_context *context; /* the current one, or NULL */
} fake_call;

fake_call fake_enter(const char *name, fake_needs); /* takes the lock */
CUresult fake_leave(fake_call, CUresult, const char *format, ...)
    BH_PRINTF(3, 4); /* writes the trace, gives the lock back */
void fake_trace(const char *what, CUresult, const char *format, ...) BH_PRINTF(3, 4);
void fake_say(const char *format, ...) BH_PRINTF(1, 2); /* on standard error */
void fake_unlock(void);
void fake_lock(void);
void fake_wait(void);      /* gives the lock back until something happened on a stream */
void fake_something(void); /* ... which this says */
extern _Thread_local int fake_in_host_function;

void *fake_object_new(fake_kind, size_t bytes, int device);
void fake_object_free(void *object);
void *fake_object_of(fake_kind, const void *handle); /* NULL: no such object */
fake_object *fake_objects(void);

fake_context *fake_context_of(int device); /* the device's own; NULL where it was not retained */
uint64_t fake_device_memory(void);
int fake_device_arch(void);

/* ---- Memory ---- */
fake_memory *fake_memory_of(CUdeviceptr at, uint64_t bytes); /* holds all of these bytes; NULL: none does */
CUresult fake_memory_new(fake_context *, fake_memory_kind, uint64_t bytes, fake_memory **ret_memory);
void fake_memory_free(fake_context *, fake_memory *);
fake_memory *fake_memories(void);
void fake_memory_open(void); /* for what the device does; counts */
void fake_memory_close(void);

/* ---- Modules ---- */
CUresult fake_module_parse(const void *image, fake_module *, fake_context *);
const fake_twin *fake_twin_find(const char *entry, const fake_twin_library **ret_library);

/* ---- Operations ---- */
typedef enum { OP_KERNEL = 1, OP_COPY, OP_SET, OP_HOST, OP_RECORD, OP_WAIT, OP_GRAPH } fake_op_kind;
struct fake_op {
  fake_op *next;
  fake_op_kind kind;
  uint64_t id;
  int device;
  /* OP_KERNEL */
  fake_function *function;
  char entry[64];
  unsigned grid, block;
  unsigned char *arguments;
  /* OP_COPY, OP_SET */
  char *to, *from;
  void *snapshot; /* OP_COPY: what `from` held */
  uint64_t bytes;
  uint32_t word, word_bytes;
  /* OP_HOST */
  CUhostFn work;
  void *work_argument;
  /* OP_RECORD, OP_WAIT */
  fake_event *event;
  fake_stream *stream; /* OP_WAIT: until that stream has done operation `until` */
  uint64_t until;
  /* OP_GRAPH */
  fake_ops *ops;
};
struct fake_ops {
  int uses;
  unsigned id;
  fake_op *head, **tail;
  int invalid;
};

fake_op *fake_op_new(fake_op_kind, int device);
void fake_op_free(fake_op *);
fake_ops *fake_ops_new(void);
void fake_ops_drop(fake_ops *);
fake_stream *fake_stream_of(fake_context *, CUstream);
/* Takes the operation over. */
CUresult fake_enqueue(fake_context *, fake_stream *, fake_op *);
/* Runs what is queued up to and with operation `until`. */
CUresult fake_drain(fake_context *, fake_stream *, uint64_t until);
CUresult fake_drain_all(fake_context *);
uint64_t fake_pending(const fake_context *);        /* operations in queues */
CUresult fake_run(fake_context *, const fake_op *); /* one operation; the lock is held, and given back meanwhile */
CUresult fake_run_kernel(fake_context *, const fake_op *);
int fake_capturing(void); /* a stream captures in global mode */
CUresult fake_capture_broken(void);
uint64_t fake_now_ns(void);
