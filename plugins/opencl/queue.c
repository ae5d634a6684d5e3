/* SPDX-License-Identifier: MIT
 * The lane's in-order queue: host functions in it, waiting for it, and the device's own time of a run. */
#include "opencl.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What became of the queue before a host function. Lane and callbacks hold it together: where the queue failed a
 * callback may come after the lane is closed. */
struct ocl_fate {
  atomic_int error; /* CL_SUCCESS, or the first one's */
  atomic_uint holders;
};

static void let_go(ocl_fate *fate) {
  if (fate && atomic_fetch_sub(&fate->holders, 1) == 1)
    free(fate);
}

/* ---- Events: the newest command's is kept, and the first and the last one's of a profiled run ---- */

static void forget(const dev_lane *lane, cl_event *event) {
  if (*event)
    lane->cl->clReleaseEvent(*event);
  *event = NULL;
}

/* Drivers may give a buffer its memory when it is first used, so any call may be the one that finds none. */
static bh_status failed(const dev_lane *lane, const char *call, int32_t error) {
  const bh_host *h = lane->head.host;
  if (!ocl_is_memory(error))
    return ocl_failed(h, call, error);
  return h->stop(h, BH_OUT_OF_MEMORY,
                 "%s: %s (%" PRId32 "): buffers of %" PRIu64 " bytes were made on a device of %" PRIu64, call,
                 ocl_error(error), error, lane->used_bytes, lane->choice.memory_bytes);
}

bh_status ocl_enqueued(dev_lane *lane, const char *call, int32_t error, cl_event event) {
  if (error != CL_SUCCESS)
    return failed(lane, call, error);
  cl_event *place = !lane->timing ? &lane->newest : lane->first ? &lane->last : &lane->first;
  forget(lane, &lane->newest); /* not newest any more */
  forget(lane, place);
  *place = event;
  return BH_OK;
}

bh_status ocl_run_begin(dev_lane *lane, uint32_t loop, int *ret_replayed) {
  (void)loop, (void)ret_replayed;
  forget(lane, &lane->first); /* of a run that was not asked for its time: it failed, or was a member's */
  forget(lane, &lane->last);
  lane->timing = lane->profile;
  return BH_OK;
}

bh_status ocl_run_enqueued(dev_lane *lane, uint32_t loop) {
  (void)loop;
  lane->timing = 0;
  int32_t error = lane->cl->clFlush(lane->queue);
  return error == CL_SUCCESS ? BH_OK : failed(lane, "clFlush", error);
}

bh_status ocl_run_end(dev_lane *lane, uint32_t loop) {
  const bh_host *h = lane->head.host;
  cl_event last = lane->last ? lane->last : lane->first;
  uint64_t began = 0, ended = 0;
  (void)loop;
  if (!lane->first)
    return BH_OK;
  int32_t error =
      lane->cl->clGetEventProfilingInfo(lane->first, CL_PROFILING_COMMAND_START, sizeof began, &began, NULL);
  if (error == CL_SUCCESS)
    error = lane->cl->clGetEventProfilingInfo(last, CL_PROFILING_COMMAND_END, sizeof ended, &ended, NULL);
  forget(lane, &lane->first);
  forget(lane, &lane->last);
  if (error != CL_SUCCESS)
    return ocl_failed(h, "clGetEventProfilingInfo", error);
  h->metric(h, "device time", ended > began ? (double)(ended - began) * 1e-9 : 0, "s", BH_LOWER);
  return BH_OK;
}

/* clFinish need not say that a command failed; the commands behind one that failed fail too, so the last one's status
 * does. */
static bh_status check_commands(const dev_lane *lane) {
  cl_event last = lane->newest ? lane->newest : lane->last ? lane->last : lane->first;
  int32_t status = CL_COMPLETE, before = lane->fate ? atomic_load(&lane->fate->error) : CL_SUCCESS;
  if (before != CL_SUCCESS)
    return failed(lane, "the queue failed before a host function", before);
  if (!last)
    return BH_OK;
  int32_t error = lane->cl->clGetEventInfo(last, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
  if (error != CL_SUCCESS)
    return failed(lane, "clGetEventInfo", error);
  return status >= 0 ? BH_OK : failed(lane, "the queue's last command failed", status);
}

bh_status ocl_finish(dev_lane *lane) {
  int32_t error = lane->cl->clFinish(lane->queue);
  return error == CL_SUCCESS ? check_commands(lane) : failed(lane, "clFinish", error);
}

void ocl_queue_close(dev_lane *lane) {
  forget(lane, &lane->first);
  forget(lane, &lane->last);
  forget(lane, &lane->newest);
  let_go(lane->fate);
  lane->fate = NULL;
}

/* ---- Host functions ---- */

typedef struct {
  void (*work)(void *arg);
  void *arg;
  const ocl_functions *cl; /* this and what follows: of a callback */
  ocl_fate *fate;
  cl_event done;
} call;

static void call_native(void *arg) {
  const call *one = arg;
  one->work(one->arg);
}

static bh_status enqueue_native(dev_lane *lane, call one) {
  cl_event own = NULL; /* the queue copies `one` */
  int32_t error =
      lane->cl->clEnqueueNativeKernel(lane->queue, call_native, &one, sizeof one, 0, NULL, NULL, 0, NULL, &own);
  return ocl_enqueued(lane, "clEnqueueNativeKernel", error, own);
}

static void free_call(call *one) {
  one->cl->clReleaseEvent(one->done);
  let_go(one->fate);
  free(one);
}

static void call_back(cl_event event, int32_t status, void *arg) {
  call *one = arg;
  int none = CL_SUCCESS;
  if (status == CL_COMPLETE)
    one->work(one->arg);
  else
    atomic_compare_exchange_strong(&one->fate->error, &none, status);
  one->cl->clSetUserEventStatus(one->done, status < 0 ? status : CL_COMPLETE);
  one->cl->clReleaseEvent(event);
  free_call(one);
}

static call *new_call(dev_lane *lane, void (*work)(void *arg), void *arg, int32_t *ret_error) {
  call *one = malloc(sizeof *one);
  if (!lane->fate && (lane->fate = calloc(1, sizeof *lane->fate)))
    lane->fate->holders = 1;
  *ret_error = CL_OUT_OF_HOST_MEMORY;
  if (one && lane->fate) {
    *one = (call){work, arg, lane->cl, lane->fate, lane->cl->clCreateUserEvent(lane->context, ret_error)};
    if (*ret_error == CL_SUCCESS) {
      atomic_fetch_add(&lane->fate->holders, 1);
      return one;
    }
  }
  free(one);
  return NULL;
}

/* A marker's callback does the work, and what follows in the queue waits for an event that it sets. */
static bh_status enqueue_callback(dev_lane *lane, void (*work)(void *arg), void *arg) {
  const ocl_functions *cl = lane->cl;
  int32_t error;
  cl_event marker = NULL, barrier = NULL;
  call *one = new_call(lane, work, arg, &error);
  if (!one)
    return failed(lane, "clCreateUserEvent", error);
  error = cl->clEnqueueMarkerWithWaitList(lane->queue, 0, NULL, &marker);
  if (error == CL_SUCCESS)
    error = cl->clEnqueueBarrierWithWaitList(lane->queue, 1, &one->done, &barrier);
  if (error == CL_SUCCESS)
    error = cl->clSetEventCallback(marker, CL_COMPLETE, call_back, one);
  if (error != CL_SUCCESS) { /* nothing may wait for ever */
    cl->clSetUserEventStatus(one->done, error);
    forget(lane, &marker);
    forget(lane, &barrier);
    free_call(one);
  } else {
    ocl_enqueued(lane, "a host function in the queue", error, barrier);
    error = cl->clFlush(lane->queue);
  }
  return error == CL_SUCCESS ? BH_OK : failed(lane, "a host function in the queue", error);
}

bh_status ocl_host_func(dev_lane *lane, void (*work)(void *arg), void *arg) {
  return lane->choice.native ? enqueue_native(lane, (call){.work = work, .arg = arg})
                             : enqueue_callback(lane, work, arg);
}
