/* SPDX-License-Identifier: MIT
 *
 * code.c - from a kernel's text to a launch of it: compiled by NVRTC for exactly this device, or taken from the cache.
 */
#include "cache.h"
#include "lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  void *bytes; /* owned */
  size_t size;
} cubin;

static bh_status compile_text(dev_lane *lane, const char *source, uint64_t source_bytes, const char *name,
                              cubin *ret_cubin) {
  const bh_host *h = lane->head.host;
  char *log = NULL;
  if (nvrtc_compile(source, source_bytes, name, lane->device->architecture, &ret_cubin->bytes, &ret_cubin->size,
                    &log) == 0) {
    lane->cubins_made++;
    return BH_OK;
  }
  h->stop(h, BH_FAIL, "kernel %s: NVRTC %s, for sm_%d: %s", name, nvrtc_version_text(), lane->device->architecture,
          log ? log : "out of memory");
  free(log);
  return BH_FAIL;
}

/* What the cache has, or what it gets. That it is damaged or cannot be written is worth a line, and no more. */
static bh_status get_cubin(dev_lane *lane, const char *source, uint64_t source_bytes, const char *name,
                           cubin *ret_cubin) {
  const bh_host *h = lane->head.host;
  char key[65], why[CACHE_WHY_BYTES];
  char *folder = cache_folder();
  cache_key(source, source_bytes, nvrtc_options_text(), lane->device->architecture, nvrtc_version_text(), key);
  const cache_result found = folder ? cache_read(folder, key, &ret_cubin->bytes, &ret_cubin->size, why) : CACHE_MISS;
  if (found == CACHE_DAMAGED)
    h->log(h, "cuda: rebuilding %s/%s.cubin: %s", folder, key, why);
  bh_status status = BH_OK;
  if (found == CACHE_HIT)
    lane->cubins_cached++;
  else
    status = compile_text(lane, source, source_bytes, name, ret_cubin);
  if (status == BH_OK && found != CACHE_HIT && folder &&
      cache_write(folder, key, ret_cubin->bytes, ret_cubin->size, why) != 0)
    h->log(h, "cuda: compiled kernels are not kept: %s", why);
  free(folder);
  return status;
}

/* Drivers need not know what a later CUDA's compiler makes. */
static bh_status not_loaded(dev_lane *lane, cu_result result) {
  const int compiler = atoi(nvrtc_version_text()), driver = cu_driver_version();
  char call[160] = "cuModuleLoadData";
  if (compiler > driver / 1000)
    snprintf(
        call, sizeof call,
        "cuModuleLoadData (NVRTC %s is newer than the driver, of CUDA %d.%d: set BENCHHOST_NVRTC to libnvrtc.so.%d)",
        nvrtc_version_text(), driver / 1000, driver % 1000 / 10, driver / 1000);
  return lane_fail(lane, result, call);
}

static bh_status load_module(dev_lane *lane, const char *source, uint64_t source_bytes, const char *name,
                             cu_module *ret_module) {
  cubin code = {NULL, 0};
  LANE_TRY(get_cubin(lane, source, source_bytes, name, &code));
  const cu_result result = cu.cuModuleLoadData(ret_module, code.bytes);
  free(code.bytes);
  return result == CU_SUCCESS ? BH_OK : not_loaded(lane, result);
}

bh_status lane_module(dev_lane *lane, const char *source, uint64_t source_bytes, const char *name,
                      cu_module *ret_module) {
  for (cuda_module *m = lane->modules; m; m = m->next)
    if (m->source == source && m->source_bytes == source_bytes) {
      *ret_module = m->module;
      return BH_OK;
    }
  cuda_module *m = calloc(1, sizeof *m);
  if (!m)
    return lane_no_memory(lane);
  const uint64_t start_ns = lane->head.host->now_ns();
  const bh_status status = load_module(lane, source, source_bytes, name, &m->module);
  lane->jit_ns += lane->head.host->now_ns() - start_ns;
  if (status != BH_OK) {
    free(m);
    return status;
  }
  if (lane->head.index == 0)
    lane->head.host->fact(lane->head.host, "jit", "%.1f ms: %u compiled, %u from the cache", (double)lane->jit_ns / 1e6,
                          lane->cubins_made, lane->cubins_cached);
  m->source = source;
  m->source_bytes = source_bytes;
  m->next = lane->modules;
  lane->modules = m;
  *ret_module = m->module;
  return BH_OK;
}

/* A kernel that reads the clock gets the host's time. */
static bh_status set_clock(dev_lane *lane, cu_module module) {
  cu_pointer address = 0;
  size_t bytes = 0;
  const cu_result result = cu.cuModuleGetGlobal(&address, &bytes, module, "bh_clock_offset_ns");
  if (result == CU_NOT_FOUND)
    return BH_OK;
  if (result != CU_SUCCESS)
    return lane_fail(lane, result, "cuModuleGetGlobal");
  if (bytes != sizeof lane->device->clock_offset_ns)
    return BH_OK; /* somebody else's */
  LANE_TRY(clock_calibrate(lane));
  LANE_TRY(lane_put(lane, address, &lane->device->clock_offset_ns, bytes));
  return lane_drain(lane);
}

static bh_status describe(dev_lane *lane, dev_code *code) {
  const bh_host *h = lane->head.host;
  int registers = 0, local = 0, shared = 0;
  CU_TRY(lane, cuFuncGetAttribute, &code->max_threads, CU_FUNCTION_MAX_THREADS, code->function);
  CU_TRY(lane, cuFuncGetAttribute, &registers, CU_FUNCTION_REGISTERS, code->function);
  CU_TRY(lane, cuFuncGetAttribute, &local, CU_FUNCTION_LOCAL, code->function);
  CU_TRY(lane, cuFuncGetAttribute, &shared, CU_FUNCTION_SHARED, code->function);
  if (lane->head.index == 0) {
    char name[96];
    snprintf(name, sizeof name, "kernel %.80s", code->kernel->entry);
    h->fact(h, name, "sm_%d, %d registers, %d bytes of local and %d of shared memory", lane->device->architecture,
            registers, local, shared);
  }
  return BH_OK;
}

static bh_status find_entry(dev_lane *lane, const bh_kernel *kernel, dev_code *code) {
  cu_module module;
  LANE_TRY(lane_enter(lane));
  LANE_TRY(lane_module(lane, kernel->source, kernel->source_bytes, kernel->name, &module));
  LANE_TRY(set_clock(lane, module));
  code->kernel = kernel;
  CU_TRY(lane, cuModuleGetFunction, &code->function, module, kernel->entry);
  return describe(lane, code);
}

bh_status lane_compile(dev_lane *lane, const bh_kernel *kernel, dev_code **ret_code) {
  const bh_host *h = lane->head.host;
  for (dev_code *c = lane->codes; c; c = c->next)
    if (c->kernel == kernel) {
      *ret_code = c;
      return BH_OK;
    }
  dev_code *code = calloc(1, sizeof *code);
  if (!code)
    return lane_no_memory(lane);
  h->phase(h, lane->head.index, "jit");
  const bh_status status = find_entry(lane, kernel, code);
  h->phase(h, lane->head.index, NULL);
  if (status != BH_OK) {
    free(code);
    return status;
  }
  code->next = lane->codes;
  lane->codes = code;
  *ret_code = code;
  return BH_OK;
}

void lane_free_code(dev_lane *lane) {
  for (dev_code *next; lane->codes; lane->codes = next) {
    next = lane->codes->next;
    free(lane->codes);
  }
  for (cuda_module *next; lane->modules; lane->modules = next) {
    next = lane->modules->next;
    cu.cuModuleUnload(lane->modules->module);
    free(lane->modules);
  }
}

/* ---- Launches ---- */

static bh_status lanes_of_group(dev_lane *lane, const dev_code *code, const bh_kernel *kernel, uint32_t *ret_lanes) {
  const bh_host *h = lane->head.host;
  const int64_t most = code->max_threads > 0 ? code->max_threads : 1024;
  const int fixed = kernel->shape && kernel->shape->by == BH_BY_GROUP;
  int64_t lanes = fixed ? kernel->shape->lanes : lane->block;
  if (!lanes)
    lanes = most < 256 ? most : 256;
  if (lanes > most)
    return h->stop(h, BH_UNSUPPORTED, "kernel %s: a block of %lld threads%s, and with its registers %s takes %lld",
                   kernel->name, (long long)lanes, fixed ? "" : " (option block)", lane->device->name, (long long)most);
  *ret_lanes = (uint32_t)lanes;
  return BH_OK;
}

bh_status lane_shape(dev_lane *lane, const dev_code *code, const bh_kernel *kernel, uint64_t items,
                     uint32_t most_groups, dev_shape *ret_shape) {
  uint32_t lanes = 0;
  int resident = 0;
  LANE_TRY(lane_enter(lane));
  LANE_TRY(lanes_of_group(lane, code, kernel, &lanes));
  uint64_t groups = (uint64_t)lane->grid;
  if (!groups) {
    CU_TRY(lane, cuOccupancyMaxActiveBlocksPerMultiprocessor, &resident, code->function, (int)lanes, 0);
    groups = (uint64_t)(resident > 0 ? resident : 1) * (uint64_t)(lane->device->sms > 0 ? lane->device->sms : 1);
    const int by_group = kernel->shape && kernel->shape->by == BH_BY_GROUP;
    const uint64_t needed = by_group ? items : (items + lanes - 1) / lanes;
    if (groups > needed)
      groups = needed ? needed : 1;
  }
  if (most_groups && groups > most_groups)
    groups = most_groups;
  *ret_shape = (dev_shape){.groups = (uint32_t)groups, .lanes = lanes};
  return BH_OK;
}

bh_status lane_launch(dev_lane *lane, const dev_code *code, dev_shape shape, const dev_argument *arguments,
                      uint32_t n_arguments) {
  const bh_host *h = lane->head.host;
  cu_pointer address[MOST_ARGUMENTS];
  void *pointer[MOST_ARGUMENTS];
  if (n_arguments > MOST_ARGUMENTS)
    return h->stop(h, BH_FAIL, "kernel %s: %u arguments: at most %d", code->kernel->name, n_arguments, MOST_ARGUMENTS);
  LANE_TRY(lane_enter(lane));
  for (uint32_t i = 0; i < n_arguments; i++) {
    const dev_argument *a = &arguments[i];
    if (a->memory)
      address[i] = a->memory->address + a->offset_bytes;
    pointer[i] = a->memory ? (void *)&address[i] : (void *)(uintptr_t)a->value;
  }
  record_launch(lane, code, shape, arguments, n_arguments);
  CU_TRY(lane, cuLaunchKernel, code->function, shape.groups, 1, 1, shape.lanes, 1, 1, 0, lane->stream, pointer, NULL);
  return BH_OK;
}
