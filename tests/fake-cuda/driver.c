/* SPDX-License-Identifier: MIT
 * The driver double as a whole: initialisation, devices, contexts, error names, and which function a name and a version
 * give. */
#include "fake.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pid_t initialised_in;
static fake_context *contexts[FAKE_DEVICES];
static _Thread_local fake_context *current[16];
static _Thread_local int depth; /* current[depth] is the current one */

uint64_t fake_device_memory(void) {
  return fake_fault_of(FAULT_MEMORY)->value;
}

int fake_device_arch(void) {
  return (int)fake_fault_of(FAULT_ARCH)->value;
}

static int device_count(void) {
  uint64_t count = fake_fault_of(FAULT_DEVICES)->value;
  return count < FAKE_DEVICES ? (int)count : FAKE_DEVICES;
}

fake_context *fake_context_of(int device) {
  return device >= 0 && device < FAKE_DEVICES ? contexts[device] : NULL;
}

/* A device that is gone takes all contexts with it. */
static int lost(void) {
  const fake_fault *fault = fake_fault_of(FAULT_DEVICE_LOST);
  return fault->set && fault->seen >= fault->value;
}

fake_call fake_enter(const char *name, fake_needs needs) {
  fake_call call = {.name = name};
  fake_lock();
  call.context = current[depth] && current[depth]->retained ? current[depth] : NULL;
  if (needs == NEEDS_NOTHING)
    return call;
  if (fake_fault_of(FAULT_STUB)->set)
    call.error = CUDA_ERROR_STUB_LIBRARY;
  else if (fake_in_host_function)
    call.error = CUDA_ERROR_NOT_PERMITTED;
  else if (initialised_in != getpid())
    call.error = CUDA_ERROR_NOT_INITIALIZED;
  else if (lost() && needs == NEEDS_LIVE_CONTEXT)
    call.error = CUDA_ERROR_UNKNOWN;
  else if (needs >= NEEDS_CONTEXT && !call.context)
    call.error = CUDA_ERROR_INVALID_CONTEXT;
  else if (needs == NEEDS_LIVE_CONTEXT)
    call.error = call.context->error;
  return call;
}

/* ---- Initialisation ---- */

FAKE_EXPORT CUresult cuInit(unsigned int flags) {
  fake_call call = fake_enter("cuInit", NEEDS_NOTHING);
  CUresult result = flags ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  if (fake_fault_of(FAULT_STUB)->set)
    result = CUDA_ERROR_STUB_LIBRARY;
  else if (fake_in_host_function)
    result = CUDA_ERROR_NOT_PERMITTED;
  else if (initialised_in && initialised_in != getpid())
    result = CUDA_ERROR_NOT_INITIALIZED; /* what a driver says in a child of a process that used it */
  else if (fake_fault_of(FAULT_NO_DEVICE)->set)
    result = CUDA_ERROR_NO_DEVICE;
  if (!result)
    initialised_in = getpid();
  return fake_leave(call, result, "flags=%u", flags);
}

FAKE_EXPORT CUresult cuDriverGetVersion(int *ret_version) {
  fake_call call = fake_enter("cuDriverGetVersion", NEEDS_NOTHING);
  CUresult result = fake_fault_of(FAULT_STUB)->set ? CUDA_ERROR_STUB_LIBRARY : CUDA_SUCCESS;
  int version = (int)fake_fault_of(FAULT_VERSION)->value;
  if (!result)
    *ret_version = version;
  return fake_leave(call, result, "version=%d", version);
}

/* ---- Errors ---- */

static const struct {
  CUresult code;
  const char *name, *words;
} errors[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_STUB_LIBRARY, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {CUDA_ERROR_OPERATING_SYSTEM, "CUDA_ERROR_OPERATING_SYSTEM",
     "OS call failed or operation not supported on this OS"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
     "too many resources requested for launch"},
    {CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE",
     "cannot set while device is active in this process"},
    {CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
     "part or all of the requested memory range is already mapped"},
    {CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
     "pointer does not correspond to a registered memory region"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_NOT_PERMITTED, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
    {CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED",
     "operation failed due to a previous error during capture"},
    {CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED",
     "the capture was not initiated in this stream"},
    {CUDA_ERROR_CAPTURED_EVENT, "CUDA_ERROR_CAPTURED_EVENT",
     "operation not permitted on an event last recorded in a "
     "capturing stream"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static CUresult error_text(CUresult code, int words, const char **ret_text) {
  for (size_t k = 0; k < sizeof errors / sizeof *errors; k++)
    if (errors[k].code == code) {
      *ret_text = words ? errors[k].words : errors[k].name;
      return CUDA_SUCCESS;
    }
  *ret_text = NULL;
  return CUDA_ERROR_INVALID_VALUE;
}

FAKE_EXPORT CUresult cuGetErrorName(CUresult code, const char **ret_name) {
  return error_text(code, 0, ret_name);
}
FAKE_EXPORT CUresult cuGetErrorString(CUresult code, const char **ret_words) {
  return error_text(code, 1, ret_words);
}

/* ---- Devices ---- */

/* Opens a call about a device. */
static fake_call device_enter(const char *name, CUdevice device) {
  fake_call call = fake_enter(name, NEEDS_INIT);
  if (!call.error && (device < 0 || device >= device_count()))
    call.error = CUDA_ERROR_INVALID_DEVICE;
  return call;
}

FAKE_EXPORT CUresult cuDeviceGetCount(int *ret_count) {
  fake_call call = fake_enter("cuDeviceGetCount", NEEDS_INIT);
  if (!call.error)
    *ret_count = device_count();
  return fake_leave(call, call.error, "");
}

FAKE_EXPORT CUresult cuDeviceGet(CUdevice *ret_device, int ordinal) {
  fake_call call = device_enter("cuDeviceGet", ordinal);
  if (!call.error)
    *ret_device = ordinal;
  return fake_leave(call, call.error, "ordinal=%d", ordinal);
}

FAKE_EXPORT CUresult cuDeviceGetName(char *ret_name, int room, CUdevice device) {
  fake_call call = device_enter("cuDeviceGetName", device);
  if (!call.error)
    snprintf(ret_name, (size_t)room, "Fake");
  return fake_leave(call, call.error, "device=%d", device);
}

FAKE_EXPORT CUresult cuDeviceGetUuid_v2(CUuuid *ret_uuid, CUdevice device) {
  fake_call call = device_enter("cuDeviceGetUuid", device);
  if (!call.error) {
    memcpy(ret_uuid->bytes, "Fake CUDA double", sizeof ret_uuid->bytes);
    ret_uuid->bytes[15] = (char)('0' + device);
  }
  return fake_leave(call, call.error, "device=%d", device);
}

FAKE_EXPORT CUresult cuDeviceTotalMem_v2(size_t *ret_bytes, CUdevice device) {
  fake_call call = device_enter("cuDeviceTotalMem", device);
  if (!call.error)
    *ret_bytes = fake_device_memory();
  return fake_leave(call, call.error, "device=%d", device);
}

FAKE_EXPORT CUresult cuDeviceGetPCIBusId(char *ret_id, int room, CUdevice device) {
  fake_call call = device_enter("cuDeviceGetPCIBusId", device);
  if (!call.error)
    snprintf(ret_id, (size_t)room, "FA4E:%02X:00.0", device);
  return fake_leave(call, call.error, "device=%d", device);
}

static const struct {
  CUdevice_attribute what;
  int value;
} attributes[] = {
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 2147483647},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 48 * 1024},
    {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 64 * 1024},
    {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
    {CU_DEVICE_ATTRIBUTE_CLOCK_RATE, FAKE_CLOCK_KHZ},
    {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 4},
    {CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT, 0},
    {CU_DEVICE_ATTRIBUTE_INTEGRATED, 0},
    {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1},
    {CU_DEVICE_ATTRIBUTE_COMPUTE_MODE, 0},
    {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
    {CU_DEVICE_ATTRIBUTE_ECC_ENABLED, 0},
    {CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 0},
    {CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, 0},
    {CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, 0xfa4e},
    {CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, 1000000},
    {CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, 256},
    {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 1024 * 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048},
    {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, 2},
    {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
    {CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, 64 * 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
    {CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY, 1},
    {CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS, 1},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 48 * 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, 32},
};

FAKE_EXPORT CUresult cuDeviceGetAttribute(int *ret_value, CUdevice_attribute what, CUdevice device) {
  fake_call call = device_enter("cuDeviceGetAttribute", device);
  CUresult result = call.error ? call.error : CUDA_ERROR_INVALID_VALUE;
  int value = 0;
  for (size_t k = 0; k < sizeof attributes / sizeof *attributes && result == CUDA_ERROR_INVALID_VALUE; k++)
    if (attributes[k].what == what) {
      value = attributes[k].value;
      result = CUDA_SUCCESS;
    }
  if (!call.error && what == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) {
    value = fake_device_arch() / 10;
    result = CUDA_SUCCESS;
  }
  if (!call.error && what == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) {
    value = fake_device_arch() % 10;
    result = CUDA_SUCCESS;
  }
  if (!result)
    *ret_value = value;
  return fake_leave(call, result, "attribute=%d device=%d value=%d", (int)what, device, value);
}

/* ---- Contexts: each device's primary one ---- */

FAKE_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *ret_context, CUdevice device) {
  fake_call call = device_enter("cuDevicePrimaryCtxRetain", device);
  CUresult result = call.error ? call.error : lost() ? CUDA_ERROR_UNKNOWN : CUDA_SUCCESS;
  if (!result && !contexts[device]) {
    contexts[device] = fake_object_new(OF_CONTEXT, sizeof(fake_context), device);
    contexts[device]->null_stream = fake_object_new(OF_STREAM, sizeof(fake_stream), device);
    contexts[device]->null_stream->tail = &contexts[device]->null_stream->head;
  }
  if (!result) {
    contexts[device]->retained++;
    *ret_context = (CUcontext)(void *)contexts[device];
  }
  return fake_leave(call, result, "device=%d", device);
}

FAKE_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
  fake_call call = device_enter("cuDevicePrimaryCtxRelease", device);
  CUresult result = call.error;
  if (!result && (!contexts[device] || !contexts[device]->retained))
    result = CUDA_ERROR_INVALID_CONTEXT;
  if (!result) {
    fake_drain_all(contexts[device]);
    contexts[device]->retained--;
  }
  return fake_leave(call, result, "device=%d", device);
}

FAKE_EXPORT CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned int flags) {
  fake_call call = device_enter("cuDevicePrimaryCtxSetFlags", device);
  return fake_leave(call, call.error, "device=%d flags=%u", device, flags);
}

FAKE_EXPORT CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned int *ret_flags, int *ret_active) {
  fake_call call = device_enter("cuDevicePrimaryCtxGetState", device);
  if (!call.error) {
    *ret_flags = 0;
    *ret_active = contexts[device] && contexts[device]->retained;
  }
  return fake_leave(call, call.error, "device=%d", device);
}

static fake_call context_enter(const char *name, CUcontext context) {
  fake_call call = fake_enter(name, NEEDS_INIT);
  if (!call.error && context && !fake_object_of(OF_CONTEXT, context))
    call.error = CUDA_ERROR_INVALID_CONTEXT;
  return call;
}

FAKE_EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  fake_call call = context_enter("cuCtxSetCurrent", context);
  if (!call.error)
    current[depth] = (fake_context *)(void *)context;
  return fake_leave(call, call.error, "context=%d", context ? ((fake_context *)(void *)context)->object.device : -1);
}

FAKE_EXPORT CUresult cuCtxGetCurrent(CUcontext *ret_context) {
  fake_call call = fake_enter("cuCtxGetCurrent", NEEDS_INIT);
  if (!call.error)
    *ret_context = (CUcontext)(void *)current[depth];
  return fake_leave(call, call.error, "");
}

FAKE_EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context) {
  fake_call call = context_enter("cuCtxPushCurrent", context);
  CUresult result = call.error ? call.error : !context || depth == 15 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  if (!result)
    current[++depth] = (fake_context *)(void *)context;
  return fake_leave(call, result, "");
}

FAKE_EXPORT CUresult cuCtxPopCurrent_v2(CUcontext *ret_context) {
  fake_call call = fake_enter("cuCtxPopCurrent", NEEDS_CONTEXT);
  if (!call.error) {
    if (ret_context)
      *ret_context = (CUcontext)(void *)current[depth];
    current[depth] = NULL;
    depth -= depth > 0;
  }
  return fake_leave(call, call.error, "");
}

FAKE_EXPORT CUresult cuCtxGetDevice(CUdevice *ret_device) {
  fake_call call = fake_enter("cuCtxGetDevice", NEEDS_CONTEXT);
  if (!call.error)
    *ret_device = call.context->object.device;
  return fake_leave(call, call.error, "");
}

/* ---- What a name is at a version ---- */

/* Private tables of the vendor's own libraries: there are none, and who needs them must fail early. */
FAKE_EXPORT CUresult cuGetExportTable(const void **ret_table, const CUuuid *which) {
  fake_call call = fake_enter("cuGetExportTable", NEEDS_NOTHING);
  (void)which;
  *ret_table = NULL;
  return fake_leave(call, CUDA_ERROR_NOT_FOUND, "");
}

/* What a plain name means since which release: older meanings are not here. */
static const struct {
  const char *name;
  int since;
  const char *symbol;
} functions[] = {
    {"cuInit", 2000, "cuInit"},
    {"cuDriverGetVersion", 2020, "cuDriverGetVersion"},
    {"cuGetErrorName", 6000, "cuGetErrorName"},
    {"cuGetErrorString", 6000, "cuGetErrorString"},
    {"cuGetExportTable", 3000, "cuGetExportTable"},
    {"cuGetProcAddress", 11030, "cuGetProcAddress"},
    {"cuGetProcAddress", 12000, "cuGetProcAddress_v2"},
    {"cuDeviceGetCount", 2000, "cuDeviceGetCount"},
    {"cuDeviceGet", 2000, "cuDeviceGet"},
    {"cuDeviceGetName", 2000, "cuDeviceGetName"},
    {"cuDeviceGetUuid", 11040, "cuDeviceGetUuid_v2"},
    {"cuDeviceTotalMem", 3020, "cuDeviceTotalMem_v2"},
    {"cuDeviceGetPCIBusId", 4010, "cuDeviceGetPCIBusId"},
    {"cuDeviceGetAttribute", 2000, "cuDeviceGetAttribute"},
    {"cuDevicePrimaryCtxRetain", 7000, "cuDevicePrimaryCtxRetain"},
    {"cuDevicePrimaryCtxRelease", 11000, "cuDevicePrimaryCtxRelease_v2"},
    {"cuDevicePrimaryCtxSetFlags", 11000, "cuDevicePrimaryCtxSetFlags_v2"},
    {"cuDevicePrimaryCtxGetState", 7000, "cuDevicePrimaryCtxGetState"},
    {"cuCtxSetCurrent", 4000, "cuCtxSetCurrent"},
    {"cuCtxGetCurrent", 4000, "cuCtxGetCurrent"},
    {"cuCtxPushCurrent", 4000, "cuCtxPushCurrent_v2"},
    {"cuCtxPopCurrent", 4000, "cuCtxPopCurrent_v2"},
    {"cuCtxGetDevice", 2000, "cuCtxGetDevice"},
    {"cuCtxSynchronize", 2000, "cuCtxSynchronize"},
    {"cuMemGetInfo", 3020, "cuMemGetInfo_v2"},
    {"cuMemAlloc", 3020, "cuMemAlloc_v2"},
    {"cuMemAllocManaged", 6000, "cuMemAllocManaged"},
    {"cuMemFree", 3020, "cuMemFree_v2"},
    {"cuMemAllocHost", 3020, "cuMemAllocHost_v2"},
    {"cuMemHostAlloc", 2020, "cuMemHostAlloc"},
    {"cuMemFreeHost", 2000, "cuMemFreeHost"},
    {"cuMemHostRegister", 6050, "cuMemHostRegister_v2"},
    {"cuMemHostUnregister", 4000, "cuMemHostUnregister"},
    {"cuMemHostGetDevicePointer", 3020, "cuMemHostGetDevicePointer_v2"},
    {"cuMemcpyHtoD", 3020, "cuMemcpyHtoD_v2"},
    {"cuMemcpyDtoH", 3020, "cuMemcpyDtoH_v2"},
    {"cuMemcpyDtoD", 3020, "cuMemcpyDtoD_v2"},
    {"cuMemcpyHtoDAsync", 3020, "cuMemcpyHtoDAsync_v2"},
    {"cuMemcpyDtoHAsync", 3020, "cuMemcpyDtoHAsync_v2"},
    {"cuMemcpyDtoDAsync", 3020, "cuMemcpyDtoDAsync_v2"},
    {"cuMemcpyPeerAsync", 4000, "cuMemcpyPeerAsync"},
    {"cuMemsetD8", 3020, "cuMemsetD8_v2"},
    {"cuMemsetD32", 3020, "cuMemsetD32_v2"},
    {"cuMemsetD8Async", 3020, "cuMemsetD8Async"},
    {"cuMemsetD32Async", 3020, "cuMemsetD32Async"},
    {"cuModuleLoadData", 2000, "cuModuleLoadData"},
    {"cuModuleLoadDataEx", 2010, "cuModuleLoadDataEx"},
    {"cuModuleUnload", 2000, "cuModuleUnload"},
    {"cuModuleGetFunction", 2000, "cuModuleGetFunction"},
    {"cuModuleGetGlobal", 3020, "cuModuleGetGlobal_v2"},
    {"cuFuncGetAttribute", 2020, "cuFuncGetAttribute"},
    {"cuOccupancyMaxActiveBlocksPerMultiprocessor", 6050, "cuOccupancyMaxActiveBlocksPerMultiprocessor"},
    {"cuOccupancyMaxPotentialBlockSize", 6050, "cuOccupancyMaxPotentialBlockSize"},
    {"cuLaunchKernel", 4000, "cuLaunchKernel"},
    {"cuLaunchKernelEx", 11060, "cuLaunchKernelEx"},
    {"cuLaunchHostFunc", 10000, "cuLaunchHostFunc"},
    {"cuStreamCreate", 2000, "cuStreamCreate"},
    {"cuStreamCreateWithPriority", 5050, "cuStreamCreateWithPriority"},
    {"cuStreamDestroy", 4000, "cuStreamDestroy_v2"},
    {"cuStreamSynchronize", 2000, "cuStreamSynchronize"},
    {"cuStreamQuery", 2000, "cuStreamQuery"},
    {"cuStreamWaitEvent", 3020, "cuStreamWaitEvent"},
    {"cuEventCreate", 2000, "cuEventCreate"},
    {"cuEventDestroy", 4000, "cuEventDestroy_v2"},
    {"cuEventRecord", 2000, "cuEventRecord"},
    {"cuEventRecordWithFlags", 11010, "cuEventRecordWithFlags"},
    {"cuEventSynchronize", 2000, "cuEventSynchronize"},
    {"cuEventQuery", 2000, "cuEventQuery"},
    {"cuEventElapsedTime", 2000, "cuEventElapsedTime"},
    {"cuEventElapsedTime", 12080, "cuEventElapsedTime_v2"},
    {"cuStreamBeginCapture", 10010, "cuStreamBeginCapture_v2"},
    {"cuStreamEndCapture", 10000, "cuStreamEndCapture"},
    {"cuStreamIsCapturing", 10000, "cuStreamIsCapturing"},
    {"cuGraphInstantiateWithFlags", 11040, "cuGraphInstantiateWithFlags"},
    {"cuGraphInstantiate", 12000, "cuGraphInstantiateWithFlags"},
    {"cuGraphUpload", 11010, "cuGraphUpload"},
    {"cuGraphLaunch", 10000, "cuGraphLaunch"},
    {"cuGraphDestroy", 10000, "cuGraphDestroy"},
    {"cuGraphExecDestroy", 10000, "cuGraphExecDestroy"},
};

static void *function_of(const char *symbol) {
  static void *self;
  Dl_info where;
  if (!self && dladdr((void *)(uintptr_t)function_of, &where))
    self = dlopen(where.dli_fname, RTLD_NOW | RTLD_NOLOAD);
  void *function = self ? dlsym(self, symbol) : NULL;
  if (!function) {
    fake_say("%s is in the table but nowhere else", symbol);
    abort();
  }
  return function;
}

/* A release of CUDA is 1000 * major + 10 * minor. */
static int is_release(int version) {
  return version >= 2000 && version % 10 == 0 && version <= FAKE_DRIVER_VERSION;
}

static CUresult proc_address(const char *name, void **ret_function, int version,
                             CUdriverProcAddressQueryResult *ret_how) {
  fake_call call = fake_enter("cuGetProcAddress", NEEDS_NOTHING);
  CUdriverProcAddressQueryResult how = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
  CUresult result = is_release(version) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  int best = 0;
  *ret_function = NULL;
  if (fake_fault_of(FAULT_STUB)->set)
    result = CUDA_ERROR_STUB_LIBRARY;
  for (size_t k = 0; k < sizeof functions / sizeof *functions && !result; k++) {
    if (strcmp(functions[k].name, name) != 0)
      continue;
    if (how == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND)
      how = CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT;
    if (functions[k].since <= version && functions[k].since > best) {
      best = functions[k].since;
      how = CU_GET_PROC_ADDRESS_SUCCESS;
      *ret_function = function_of(functions[k].symbol);
    }
  }
  if (ret_how)
    *ret_how = how;
  if (!result && how == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND)
    result = CUDA_ERROR_NOT_FOUND; /* as drivers do, whatever their documents say */
  return fake_leave(call, result, "name=%s version=%d given=%d", name, version, best);
}

FAKE_EXPORT CUresult cuGetProcAddress_v2(const char *name, void **ret_function, int version, cuuint64_t flags,
                                         CUdriverProcAddressQueryResult *ret_how) {
  (void)flags;
  return proc_address(name, ret_function, version, ret_how);
}

#undef cuGetProcAddress /* cuda.h's */
FAKE_EXPORT CUresult cuGetProcAddress(const char *name, void **ret_function, int version, cuuint64_t flags) {
  (void)flags;
  return proc_address(name, ret_function, version, NULL);
}
