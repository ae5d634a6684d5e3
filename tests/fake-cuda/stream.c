/* SPDX-License-Identifier: MIT
 * Streams, events and graphs of the driver double, as a program sees them. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>
#undef cuEventElapsedTime /* cuda.h's, where the ABI is checked */

static int skip_sync(void) {
  const fake_fault *fault = fake_fault_of(FAULT_SKIP_SYNC);
  return fault->set && (!*fault->entry || fault->seen);
}

/* ---- Streams ---- */

static fake_stream *stream_new(int device, unsigned flags) {
  fake_stream *stream = fake_object_new(OF_STREAM, sizeof *stream, device);
  stream->flags = flags;
  stream->tail = &stream->head;
  return stream;
}

static CUresult stream_create(const char *what, CUstream *ret_stream, unsigned flags) {
  fake_call call = fake_enter(what, NEEDS_LIVE_CONTEXT);
  fake_stream *stream = NULL;
  CUresult result = call.error ? call.error : flags > 1 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  if (!result) {
    stream = stream_new(call.context->object.device, flags);
    *ret_stream = (CUstream)(void *)stream;
  }
  return fake_leave(call, result, "flags=%u stream=%u device=%d", flags, stream ? stream->object.id : 0,
                    stream ? stream->object.device : -1);
}

FAKE_EXPORT CUresult cuStreamCreate(CUstream *ret_stream, unsigned int flags) {
  return stream_create("cuStreamCreate", ret_stream, flags);
}

FAKE_EXPORT CUresult cuStreamCreateWithPriority(CUstream *ret_stream, unsigned int flags, int priority) {
  (void)priority;
  return stream_create("cuStreamCreateWithPriority", ret_stream, flags);
}

/* 0 with a stream that may be used; else the call is over with this code. */
static CUresult stream_get(const fake_call *call, CUstream name, fake_stream **ret_stream) {
  *ret_stream = NULL;
  if (call->error)
    return call->error;
  *ret_stream = fake_stream_of(call->context, name);
  return *ret_stream ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

FAKE_EXPORT CUresult cuStreamDestroy_v2(CUstream name) {
  fake_call call = fake_enter("cuStreamDestroy", NEEDS_CONTEXT);
  fake_stream *stream;
  uint64_t pending = 0;
  unsigned id = 0;
  CUresult result = stream_get(&call, name, &stream);
  if (!result && stream == call.context->null_stream)
    result = CUDA_ERROR_INVALID_HANDLE;
  if (!result) {
    id = stream->object.id;
    for (const fake_op *op = stream->head; op; op = op->next)
      pending++;
    fake_drain(call.context, stream, UINT64_MAX);
    if (stream->capture && stream->capture_origin)
      fake_ops_drop(stream->capture);
    fake_object_free(stream);
    result = call.context->error;
  }
  return fake_leave(call, result, "stream=%u pending=%llu", id, (unsigned long long)pending);
}

static CUresult capture_forbids(fake_stream *stream) {
  if (!stream->capture)
    return CUDA_SUCCESS;
  stream->capture_status = CU_STREAM_CAPTURE_STATUS_INVALIDATED;
  return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

FAKE_EXPORT CUresult cuStreamSynchronize(CUstream name) {
  fake_call call = fake_enter("cuStreamSynchronize", NEEDS_LIVE_CONTEXT);
  fake_stream *stream;
  CUresult result = stream_get(&call, name, &stream);
  unsigned id = stream ? stream->object.id : 0;
  if (!result)
    result = capture_forbids(stream);
  if (!result && !skip_sync())
    result = fake_drain(call.context, stream, UINT64_MAX);
  return fake_leave(call, result, "stream=%u", id);
}

/* Each look lets one operation happen: who polls gets there, who looks once does not. */
FAKE_EXPORT CUresult cuStreamQuery(CUstream name) {
  fake_call call = fake_enter("cuStreamQuery", NEEDS_LIVE_CONTEXT);
  fake_stream *stream;
  CUresult result = stream_get(&call, name, &stream);
  if (!result)
    result = capture_forbids(stream);
  if (!result && stream->head) {
    result = skip_sync() ? CUDA_SUCCESS : fake_drain(call.context, stream, stream->head->id);
    if (!result)
      result = CUDA_ERROR_NOT_READY;
  }
  return fake_leave(call, result, "stream=%u", stream ? stream->object.id : 0);
}

static CUresult context_synchronize(const char *what) {
  fake_call call = fake_enter(what, NEEDS_LIVE_CONTEXT);
  CUresult result = call.error;
  if (!result && fake_capturing())
    result = fake_capture_broken();
  if (!result && !skip_sync())
    result = fake_drain_all(call.context);
  return fake_leave(call, result, "");
}

FAKE_EXPORT CUresult cuCtxSynchronize(void) {
  return context_synchronize("cuCtxSynchronize");
}

/* ---- Events ---- */

FAKE_EXPORT CUresult cuEventCreate(CUevent *ret_event, unsigned int flags) {
  fake_call call = fake_enter("cuEventCreate", NEEDS_LIVE_CONTEXT);
  fake_event *event = NULL;
  CUresult result = call.error ? call.error : flags > 7 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  if (!result) {
    event = fake_object_new(OF_EVENT, sizeof *event, call.context->object.device);
    event->flags = flags;
    *ret_event = (CUevent)(void *)event;
  }
  return fake_leave(call, result, "flags=%u event=%u", flags, event ? event->object.id : 0);
}

static CUresult event_get(const fake_call *call, CUevent name, fake_event **ret_event) {
  *ret_event = NULL;
  if (call->error)
    return call->error;
  *ret_event = fake_object_of(OF_EVENT, name);
  return *ret_event && !(*ret_event)->destroyed ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

FAKE_EXPORT CUresult cuEventDestroy_v2(CUevent name) {
  fake_call call = fake_enter("cuEventDestroy", NEEDS_CONTEXT);
  fake_event *event;
  unsigned id = 0;
  CUresult result = event_get(&call, name, &event);
  if (!result) {
    id = event->object.id;
    event->destroyed = 1;
    if (!event->uses)
      fake_object_free(event);
    result = call.context->error;
  }
  return fake_leave(call, result, "event=%u", id);
}

static CUresult record(const char *what, CUevent name, CUstream on, unsigned flags) {
  fake_call call = fake_enter(what, NEEDS_LIVE_CONTEXT);
  fake_event *event;
  fake_stream *stream = NULL;
  uint64_t op_id = 0;
  CUresult result = event_get(&call, name, &event);
  if (!result)
    result = stream_get(&call, on, &stream);
  if (!result && event->object.device != stream->object.device)
    result = CUDA_ERROR_INVALID_HANDLE;
  if (!result && stream->capture && !(flags & CU_EVENT_RECORD_EXTERNAL)) {
    event->captured = stream->capture; /* a mark for other streams of the capture, and no record when the graph runs */
  } else if (!result) {
    fake_op *op = fake_op_new(OP_RECORD, stream->object.device);
    op->event = event;
    event->uses++;
    op_id = op->id;
    if (!stream->capture) {
      event->captured = NULL;
      event->pending = op->id;
      event->stream = stream;
    }
    result = fake_enqueue(call.context, stream, op);
  }
  return fake_leave(call, result, "event=%u stream=%u flags=%u op=%llu", event ? event->object.id : 0,
                    stream ? stream->object.id : 0, flags, (unsigned long long)op_id);
}

FAKE_EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
  return record("cuEventRecord", event, stream, 0);
}
FAKE_EXPORT CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned int flags) {
  return record("cuEventRecordWithFlags", event, stream, flags);
}

static CUresult event_drain(const fake_call *call, fake_event *event) {
  if (event->captured)
    return CUDA_ERROR_CAPTURED_EVENT;
  if (!event->pending || !fake_object_of(OF_STREAM, event->stream))
    return CUDA_SUCCESS;
  return fake_drain(call->context, event->stream, event->pending);
}

FAKE_EXPORT CUresult cuEventSynchronize(CUevent name) {
  fake_call call = fake_enter("cuEventSynchronize", NEEDS_LIVE_CONTEXT);
  fake_event *event;
  CUresult result = event_get(&call, name, &event);
  unsigned id = event ? event->object.id : 0;
  if (!result && !skip_sync())
    result = event_drain(&call, event);
  return fake_leave(call, result, "event=%u", id);
}

FAKE_EXPORT CUresult cuEventQuery(CUevent name) {
  fake_call call = fake_enter("cuEventQuery", NEEDS_LIVE_CONTEXT);
  fake_event *event;
  CUresult result = event_get(&call, name, &event);
  unsigned id = event ? event->object.id : 0;
  if (!result && event->captured)
    result = CUDA_ERROR_CAPTURED_EVENT;
  if (!result && event->pending && event->stream->head && !skip_sync()) {
    result = fake_drain(call.context, event->stream, event->stream->head->id);
    if (!result)
      result = CUDA_ERROR_NOT_READY;
  }
  return fake_leave(call, result, "event=%u", id);
}

static CUresult elapsed(float *ret_ms, CUevent from, CUevent to) {
  fake_call call = fake_enter("cuEventElapsedTime", NEEDS_LIVE_CONTEXT);
  fake_event *start, *end = NULL;
  CUresult result = event_get(&call, from, &start);
  if (!result)
    result = event_get(&call, to, &end);
  if (!result && ((start->flags | end->flags) & CU_EVENT_DISABLE_TIMING || start->captured || end->captured))
    result = CUDA_ERROR_INVALID_HANDLE;
  if (!result && (start->pending || end->pending))
    result = CUDA_ERROR_NOT_READY;
  if (!result && (!start->recorded || !end->recorded))
    result = CUDA_ERROR_INVALID_HANDLE;
  if (!result)
    *ret_ms = (float)((double)(int64_t)(end->time_ns - start->time_ns) * 1e-6);
  if (result == CUDA_ERROR_NOT_READY && skip_sync()) { /* who forgot to wait does not hear of it */
    *ret_ms = 0.001f;
    result = CUDA_SUCCESS;
  }
  return fake_leave(call, result, "from=%u to=%u", start ? start->object.id : 0, end ? end->object.id : 0);
}

FAKE_EXPORT CUresult cuEventElapsedTime(float *ret_ms, CUevent from, CUevent to) {
  return elapsed(ret_ms, from, to);
}
FAKE_EXPORT CUresult cuEventElapsedTime_v2(float *ret_ms, CUevent from, CUevent to) {
  return elapsed(ret_ms, from, to);
}

FAKE_EXPORT CUresult cuStreamWaitEvent(CUstream name, CUevent what, unsigned int flags) {
  fake_call call = fake_enter("cuStreamWaitEvent", NEEDS_LIVE_CONTEXT);
  fake_event *event = NULL;
  fake_stream *stream;
  CUresult result = stream_get(&call, name, &stream);
  if (!result)
    result = event_get(&call, what, &event);
  if (!result && event->captured && !stream->capture) { /* it joins the capture */
    stream->capture = event->captured;
    stream->capture_status = CU_STREAM_CAPTURE_STATUS_ACTIVE;
    stream->capture_mode = CU_STREAM_CAPTURE_MODE_RELAXED; /* the origin's counts */
  } else if (!result && event->pending && !stream->capture) {
    fake_op *op = fake_op_new(OP_WAIT, stream->object.device);
    op->stream = event->stream;
    op->until = event->pending;
    result = fake_enqueue(call.context, stream, op);
  }
  return fake_leave(call, result, "stream=%u event=%u flags=%u", stream ? stream->object.id : 0,
                    event ? event->object.id : 0, flags);
}

/* ---- Graphs ---- */

FAKE_EXPORT CUresult cuStreamBeginCapture_v2(CUstream name, CUstreamCaptureMode mode) {
  fake_call call = fake_enter("cuStreamBeginCapture", NEEDS_LIVE_CONTEXT);
  fake_stream *stream;
  CUresult result = stream_get(&call, name, &stream);
  if (!result && (stream->capture || stream == call.context->null_stream || (unsigned)mode > 2))
    result = stream->capture ? CUDA_ERROR_INVALID_VALUE : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (!result) {
    stream->capture = fake_ops_new();
    stream->capture_origin = 1;
    stream->capture_mode = (int)mode;
    stream->capture_status = CU_STREAM_CAPTURE_STATUS_ACTIVE;
  }
  return fake_leave(call, result, "stream=%u mode=%d", stream ? stream->object.id : 0, (int)mode);
}

FAKE_EXPORT CUresult cuStreamIsCapturing(CUstream name, CUstreamCaptureStatus *ret_status) {
  fake_call call = fake_enter("cuStreamIsCapturing", NEEDS_LIVE_CONTEXT);
  fake_stream *stream;
  CUresult result = stream_get(&call, name, &stream);
  if (!result)
    *ret_status = stream->capture ? stream->capture_status : CU_STREAM_CAPTURE_STATUS_NONE;
  return fake_leave(call, result, "stream=%u", stream ? stream->object.id : 0);
}

/* Ends it on every stream that joined. 1: some stream of it was told not to. */
static int capture_end(const fake_ops *ops) {
  int invalid = 0;
  for (fake_object *object = fake_objects(); object; object = object->next) {
    fake_stream *stream = (fake_stream *)object;
    fake_event *event = (fake_event *)object;
    if (object->kind == OF_EVENT && event->captured == ops)
      event->captured = (fake_ops *)event; /* for ever a mark of some capture, until it is recorded anew */
    if (object->kind != OF_STREAM || stream->capture != ops)
      continue;
    invalid |= stream->capture_status == CU_STREAM_CAPTURE_STATUS_INVALIDATED;
    stream->capture = NULL;
    stream->capture_origin = 0;
  }
  return invalid;
}

FAKE_EXPORT CUresult cuStreamEndCapture(CUstream name, CUgraph *ret_graph) {
  fake_call call = fake_enter("cuStreamEndCapture", NEEDS_LIVE_CONTEXT);
  fake_stream *stream;
  fake_graph *graph = NULL;
  unsigned operations = 0;
  CUresult result = stream_get(&call, name, &stream);
  if (!result && (!stream->capture || !stream->capture_origin))
    result = CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
  if (!result) {
    fake_ops *ops = stream->capture;
    *ret_graph = NULL;
    if (capture_end(ops)) {
      fake_ops_drop(ops);
      result = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    } else {
      graph = fake_object_new(OF_GRAPH, sizeof *graph, call.context->object.device);
      graph->ops = ops;
      for (const fake_op *op = ops->head; op; op = op->next)
        operations++;
      *ret_graph = (CUgraph)(void *)graph;
    }
  }
  return fake_leave(call, result, "stream=%u graph=%u operations=%u", stream ? stream->object.id : 0,
                    graph ? graph->object.id : 0, operations);
}

FAKE_EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *ret_exec, CUgraph name, unsigned long long flags) {
  fake_call call = fake_enter("cuGraphInstantiateWithFlags", NEEDS_LIVE_CONTEXT);
  fake_graph *graph = fake_object_of(OF_GRAPH, name), *exec = NULL;
  CUresult result = call.error ? call.error : graph ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  if (!result) {
    exec = fake_object_new(OF_EXEC, sizeof *exec, graph->object.device);
    exec->ops = graph->ops;
    exec->ops->uses++;
    *ret_exec = (CUgraphExec)(void *)exec;
  }
  return fake_leave(call, result, "graph=%u flags=%llu exec=%u", graph ? graph->object.id : 0, flags,
                    exec ? exec->object.id : 0);
}

FAKE_EXPORT CUresult cuGraphUpload(CUgraphExec name, CUstream on) {
  fake_call call = fake_enter("cuGraphUpload", NEEDS_LIVE_CONTEXT);
  fake_stream *stream;
  fake_graph *exec = fake_object_of(OF_EXEC, name);
  CUresult result = stream_get(&call, on, &stream);
  if (!result && !exec)
    result = CUDA_ERROR_INVALID_VALUE;
  if (!result)
    exec->uploaded = 1;
  return fake_leave(call, result, "exec=%u", exec ? exec->object.id : 0);
}

FAKE_EXPORT CUresult cuGraphLaunch(CUgraphExec name, CUstream on) {
  fake_call call = fake_enter("cuGraphLaunch", NEEDS_LIVE_CONTEXT);
  fake_stream *stream;
  fake_graph *exec = fake_object_of(OF_EXEC, name);
  uint64_t op_id = 0;
  CUresult result = stream_get(&call, on, &stream);
  if (!result && !exec)
    result = CUDA_ERROR_INVALID_VALUE;
  if (!result && !exec->uploaded && fake_fault_of(FAULT_LOAD_WAITS)->set) {
    result = fake_drain_all(call.context);
    exec->uploaded = 1;
  }
  if (!result) {
    fake_op *op = fake_op_new(OP_GRAPH, stream->object.device);
    op->ops = exec->ops;
    op->ops->uses++;
    op_id = op->id;
    result = fake_enqueue(call.context, stream, op);
  }
  return fake_leave(call, result, "exec=%u stream=%u op=%llu", exec ? exec->object.id : 0,
                    stream ? stream->object.id : 0, (unsigned long long)op_id);
}

static CUresult graph_destroy(const char *what, fake_kind kind, void *name) {
  fake_call call = fake_enter(what, NEEDS_CONTEXT);
  fake_graph *graph = fake_object_of(kind, name);
  CUresult result = call.error ? call.error : graph ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  unsigned id = graph ? graph->object.id : 0;
  if (!result) {
    fake_ops_drop(graph->ops);
    fake_object_free(graph);
  }
  return fake_leave(call, result, "%s=%u", kind == OF_EXEC ? "exec" : "graph", id);
}

FAKE_EXPORT CUresult cuGraphDestroy(CUgraph graph) {
  return graph_destroy("cuGraphDestroy", OF_GRAPH, graph);
}
FAKE_EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec) {
  return graph_destroy("cuGraphExecDestroy", OF_EXEC, exec);
}

/* ---- Host functions ---- */

FAKE_EXPORT CUresult cuLaunchHostFunc(CUstream name, CUhostFn work, void *argument) {
  fake_call call = fake_enter("cuLaunchHostFunc", NEEDS_LIVE_CONTEXT);
  fake_stream *stream;
  uint64_t op_id = 0;
  CUresult result = stream_get(&call, name, &stream);
  if (!result && !work)
    result = CUDA_ERROR_INVALID_VALUE;
  if (!result) {
    fake_op *op = fake_op_new(OP_HOST, stream->object.device);
    op->work = work;
    op->work_argument = argument;
    op_id = op->id;
    result = fake_enqueue(call.context, stream, op);
  }
  return fake_leave(call, result, "stream=%u op=%llu", stream ? stream->object.id : 0, (unsigned long long)op_id);
}
