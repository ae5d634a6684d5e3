/* SPDX-License-Identifier: MIT
 * Operations of the driver double and the queues they wait in: nothing runs before somebody waits. */
#include "fake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Thread_local int fake_in_host_function;

fake_op *fake_op_new(fake_op_kind kind, int device) {
  static uint64_t ids;
  fake_op *op = calloc(1, sizeof *op);
  if (!op)
    abort();
  *op = (fake_op){.kind = kind, .id = ++ids, .device = device};
  return op;
}

void fake_op_free(fake_op *op) {
  if (op->event && --op->event->uses == 0 && op->event->destroyed)
    fake_object_free(op->event);
  if (op->ops)
    fake_ops_drop(op->ops);
  free(op->arguments);
  free(op->snapshot);
  free(op);
}

fake_ops *fake_ops_new(void) {
  static unsigned ids;
  fake_ops *ops = calloc(1, sizeof *ops);
  if (!ops)
    abort();
  *ops = (fake_ops){.uses = 1, .id = ++ids};
  ops->tail = &ops->head;
  return ops;
}

void fake_ops_drop(fake_ops *ops) {
  if (--ops->uses > 0)
    return;
  for (fake_op *op = ops->head, *next; op; op = next) {
    next = op->next;
    fake_op_free(op);
  }
  free(ops);
}

/* NULL: no such stream. 0, and 1 and 2 (the names of the default streams), are the context's own. */
fake_stream *fake_stream_of(fake_context *context, CUstream stream) {
  if ((uintptr_t)stream <= 2)
    return context->null_stream;
  return fake_object_of(OF_STREAM, stream);
}

/* A stream's queue has an end: who enqueues more waits until its oldest operations are done, behind a kernel that holds
 * the stream back for ever. */
static void make_room(fake_context *context, fake_stream *stream) {
  unsigned pending = 0;
  for (const fake_op *op = stream->head; op; op = op->next)
    pending++;
  for (; pending >= FAKE_QUEUE && stream->head && !fake_fault_of(FAULT_SKIP_SYNC)->set; pending--)
    if (fake_drain(context, stream, stream->head->id) != CUDA_SUCCESS)
      return;
}

CUresult fake_enqueue(fake_context *context, fake_stream *stream, fake_op *op) {
  if (stream->capture) {
    fake_ops *capture = stream->capture;
    free(op->snapshot); /* a graph reads its source whenever it runs */
    op->snapshot = NULL;
    if (stream->capture_status == CU_STREAM_CAPTURE_STATUS_INVALIDATED) {
      fake_op_free(op);
      return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    }
    *capture->tail = op;
    capture->tail = &op->next;
    return CUDA_SUCCESS;
  }
  make_room(context, stream);
  *stream->tail = op;
  stream->tail = &op->next;
  return CUDA_SUCCESS;
}

uint64_t fake_pending(const fake_context *context) {
  uint64_t pending = 0;
  for (const fake_object *object = fake_objects(); object; object = object->next)
    if (object->kind == OF_STREAM && object->device == context->object.device)
      for (const fake_op *op = ((const fake_stream *)object)->head; op; op = op->next)
        pending++;
  return pending;
}

int fake_capturing(void) {
  for (const fake_object *object = fake_objects(); object; object = object->next) {
    const fake_stream *stream = (const fake_stream *)object;
    if (object->kind == OF_STREAM && stream->capture && stream->capture_mode != CU_STREAM_CAPTURE_MODE_RELAXED)
      return 1;
  }
  return 0;
}

/* A call that may not stand beside a capture ends it. */
CUresult fake_capture_broken(void) {
  for (fake_object *object = fake_objects(); object; object = object->next) {
    fake_stream *stream = (fake_stream *)object;
    if (object->kind == OF_STREAM && stream->capture)
      stream->capture_status = CU_STREAM_CAPTURE_STATUS_INVALIDATED;
  }
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

/* ---- What the device does ---- */

static void *call_host_function(void *given) {
  const fake_op *op = given;
  fake_in_host_function = 1;
  op->work(op->work_argument);
  return NULL;
}

static CUresult run_host_function(const fake_op *op) {
  pthread_t thread;
  fake_unlock();
  if (pthread_create(&thread, NULL, call_host_function, (void *)op) != 0)
    abort();
  pthread_join(thread, NULL);
  fake_lock();
  fake_trace("run:host", CUDA_SUCCESS, "op=%llu", (unsigned long long)op->id);
  return CUDA_SUCCESS;
}

/* Memory that was freed since the operation was enqueued is not there any more. */
static int still_there(const char *at, uint64_t bytes) {
  int ends[2], there = 1;
  if (fake_memory_of((uintptr_t)at, bytes))
    return 1;
  for (const fake_memory *other = fake_memories(); other; other = other->next)
    if (other->kind == MEM_DEVICE && at >= other->at && at < other->at + other->mapped_bytes)
      return 0;
  if (pipe(ends) == 0) { /* the host's own memory: where it is gone, write() says so */
    there = write(ends[1], at, 1) == 1 && write(ends[1], at + bytes - 1, 1) == 1;
    close(ends[0]);
    close(ends[1]);
  }
  return there;
}

static CUresult run_copy(const fake_op *op) {
  CUresult result = CUDA_SUCCESS;
  const char *from = op->snapshot ? op->snapshot : op->from;
  fake_memory_open();
  if (!still_there(op->to, op->bytes) || (!op->snapshot && !still_there(op->from, op->bytes)))
    result = CUDA_ERROR_ILLEGAL_ADDRESS;
  else
    memcpy(op->to, from, op->bytes);
  fake_memory_close();
  fake_trace("run:copy", result, "op=%llu to=%p from=%p bytes=%llu", (unsigned long long)op->id, (void *)op->to,
             (void *)op->from, (unsigned long long)op->bytes);
  return result;
}

static CUresult run_set(const fake_op *op) {
  CUresult result = CUDA_SUCCESS;
  fake_memory_open();
  if (!fake_memory_of((uintptr_t)op->to, op->bytes))
    result = CUDA_ERROR_ILLEGAL_ADDRESS;
  for (uint64_t k = 0; !result && k < op->bytes; k += op->word_bytes)
    memcpy(op->to + k, &op->word, op->word_bytes);
  fake_memory_close();
  fake_trace("run:set", result, "op=%llu to=%p bytes=%llu", (unsigned long long)op->id, (void *)op->to,
             (unsigned long long)op->bytes);
  return result;
}

static CUresult run_record(const fake_op *op) {
  op->event->time_ns = fake_now_ns();
  if (op->event->pending == op->id)
    op->event->pending = 0;
  op->event->recorded = 1;
  fake_trace("run:event", CUDA_SUCCESS, "op=%llu event=%u", (unsigned long long)op->id, op->event->object.id);
  return CUDA_SUCCESS;
}

static CUresult run_graph(fake_context *context, const fake_op *graph) {
  CUresult result = CUDA_SUCCESS;
  fake_trace("run:graph", CUDA_SUCCESS, "op=%llu graph=%u", (unsigned long long)graph->id, graph->ops->id);
  for (const fake_op *op = graph->ops->head; op && !result; op = op->next)
    result = fake_run(context, op);
  return result;
}

CUresult fake_run(fake_context *context, const fake_op *op) {
  switch (op->kind) {
  case OP_KERNEL:
    return fake_run_kernel(context, op);
  case OP_COPY:
    return run_copy(op);
  case OP_SET:
    return run_set(op);
  case OP_HOST:
    return run_host_function(op);
  case OP_RECORD:
    return run_record(op);
  case OP_WAIT:
    return op->stream && fake_object_of(OF_STREAM, op->stream) ? fake_drain(context, op->stream, op->until)
                                                               : CUDA_SUCCESS;
  case OP_GRAPH:
    return run_graph(context, op);
  }
  return CUDA_ERROR_UNKNOWN;
}

/* After an error nothing more happens in this context, and what waits is dropped: host functions are not called, copies
 * do not come. */
static void context_dies(fake_context *context, CUresult error) {
  context->error = error;
  for (fake_object *object = fake_objects(); object; object = object->next) {
    fake_stream *stream = (fake_stream *)object;
    if (object->kind != OF_STREAM || object->device != context->object.device || stream->busy)
      continue;
    for (fake_op *op = stream->head, *next; op; op = next) {
      next = op->next;
      fake_op_free(op);
    }
    stream->head = NULL;
    stream->tail = &stream->head;
  }
}

CUresult fake_drain(fake_context *context, fake_stream *stream, uint64_t until) {
  for (;;) {
    while (stream->busy)
      fake_wait();
    if (context->error || !stream->head || stream->head->id > until)
      return context->error;
    fake_op *op = stream->head;
    stream->head = op->next;
    if (!stream->head)
      stream->tail = &stream->head;
    stream->busy = 1;
    CUresult result = fake_run(context, op);
    stream->busy = 0;
    if (result && !context->error)
      context_dies(context, result);
    fake_op_free(op);
    fake_something();
  }
}

/* Streams of one device, whatever order they were made in. */
CUresult fake_drain_all(fake_context *context) {
  for (int again = 1; again && !context->error;) {
    again = 0;
    for (fake_object *object = fake_objects(); object; object = object->next) {
      fake_stream *stream = (fake_stream *)object;
      if (object->kind != OF_STREAM || object->device != context->object.device || (!stream->head && !stream->busy))
        continue;
      fake_drain(context, stream, UINT64_MAX);
      again = 1; /* the list may have changed meanwhile */
      break;
    }
  }
  return context->error;
}
