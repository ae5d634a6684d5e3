/* SPDX-License-Identifier: MIT
 *
 * record.c - what a loop enqueues, kept in its first run so that it can be enqueued again without the engine: as a
 * graph, or many times back to back. Recording what goes by, rather than capturing the stream while the engine works,
 * means that nothing is lost where a capture is impossible.
 */
#include "lane.h"

#include <stdlib.h>
#include <string.h>

static cuda_record *recording(dev_lane *lane) {
  return lane->running && lane->running->recording ? &lane->running->record : NULL;
}

static cuda_op *add(cuda_record *record) {
  if (record->n == record->room) {
    const uint32_t room = record->room ? 2 * record->room : 8;
    cuda_op *more = realloc(record->op, room * sizeof *more);
    if (!more) {
      record->not_again = "there is no host memory for it";
      return NULL;
    }
    record->op = more;
    record->room = room;
  }
  cuda_op *op = &record->op[record->n++];
  memset(op, 0, sizeof *op);
  return op;
}

static uint32_t size_of(const dev_argument *argument) {
  return argument->memory ? (uint32_t)sizeof(cu_pointer) : argument->value_bytes;
}

/* Arguments lie at multiples of 16, as the strictest of them may want. */
static int copy_arguments(cuda_op *op, const dev_argument *arguments, uint32_t n) {
  uint32_t bytes = 0;
  for (uint32_t i = 0; i < n; i++) {
    op->offset[i] = bytes;
    bytes += (size_of(&arguments[i]) + 15u) & ~15u;
  }
  op->values = calloc(1, bytes ? bytes : 1);
  if (!op->values)
    return -1;
  op->n_values = n;
  for (uint32_t i = 0; i < n; i++) {
    const dev_argument *a = &arguments[i];
    const cu_pointer address = a->memory ? a->memory->address + a->offset_bytes : 0;
    if (size_of(a))
      memcpy(op->values + op->offset[i], a->memory ? (const void *)&address : a->value, size_of(a));
  }
  return 0;
}

void record_launch(dev_lane *lane, const dev_code *code, dev_shape shape, const dev_argument *arguments,
                   uint32_t n_arguments) {
  cuda_record *record = recording(lane);
  cuda_op *op = record ? add(record) : NULL;
  if (!op)
    return;
  op->kind = OP_LAUNCH;
  op->function = code->function;
  op->shape = shape;
  if (copy_arguments(op, arguments, n_arguments) != 0)
    record->not_again = "there is no host memory for it";
  for (uint32_t u = 0; u < code->kernel->n_uses; u++)
    if (code->kernel->uses[u].role == BH_INOUT)
      record->changes = code->kernel->name;
}

void record_fill(dev_lane *lane, cu_pointer to, uint64_t word, uint64_t bytes) {
  cuda_record *record = recording(lane);
  cuda_op *op = record ? add(record) : NULL;
  if (!op)
    return;
  op->kind = OP_FILL;
  op->to = to;
  op->word = word;
  op->bytes = bytes;
}

void record_copy(dev_lane *lane, cu_pointer to, cu_pointer from, uint64_t bytes) {
  cuda_record *record = recording(lane);
  cuda_op *op = record ? add(record) : NULL;
  if (!op)
    return;
  op->kind = OP_COPY;
  op->to = to;
  op->from = from;
  op->bytes = bytes;
}

void record_download(dev_lane *lane, void *into, cu_pointer from, uint64_t bytes) {
  cuda_record *record = recording(lane);
  cuda_op *op = record ? add(record) : NULL;
  if (!op)
    return;
  op->kind = OP_DOWNLOAD;
  op->into = into;
  op->from = from;
  op->bytes = bytes;
}

void record_other(dev_lane *lane, const char *what) {
  cuda_record *record = recording(lane);
  if (record && !record->not_again)
    record->not_again = what;
}

void record_forget(dev_lane *lane) {
  for (cuda_loop *loop = lane->loops; loop; loop = loop->next) {
    loop->record.not_again = "memory that it used was released";
    if (loop->graph)
      cu.cuGraphExecDestroy(loop->graph);
    loop->graph = NULL;
  }
}

void record_free(cuda_record *record) {
  for (uint32_t i = 0; i < record->n; i++)
    free(record->op[i].values);
  free(record->op);
}

static bh_status enqueue_one(dev_lane *lane, const cuda_op *op) {
  void *pointer[MOST_ARGUMENTS];
  switch (op->kind) {
  case OP_FILL:
    return lane_fill_at(lane, op->to, op->word, op->bytes);
  case OP_COPY:
    CU_TRY(lane, cuMemcpyDtoDAsync, op->to, op->from, op->bytes, lane->stream);
    return BH_OK;
  case OP_DOWNLOAD:
    CU_TRY(lane, cuMemcpyDtoHAsync, op->into, op->from, op->bytes, lane->stream);
    return BH_OK;
  case OP_LAUNCH:
    for (uint32_t i = 0; i < op->n_values; i++)
      pointer[i] = op->values + op->offset[i];
    CU_TRY(lane, cuLaunchKernel, op->function, op->shape.groups, 1, 1, op->shape.lanes, 1, 1, 0, lane->stream, pointer,
           NULL);
  }
  return BH_OK;
}

bh_status record_enqueue(dev_lane *lane, const cuda_record *record) {
  for (uint32_t i = 0; i < record->n; i++)
    LANE_TRY(enqueue_one(lane, &record->op[i]));
  return BH_OK;
}

bh_status record_graph(dev_lane *lane, const cuda_record *record, cu_graph_exec *ret_graph) {
  cu_graph graph = NULL;
  CU_TRY(lane, cuStreamBeginCapture, lane->stream, CU_CAPTURE_RELAXED);
  const bh_status status = record_enqueue(lane, record);
  const cu_result ended = cu.cuStreamEndCapture(lane->stream, &graph); /* in any case: it frees the stream */
  if (status != BH_OK || ended != CU_SUCCESS) {
    if (graph)
      cu.cuGraphDestroy(graph);
    return status != BH_OK ? status : lane_fail(lane, ended, "cuStreamEndCapture");
  }
  const cu_result made = cu.cuGraphInstantiateWithFlags(ret_graph, graph, 0);
  cu.cuGraphDestroy(graph);
  if (made != CU_SUCCESS)
    return lane_fail(lane, made, "cuGraphInstantiateWithFlags");
  CU_TRY(lane, cuGraphUpload, *ret_graph, lane->stream); /* or the first launch would do it */
  CU_TRY(lane, cuStreamSynchronize, lane->stream);
  return BH_OK;
}
