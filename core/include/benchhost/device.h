/* SPDX-License-Identifier: MIT
 *
 * benchhost/device.h - device programs: code of a workload that drives a device itself, such as a vendor's library
 * (cuBLAS) on the backend's own stream, or steps on the device and on the host in turn. For all that one kernel can do
 * benchhost/kernel.h is simpler, and runs on every device.
 *
 * A program is a bh_variant whose target is "cuda", "opencl" or "device" (any). Life, for each loop that runs it and each
 * device that takes part, always by the same thread:
 *
 *   footprint -> prepare -> { enqueue -> fetch } ... -> finish
 *
 * `footprint` is asked before anything is allocated; `prepare` is untimed for `steady` (handles, plans, autotuning);
 * `enqueue` is timed and must not wait for the device: the backend does. Everything happens in the order of one stream.
 * On "cuda" the device's context is current whenever the program is called.
 */
#ifndef BENCHHOST_DEVICE_H
#define BENCHHOST_DEVICE_H
#include <benchhost/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bh_device bh_device;
typedef struct bh_buffer bh_buffer; /* memory on the device; the backend's own */

/* A device and a stream of it, supplied by the backend; valid between `prepare` and `finish`. Calls that fail return the
 * status (BH_OUT_OF_MEMORY with the figures, BH_FAIL with the device's own words) and have said why: return it at once. */
struct bh_device {
  uint32_t size;         /* of this struct */
  uint32_t index, count; /* this device among those that share the loop */
  uint32_t reserved;
  const char *target;    /* "cuda", "opencl" */
  const bh_host *host;
  const bh_problem *problem;
  void *lane;            /* the backend's own */

  /* Memory of the program's own. `alloc`: undefined contents, at least 256-byte aligned. */
  bh_status (*alloc)(bh_device *, uint64_t bytes, bh_buffer **ret_buffer);
  void (*release)(bh_device *, bh_buffer *); /* accepts NULL; waits for work that uses it */
  bh_status (*memory)(bh_device *, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes);
  /* The device's copy of region `index`, laid out as the host's view; NULL for SCRATCH, and for REDUCE outside kernels. */
  bh_buffer *(*region)(bh_device *, uint32_t index);

  /* In stream order. upload: `from` may change once it returned. download: `into` holds the bytes once the stream got
   * there, as a later `host_func` may rely on; it must stay valid until then. */
  bh_status (*upload)(bh_device *, bh_buffer *, uint64_t offset_bytes, const void *from, uint64_t bytes);
  bh_status (*download)(bh_device *, const bh_buffer *, uint64_t offset_bytes, void *into, uint64_t bytes);
  /* Runs items [begin, end) of a kernel that has a source. `buffers`: one for each of its uses, starting at item 0's bytes;
   * NULL (the table or an entry): the region's own. `params`: its flat bytes, copied before it returns; NULL for none. */
  bh_status (*launch)(bh_device *, const bh_kernel *, uint64_t begin, uint64_t end, bh_buffer *const *buffers,
                      const void *params, uint32_t params_bytes);
  /* Calls `work` on a thread of the host when the stream has got there; what is enqueued later waits for it. `work` must
   * not call any function of the device, here or in a library, and reports failures by its own means. When the device
   * failed before, it is not called. */
  bh_status (*host_func)(bh_device *, void (*work)(void *arg), void *arg);
  /* Page-locked memory of the host, for copies that overlap; `unpin` accepts NULL. */
  bh_status (*pinned)(bh_device *, uint64_t bytes, void **ret_memory);
  void (*unpin)(bh_device *, void *memory);
  /* Waits until all that was enqueued is done. Not for `enqueue`. */
  bh_status (*finish)(bh_device *);

  /* The driver's own objects, for libraries: "cuda.context" (CUcontext), "cuda.stream" (CUstream), "opencl.context",
   * "opencl.queue", "opencl.device". NULL: there is none of that name. */
  void *(*native)(bh_device *, const char *name);
  /* CUdeviceptr or cl_mem of a buffer. */
  uintptr_t (*address)(bh_device *, const bh_buffer *);
  /* dlopen's handle; once per process and never closed. `sonames`: "libx.so.2|libx.so.1", the first that is here. NULL,
   * and said why (BH_SKIP by `stop`): none is. */
  void *(*library)(bh_device *, const char *sonames);
};

/* Memory that a program itself takes for one loop on one device, besides the regions. */
typedef struct {
  uint64_t device_bytes, host_bytes;
} bh_footprint;

struct bh_program {
  uint32_t size, reserved; /* sizeof(bh_program), 0 */
  /* [host] Adds up what `loop` will take in `ret_footprint` (zeroed). NULL: nothing. No device call. The place to refuse
   * a problem (BH_UNSUPPORTED). */
  bh_status (*footprint)(const bh_host *, const bh_problem *, uint32_t loop, bh_footprint *ret_footprint);
  /* On failure nothing is kept: `finish` is called only after success. */
  bh_status (*prepare)(bh_device *, uint32_t loop, void **ret_state);
  /* Items [begin, end) of the loop; `params` as in bh_args. */
  bh_status (*enqueue)(void *state, bh_device *, uint64_t begin, uint64_t end, const void *params);
  /* Enqueues what brings results from the program's own memory into the regions' copies. NULL: they are there. It may
   * wait (`finish`), for what the host did in the stream: the backend has enqueued on all devices by then. */
  bh_status (*fetch)(void *state, bh_device *);
  void (*finish)(void *state, bh_device *); /* accepts NULL states; the stream has ended, or the device failed */
};

#ifdef __cplusplus
}
#endif
#endif
