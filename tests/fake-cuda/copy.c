/* SPDX-License-Identifier: MIT
 * Copies and fills of the driver double. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

typedef enum { TO_DEVICE = 1, TO_HOST = 2, ON_DEVICE = 3, BETWEEN = 4 } direction;

/* Memory that one device alone has, and not this one, is for cuMemcpyPeer. */
static int is_elsewhere(uintptr_t at, int device) {
  const fake_memory *memory = fake_memory_of(at, 1);
  return memory && memory->kind == MEM_DEVICE && memory->device != device;
}

static int is_device(uintptr_t at, uint64_t bytes) {
  return fake_memory_of(at, bytes) != NULL; /* pinned and managed memory has a device's address too */
}

static int is_pageable(uintptr_t at) {
  return fake_memory_of(at, 1) == NULL;
}

/* What the host gives must be memory of the host: a device's address there is a mistake. */
static int is_host(uintptr_t at) {
  const fake_memory *memory = fake_memory_of(at, 1);
  return at && (!memory || memory->kind != MEM_DEVICE);
}

static CUresult enqueue_copy(const fake_call *call, direction way, uintptr_t to, uintptr_t from, size_t bytes,
                             CUstream name, uint64_t *ret_op) {
  fake_stream *stream = fake_stream_of(call->context, name);
  if (!stream)
    return CUDA_ERROR_INVALID_HANDLE;
  if (!bytes)
    return CUDA_SUCCESS;
  if (way == TO_HOST ? !is_host(to) : !is_device(to, bytes))
    return CUDA_ERROR_INVALID_VALUE;
  if (way == TO_DEVICE ? !is_host(from) : !is_device(from, bytes))
    return CUDA_ERROR_INVALID_VALUE;
  const int device = call->context->object.device;
  if ((way != BETWEEN && way != TO_HOST && is_elsewhere(to, device)) ||
      (way != BETWEEN && way != TO_DEVICE && is_elsewhere(from, device)))
    return CUDA_ERROR_INVALID_VALUE;
  fake_op *op = fake_op_new(OP_COPY, call->context->object.device);
  *ret_op = op->id;
  op->to = (char *)to;
  op->from = (char *)from;
  op->bytes = bytes;
  if (way == TO_DEVICE && is_pageable(from) && !stream->capture) {
    op->snapshot = malloc(bytes);
    if (!op->snapshot)
      abort();
    memcpy(op->snapshot, (const void *)from, bytes);
  }
  if (way == TO_HOST && !stream->capture)
    memset((void *)to, FAKE_POISON, bytes); /* undefined until somebody waited */
  return fake_enqueue(call->context, stream, op);
}

static CUresult copy(const char *what, direction way, uintptr_t to, uintptr_t from, size_t bytes, CUstream stream,
                     int waits) {
  fake_call call = fake_enter(what, NEEDS_LIVE_CONTEXT);
  uint64_t op = 0;
  CUresult result = call.error;
  if (!result && waits && fake_capturing())
    result = fake_capture_broken();
  if (!result)
    result = enqueue_copy(&call, way, to, from, bytes, stream, &op);
  if (!result && waits)
    result = fake_drain(call.context, call.context->null_stream, UINT64_MAX);
  const fake_stream *on = call.error ? NULL : fake_stream_of(call.context, stream);
  return fake_leave(call, result, "to=%p from=%p bytes=%zu stream=%u op=%llu", (void *)to, (void *)from, bytes,
                    on ? on->object.id : 0, (unsigned long long)op);
}

/* Each address must be of the context that it is said to be of. */
FAKE_EXPORT CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                                       size_t bytes, CUstream stream) {
  const fake_context *to_owner = (void *)to_context, *from_owner = (void *)from_context;
  fake_call call = fake_enter("cuMemcpyPeerAsync", NEEDS_LIVE_CONTEXT);
  uint64_t op = 0;
  CUresult result = call.error;
  if (!result && (!to_owner || !from_owner || is_elsewhere((uintptr_t)to, to_owner->object.device) ||
                  is_elsewhere((uintptr_t)from, from_owner->object.device)))
    result = CUDA_ERROR_INVALID_VALUE;
  if (!result)
    result = enqueue_copy(&call, BETWEEN, (uintptr_t)to, (uintptr_t)from, bytes, stream, &op);
  return fake_leave(call, result, "to=%#llx from=%#llx bytes=%zu op=%llu", (unsigned long long)to,
                    (unsigned long long)from, bytes, (unsigned long long)op);
}

FAKE_EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  return copy("cuMemcpyHtoDAsync", TO_DEVICE, (uintptr_t)to, (uintptr_t)from, bytes, stream, 0);
}
FAKE_EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy("cuMemcpyDtoHAsync", TO_HOST, (uintptr_t)to, (uintptr_t)from, bytes, stream, 0);
}
FAKE_EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy("cuMemcpyDtoDAsync", ON_DEVICE, (uintptr_t)to, (uintptr_t)from, bytes, stream, 0);
}
FAKE_EXPORT CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
  return copy("cuMemcpyHtoD", TO_DEVICE, (uintptr_t)to, (uintptr_t)from, bytes, NULL, 1);
}
FAKE_EXPORT CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
  return copy("cuMemcpyDtoH", TO_HOST, (uintptr_t)to, (uintptr_t)from, bytes, NULL, 1);
}
FAKE_EXPORT CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy("cuMemcpyDtoD", ON_DEVICE, (uintptr_t)to, (uintptr_t)from, bytes, NULL, 0);
}

static CUresult set(const char *what, CUdeviceptr to, uint32_t word, uint32_t word_bytes, size_t count, CUstream name) {
  fake_call call = fake_enter(what, NEEDS_LIVE_CONTEXT);
  fake_stream *stream = call.error ? NULL : fake_stream_of(call.context, name);
  uint64_t bytes = (uint64_t)count * word_bytes, op_id = 0;
  CUresult result = call.error;
  if (!result && !stream)
    result = CUDA_ERROR_INVALID_HANDLE;
  if (!result && (to % word_bytes || (count && !is_device((uintptr_t)to, bytes))))
    result = CUDA_ERROR_INVALID_VALUE;
  if (!result && count) {
    fake_op *op = fake_op_new(OP_SET, call.context->object.device);
    op->to = (char *)(uintptr_t)to;
    op->bytes = bytes;
    op->word = word;
    op->word_bytes = word_bytes;
    op_id = op->id;
    result = fake_enqueue(call.context, stream, op);
  }
  return fake_leave(call, result, "to=%#llx word=%#x count=%zu stream=%u op=%llu", (unsigned long long)to, word, count,
                    stream ? stream->object.id : 0, (unsigned long long)op_id);
}

FAKE_EXPORT CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char word, size_t count, CUstream stream) {
  return set("cuMemsetD8Async", to, word, 1, count, stream);
}
FAKE_EXPORT CUresult cuMemsetD32Async(CUdeviceptr to, unsigned int word, size_t count, CUstream stream) {
  return set("cuMemsetD32Async", to, word, 4, count, stream);
}
FAKE_EXPORT CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char word, size_t count) {
  return set("cuMemsetD8", to, word, 1, count, NULL);
}
FAKE_EXPORT CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned int word, size_t count) {
  return set("cuMemsetD32", to, word, 4, count, NULL);
}
