/* SPDX-License-Identifier: MIT
 * The lane's in-order queue: host functions in it, waiting for it, and the device's own time of a run. */
#include "opencl.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- Events of a profiled run: the first command's and the last one's are kept ---- */

cl_event *ocl_event(dev_lane *lane, cl_event *own) {
  return lane->timing ? own : NULL;
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

bh_status ocl_enqueued(dev_lane *lane, const char *call, int32_t error, cl_event *event) {
  if (error != CL_SUCCESS)
    return failed(lane, call, error);
  if (!*event)
    return BH_OK;
  if (!lane->first) {
    lane->first = *event;
    return BH_OK;
  }
  if (lane->last)
    lane->cl->clReleaseEvent(lane->last);
  lane->last = *event;
  return BH_OK;
}

static void forget_events(dev_lane *lane) {
  if (lane->first)
    lane->cl->clReleaseEvent(lane->first);
  if (lane->last)
    lane->cl->clReleaseEvent(lane->last);
  lane->first = lane->last = NULL;
}

bh_status ocl_run_begin(dev_lane *lane, uint32_t loop, int *ret_replayed) {
  (void)loop, (void)ret_replayed;
  forget_events(lane); /* of a run that failed */
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
  forget_events(lane);
  if (error != CL_SUCCESS)
    return ocl_failed(h, "clGetEventProfilingInfo", error);
  h->metric(h, "device time", ended > began ? (double)(ended - began) * 1e-9 : 0, "s", BH_LOWER);
  return BH_OK;
}

bh_status ocl_finish(dev_lane *lane) {
  int32_t error = lane->cl->clFinish(lane->queue);
  return error == CL_SUCCESS ? BH_OK : failed(lane, "clFinish", error);
}

/* ---- Host functions ---- */

typedef struct {
  void (*work)(void *arg);
  void *arg;
  const ocl_functions *cl;
  cl_event done; /* NULL: a native kernel */
} call;

static void call_native(void *arg) {
  const call *one = arg;
  one->work(one->arg);
}

static bh_status enqueue_native(dev_lane *lane, const call *one) {
  call copy = *one; /* the queue copies it again */
  cl_event own = NULL;
  int32_t error = lane->cl->clEnqueueNativeKernel(lane->queue, call_native, &copy, sizeof copy, 0, NULL, NULL, 0, NULL,
                                                  ocl_event(lane, &own));
  return ocl_enqueued(lane, "clEnqueueNativeKernel", error, &own);
}

static void call_back(cl_event event, int32_t status, void *arg) {
  call *one = arg;
  if (status == CL_COMPLETE)
    one->work(one->arg);
  one->cl->clSetUserEventStatus(one->done, status < 0 ? status : CL_COMPLETE);
  one->cl->clReleaseEvent(one->done);
  one->cl->clReleaseEvent(event);
  free(one);
}

/* A marker's callback does the work, and what follows in the queue waits for an event that it sets. */
static bh_status enqueue_callback(dev_lane *lane, call *one) {
  const ocl_functions *cl = lane->cl;
  int32_t error = CL_SUCCESS;
  cl_event marker = NULL, done = cl->clCreateUserEvent(lane->context, &error);
  if (error != CL_SUCCESS) {
    free(one);
    return ocl_failed(lane->head.host, "clCreateUserEvent", error);
  }
  one->done = done;
  error = cl->clEnqueueMarkerWithWaitList(lane->queue, 0, NULL, &marker);
  if (error == CL_SUCCESS)
    error = cl->clEnqueueBarrierWithWaitList(lane->queue, 1, &done, NULL);
  if (error == CL_SUCCESS)
    error = cl->clSetEventCallback(marker, CL_COMPLETE, call_back, one);
  if (error == CL_SUCCESS)
    error = cl->clFlush(lane->queue);
  else { /* nothing may wait for ever */
    cl->clSetUserEventStatus(done, error);
    cl->clReleaseEvent(done);
    if (marker)
      cl->clReleaseEvent(marker);
    free(one);
  }
  return error == CL_SUCCESS ? BH_OK : failed(lane, "a host function in the queue", error);
}

bh_status ocl_host_func(dev_lane *lane, void (*work)(void *arg), void *arg) {
  call one = {work, arg, lane->cl, NULL};
  if (lane->choice.native)
    return enqueue_native(lane, &one);
  call *kept = malloc(sizeof *kept);
  if (!kept)
    return lane->head.host->stop(lane->head.host, BH_OUT_OF_MEMORY, "no host memory for a host function");
  *kept = one;
  return enqueue_callback(lane, kept);
}
