/* SPDX-License-Identifier: MIT
 * What a device program gets (benchhost/device.h): the driver's functions behind a bh_device, and their life. */
#include "engine.h"

#include <dlfcn.h>
#include <stdio.h>

static dev_seat *seat_of(const bh_device *device) {
  return device->lane;
}
static const dev_driver *driver_of(const bh_device *device) {
  return seat_of(device)->engine->driver;
}

static bh_status device_alloc(bh_device *device, uint64_t bytes, bh_buffer **ret_buffer) {
  dev_memory *memory = NULL;
  bh_status status = driver_of(device)->alloc(seat_of(device)->lane, bytes ? bytes : 64, &memory);
  if (status == BH_OK)
    *ret_buffer = (bh_buffer *)memory;
  return status;
}
static void device_release(bh_device *device, bh_buffer *buffer) {
  driver_of(device)->release(seat_of(device)->lane, (dev_memory *)buffer);
}
static bh_status device_memory(bh_device *device, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes) {
  return driver_of(device)->memory(seat_of(device)->lane, ret_free_bytes, ret_total_bytes);
}

/* Inside `enqueue` and `fetch` a REDUCE use is this device's one part, set to the identity. */
static bh_buffer *device_region(bh_device *device, uint32_t index) {
  const dev_seat *seat = seat_of(device);
  if (index >= seat->engine->problem->n_regions)
    return NULL;
  for (uint32_t u = 0; seat->current && u < seat->current->kernel->n_uses; u++)
    if (seat->current->kernel->uses[u].region == index && seat->current->parts[u].memory)
      return (bh_buffer *)seat->current->parts[u].memory;
  return (bh_buffer *)seat->copies[index].memory;
}

static bh_status device_upload(bh_device *device, bh_buffer *buffer, uint64_t offset, const void *from,
                               uint64_t bytes) {
  return driver_of(device)->upload(seat_of(device)->lane, (dev_memory *)buffer, offset, from, bytes);
}
static bh_status device_download(bh_device *device, const bh_buffer *buffer, uint64_t offset, void *into,
                                 uint64_t bytes) {
  return driver_of(device)->download(seat_of(device)->lane, (const dev_memory *)buffer, offset, into, bytes);
}

/* The lane's copy as `use` takes it: by worker, from the start of this lane's part. */
static dev_argument own_region(bh_device *device, const bh_use *use) {
  const dev_seat *seat = seat_of(device);
  const uint64_t at = use->split == BH_BY_WORKER ? seat->index * device->problem->regions[use->region].bytes : 0;
  return (dev_argument){.memory = (dev_memory *)device_region(device, use->region),
                        .offset_bytes = at - seat->copies[use->region].held.at};
}

static bh_status launch_memory(bh_device *device, const bh_kernel *kernel, bh_buffer *const *buffers,
                               dev_argument *ret_memory) {
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    bh_buffer *buffer = buffers ? buffers[u] : NULL;
    if (dev_is_private(device->problem, &kernel->uses[u]))
      return device->host->stop(device->host, BH_FAIL,
                                "a program launches kernel '%s', whose use %" PRIu32
                                " is private to each lane: only loops run such kernels",
                                kernel->name, u);
    ret_memory[u] = buffer ? (dev_argument){.memory = (dev_memory *)buffer} : own_region(device, &kernel->uses[u]);
    if (!ret_memory[u].memory)
      return device->host->stop(device->host, BH_FAIL,
                                "a program launches kernel '%s' without a buffer for use %" PRIu32
                                ", and there is no region of it on the device",
                                kernel->name, u);
  }
  return BH_OK;
}

bh_status dev_launch(dev_seat *seat, const bh_kernel *kernel, uint64_t begin, uint64_t end, const dev_argument *memory,
                     uint32_t n, const void *params, uint32_t params_bytes) {
  static const bh_no_params none;
  static const uint64_t shared = 0;
  const bh_launch range = {begin, end, 1};
  const dev_driver *driver = seat->engine->driver;
  dev_argument arguments[2 + 2 * BH_MAX_USES] = {{.value = &range, .value_bytes = sizeof range}};
  dev_code *code;
  dev_shape shape;
  for (uint32_t u = 0; u < n; u++) {
    arguments[1 + 2 * u] = memory[u];
    arguments[2 + 2 * u] = (dev_argument){.value = &shared, .value_bytes = sizeof shared};
  }
  arguments[1 + 2 * n] = params_bytes ? (dev_argument){.value = params, .value_bytes = params_bytes}
                                      : (dev_argument){.value = &none, .value_bytes = sizeof none};
  bh_status status = driver->compile(seat->lane, kernel, &code);
  if (status == BH_OK)
    status = driver->shape(seat->lane, code, kernel, end - begin, 0, &shape);
  return status == BH_OK ? driver->launch(seat->lane, code, shape, arguments, 2 + 2 * n) : status;
}

static bh_status device_launch(bh_device *device, const bh_kernel *kernel, uint64_t begin, uint64_t end,
                               bh_buffer *const *buffers, const void *params, uint32_t params_bytes) {
  dev_argument memory[BH_MAX_USES];
  if (begin >= end)
    return BH_OK;
  if (!kernel->source || !kernel->shape)
    return device->host->stop(device->host, BH_FAIL, "a program launches kernel '%s', which has no code for devices",
                              kernel->name);
  bh_status status = launch_memory(device, kernel, buffers, memory);
  return status == BH_OK ? dev_launch(seat_of(device), kernel, begin, end, memory, kernel->n_uses, params, params_bytes)
                         : status;
}

static bh_status device_host_func(bh_device *device, void (*work)(void *arg), void *arg) {
  return driver_of(device)->host_func(seat_of(device)->lane, work, arg);
}
static bh_status device_pinned(bh_device *device, uint64_t bytes, void **ret_memory) {
  return driver_of(device)->pinned(seat_of(device)->lane, bytes ? bytes : 64, ret_memory);
}
static void device_unpin(bh_device *device, void *memory) {
  driver_of(device)->unpin(seat_of(device)->lane, memory);
}
static bh_status device_finish(bh_device *device) {
  return driver_of(device)->finish(seat_of(device)->lane);
}
static void *device_native(bh_device *device, const char *name) {
  return driver_of(device)->native(seat_of(device)->lane, name);
}
static uintptr_t device_address(bh_device *device, const bh_buffer *buffer) {
  return driver_of(device)->address(seat_of(device)->lane, (const dev_memory *)buffer);
}

static void *open_plainly(const char *soname) {
  return dlopen(soname, RTLD_NOW | RTLD_LOCAL);
}

/* `sonames`: alternatives divided by '|'. A driver that knows where its vendor puts libraries looks there. */
static void *device_library(bh_device *device, const char *sonames) {
  const dev_driver *driver = driver_of(device);
  void *(*open_one)(const char *) = driver->library ? driver->library : open_plainly;
  char one[256];
  for (const char *at = sonames; *at;) {
    size_t length = strcspn(at, "|");
    snprintf(one, sizeof one, "%.*s", (int)length, at);
    void *library = open_one(one);
    if (library)
      return library;
    at += length + (at[length] == '|');
  }
  const char *why = driver->library ? driver->library_hint : dlerror();
  device->host->stop(device->host, BH_SKIP, "no library %s (%s)", sonames, why ? why : "no name was given");
  return NULL;
}

void dev_device_init(dev_seat *seat) {
  const dev_engine *engine = seat->engine;
  seat->device = (bh_device){.size = sizeof seat->device,
                             .index = seat->index,
                             .count = engine->count,
                             .target = engine->driver->target,
                             .host = engine->host,
                             .problem = engine->problem,
                             .lane = seat,
                             .alloc = device_alloc,
                             .release = device_release,
                             .memory = device_memory,
                             .region = device_region,
                             .upload = device_upload,
                             .download = device_download,
                             .launch = device_launch,
                             .host_func = device_host_func,
                             .pinned = device_pinned,
                             .unpin = device_unpin,
                             .finish = device_finish,
                             .native = device_native,
                             .address = device_address,
                             .library = device_library};
}

/* ---- A program's life ---- */

static void enter(const dev_seat *seat) {
  if (seat->engine->driver->enter)
    seat->engine->driver->enter(seat->lane);
}

bh_status dev_programs_prepare(dev_seat *seat) {
  bh_status status = BH_OK;
  int any = 0;
  for (uint32_t l = 0; l < seat->engine->problem->n_loops && status == BH_OK; l++) {
    dev_job *job = &seat->jobs[l];
    if (!job->kernel->program)
      continue;
    enter(seat);
    status = job->kernel->program->prepare(&seat->device, l, &job->program_state);
    any = job->prepared = status == BH_OK;
  }
  return any ? seat->engine->driver->finish(seat->lane) : status;
}

bh_status dev_program_enqueue(dev_seat *seat, dev_job *job, uint64_t begin, uint64_t end, const void *params) {
  enter(seat);
  seat->current = job;
  bh_status status = job->kernel->program->enqueue(job->program_state, &seat->device, begin, end, params);
  seat->current = NULL;
  return status;
}

bh_status dev_program_fetch(dev_seat *seat, dev_job *job) {
  if (!job->kernel->program->fetch)
    return BH_OK;
  enter(seat);
  seat->current = job;
  bh_status status = job->kernel->program->fetch(job->program_state, &seat->device);
  seat->current = NULL;
  return status;
}

void dev_programs_finish(dev_seat *seat) {
  int ended = 0;
  for (uint32_t l = 0; seat->jobs && l < seat->engine->problem->n_loops; l++) {
    if (!seat->jobs[l].prepared)
      continue;
    if (!ended) /* what failed before this was said then */
      seat->engine->driver->finish(seat->lane);
    ended = 1;
    enter(seat);
    seat->jobs[l].kernel->program->finish(seat->jobs[l].program_state, &seat->device);
    seat->jobs[l].prepared = 0;
  }
}
