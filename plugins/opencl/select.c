/* SPDX-License-Identifier: MIT
 * Which device: the first GPU of all platforms, else the first accelerator, else the first CPU, within what the options
 * leave; and what is known of it. */
#include "opencl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DEVICES 64

typedef struct {
  cl_platform_id platform;
  cl_device_id device;
  uint64_t type;
  char name[128], platform_name[128];
} candidate;

static void device_text(const ocl_functions *cl, cl_device_id device, uint32_t what, char *text, size_t bytes) {
  size_t length = 0;
  text[0] = '\0';
  if (cl->clGetDeviceInfo(device, what, bytes, text, &length) != CL_SUCCESS || length == 0)
    text[0] = '\0';
  text[length && length <= bytes ? length - 1 : 0] = '\0';
}

/* ---- What there is ---- */

static uint32_t list_platform(const ocl_functions *cl, cl_platform_id platform, candidate *list, uint32_t room) {
  cl_device_id devices[MOST_DEVICES];
  uint32_t n = 0;
  if (cl->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, room, devices, &n) != CL_SUCCESS)
    return 0;
  n = n < room ? n : room;
  for (uint32_t i = 0; i < n; i++) {
    list[i] = (candidate){.platform = platform, .device = devices[i]};
    cl->clGetDeviceInfo(devices[i], CL_DEVICE_TYPE, sizeof list[i].type, &list[i].type, NULL);
    device_text(cl, devices[i], CL_DEVICE_NAME, list[i].name, sizeof list[i].name);
    if (cl->clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof list[i].platform_name, list[i].platform_name, NULL))
      list[i].platform_name[0] = '\0';
  }
  return n;
}

static bh_status list_devices(const bh_host *h, const ocl_functions *cl, candidate *list, uint32_t *ret_n) {
  cl_platform_id platforms[16];
  uint32_t n_platforms = 0, n = 0;
  int32_t error = cl->clGetPlatformIDs(16, platforms, &n_platforms);
  if (error == CL_PLATFORM_NOT_FOUND_KHR || (error == CL_SUCCESS && !n_platforms))
    return h->stop(h, BH_SKIP, "no OpenCL platform (install an ICD, such as pocl-opencl-icd)");
  if (error != CL_SUCCESS)
    return ocl_failed(h, "clGetPlatformIDs", error);
  for (uint32_t p = 0; p < n_platforms && p < 16; p++)
    n += list_platform(cl, platforms[p], list + n, MOST_DEVICES - n);
  if (!n)
    return h->stop(h, BH_SKIP, "no OpenCL device: %" PRIu32 " platforms, none with a device", n_platforms);
  *ret_n = n;
  return BH_OK;
}

bh_status ocl_probe(const bh_host *h) {
  candidate list[MOST_DEVICES];
  uint32_t n;
  const ocl_functions *cl = ocl_load(h);
  return cl ? list_devices(h, cl, list, &n) : BH_SKIP;
}

/* ---- Which one ---- */

static int matches(const char *wanted, const char *name) {
  return !wanted[0] || strcasestr(name, wanted);
}

/* `wanted`: a number is an index among the platform's, or all, devices; else part of a name. */
static const candidate *pick(const candidate *list, uint32_t n, const char *platform, const char *device) {
  static const uint64_t order[] = {CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ACCELERATOR, CL_DEVICE_TYPE_CPU, ~UINT64_C(0)};
  char *rest;
  unsigned long index = strtoul(device, &rest, 10);
  int by_index = device[0] && !*rest;
  for (uint32_t o = 0; o < sizeof order / sizeof order[0]; o++)
    for (uint32_t i = 0, at = 0; i < n; i++) {
      if (!matches(platform, list[i].platform_name))
        continue;
      if (by_index ? at++ == index : (list[i].type & order[o]) && matches(device, list[i].name))
        return &list[i];
    }
  return NULL;
}

static bh_status none_such(const bh_host *h, const candidate *list, uint32_t n, const bh_value *values) {
  char known[512] = "";
  size_t length = 0;
  for (uint32_t i = 0; i < n && length < sizeof known - 1; i++)
    length += (size_t)snprintf(known + length, sizeof known - length, "%s%.60s: %.60s", i ? "; " : "",
                               list[i].platform_name, list[i].name);
  return h->stop(h, BH_SKIP, "no OpenCL device with platform '%s' and device '%s'; there are: %s",
                 values[OCL_PLATFORM].s, values[OCL_DEVICE].s, known);
}

static bh_status describe(const bh_host *h, const ocl_functions *cl, const candidate *one, ocl_choice *ret) {
  static char extensions[16384];
  uint64_t capabilities = 0;
  uint32_t compiler = 0, bits = 0, unified = 0;
  *ret = (ocl_choice){.platform = one->platform, .device = one->device, .type = one->type};
#define ASK(WHAT, INTO) cl->clGetDeviceInfo(one->device, WHAT, sizeof(INTO), &(INTO), NULL)
  ASK(CL_DEVICE_GLOBAL_MEM_SIZE, ret->memory_bytes);
  ASK(CL_DEVICE_MAX_MEM_ALLOC_SIZE, ret->most_bytes);
  ASK(CL_DEVICE_MAX_COMPUTE_UNITS, ret->units);
  ASK(CL_DEVICE_MEM_BASE_ADDR_ALIGN, bits);
  ASK(CL_DEVICE_HOST_UNIFIED_MEMORY, unified);
  ASK(CL_DEVICE_EXECUTION_CAPABILITIES, capabilities);
  ASK(CL_DEVICE_COMPILER_AVAILABLE, compiler);
#undef ASK
  ret->align_bytes = bits / 8 ? bits / 8 : 1;
  ret->unified = unified || (one->type & CL_DEVICE_TYPE_CPU);
  ret->native = (capabilities & CL_EXEC_NATIVE_KERNEL) != 0;
  if (!compiler)
    return h->stop(h, BH_SKIP, "OpenCL device '%s' has no compiler", one->name);
  device_text(cl, one->device, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
  if (!strstr(extensions, "cl_khr_fp64"))
    return h->stop(h, BH_SKIP, "OpenCL device '%s' has no double precision (cl_khr_fp64), which kernels are given",
                   one->name);
  return BH_OK;
}

bh_status ocl_choose(const bh_host *h, const bh_value *values, ocl_choice *ret_choice) {
  candidate list[MOST_DEVICES];
  uint32_t n;
  const ocl_functions *cl = ocl_load(h);
  bh_status status = cl ? list_devices(h, cl, list, &n) : BH_SKIP;
  if (status != BH_OK)
    return status;
  const candidate *one = pick(list, n, values[OCL_PLATFORM].s, values[OCL_DEVICE].s);
  return one ? describe(h, cl, one, ret_choice) : none_such(h, list, n, values);
}

/* ---- What is known of it ---- */

void ocl_facts(const bh_host *h, const ocl_choice *choice) {
  const ocl_functions *cl = ocl_load(h);
  char text[256];
  uint32_t clock = 0;
  uint64_t cache_bytes = 0;
  if (cl->clGetPlatformInfo(choice->platform, CL_PLATFORM_NAME, sizeof text, text, NULL) == CL_SUCCESS)
    h->fact(h, "platform", "%s", text);
  if (cl->clGetPlatformInfo(choice->platform, CL_PLATFORM_VERSION, sizeof text, text, NULL) == CL_SUCCESS)
    h->fact(h, "platform version", "%s", text);
  device_text(cl, choice->device, CL_DEVICE_NAME, text, sizeof text);
  h->fact(h, "device", "%s", text);
  device_text(cl, choice->device, CL_DEVICE_VERSION, text, sizeof text);
  h->fact(h, "device version", "%s", text);
  device_text(cl, choice->device, CL_DRIVER_VERSION, text, sizeof text);
  h->fact(h, "driver", "%s", text);
  cl->clGetDeviceInfo(choice->device, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof clock, &clock, NULL);
  h->fact(h, "compute units", "%" PRIu32 " at up to %" PRIu32 " MHz", choice->units, clock);
  h->fact(h, "device memory", "%" PRIu64 " bytes", choice->memory_bytes);
  if (cl->clGetDeviceInfo(choice->device, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof cache_bytes, &cache_bytes, NULL) ==
          CL_SUCCESS &&
      cache_bytes)
    h->fact(h, "device cache bytes", "%" PRIu64, cache_bytes);
}

/* Bytes that the machine has to give, or UINT64_MAX. */
static uint64_t host_available(void) {
  unsigned long long kib = 0;
  char line[128];
  FILE *file = fopen("/proc/meminfo", "re");
  if (!file)
    return UINT64_MAX;
  while (fgets(line, sizeof line, file) && sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
    ;
  fclose(file);
  return kib ? kib * 1024 : UINT64_MAX;
}

uint64_t ocl_free(const ocl_choice *choice, uint64_t used_bytes) {
  uint64_t left = choice->memory_bytes > used_bytes ? choice->memory_bytes - used_bytes : 0;
  uint64_t host = choice->unified ? host_available() : UINT64_MAX; /* counts what was used already */
  return left < host ? left : host;
}
