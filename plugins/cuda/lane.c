/* SPDX-License-Identifier: MIT
 *
 * lane.c - a lane's life and what its failures mean. An error other than a refused allocation stays with the context
 * for ever, so the lane makes no more calls after it and the cell, which is a process, ends.
 */
#include "lane.h"

#include <stdlib.h>
#include <string.h>

#define CLOCKS_NS UINT64_C(500000000) /* between two looks at the clocks, at least */

bh_status cuda_fail(const bh_host *h, cu_result result, const char *call) {
  if (result == CU_OUT_OF_MEMORY)
    return h->stop(h, BH_OUT_OF_MEMORY, "%s: CUDA_ERROR_OUT_OF_MEMORY", call);
  return h->stop(h, BH_FAIL, "%s: %s (%s)", call, cu_name_of(result), cu_words_of(result));
}

bh_status lane_fail(dev_lane *lane, cu_result result, const char *call) {
  const bh_host *h = lane->head.host;
  size_t free_bytes = 0, total_bytes = 0;
  if (result == CU_OUT_OF_MEMORY) {
    char has[32], all[32];
    cu.cuMemGetInfo(&free_bytes, &total_bytes);
    return h->stop(h, BH_OUT_OF_MEMORY, "%s: CUDA_ERROR_OUT_OF_MEMORY with %s free of %s on %s", call,
                   cuda_bytes_text(free_bytes, has), cuda_bytes_text(total_bytes, all), lane->device->name);
  }
  lane->lost = 1;
  return h->stop(h, BH_FAIL, "%s: %s (%s) on %s", call, cu_name_of(result), cu_words_of(result), lane->device->name);
}

bh_status lane_no_memory(dev_lane *lane) {
  return lane->head.host->stop(lane->head.host, BH_OUT_OF_MEMORY, "no host memory for the driver itself");
}

bh_status lane_enter(dev_lane *lane) {
  if (lane->lost)
    return lane->head.host->stop(lane->head.host, BH_FAIL, "%s was lost by an earlier error", lane->device->name);
  CU_TRY(lane, cuCtxSetCurrent, lane->device->context);
  return BH_OK;
}

static void lane_close(dev_lane *lane) {
  if (!lane)
    return;
  cu.cuCtxSetCurrent(lane->device->context);
  if (lane->running && lane->running->blocked)
    clock_unblock(lane); /* enqueueing failed: what is there must still end */
  if (lane->stream)
    cu.cuStreamSynchronize(lane->stream); /* whatever it says: we are leaving */
  lane_free_loops(lane);
  clock_close(lane);
  lane_free_code(lane);
  while (lane->memory)
    lane_release(lane, lane->memory);
  lane_free_pinned(lane);
  lane_free_slots(lane);
  if (lane->started)
    cu.cuEventDestroy(lane->started);
  if (lane->stopped)
    cu.cuEventDestroy(lane->stopped);
  if (lane->stream)
    cu.cuStreamDestroy(lane->stream);
  cuda_device_give(lane->device);
  free(lane);
}

static bh_status open_stream(dev_lane *lane) {
  CU_TRY(lane, cuStreamCreate, &lane->stream, CU_NON_BLOCKING);
  CU_TRY(lane, cuEventCreate, &lane->started, CU_TIMING);
  CU_TRY(lane, cuEventCreate, &lane->stopped, CU_TIMING);
  if (lane->timing != TIMING_EVENTS)
    LANE_TRY(clock_open(lane, lane->timing == TIMING_ISOLATED));
  return BH_OK;
}

static bh_status lane_open(const bh_host *h, const bh_value *values, uint32_t index, uint32_t count,
                           dev_lane **ret_lane) {
  static const char *const timings[] = {"events", "isolated", "batch"};
  dev_lane *lane = calloc(1, sizeof *lane);
  if (!lane)
    return h->stop(h, BH_OUT_OF_MEMORY, "no host memory for the driver itself");
  lane->head = (dev_lane_head){.host = h, .index = index, .count = count};
  lane->block = values[P_BLOCK].i;
  lane->grid = values[P_GRID].i;
  lane->timing = (cuda_timing)values[P_TIMING].i;
  lane->batch_ns = values[P_BATCH_TIME].i;
  lane->graph = (cuda_graph)values[P_GRAPH].i;
  bh_status status = cuda_device_take(h, values, index, &lane->device);
  if (status != BH_OK) {
    free(lane);
    return status;
  }
  lane->speaks = lane->device->lanes == 1;
  status = open_stream(lane);
  if (status != BH_OK) {
    lane_close(lane);
    return status;
  }
  if (!lane->device->described) {
    cuda_device_facts(h, lane->device);
    lane->device->described = 1;
  }
  if (index == 0) {
    h->fact(h, "timing", "%s", timings[lane->timing]);
    cuda_cache_fact(h, values, count, lane->device);
  }
  lane->opened_ns = lane->clocks_ns = h->now_ns();
  *ret_lane = lane;
  return BH_OK;
}

/* Between samples results are fetched: a moment to see what the clocks do, now and then; the last one counts. Ever more
 * rarely, as the host keeps a limited number of facts. */
static void look_at_clocks(dev_lane *lane) {
  const uint64_t now_ns = lane->head.host->now_ns(), third_ns = (now_ns - lane->opened_ns) / 3;
  if (!lane->speaks || !lane->device->nvml || lane->running ||
      now_ns - lane->clocks_ns < (third_ns > CLOCKS_NS ? third_ns : CLOCKS_NS))
    return;
  lane->clocks_ns = now_ns;
  cuda_device_clocks(lane->head.host, lane->device, "after");
}

static bh_status lane_finish(dev_lane *lane) {
  LANE_TRY(lane_enter(lane));
  if (lane->running && lane->running->blocked)
    clock_unblock(lane);
  CU_TRY(lane, cuStreamSynchronize, lane->stream);
  LANE_TRY(lane_drain(lane));
  look_at_clocks(lane);
  return BH_OK;
}

static void *lane_native(dev_lane *lane, const char *name) {
  if (!strcmp(name, "cuda.context"))
    return lane->device->context;
  return !strcmp(name, "cuda.stream") ? lane->stream : NULL;
}

static uintptr_t lane_address(dev_lane *lane, const dev_memory *memory) {
  (void)lane;
  return (uintptr_t)memory->address;
}

static void lane_make_current(dev_lane *lane) {
  cu.cuCtxSetCurrent(lane->device->context);
}

const dev_driver cuda_driver = {
    .target = "cuda",
    .probe = cuda_probe,
    .count = cuda_count,
    .free_bytes = cuda_free_bytes,
    .open = lane_open,
    .close = lane_close,
    .memory = lane_memory,
    .alloc = lane_alloc,
    .release = lane_release,
    .upload = lane_upload,
    .download = lane_download,
    .fill = lane_fill,
    .copy = lane_copy,
    .compile = lane_compile,
    .shape = lane_shape,
    .launch = lane_launch,
    .host_func = lane_host_func,
    .pinned = lane_pinned,
    .unpin = lane_unpin,
    .finish = lane_finish,
    .run_begin = lane_run_begin,
    .run_enqueued = lane_run_enqueued,
    .run_end = lane_run_end,
    .enter = lane_make_current,
    .native = lane_native,
    .address = lane_address,
    .library = cu_library,
    .library_hint = "set CUDA_HOME, or put its folder in LD_LIBRARY_PATH",
};
