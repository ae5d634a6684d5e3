/* SPDX-License-Identifier: MIT
 *
 * opencl - kernels on an OpenCL 1.2 device, found and loaded at run time: the driver for plugins/device, and the
 * plugin.
 */
#include "opencl.h"

#include <benchhost/params.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const bh_param params[] = {
    {"platform", BH_TEXT, "", NULL, NULL, "part of the platform's name; empty: any", 0, 0, NULL, NULL},
    {"device", BH_TEXT, "", NULL, NULL,
     "index or part of the device's name; empty: the first GPU, else accelerator, else CPU", 0, 0, NULL, NULL},
    {"workers", BH_INT, "1", NULL, "queues",
     "queues of the device that share a loop's items, each with its own copy of the data; in a team its members", 1, 64,
     NULL, NULL},
    {"group-size", BH_INT, "0", NULL, "lanes",
     "lanes of a group where the kernel leaves it open; 0: the driver's choice", 0, 65536, NULL, NULL},
    {"groups", BH_INT, "0", NULL, "groups", "groups of a launch, at most; 0: as many as fill the device", 0, 1048576,
     NULL, NULL},
    {"profile", BH_BOOL, "false", NULL, NULL, "record the device's own time of every run as the metric `device time`",
     0, 0, NULL, NULL},
    {NULL}};

/* ---- The driver ---- */

static bh_status lanes_count(const bh_host *h, const bh_value *values, uint32_t members, uint32_t *ret_lanes) {
  (void)h;
  *ret_lanes = (uint32_t)values[OCL_WORKERS].i;
  if (!values[OCL_WORKERS].given && members > *ret_lanes)
    *ret_lanes = members;
  return BH_OK;
}

static bh_status lanes_free(const bh_host *h, const bh_value *values, uint32_t index, uint32_t count,
                            uint64_t *ret_bytes) {
  ocl_choice choice;
  bh_status status = ocl_choose(h, values, &choice);
  (void)index; /* all on one device */
  if (status == BH_OK)
    *ret_bytes = ocl_free(&choice, 0) / count;
  return status;
}

/* A device's lanes have one context, so that each can copy what is in another's memory. A process has one cell, whose
 * lanes are opened and closed by one thread. */
static struct {
  cl_device_id device;
  cl_context context;
  uint32_t lanes;
} common;

static bh_status open_context(dev_lane *lane) {
  int32_t error = CL_SUCCESS;
  if (!common.lanes)
    common.context = lane->cl->clCreateContext(NULL, 1, &lane->choice.device, NULL, NULL, &error);
  if (error != CL_SUCCESS)
    return ocl_failed(lane->head.host, "clCreateContext", error);
  if (common.lanes && common.device != lane->choice.device)
    return lane->head.host->stop(lane->head.host, BH_FAIL, "lane %" PRIu32 " is on another device than lane 0",
                                 lane->head.index);
  common.device = lane->choice.device;
  common.lanes++;
  lane->context = common.context;
  return BH_OK;
}

static void close_context(dev_lane *lane) {
  if (lane->context && --common.lanes == 0)
    lane->cl->clReleaseContext(lane->context);
}

static void lane_close(dev_lane *lane) {
  if (!lane)
    return;
  if (lane->queue)
    lane->cl->clFinish(lane->queue);
  ocl_queue_close(lane);
  ocl_memory_close(lane);
  ocl_code_close(lane);
  if (lane->queue)
    lane->cl->clReleaseCommandQueue(lane->queue);
  close_context(lane);
  free(lane);
}

static bh_status open_queue(dev_lane *lane) {
  int32_t error = CL_SUCCESS;
  bh_status status = open_context(lane);
  if (status != BH_OK)
    return status;
  lane->queue = lane->cl->clCreateCommandQueue(lane->context, lane->choice.device,
                                               lane->profile ? CL_QUEUE_PROFILING_ENABLE : 0, &error);
  return error == CL_SUCCESS ? BH_OK : ocl_failed(lane->head.host, "clCreateCommandQueue", error);
}

static bh_status lane_open(const bh_host *h, const bh_value *values, uint32_t index, uint32_t count,
                           dev_lane **ret_lane) {
  dev_lane *lane = calloc(1, sizeof *lane);
  if (!lane)
    return h->stop(h, BH_OUT_OF_MEMORY, "no host memory for a lane");
  lane->head = (dev_lane_head){h, index, count};
  lane->group_size = (uint32_t)values[OCL_GROUP_SIZE].i;
  lane->groups = (uint32_t)values[OCL_GROUPS].i;
  lane->profile = values[OCL_PROFILE].i != 0;
  bh_status status = ocl_choose(h, values, &lane->choice);
  if (status == BH_OK)
    lane->cl = ocl_load(h);
  if (status == BH_OK)
    status = open_queue(lane);
  if (status != BH_OK) {
    lane_close(lane);
    return status;
  }
  if (index == 0)
    ocl_facts(h, &lane->choice);
  *ret_lane = lane;
  return BH_OK;
}

static void *lane_native(dev_lane *lane, const char *name) {
  if (!strcmp(name, "opencl.context"))
    return lane->context;
  if (!strcmp(name, "opencl.queue"))
    return lane->queue;
  return strcmp(name, "opencl.device") ? NULL : (void *)lane->choice.device;
}

static uintptr_t lane_address(dev_lane *lane, const dev_memory *memory) {
  (void)lane;
  return (uintptr_t)memory->buffer;
}

static const dev_driver driver = {
    .target = "opencl",
    .probe = ocl_probe,
    .count = lanes_count,
    .free_bytes = lanes_free,
    .open = lane_open,
    .close = lane_close,
    .memory = ocl_memory,
    .alloc = ocl_alloc,
    .release = ocl_release,
    .upload = ocl_upload,
    .download = ocl_download,
    .fill = ocl_fill,
    .copy = ocl_copy,
    .compile = ocl_compile,
    .shape = ocl_shape,
    .launch = ocl_launch,
    .host_func = ocl_host_func,
    .pinned = ocl_pinned,
    .unpin = ocl_unpin,
    .finish = ocl_finish,
    .run_begin = ocl_run_begin,
    .run_enqueued = ocl_run_enqueued,
    .run_end = ocl_run_end,
    .native = lane_native,
    .address = lane_address,
};

/* ---- The plugin ---- */

/* Where the device works in the host's memory, that is where its copies lie. */
static bh_status accept(const bh_host *h, const bh_value *values, const bh_problem *problem, bh_needs *ret_needs) {
  ocl_choice choice;
  bh_status status = dev_accept(&driver, h, values, problem, ret_needs);
  if (status == BH_OK)
    status = ocl_choose(h, values, &choice);
  if (status == BH_OK && choice.unified)
    ret_needs->host_bytes += ret_needs->workers * ret_needs->device_bytes;
  return status;
}

static bh_status open_cell(const bh_host *h, const bh_value *values, const bh_problem *problem,
                           const void *workload_state, void **ret_state) {
  return dev_open(&driver, h, values, problem, workload_state, ret_state);
}

static const bh_backend backend = {
    .size = sizeof backend,
    .target = "opencl",
    .probe = ocl_probe,
    .accept = accept,
    .open = open_cell,
    .alloc = dev_alloc,
    .bind = dev_bind,
    .run_loop = dev_run_loop,
    .run_team = dev_run_team,
    .fetch = dev_fetch,
    .close = dev_close,
};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,     .name = "opencl",
    .version = "0.1.0", .summary = "kernels on an OpenCL 1.2 device, by the installed drivers",
    .params = params,   .backend = &backend,
};
