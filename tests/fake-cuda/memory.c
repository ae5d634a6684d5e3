/* SPDX-License-Identifier: MIT
 * Memory of the driver double. Device memory lies in one range of addresses that is closed to everybody; a piece is
 * open only while the device works. No address is given twice, so that an old pointer never hits new memory. */
#include "fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static fake_memory *memories;
static char *arena_next, *arena_end;
static unsigned opened;

static uint64_t page_bytes(void) {
  return (uint64_t)sysconf(_SC_PAGESIZE);
}

fake_memory *fake_memories(void) {
  return memories;
}

fake_memory *fake_memory_of(CUdeviceptr at, uint64_t bytes) {
  for (fake_memory *memory = memories; memory; memory = memory->next) {
    uint64_t start = (uint64_t)(uintptr_t)memory->at;
    if (at >= start && at - start < memory->bytes && bytes <= memory->bytes - (at - start))
      return memory;
  }
  return NULL;
}

static void memory_protect(const fake_memory *memory, int how) {
  if (memory->kind == MEM_DEVICE && mprotect(memory->at, memory->mapped_bytes, how) != 0) {
    fake_say("mprotect: %s", strerror(errno));
    abort();
  }
}

void fake_memory_open(void) {
  if (opened++ == 0)
    for (const fake_memory *memory = memories; memory; memory = memory->next)
      memory_protect(memory, PROT_READ | PROT_WRITE);
}

void fake_memory_close(void) {
  if (--opened == 0)
    for (const fake_memory *memory = memories; memory; memory = memory->next)
      memory_protect(memory, PROT_NONE);
}

static char *arena_take(uint64_t bytes) {
  if (!arena_next)
    for (uint64_t size = UINT64_C(1) << 40; size >= UINT64_C(1) << 32 && !arena_next; size >>= 1) {
      void *arena = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (arena != MAP_FAILED) {
        arena_next = arena;
        arena_end = arena_next + size;
      }
    }
  if (!arena_next || (uint64_t)(arena_end - arena_next) < bytes + page_bytes())
    return NULL;
  char *at = arena_next;
  arena_next += bytes + page_bytes(); /* and a page that stays closed */
  return at;
}

static int out_of_memory(const fake_context *context, uint64_t bytes) {
  const fake_fault *oom = fake_fault_of(FAULT_OOM);
  return bytes > fake_device_memory() - context->used_bytes || (oom->set && context->used_bytes + bytes > oom->value);
}

/* Page-locked memory is the host's, and has an end of its own. */
static int out_of_pinned(uint64_t bytes) {
  const fake_fault *limit = fake_fault_of(FAULT_PINNED);
  for (const fake_memory *memory = memories; memory; memory = memory->next)
    bytes += memory->kind == MEM_PINNED ? memory->bytes : 0;
  return limit->set && bytes > limit->value;
}

/* Device memory: PROT_NONE unless the device works just now. Host memory: there for both. */
static int memory_map(fake_memory *memory) {
  if (memory->kind == MEM_DEVICE) {
    if (!(memory->at = arena_take(memory->mapped_bytes)))
      return 0;
    memory_protect(memory, PROT_READ | PROT_WRITE);
    memset(memory->at, FAKE_POISON, memory->mapped_bytes);
    if (!opened)
      memory_protect(memory, PROT_NONE);
    return 1;
  }
  void *at = mmap(NULL, memory->mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    return 0;
  memory->at = at;
  memset(at, FAKE_POISON, memory->mapped_bytes);
  return 1;
}

CUresult fake_memory_new(fake_context *context, fake_memory_kind kind, uint64_t bytes, fake_memory **ret_memory) {
  static unsigned ids;
  fake_memory *memory = calloc(1, sizeof *memory);
  int counts = kind == MEM_DEVICE || kind == MEM_MANAGED;
  if (!memory)
    return CUDA_ERROR_OUT_OF_MEMORY;
  *memory = (fake_memory){.kind = kind, .id = ++ids, .device = context->object.device, .bytes = bytes};
  memory->mapped_bytes = (bytes + page_bytes() - 1) / page_bytes() * page_bytes();
  if ((counts && out_of_memory(context, bytes)) || (kind == MEM_PINNED && out_of_pinned(bytes)) ||
      !memory_map(memory)) {
    free(memory);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  if (counts)
    context->used_bytes += bytes;
  memory->next = memories;
  memories = memory;
  *ret_memory = memory;
  return CUDA_SUCCESS;
}

/* The bytes behind the end, up to the page's, still hold poison, or somebody wrote there. */
static void memory_look_behind(const fake_memory *memory) {
  memory_protect(memory, PROT_READ | PROT_WRITE);
  for (uint64_t k = memory->bytes; k < memory->mapped_bytes; k++)
    if ((unsigned char)memory->at[k] != FAKE_POISON) {
      fake_say("memory %u of %llu bytes: somebody wrote behind its end, at byte %llu", memory->id,
               (unsigned long long)memory->bytes, (unsigned long long)k);
      fake_trace("overrun", CUDA_ERROR_ILLEGAL_ADDRESS, "id=%u bytes=%llu at=%llu", memory->id,
                 (unsigned long long)memory->bytes, (unsigned long long)k);
      return;
    }
}

void fake_memory_free(fake_context *context, fake_memory *memory) {
  for (fake_memory **at = &memories; *at; at = &(*at)->next)
    if (*at == memory) {
      *at = memory->next;
      break;
    }
  if (memory->kind != MEM_REGISTERED) {
    memory_look_behind(memory);
    /* its pages go, its addresses stay taken: a later touch is a SIGSEGV */
    mmap(memory->at, memory->mapped_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  }
  if (memory->kind == MEM_DEVICE || memory->kind == MEM_MANAGED)
    context->used_bytes -= memory->bytes;
  free(memory);
}

/* ---- Entry points ---- */

FAKE_EXPORT CUresult cuMemGetInfo_v2(size_t *ret_free, size_t *ret_total) {
  fake_call call = fake_enter("cuMemGetInfo", NEEDS_LIVE_CONTEXT);
  if (call.error)
    return fake_leave(call, call.error, "");
  *ret_total = fake_device_memory();
  *ret_free = *ret_total - call.context->used_bytes;
  return fake_leave(call, CUDA_SUCCESS, "free=%zu total=%zu", *ret_free, *ret_total);
}

static CUresult allocate(const char *name, fake_memory_kind kind, size_t bytes, unsigned flags, uintptr_t *ret_at) {
  fake_call call = fake_enter(name, NEEDS_LIVE_CONTEXT);
  fake_memory *memory = NULL;
  CUresult result = call.error;
  if (!result && fake_capturing())
    result = fake_capture_broken();
  if (!result)
    result = bytes ? fake_memory_new(call.context, kind, bytes, &memory) : CUDA_ERROR_INVALID_VALUE;
  if (!result)
    *ret_at = (uintptr_t)memory->at;
  return fake_leave(call, result, "bytes=%zu flags=%#x id=%u at=%p", bytes, flags, memory ? memory->id : 0,
                    memory ? (void *)memory->at : NULL);
}

FAKE_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *ret_at, size_t bytes) {
  uintptr_t at = 0;
  CUresult result = allocate("cuMemAlloc", MEM_DEVICE, bytes, 0, &at);
  if (!result)
    *ret_at = at;
  return result;
}

FAKE_EXPORT CUresult cuMemAllocManaged(CUdeviceptr *ret_at, size_t bytes, unsigned int flags) {
  uintptr_t at = 0;
  CUresult result = allocate("cuMemAllocManaged", MEM_MANAGED, bytes, flags, &at);
  if (!result)
    *ret_at = at;
  return result;
}

FAKE_EXPORT CUresult cuMemHostAlloc(void **ret_at, size_t bytes, unsigned int flags) {
  uintptr_t at = 0;
  CUresult result = allocate("cuMemHostAlloc", MEM_PINNED, bytes, flags, &at);
  if (!result)
    *ret_at = (void *)at;
  return result;
}

FAKE_EXPORT CUresult cuMemAllocHost_v2(void **ret_at, size_t bytes) {
  uintptr_t at = 0;
  CUresult result = allocate("cuMemAllocHost", MEM_PINNED, bytes, 0, &at);
  if (!result)
    *ret_at = (void *)at;
  return result;
}

/* Both free calls wait for the device, as the real ones do; `pending` in the trace says what they had to wait for. */
static CUresult release(const char *name, uintptr_t at, int device_side) {
  fake_call call = fake_enter(name, NEEDS_LIVE_CONTEXT);
  fake_memory *memory = fake_memory_of(at, 0);
  uint64_t pending = 0;
  unsigned id = 0;
  CUresult result = call.error;
  if (!result && fake_capturing())
    result = fake_capture_broken();
  if (!result && !at && device_side) /* freeing nothing is allowed */
    return fake_leave(call, CUDA_SUCCESS, "at=(nil)");
  if (!result && (!memory || (uintptr_t)memory->at != at || memory->global || memory->kind == MEM_REGISTERED ||
                  (memory->kind == MEM_PINNED) == device_side))
    result = CUDA_ERROR_INVALID_VALUE;
  if (!result) {
    pending = fake_pending(call.context);
    result = fake_drain_all(call.context);
    id = memory->id;
    fake_memory_free(call.context, memory);
  }
  return fake_leave(call, result, "at=%p id=%u pending=%llu", (void *)at, id, (unsigned long long)pending);
}

FAKE_EXPORT CUresult cuMemFree_v2(CUdeviceptr at) {
  return release("cuMemFree", (uintptr_t)at, 1);
}

FAKE_EXPORT CUresult cuMemFreeHost(void *at) {
  return release("cuMemFreeHost", (uintptr_t)at, 0);
}

FAKE_EXPORT CUresult cuMemHostRegister_v2(void *at, size_t bytes, unsigned int flags) {
  fake_call call = fake_enter("cuMemHostRegister", NEEDS_LIVE_CONTEXT);
  CUresult result = call.error ? call.error : !at || !bytes ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  if (!result && fake_memory_of((uintptr_t)at, 1))
    result = CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
  if (!result) {
    fake_memory *memory = calloc(1, sizeof *memory);
    if (!memory)
      abort();
    *memory = (fake_memory){.next = memories, .kind = MEM_REGISTERED, .at = at, .bytes = bytes};
    memories = memory;
  }
  return fake_leave(call, result, "at=%p bytes=%zu flags=%#x", at, bytes, flags);
}

FAKE_EXPORT CUresult cuMemHostUnregister(void *at) {
  fake_call call = fake_enter("cuMemHostUnregister", NEEDS_LIVE_CONTEXT);
  fake_memory *memory = fake_memory_of((uintptr_t)at, 0);
  CUresult result = call.error;
  if (!result && (!memory || memory->kind != MEM_REGISTERED || memory->at != (char *)at))
    result = CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
  if (!result)
    result = fake_drain_all(call.context);
  if (!result)
    fake_memory_free(call.context, memory);
  return fake_leave(call, result, "at=%p", at);
}

FAKE_EXPORT CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *ret_at, void *host, unsigned int flags) {
  fake_call call = fake_enter("cuMemHostGetDevicePointer", NEEDS_LIVE_CONTEXT);
  fake_memory *memory = fake_memory_of((uintptr_t)host, 0);
  CUresult result = call.error;
  if (!result && (flags || !memory || memory->kind == MEM_DEVICE))
    result = CUDA_ERROR_INVALID_VALUE;
  if (!result)
    *ret_at = (uintptr_t)host;
  return fake_leave(call, result, "at=%p", host);
}
