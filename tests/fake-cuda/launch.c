/* SPDX-License-Identifier: MIT
 * Launches of the driver double: arguments are copied by the layout that the cubin tells, and when the launch's turn
 * comes the kernel's twin is called for each lane or group, with device memory open. */
#include "fake.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local sigjmp_buf twin_exit;
static _Thread_local volatile sig_atomic_t twin_runs;
static _Thread_local const fake_global *twin_offset; /* the module's bh_clock_offset_ns */
static struct sigaction before[2];

/* ---- Arguments ---- */

/* kernel.h's kernels: the launch, then a pointer and a stride for each use, then the parameters. */
static int is_pointer(const fake_function *function, uint32_t k) {
  if (function->twin->pointers)
    return (int)(function->twin->pointers >> k & 1);
  return k % 2 == 1 && k + 1 < function->n_params;
}

static uintptr_t pointer_at(const fake_op *op, uint32_t k) {
  uintptr_t pointer;
  memcpy(&pointer, op->arguments + op->function->params[k].offset, sizeof pointer);
  return pointer;
}

/* Memory of the host that the driver gave is there for every device; other devices' memory is not, as nobody enabled
 * that. */
static int is_visible(const fake_memory *memory, int device) {
  return memory && (memory->kind != MEM_DEVICE || memory->device == device);
}

/* A pointer to memory that the device cannot see is what it calls an illegal address. 0 may stand for memory of no
 * bytes. */
static CUresult pointers_check(const fake_op *op) {
  for (uint32_t k = 0; k < op->function->n_params; k++) {
    uintptr_t pointer = is_pointer(op->function, k) ? pointer_at(op, k) : 0;
    if (!pointer || is_visible(fake_memory_of(pointer, 1), op->device))
      continue;
    fake_say("kernel %s: argument %u, %p, is no memory of the device", op->entry, k, (void *)pointer);
    fake_trace("bad-pointer", CUDA_ERROR_ILLEGAL_ADDRESS, "entry=%s argument=%u at=%p", op->entry, k, (void *)pointer);
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  return CUDA_SUCCESS;
}

/* "24:0102.. 8:...": bytes and the first of them, for the trace. */
static void arguments_text(const fake_function *function, const unsigned char *arguments, char *ret_text, size_t room) {
  static const char digits[] = "0123456789abcdef";
  size_t at = 0;
  *ret_text = 0;
  for (uint32_t k = 0; k < function->n_params && at + 80 < room; k++) {
    uint32_t bytes = function->params[k].bytes;
    if (k)
      ret_text[at++] = ',';
    for (uint32_t b = 0; b < bytes && b < 32; b++) {
      ret_text[at++] = digits[arguments[function->params[k].offset + b] >> 4];
      ret_text[at++] = digits[arguments[function->params[k].offset + b] & 15];
    }
    ret_text[at] = 0;
  }
}

/* ---- Running a twin ---- */

static void on_fault(int signal, siginfo_t *info, void *context) {
  const struct sigaction *old = &before[signal == SIGBUS];
  if (twin_runs)
    siglongjmp(twin_exit, 1);
  if (old->sa_flags & SA_SIGINFO && old->sa_sigaction)
    old->sa_sigaction(signal, info, context);
  else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN)
    old->sa_handler(signal);
  else
    sigaction(signal, old, NULL); /* the touch is repeated, and ends the process */
}

static void listen_for_faults(void) {
  static int done;
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  if (done++)
    return;
  sigaction(SIGSEGV, &action, &before[0]);
  sigaction(SIGBUS, &action, &before[1]);
}

static _Thread_local uint64_t read_ns; /* by the last look at the device's clock */

static uint64_t device_clock(void) {
  long long offset = 0;
  if (twin_offset)
    memcpy(&offset, (const void *)(uintptr_t)twin_offset->at, sizeof offset);
  const uint64_t step = fake_fault_of(FAULT_TIMER_STEP)->value;
  read_ns = fake_now_ns();
  return (read_ns + FAKE_EPOCH_NS) / step * step + (uint64_t)offset;
}

/* At the rating, unless the setting `clock` says that the device is slowed down. At the moment of the last look at its
 * clock: a thread that waits for a CPU between the two is no device that is slow. */
static uint64_t device_cycles(void) {
  return (uint64_t)((double)read_ns * 1e-6 * FAKE_CLOCK_KHZ * (double)fake_fault_of(FAULT_CLOCK)->value / 100);
}

static CUresult twin_call(const fake_op *op) {
  const fake_function *function = op->function;
  void *arguments[FAKE_MAX_PARAMS];
  uint64_t calls = function->twin->by == BH_BY_GROUP ? op->grid : (uint64_t)op->grid * op->block;
  for (uint32_t k = 0; k < function->n_params; k++)
    arguments[k] = op->arguments + function->params[k].offset;
  twin_offset = NULL;
  for (const fake_global *global = function->module->globals; global; global = global->next)
    if (strcmp(global->name, "bh_clock_offset_ns") == 0)
      twin_offset = global;
  function->library->clock(device_clock, device_cycles);
  if (sigsetjmp(twin_exit, 1)) {
    twin_runs = 0;
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  }
  twin_runs = 1;
  for (uint64_t k = 0; k < calls; k++) {
    function->library->place(k, calls);
    function->twin->run(arguments);
  }
  twin_runs = 0;
  return CUDA_SUCCESS;
}

static void hang(void) {
  fake_unlock();
  for (;;)
    pause();
}

static CUresult launch_faults(const fake_op *op) {
  static int host_memory[16];
  int lost = fake_fault_strikes(FAULT_DEVICE_LOST, op->entry);
  if (fake_fault_strikes(FAULT_HANG, op->entry))
    hang();
  if (fake_fault_strikes(FAULT_HOST_POINTER, op->entry)) {
    uintptr_t pointer = (uintptr_t)host_memory;
    for (uint32_t k = 0; k < op->function->n_params; k++)
      if (is_pointer(op->function, k)) {
        memcpy(op->arguments + op->function->params[k].offset, &pointer, sizeof pointer);
        break;
      }
  }
  if (fake_fault_strikes(FAULT_LAUNCH_FAILURE, op->entry))
    return CUDA_ERROR_LAUNCH_FAILED;
  if (fake_fault_strikes(FAULT_ILLEGAL_ADDRESS, op->entry))
    return CUDA_ERROR_ILLEGAL_ADDRESS;
  return lost ? CUDA_ERROR_UNKNOWN : CUDA_SUCCESS;
}

CUresult fake_run_kernel(fake_context *context, const fake_op *op) {
  (void)context;
  CUresult result = fake_object_of(OF_FUNCTION, op->function) ? launch_faults(op) : CUDA_ERROR_ILLEGAL_ADDRESS;
  if (!result)
    result = pointers_check(op);
  if (!result) {
    listen_for_faults();
    fake_memory_open();
    fake_unlock();
    result = twin_call(op);
    fake_lock();
    fake_memory_close();
  }
  fake_trace("run:kernel", result, "op=%llu entry=%s grid=%u block=%u", (unsigned long long)op->id, op->entry, op->grid,
             op->block);
  return result;
}

/* ---- Entry points ---- */

static CUresult launch_check(const fake_function *function, const unsigned shape[6], unsigned shared, void **params,
                             void **extra) {
  uint64_t lanes = (uint64_t)shape[3] * shape[4] * shape[5];
  if (extra || (function->n_params && !params) || !shape[0] || !shape[1] || !shape[2] || !lanes)
    return CUDA_ERROR_INVALID_VALUE;
  if (lanes > 1024 || shape[1] > 65535 || shape[2] > 65535)
    return CUDA_ERROR_INVALID_VALUE;
  if (lanes > (uint64_t)function->max_threads || shared > 48 * 1024)
    return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
  if (!function->twin) {
    fake_say("kernel %s has no twin here: see tests/fake-cuda/README.md", function->name);
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  if (shape[1] != 1 || shape[2] != 1 || shape[4] != 1 || shape[5] != 1) {
    fake_say("kernel %s: twins have one dimension", function->name);
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  if (function->twin->by == BH_BY_GROUP && function->twin->lanes && lanes != function->twin->lanes) {
    fake_say("kernel %s wants groups of %u lanes, not %llu", function->name, function->twin->lanes,
             (unsigned long long)lanes);
    return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

static CUresult launch(const char *what, CUfunction name, const unsigned shape[6], unsigned shared, CUstream on,
                       void **params, void **extra) {
  char text[1024] = "";
  fake_call call = fake_enter(what, NEEDS_LIVE_CONTEXT);
  fake_function *function = fake_object_of(OF_FUNCTION, name);
  fake_stream *stream = call.error ? NULL : fake_stream_of(call.context, on);
  uint64_t op_id = 0;
  CUresult result = call.error;
  if (!result && (!function || !stream || function->object.device != call.context->object.device ||
                  stream->object.device != call.context->object.device))
    result = CUDA_ERROR_INVALID_HANDLE;
  if (!result)
    result = launch_check(function, shape, shared, params, extra);
  if (!result && !function->loaded && !stream->capture && fake_fault_of(FAULT_LOAD_WAITS)->set) {
    result = fake_drain_all(call.context); /* what holds a stream back is waited for, too */
    function->loaded = 1;
  }
  if (!result) {
    fake_op *op = fake_op_new(OP_KERNEL, call.context->object.device);
    op->function = function;
    op->grid = shape[0];
    op->block = shape[3];
    op_id = op->id;
    snprintf(op->entry, sizeof op->entry, "%.63s", function->name);
    op->arguments = calloc(1, FAKE_PARAM_BYTES);
    if (!op->arguments)
      abort();
    for (uint32_t k = 0; k < function->n_params; k++)
      memcpy(op->arguments + function->params[k].offset, params[k], function->params[k].bytes);
    arguments_text(function, op->arguments, text, sizeof text);
    fake_fault_strikes(FAULT_SKIP_SYNC, op->entry);
    result = fake_enqueue(call.context, stream, op);
  }
  return fake_leave(call, result, "entry=%s grid=%u block=%u shared=%u stream=%u op=%llu arguments=%s",
                    function ? function->name : "?", shape[0], shape[3], shared, stream ? stream->object.id : 0,
                    (unsigned long long)op_id, text);
}

FAKE_EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                                    unsigned int block_x, unsigned int block_y, unsigned int block_z,
                                    unsigned int shared, CUstream stream, void **params, void **extra) {
  const unsigned shape[] = {grid_x, grid_y, grid_z, block_x, block_y, block_z};
  return launch("cuLaunchKernel", function, shape, shared, stream, params, extra);
}

FAKE_EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **params, void **extra) {
  const unsigned shape[] = {config->gridDimX,  config->gridDimY,  config->gridDimZ,
                            config->blockDimX, config->blockDimY, config->blockDimZ};
  return launch("cuLaunchKernelEx", function, shape, config->sharedMemBytes, config->hStream, params, extra);
}
