/* SPDX-License-Identifier: MIT
 *
 * copies.c - a lane's memory, and what moves bytes: through page-locked slots, because what the host gives may change
 * once a call returned and is page-locked only where it asked for that.
 */
#include "lane.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_BYTES = 256 };

/* Page-locked memory that all lanes of the process may use. */
typedef struct pinned_block {
  struct pinned_block *next;
  const dev_lane *owner;
  char *host;
  uint64_t bytes;
} pinned_block;
static struct {
  pthread_mutex_t lock;
  pinned_block *first;
} pinned = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int is_pinned(const void *memory, uint64_t bytes) {
  const char *at = memory;
  int found = 0;
  pthread_mutex_lock(&pinned.lock);
  for (const pinned_block *p = pinned.first; p && !found; p = p->next)
    found = at >= p->host && at + bytes <= p->host + p->bytes;
  pthread_mutex_unlock(&pinned.lock);
  return found;
}

static bh_status keep_memory(dev_lane *lane, cu_pointer address, uint64_t bytes, dev_memory **ret_memory) {
  dev_memory *memory = calloc(1, sizeof *memory);
  if (!memory) {
    cu.cuMemFree(address);
    return lane_no_memory(lane);
  }
  *memory = (dev_memory){.next = lane->memory, .device = lane->device, .address = address, .bytes = bytes};
  lane->memory = memory;
  *ret_memory = memory;
  return BH_OK;
}

bh_status lane_not_allocated(dev_lane *lane, cu_result result, uint64_t bytes, const char *call) {
  const bh_host *h = lane->head.host;
  if (result != CU_OUT_OF_MEMORY)
    return lane_fail(lane, result, call);
  char needs[32], has[32], all[32];
  size_t free_bytes = 0, total_bytes = 0;
  cu.cuMemGetInfo(&free_bytes, &total_bytes);
  return h->stop(h, BH_OUT_OF_MEMORY, "%s of %s: CUDA_ERROR_OUT_OF_MEMORY with %s free of %s on %s", call,
                 cuda_bytes_text(bytes, needs), cuda_bytes_text(free_bytes, has), cuda_bytes_text(total_bytes, all),
                 lane->device->name);
}

/* What is refused here is the host's: how much of it the system locks nobody tells. */
static bh_status not_pinned(dev_lane *lane, cu_result result, uint64_t bytes) {
  const bh_host *h = lane->head.host;
  char needs[32];
  if (result != CU_OUT_OF_MEMORY)
    return lane_fail(lane, result, "cuMemHostAlloc");
  return h->stop(h, BH_OUT_OF_MEMORY,
                 "cuMemHostAlloc of %s: CUDA_ERROR_OUT_OF_MEMORY: the host has not so much memory to lock for %s",
                 cuda_bytes_text(bytes, needs), lane->device->name);
}

bh_status lane_alloc(dev_lane *lane, uint64_t bytes, dev_memory **ret_memory) {
  cu_pointer address = 0;
  LANE_TRY(lane_enter(lane));
  const uint64_t taken = bytes < LEAST_BYTES ? LEAST_BYTES : bytes;
  const cu_result result = cu.cuMemAlloc(&address, taken);
  if (result != CU_SUCCESS)
    return lane_not_allocated(lane, result, taken, "cuMemAlloc");
  return keep_memory(lane, address, bytes, ret_memory);
}

/* cuMemFree waits for the device; what is enqueued and uses the memory is done then. */
void lane_release(dev_lane *lane, dev_memory *memory) {
  if (!memory)
    return;
  cu.cuCtxSetCurrent(lane->device->context);
  record_forget(lane);
  if (!lane->lost)
    cu.cuStreamSynchronize(lane->stream);
  cu.cuMemFree(memory->address);
  for (dev_memory **at = &lane->memory; *at; at = &(*at)->next)
    if (*at == memory) {
      *at = memory->next;
      break;
    }
  free(memory);
}

bh_status lane_memory(dev_lane *lane, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes) {
  size_t free_bytes = 0, total_bytes = 0;
  LANE_TRY(lane_enter(lane));
  CU_TRY(lane, cuMemGetInfo, &free_bytes, &total_bytes);
  *ret_free_bytes = free_bytes;
  *ret_total_bytes = total_bytes;
  return BH_OK;
}

/* ---- Slots ---- */

/* Waits until a slot is free, and copies out what it brought. */
static bh_status empty_slot(dev_lane *lane, cuda_slot *slot) {
  if (!slot->busy)
    return BH_OK;
  CU_TRY(lane, cuEventSynchronize, slot->done);
  if (slot->into)
    memcpy(slot->into, slot->host, slot->bytes);
  slot->into = NULL;
  slot->busy = 0;
  return BH_OK;
}

static bh_status next_slot(dev_lane *lane, cuda_slot **ret_slot) {
  cuda_slot *slot = &lane->slot[lane->next_slot++ % SLOTS];
  const cu_result result = slot->host ? CU_SUCCESS : cu.cuMemHostAlloc(&slot->host, SLOT_BYTES, 0);
  if (result != CU_SUCCESS)
    return not_pinned(lane, result, SLOT_BYTES);
  if (!slot->done)
    CU_TRY(lane, cuEventCreate, &slot->done, CU_NO_TIMING);
  LANE_TRY(empty_slot(lane, slot));
  *ret_slot = slot;
  return BH_OK;
}

bh_status lane_drain(dev_lane *lane) {
  for (uint32_t i = 0; i < SLOTS; i++)
    LANE_TRY(empty_slot(lane, &lane->slot[(lane->next_slot + i) % SLOTS]));
  return BH_OK;
}

void lane_free_slots(dev_lane *lane) {
  for (cuda_slot *slot = lane->slot; slot < lane->slot + SLOTS; slot++) {
    if (slot->done)
      cu.cuEventDestroy(slot->done);
    if (slot->host)
      cu.cuMemFreeHost(slot->host);
  }
}

bh_status lane_put(dev_lane *lane, cu_pointer to, const void *from, uint64_t bytes) {
  const char *at = from;
  while (bytes > 0) {
    const uint64_t n = bytes < SLOT_BYTES ? bytes : SLOT_BYTES;
    cuda_slot *slot;
    LANE_TRY(next_slot(lane, &slot));
    memcpy(slot->host, at, n);
    CU_TRY(lane, cuMemcpyHtoDAsync, to, slot->host, n, lane->stream);
    CU_TRY(lane, cuEventRecord, slot->done, lane->stream);
    slot->busy = 1;
    at += n;
    to += n;
    bytes -= n;
  }
  return BH_OK;
}

bh_status lane_upload(dev_lane *lane, dev_memory *memory, uint64_t offset_bytes, const void *from, uint64_t bytes) {
  LANE_TRY(lane_enter(lane));
  record_other(lane, "it copies from the host");
  if (bytes > SLOT_BYTES && is_pinned(from, bytes)) { /* waiting costs less than a second copy */
    CU_TRY(lane, cuMemcpyHtoDAsync, memory->address + offset_bytes, from, bytes, lane->stream);
    CU_TRY(lane, cuStreamSynchronize, lane->stream);
    return BH_OK;
  }
  return lane_put(lane, memory->address + offset_bytes, from, bytes);
}

bh_status lane_download(dev_lane *lane, const dev_memory *memory, uint64_t offset_bytes, void *into, uint64_t bytes) {
  cu_pointer from = memory->address + offset_bytes;
  char *at = into;
  LANE_TRY(lane_enter(lane));
  if (is_pinned(into, bytes)) {
    record_download(lane, into, from, bytes);
    CU_TRY(lane, cuMemcpyDtoHAsync, into, from, bytes, lane->stream);
    return BH_OK;
  }
  record_other(lane, "it copies to memory that is not page-locked");
  while (bytes > 0) {
    const uint64_t n = bytes < SLOT_BYTES ? bytes : SLOT_BYTES;
    cuda_slot *slot;
    LANE_TRY(next_slot(lane, &slot));
    CU_TRY(lane, cuMemcpyDtoHAsync, slot->host, from, n, lane->stream);
    CU_TRY(lane, cuEventRecord, slot->done, lane->stream);
    slot->busy = 1;
    slot->into = at;
    slot->bytes = n;
    at += n;
    from += n;
    bytes -= n;
  }
  return BH_OK;
}

/* ---- Within the device ---- */

/* A word of 8 bytes is two memsets of 4, then copies of what is there, twice as long each time: no kernel is needed,
 * and there is one way for every length. */
bh_status lane_fill_at(dev_lane *lane, cu_pointer at, uint64_t word, uint64_t bytes) {
  const uint32_t low = (uint32_t)word, high = (uint32_t)(word >> 32);
  uint64_t done = low == high ? bytes & ~UINT64_C(3) : bytes < 8 ? 0 : 8;
  if (low == high && done)
    CU_TRY(lane, cuMemsetD32Async, at, low, done / 4, lane->stream);
  if (low != high && done) {
    CU_TRY(lane, cuMemsetD32Async, at, low, 1, lane->stream);
    CU_TRY(lane, cuMemsetD32Async, at + 4, high, 1, lane->stream);
    for (uint64_t n; done < bytes; done += n) {
      n = bytes - done < done ? bytes - done : done;
      CU_TRY(lane, cuMemcpyDtoDAsync, at + done, at, n, lane->stream);
    }
  }
  for (; done < bytes; done++)
    CU_TRY(lane, cuMemsetD8Async, at + done, (unsigned char)(word >> 8 * (done % 8)), 1, lane->stream);
  return BH_OK;
}

bh_status lane_fill(dev_lane *lane, dev_memory *memory, uint64_t offset_bytes, uint64_t word, uint64_t bytes) {
  LANE_TRY(lane_enter(lane));
  record_fill(lane, memory->address + offset_bytes, word, bytes);
  return lane_fill_at(lane, memory->address + offset_bytes, word, bytes);
}

bh_status lane_copy(dev_lane *lane, dev_memory *to, uint64_t to_offset, const dev_memory *from, uint64_t from_offset,
                    uint64_t bytes) {
  LANE_TRY(lane_enter(lane));
  if (!bytes)
    return BH_OK;
  if (from->device != to->device) {
    record_other(lane, "it copies from another device");
    CU_TRY(lane, cuMemcpyPeerAsync, to->address + to_offset, to->device->context, from->address + from_offset,
           from->device->context, bytes, lane->stream);
    return BH_OK;
  }
  record_copy(lane, to->address + to_offset, from->address + from_offset, bytes);
  CU_TRY(lane, cuMemcpyDtoDAsync, to->address + to_offset, from->address + from_offset, bytes, lane->stream);
  return BH_OK;
}

/* ---- The host's part in the order of the stream ---- */

static void copy_late(void *arg) {
  cuda_slot *slot = arg;
  memcpy(slot->late_into, slot->host, slot->late_bytes);
}

/* Downloads that `work` may rely on are copied out by the stream, before it. */
bh_status lane_host_func(dev_lane *lane, void (*work)(void *), void *arg) {
  LANE_TRY(lane_enter(lane));
  record_other(lane, "it calls the host");
  for (uint32_t i = 0; i < SLOTS; i++) {
    cuda_slot *slot = &lane->slot[(lane->next_slot + i) % SLOTS];
    if (!slot->into)
      continue;
    slot->late_into = slot->into;
    slot->late_bytes = slot->bytes;
    slot->into = NULL;
    CU_TRY(lane, cuLaunchHostFunc, lane->stream, copy_late, slot);
    CU_TRY(lane, cuEventRecord, slot->done, lane->stream);
  }
  CU_TRY(lane, cuLaunchHostFunc, lane->stream, work, arg);
  return BH_OK;
}

bh_status lane_pinned(dev_lane *lane, uint64_t bytes, void **ret_memory) {
  void *host = NULL;
  LANE_TRY(lane_enter(lane));
  pinned_block *p = calloc(1, sizeof *p);
  if (!p)
    return lane_no_memory(lane);
  const cu_result result = cu.cuMemHostAlloc(&host, bytes ? bytes : 1, CU_HOST_PORTABLE);
  if (result != CU_SUCCESS) {
    free(p);
    return not_pinned(lane, result, bytes);
  }
  pthread_mutex_lock(&pinned.lock);
  *p = (pinned_block){.next = pinned.first, .owner = lane, .host = host, .bytes = bytes};
  pinned.first = p;
  pthread_mutex_unlock(&pinned.lock);
  *ret_memory = host;
  return BH_OK;
}

/* Takes a block out of the list: the one at `memory`, or, where that is NULL, any that is the lane's. */
static void *forget_pinned(const dev_lane *lane, const void *memory) {
  void *host = NULL;
  pthread_mutex_lock(&pinned.lock);
  for (pinned_block **at = &pinned.first; *at && !host; at = &(*at)->next) {
    pinned_block *p = *at;
    if (memory ? p->host != memory : p->owner != lane)
      continue;
    host = p->host;
    *at = p->next;
    free(p);
    break;
  }
  pthread_mutex_unlock(&pinned.lock);
  return host;
}

static void free_pinned(dev_lane *lane, void *host) {
  cu.cuCtxSetCurrent(lane->device->context);
  if (!lane->lost)
    cu.cuStreamSynchronize(lane->stream); /* a copy may still be under way */
  cu.cuMemFreeHost(host);
}

void lane_unpin(dev_lane *lane, void *memory) {
  if (!memory)
    return;
  cu.cuCtxSetCurrent(lane->device->context);
  record_forget(lane);
  void *host = forget_pinned(lane, memory);
  if (host)
    free_pinned(lane, host);
}

void lane_free_pinned(dev_lane *lane) {
  for (void *host; (host = forget_pinned(lane, NULL)) != NULL;)
    free_pinned(lane, host);
}
