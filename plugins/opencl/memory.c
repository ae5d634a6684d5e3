/* SPDX-License-Identifier: MIT
 * Buffers and the bytes that move: uploads wait until the source may change, everything else is only enqueued. */
#include "opencl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bh_status ocl_memory(dev_lane *lane, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes) {
  *ret_free_bytes = ocl_free(&lane->choice, lane->used_bytes) / lane->head.count;
  *ret_total_bytes = lane->choice.memory_bytes;
  return BH_OK;
}

static bh_status no_room(dev_lane *lane, uint64_t bytes, const char *why) {
  return lane->head.host->stop(lane->head.host, BH_OUT_OF_MEMORY,
                               "needs %" PRIu64 " bytes of device memory in one piece, has %" PRIu64
                               " free and %" PRIu64 " at most in one piece (%s)",
                               bytes, ocl_free(&lane->choice, lane->used_bytes), lane->choice.most_bytes, why);
}

bh_status ocl_alloc(dev_lane *lane, uint64_t bytes, dev_memory **ret_memory) {
  int32_t error = CL_SUCCESS;
  if (bytes > lane->choice.most_bytes || bytes > ocl_free(&lane->choice, lane->used_bytes))
    return no_room(lane, bytes, "not tried");
  dev_memory *memory = calloc(1, sizeof *memory);
  if (!memory)
    return lane->head.host->stop(lane->head.host, BH_OUT_OF_MEMORY, "no host memory for a buffer's handle");
  memory->buffer = lane->cl->clCreateBuffer(lane->context, CL_MEM_READ_WRITE, bytes, NULL, &error);
  if (error != CL_SUCCESS) {
    free(memory);
    return ocl_is_memory(error) || error == CL_OUT_OF_RESOURCES || error == CL_INVALID_BUFFER_SIZE
               ? no_room(lane, bytes, ocl_error(error))
               : ocl_failed(lane->head.host, "clCreateBuffer", error);
  }
  memory->bytes = bytes;
  memory->next = lane->memory;
  lane->memory = memory;
  lane->used_bytes += bytes;
  *ret_memory = memory;
  return BH_OK;
}

void ocl_release(dev_lane *lane, dev_memory *memory) {
  if (!memory)
    return;
  for (dev_memory **at = &lane->memory; *at; at = &(*at)->next)
    if (*at == memory) {
      *at = memory->next;
      break;
    }
  lane->used_bytes -= memory->bytes;
  lane->cl->clFinish(lane->queue);
  lane->cl->clReleaseMemObject(memory->buffer);
  free(memory);
}

bh_status ocl_upload(dev_lane *lane, dev_memory *memory, uint64_t offset, const void *from, uint64_t bytes) {
  cl_event own = NULL;
  if (!bytes)
    return BH_OK;
  int32_t error =
      lane->cl->clEnqueueWriteBuffer(lane->queue, memory->buffer, CL_TRUE, offset, bytes, from, 0, NULL, &own);
  return ocl_enqueued(lane, "clEnqueueWriteBuffer", error, own);
}

bh_status ocl_download(dev_lane *lane, const dev_memory *memory, uint64_t offset, void *into, uint64_t bytes) {
  cl_event own = NULL;
  if (!bytes)
    return BH_OK;
  int32_t error =
      lane->cl->clEnqueueReadBuffer(lane->queue, memory->buffer, CL_FALSE, offset, bytes, into, 0, NULL, &own);
  return ocl_enqueued(lane, "clEnqueueReadBuffer", error, own);
}

/* A pattern must fill the range exactly: a cut last word goes on its own. */
bh_status ocl_fill(dev_lane *lane, dev_memory *memory, uint64_t offset, uint64_t word, uint64_t bytes) {
  uint64_t whole = bytes & ~UINT64_C(7);
  cl_event own = NULL;
  bh_status status = BH_OK;
  if (whole) {
    int32_t error =
        lane->cl->clEnqueueFillBuffer(lane->queue, memory->buffer, &word, sizeof word, offset, whole, 0, NULL, &own);
    status = ocl_enqueued(lane, "clEnqueueFillBuffer", error, own);
  }
  return status == BH_OK ? ocl_upload(lane, memory, offset + whole, &word, bytes - whole) : status;
}

bh_status ocl_copy(dev_lane *lane, dev_memory *to, uint64_t to_offset, const dev_memory *from, uint64_t from_offset,
                   uint64_t bytes) {
  cl_event own = NULL;
  if (!bytes)
    return BH_OK;
  int32_t error = lane->cl->clEnqueueCopyBuffer(lane->queue, from->buffer, to->buffer, from_offset, to_offset, bytes, 0,
                                                NULL, &own);
  return ocl_enqueued(lane, "clEnqueueCopyBuffer", error, own);
}

/* ---- Page-locked host memory: a mapped buffer of the driver's own; where the device sees the host's memory anyway,
 * there is nothing to lock. ---- */

static bh_status map_pinned(dev_lane *lane, uint64_t bytes, ocl_pin *pin) {
  int32_t error = CL_SUCCESS;
  pin->buffer = lane->cl->clCreateBuffer(lane->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &error);
  if (error != CL_SUCCESS)
    return ocl_failed(lane->head.host, "clCreateBuffer(CL_MEM_ALLOC_HOST_PTR)", error);
  pin->memory = lane->cl->clEnqueueMapBuffer(lane->queue, pin->buffer, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0,
                                             NULL, NULL, &error);
  if (error == CL_SUCCESS)
    return BH_OK;
  lane->cl->clReleaseMemObject(pin->buffer);
  return ocl_failed(lane->head.host, "clEnqueueMapBuffer", error);
}

bh_status ocl_pinned(dev_lane *lane, uint64_t bytes, void **ret_memory) {
  ocl_pin *pin = calloc(1, sizeof *pin);
  bh_status status = BH_OK;
  if (pin && !lane->choice.unified)
    status = map_pinned(lane, bytes, pin);
  else if (pin)
    pin->memory = aligned_alloc(64, (bytes + 63) & ~UINT64_C(63));
  if (!pin || (status == BH_OK && !pin->memory))
    status = lane->head.host->stop(lane->head.host, BH_OUT_OF_MEMORY, "needs %" PRIu64 " bytes of host memory", bytes);
  if (status != BH_OK) {
    free(pin);
    return status;
  }
  pin->next = lane->pins;
  lane->pins = pin;
  *ret_memory = pin->memory;
  return BH_OK;
}

static void free_pin(dev_lane *lane, ocl_pin *pin) {
  if (pin->buffer) {
    lane->cl->clEnqueueUnmapMemObject(lane->queue, pin->buffer, pin->memory, 0, NULL, NULL);
    lane->cl->clFinish(lane->queue);
    lane->cl->clReleaseMemObject(pin->buffer);
  } else {
    free(pin->memory);
  }
  free(pin);
}

void ocl_unpin(dev_lane *lane, void *memory) {
  for (ocl_pin **at = &lane->pins; memory && *at; at = &(*at)->next)
    if ((*at)->memory == memory) {
      ocl_pin *pin = *at;
      *at = pin->next;
      free_pin(lane, pin);
      return;
    }
}

void ocl_memory_close(dev_lane *lane) {
  for (ocl_pin *pin = lane->pins, *next; pin; pin = next) {
    next = pin->next;
    free_pin(lane, pin);
  }
  for (dev_memory *memory = lane->memory, *next; memory; memory = next) {
    next = memory->next;
    lane->cl->clReleaseMemObject(memory->buffer);
    free(memory);
  }
}
