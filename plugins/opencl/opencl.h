/* SPDX-License-Identifier: MIT
 * What the driver's own files share. */
#pragma once
#include "cl.h"
#include "driver.h"

enum { OCL_PLATFORM, OCL_DEVICE, OCL_WORKERS, OCL_GROUP_SIZE, OCL_GROUPS, OCL_PROFILE };

/* A device, chosen, with what is asked of it again and again. */
typedef struct {
  cl_platform_id platform;
  cl_device_id device;
  uint64_t type, memory_bytes, most_bytes; /* most_bytes: of one buffer */
  uint32_t units, align_bytes;             /* compute units; of a buffer's part */
  int unified;                             /* 1: its memory is the host's */
  int native;                              /* 1: its queues call host functions */
} ocl_choice;

struct dev_memory {
  dev_memory *next;
  cl_mem buffer;
  uint64_t bytes;
};
struct dev_code {
  dev_code *next;
  const char *source, *entry; /* of the bh_kernel: what it was compiled from */
  cl_program program;
  cl_kernel kernel;
  size_t most_lanes, multiple; /* of a group; what lanes should be a multiple of */
  int owns_program;
};
typedef struct ocl_fate ocl_fate; /* queue.c's own */
typedef struct ocl_pin ocl_pin;
struct ocl_pin {
  ocl_pin *next;
  void *memory;
  cl_mem buffer; /* NULL: plain memory */
};

struct dev_lane {
  dev_lane_head head;
  const ocl_functions *cl;
  ocl_choice choice;
  cl_context context;
  cl_command_queue queue;
  uint32_t group_size, groups; /* options; 0: the driver's choice */
  int profile;
  int timing;           /* 1: inside a run, and profiled */
  cl_event first, last; /* of a profiled run's commands; last is NULL where there was one alone */
  cl_event newest;      /* of all others; NULL while `last`, or `first`, is newer */
  ocl_fate *fate;       /* NULL until a host function is a callback */
  dev_memory *memory;
  dev_code *codes;
  ocl_pin *pins;
  uint64_t used_bytes, jit_ns;
};

/* ---- library.c ---- */
/* The functions of libOpenCL, loaded once. NULL: said why (BH_SKIP). */
const ocl_functions *ocl_load(const bh_host *);
const char *ocl_error(int32_t);
int ocl_is_memory(int32_t error); /* 1: it says that memory is short */
/* BH_OUT_OF_MEMORY where the error is about memory, else BH_FAIL: "clFinish: CL_OUT_OF_RESOURCES (-5)". */
bh_status ocl_failed(const bh_host *, const char *call, int32_t error);

/* ---- select.c ---- */
bh_status ocl_probe(const bh_host *);
bh_status ocl_choose(const bh_host *, const bh_value *values, ocl_choice *ret_choice);
void ocl_facts(const bh_host *, const ocl_choice *);
/* What there is for one more buffer: OpenCL tells no free memory, so the device's less what is known to be used. */
uint64_t ocl_free(const ocl_choice *, uint64_t used_bytes);

/* ---- memory.c ---- */
bh_status ocl_memory(dev_lane *, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes);
bh_status ocl_alloc(dev_lane *, uint64_t bytes, dev_memory **ret_memory);
void ocl_release(dev_lane *, dev_memory *);
bh_status ocl_upload(dev_lane *, dev_memory *, uint64_t offset, const void *from, uint64_t bytes);
bh_status ocl_download(dev_lane *, const dev_memory *, uint64_t offset, void *into, uint64_t bytes);
bh_status ocl_fill(dev_lane *, dev_memory *, uint64_t offset, uint64_t word, uint64_t bytes);
bh_status ocl_copy(dev_lane *, dev_memory *to, uint64_t to_offset, const dev_memory *from, uint64_t from_offset,
                   uint64_t bytes);
bh_status ocl_pinned(dev_lane *, uint64_t bytes, void **ret_memory);
void ocl_unpin(dev_lane *, void *memory);
void ocl_memory_close(dev_lane *);

/* ---- code.c ---- */
bh_status ocl_compile(dev_lane *, const bh_kernel *, dev_code **ret_code);
bh_status ocl_shape(dev_lane *, const dev_code *, const bh_kernel *, uint64_t items, uint32_t most_groups,
                    dev_shape *ret_shape);
bh_status ocl_launch(dev_lane *, const dev_code *, dev_shape, const dev_argument *, uint32_t n);
void ocl_code_close(dev_lane *);

/* ---- queue.c ---- */
bh_status ocl_host_func(dev_lane *, void (*work)(void *arg), void *arg);
bh_status ocl_finish(dev_lane *); /* also fails where a command failed and clFinish did not say so */
bh_status ocl_run_begin(dev_lane *, uint32_t loop, int *ret_replayed);
bh_status ocl_run_enqueued(dev_lane *, uint32_t loop);
bh_status ocl_run_end(dev_lane *, uint32_t loop);
/* What became of an enqueued command: `call` names it, `event` is its own and taken. */
bh_status ocl_enqueued(dev_lane *, const char *call, int32_t error, cl_event event);
void ocl_queue_close(dev_lane *);
