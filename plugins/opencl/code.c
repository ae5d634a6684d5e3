/* SPDX-License-Identifier: MIT
 * Kernels: compiled from their text for this device, shaped to fill it, launched. */
#include "opencl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LOG_BYTES 3072 /* of a compiler's words, in a reason */

/* ---- Compiling ---- */

static bh_status build_failed(dev_lane *lane, const bh_kernel *kernel, cl_program program, int32_t error) {
  const bh_host *h = lane->head.host;
  size_t length = 0;
  char *log = NULL;
  if (lane->cl->clGetProgramBuildInfo(program, lane->choice.device, CL_PROGRAM_BUILD_LOG, 0, NULL, &length) ==
      CL_SUCCESS)
    log = calloc(1, length + 1);
  if (log)
    lane->cl->clGetProgramBuildInfo(program, lane->choice.device, CL_PROGRAM_BUILD_LOG, length, log, NULL);
  if (log)
    h->log(h, "%s", log);
  bh_status status = h->stop(h, BH_FAIL, "kernel '%s': clBuildProgram: %s (%" PRId32 "): %.*s", kernel->name,
                             ocl_error(error), error, LOG_BYTES, log ? log : "it says no more");
  free(log);
  return status;
}

static bh_status build(dev_lane *lane, const bh_kernel *kernel, cl_program *ret_program) {
  int32_t error = CL_SUCCESS;
  size_t bytes = kernel->source_bytes;
  cl_program program =
      lane->cl->clCreateProgramWithSource(lane->context, 1, (const char *[]){kernel->source}, &bytes, &error);
  if (error != CL_SUCCESS)
    return ocl_failed(lane->head.host, "clCreateProgramWithSource", error);
  error = lane->cl->clBuildProgram(program, 1, &lane->choice.device, "-cl-std=CL1.2", NULL, NULL);
  if (error != CL_SUCCESS) {
    bh_status status = build_failed(lane, kernel, program, error);
    lane->cl->clReleaseProgram(program);
    return status;
  }
  *ret_program = program;
  return BH_OK;
}

static bh_status find_entry(dev_lane *lane, const bh_kernel *kernel, dev_code *code) {
  const ocl_functions *cl = lane->cl;
  int32_t error = CL_SUCCESS;
  code->kernel = cl->clCreateKernel(code->program, kernel->entry, &error);
  if (error != CL_SUCCESS)
    return lane->head.host->stop(lane->head.host, BH_FAIL, "kernel '%s': clCreateKernel(\"%s\"): %s (%" PRId32 ")",
                                 kernel->name, kernel->entry, ocl_error(error), error);
  error = cl->clGetKernelWorkGroupInfo(code->kernel, lane->choice.device, CL_KERNEL_WORK_GROUP_SIZE,
                                       sizeof code->most_lanes, &code->most_lanes, NULL);
  if (error != CL_SUCCESS || !code->most_lanes)
    return ocl_failed(lane->head.host, "clGetKernelWorkGroupInfo", error);
  code->multiple = 1; /* a hint: what the device has not to say costs speed at most */
  cl->clGetKernelWorkGroupInfo(code->kernel, lane->choice.device, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
                               sizeof code->multiple, &code->multiple, NULL);
  if (kernel->shape->by == BH_BY_GROUP && code->most_lanes < kernel->shape->lanes)
    return lane->head.host->stop(lane->head.host, BH_UNSUPPORTED,
                                 "kernel '%s' needs groups of %" PRIu32 " lanes, the device can run it with %zu",
                                 kernel->name, kernel->shape->lanes, code->most_lanes);
  return BH_OK;
}

static bh_status new_code(dev_lane *lane, const bh_kernel *kernel, cl_program shared, dev_code *code) {
  const bh_host *h = lane->head.host;
  uint64_t began = h->now_ns();
  bh_status status = BH_OK;
  h->phase(h, lane->head.index, "jit");
  code->source = kernel->source;
  code->entry = kernel->entry;
  code->program = shared;
  code->owns_program = !shared;
  if (!shared)
    status = build(lane, kernel, &code->program);
  if (status == BH_OK)
    status = find_entry(lane, kernel, code);
  h->phase(h, lane->head.index, NULL);
  lane->jit_ns += h->now_ns() - began;
  return status;
}

/* The lane keeps what was begun, so that closing it releases that too. */
bh_status ocl_compile(dev_lane *lane, const bh_kernel *kernel, dev_code **ret_code) {
  cl_program shared = NULL;
  for (dev_code *code = lane->codes; code; code = code->next) {
    if (code->source != kernel->source)
      continue;
    shared = code->program;
    if (!strcmp(code->entry, kernel->entry)) {
      *ret_code = code;
      return BH_OK;
    }
  }
  dev_code *code = calloc(1, sizeof *code);
  if (!code)
    return lane->head.host->stop(lane->head.host, BH_OUT_OF_MEMORY, "no host memory for a kernel's handle");
  code->next = lane->codes;
  lane->codes = code;
  bh_status status = new_code(lane, kernel, shared, code);
  if (status != BH_OK) {
    code->source = NULL; /* nobody finds it again */
    return status;
  }
  if (lane->head.index == 0)
    lane->head.host->fact(lane->head.host, "jit", "%.1f ms", (double)lane->jit_ns * 1e-6);
  *ret_code = code;
  return BH_OK;
}

void ocl_code_close(dev_lane *lane) {
  for (dev_code *code = lane->codes, *next; code; code = next) {
    next = code->next;
    if (code->kernel)
      lane->cl->clReleaseKernel(code->kernel);
    if (code->program && code->owns_program)
      lane->cl->clReleaseProgram(code->program);
    free(code);
  }
}

/* ---- Shape ---- */

static uint64_t up_to_power_of_two(uint64_t x) {
  uint64_t power = 1;
  while (power < x)
    power *= 2;
  return power;
}

/* Lanes of a group: as many as fill the compute units evenly, a power of two, so that few sizes are ever compiled for.
 */
static uint32_t lanes_of(const dev_lane *lane, const dev_code *code, uint64_t items) {
  int cpu = (lane->choice.type & CL_DEVICE_TYPE_CPU) != 0;
  uint64_t most = cpu ? 64 : 256, units = lane->choice.units ? lane->choice.units : 1;
  if (lane->group_size)
    return lane->group_size < code->most_lanes ? lane->group_size : (uint32_t)code->most_lanes;
  uint64_t lanes = up_to_power_of_two((items + units - 1) / units);
  if (!cpu && lanes < code->multiple)
    lanes = code->multiple;
  most = most < code->most_lanes ? most : code->most_lanes;
  return (uint32_t)(lanes < most ? lanes : most);
}

bh_status ocl_shape(dev_lane *lane, const dev_code *code, const bh_kernel *kernel, uint64_t items, uint32_t most_groups,
                    dev_shape *ret_shape) {
  int by_group = kernel->shape->by == BH_BY_GROUP;
  uint64_t units = lane->choice.units ? lane->choice.units : 1;
  uint64_t most = lane->groups ? lane->groups : units * (lane->choice.type & CL_DEVICE_TYPE_CPU ? 8 : 32);
  ret_shape->lanes = by_group ? kernel->shape->lanes : lanes_of(lane, code, items);
  uint64_t groups = by_group ? items : (items + ret_shape->lanes - 1) / ret_shape->lanes;
  if (most_groups && most > most_groups)
    most = most_groups;
  groups = groups < most ? groups : most;
  ret_shape->groups = (uint32_t)(groups ? groups : 1);
  return BH_OK;
}

/* ---- Launching ---- */

/* A part of a buffer as a buffer: OpenCL 1.2 has no pointers to pass. */
static bh_status sub_buffer(dev_lane *lane, const dev_argument *argument, cl_mem *ret_part) {
  const size_t region[2] = {argument->offset_bytes, argument->memory->bytes - argument->offset_bytes};
  int32_t error = CL_SUCCESS;
  if (argument->offset_bytes % lane->choice.align_bytes)
    return lane->head.host->stop(lane->head.host, BH_UNSUPPORTED,
                                 "a worker's part starts at byte %" PRIu64
                                 ", and this device takes parts of buffers at multiples of %" PRIu32,
                                 argument->offset_bytes, lane->choice.align_bytes);
  *ret_part = lane->cl->clCreateSubBuffer(argument->memory->buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                          region, &error);
  return error == CL_SUCCESS ? BH_OK : ocl_failed(lane->head.host, "clCreateSubBuffer", error);
}

/* *ret_part: to be released once the launch, which keeps it, is enqueued. */
static bh_status set_argument(dev_lane *lane, const dev_code *code, uint32_t index, const dev_argument *argument,
                              cl_mem *ret_part) {
  int32_t error;
  bh_status status = BH_OK;
  if (!argument->memory) {
    error = lane->cl->clSetKernelArg(code->kernel, index, argument->value_bytes, argument->value);
  } else {
    if (argument->offset_bytes)
      status = sub_buffer(lane, argument, ret_part);
    if (status != BH_OK)
      return status;
    error =
        lane->cl->clSetKernelArg(code->kernel, index, sizeof(cl_mem), *ret_part ? ret_part : &argument->memory->buffer);
  }
  if (error == CL_SUCCESS)
    return BH_OK;
  return lane->head.host->stop(lane->head.host, BH_FAIL,
                               "clSetKernelArg of argument %" PRIu32 " of %s: %s (%" PRId32 ")", index, code->entry,
                               ocl_error(error), error);
}

bh_status ocl_launch(dev_lane *lane, const dev_code *code, dev_shape shape, const dev_argument *arguments, uint32_t n) {
  const size_t lanes = shape.lanes, all = (size_t)shape.groups * shape.lanes;
  cl_mem parts[2 + 2 * BH_MAX_USES] = {NULL};
  cl_event own = NULL;
  bh_status status = BH_OK;
  for (uint32_t i = 0; i < n && status == BH_OK; i++)
    status = set_argument(lane, code, i, &arguments[i], &parts[i]);
  if (status == BH_OK) {
    int32_t error = lane->cl->clEnqueueNDRangeKernel(lane->queue, code->kernel, 1, NULL, &all, &lanes, 0, NULL, &own);
    status = ocl_enqueued(lane, "clEnqueueNDRangeKernel", error, own);
  }
  for (uint32_t i = 0; i < n; i++)
    if (parts[i])
      lane->cl->clReleaseMemObject(parts[i]);
  return status;
}
