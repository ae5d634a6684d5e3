/* SPDX-License-Identifier: MIT
 *
 * api.h - what this plugin uses of the CUDA driver, NVRTC and NVML, by prototypes of its own: it builds where no CUDA
 * is installed, and links to none. Each driver call is asked for at one explicit version: what a plain name means
 * changes from one CUDA to the next.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef int cu_result;
typedef int cu_device;
typedef int cu_device_attribute;   /* of the enumerations below, as the two that follow */
typedef int cu_function_attribute; /* the vendor's are C enumerations: of an int's size */
typedef int cu_capture_mode;
typedef uint64_t cu_pointer; /* CUdeviceptr */
typedef struct cu_context_ *cu_context;
typedef struct cu_module_ *cu_module;
typedef struct cu_function_ *cu_function;
typedef struct cu_stream_ *cu_stream;
typedef struct cu_event_ *cu_event;
typedef struct cu_graph_ *cu_graph;
typedef struct cu_graph_exec_ *cu_graph_exec;
typedef struct {
  unsigned char bytes[16];
} cu_uuid;

enum { CU_SUCCESS = 0, CU_OUT_OF_MEMORY = 2, CU_STUB_LIBRARY = 34, CU_NO_DEVICE = 100, CU_NOT_FOUND = 500 };
enum {
  CU_ATTRIBUTE_CLOCK_KHZ = 13,
  CU_ATTRIBUTE_SMS = 16,
  CU_ATTRIBUTE_L2_BYTES = 38,
  CU_ATTRIBUTE_MAJOR = 75,
  CU_ATTRIBUTE_MINOR = 76,
};
enum { CU_FUNCTION_MAX_THREADS = 0, CU_FUNCTION_SHARED = 1, CU_FUNCTION_LOCAL = 3, CU_FUNCTION_REGISTERS = 4 };
enum { CU_NON_BLOCKING = 1, CU_TIMING = 0, CU_NO_TIMING = 2 };
enum { CU_HOST_PORTABLE = 1, CU_HOST_MAPPED = 2, CU_CAPTURE_RELAXED = 2 };

/* name, version asked for, parameters: tests/unit/test-cuda-names.c compares all of this with the vendor's headers */
#define CU_CALLS(X)                                                                                                    \
  X(cuInit, 2000, (unsigned))                                                                                          \
  X(cuDriverGetVersion, 2020, (int *))                                                                                 \
  X(cuGetErrorName, 6000, (cu_result, const char **))                                                                  \
  X(cuGetErrorString, 6000, (cu_result, const char **))                                                                \
  X(cuDeviceGetCount, 2000, (int *))                                                                                   \
  X(cuDeviceGet, 2000, (cu_device *, int))                                                                             \
  X(cuDeviceGetName, 2000, (char *, int, cu_device))                                                                   \
  X(cuDeviceGetUuid, 11040, (cu_uuid *, cu_device))                                                                    \
  X(cuDeviceTotalMem, 3020, (size_t *, cu_device))                                                                     \
  X(cuDeviceGetAttribute, 2000, (int *, cu_device_attribute, cu_device))                                               \
  X(cuDevicePrimaryCtxRetain, 7000, (cu_context *, cu_device))                                                         \
  X(cuDevicePrimaryCtxRelease, 11000, (cu_device))                                                                     \
  X(cuCtxSetCurrent, 4000, (cu_context))                                                                               \
  X(cuMemGetInfo, 3020, (size_t *, size_t *))                                                                          \
  X(cuMemAlloc, 3020, (cu_pointer *, size_t))                                                                          \
  X(cuMemFree, 3020, (cu_pointer))                                                                                     \
  X(cuMemHostAlloc, 2020, (void **, size_t, unsigned))                                                                 \
  X(cuMemHostGetDevicePointer, 3020, (cu_pointer *, void *, unsigned))                                                 \
  X(cuMemFreeHost, 2000, (void *))                                                                                     \
  X(cuMemcpyHtoDAsync, 3020, (cu_pointer, const void *, size_t, cu_stream))                                            \
  X(cuMemcpyDtoHAsync, 3020, (void *, cu_pointer, size_t, cu_stream))                                                  \
  X(cuMemcpyDtoDAsync, 3020, (cu_pointer, cu_pointer, size_t, cu_stream))                                              \
  X(cuMemcpyPeerAsync, 4000, (cu_pointer, cu_context, cu_pointer, cu_context, size_t, cu_stream))                      \
  X(cuMemsetD32Async, 3020, (cu_pointer, unsigned, size_t, cu_stream))                                                 \
  X(cuMemsetD8Async, 3020, (cu_pointer, unsigned char, size_t, cu_stream))                                             \
  X(cuStreamCreate, 2000, (cu_stream *, unsigned))                                                                     \
  X(cuStreamDestroy, 4000, (cu_stream))                                                                                \
  X(cuStreamSynchronize, 2000, (cu_stream))                                                                            \
  X(cuEventCreate, 2000, (cu_event *, unsigned))                                                                       \
  X(cuEventDestroy, 4000, (cu_event))                                                                                  \
  X(cuEventRecord, 2000, (cu_event, cu_stream))                                                                        \
  X(cuEventSynchronize, 2000, (cu_event))                                                                              \
  X(cuEventElapsedTime, 2000, (float *, cu_event, cu_event))                                                           \
  X(cuModuleLoadData, 2000, (cu_module *, const void *))                                                               \
  X(cuModuleUnload, 2000, (cu_module))                                                                                 \
  X(cuModuleGetFunction, 2000, (cu_function *, cu_module, const char *))                                               \
  X(cuModuleGetGlobal, 3020, (cu_pointer *, size_t *, cu_module, const char *))                                        \
  X(cuFuncGetAttribute, 2020, (int *, cu_function_attribute, cu_function))                                             \
  X(cuOccupancyMaxActiveBlocksPerMultiprocessor, 6050, (int *, cu_function, int, size_t))                              \
  X(cuLaunchKernel, 4000,                                                                                              \
    (cu_function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, cu_stream, void **, void **))  \
  X(cuLaunchHostFunc, 10000, (cu_stream, void (*)(void *), void *))                                                    \
  X(cuStreamBeginCapture, 10010, (cu_stream, cu_capture_mode))                                                         \
  X(cuStreamEndCapture, 10000, (cu_stream, cu_graph *))                                                                \
  X(cuGraphInstantiateWithFlags, 11040, (cu_graph_exec *, cu_graph, unsigned long long))                               \
  X(cuGraphUpload, 11010, (cu_graph_exec, cu_stream))                                                                  \
  X(cuGraphLaunch, 10000, (cu_graph_exec, cu_stream))                                                                  \
  X(cuGraphExecDestroy, 10000, (cu_graph_exec))                                                                        \
  X(cuGraphDestroy, 10000, (cu_graph))

typedef struct {
#define CU_MEMBER_(NAME, VERSION, PARAMETERS) cu_result(*NAME) PARAMETERS;
  CU_CALLS(CU_MEMBER_)
#undef CU_MEMBER_
} cu_api;

/* The process's driver; valid once cu_load said 0. */
extern cu_api cu;

enum { CU_WHY_BYTES = 512 };

/* Opens the driver, initialises it and counts its devices, once per process; safe from any thread. 0, or -1 with the
 * reason in `ret_why`, always the same one. */
int cu_load(int *ret_devices, char ret_why[CU_WHY_BYTES]);
/* 12040: of CUDA 12.4. 0: no driver was loaded. */
int cu_driver_version(void);
/* BENCHHOST_CUDA_DRIVER was given: a test double, with which no other library of the vendor is mixed. */
int cu_is_double(void);
/* "CUDA_ERROR_OUT_OF_MEMORY"; "error 17" for what the driver has no name for. Valid until the thread's next call. */
const char *cu_name_of(cu_result);
/* "out of memory", or "". */
const char *cu_words_of(cu_result);

/* "46616b65-2043-5544-4120-646f75626c30" */
void cu_uuid_text(const cu_uuid *, char ret_text[37]);

/* dlopen of a CUDA library: by its name, else in CUDA_HOME and where toolkits are installed. Never closed. NULL: not
 * found. */
void *cu_library(const char *soname);

/* ---- NVRTC ---- */

typedef int nvrtc_result;
typedef struct nvrtc_program_ *nvrtc_program;

/* name, what it returns, parameters */
#define NVRTC_CALLS(X)                                                                                                 \
  X(nvrtcVersion, nvrtc_result, (int *, int *))                                                                        \
  X(nvrtcGetNumSupportedArchs, nvrtc_result, (int *))                                                                  \
  X(nvrtcGetSupportedArchs, nvrtc_result, (int *))                                                                     \
  X(nvrtcCreateProgram, nvrtc_result,                                                                                  \
    (nvrtc_program *, const char *, const char *, int, const char *const *, const char *const *))                      \
  X(nvrtcDestroyProgram, nvrtc_result, (nvrtc_program *))                                                              \
  X(nvrtcCompileProgram, nvrtc_result, (nvrtc_program, int, const char *const *))                                      \
  X(nvrtcGetCUBINSize, nvrtc_result, (nvrtc_program, size_t *))                                                        \
  X(nvrtcGetCUBIN, nvrtc_result, (nvrtc_program, char *))                                                              \
  X(nvrtcGetProgramLogSize, nvrtc_result, (nvrtc_program, size_t *))                                                   \
  X(nvrtcGetProgramLog, nvrtc_result, (nvrtc_program, char *))                                                         \
  X(nvrtcGetErrorString, const char *, (nvrtc_result))

enum { NVRTC_OUT_OF_MEMORY = 1 };

/* 0, or -1 and "no NVRTC (...)". After cu_load it suits the driver that is here. NVRTC initialises the driver when it
 * compiles: only in the cell's own process. */
int nvrtc_load(char ret_why[CU_WHY_BYTES]);
/* "13.0"; valid for ever. */
const char *nvrtc_version_text(void);
/* The largest architecture that NVRTC knows and a device of capability major.minor runs, such as 90; 0: none, and
 * ret_range says what it knows ("sm_75 to sm_121"). */
int nvrtc_architecture(int major, int minor, char ret_range[64]);
/* Compiles to a cubin for exactly sm_`architecture`. 0: *ret_cubin (free) and its bytes. -1: *ret_log (free) has the
 * compiler's words, cut to a page; it may be NULL when memory is out. */
int nvrtc_compile(const char *source, uint64_t source_bytes, const char *name, int architecture, void **ret_cubin,
                  size_t *ret_bytes, char **ret_log);
/* All that decides what comes out besides source and architecture, one option a line: for the cache's key. */
const char *nvrtc_options_text(void);

/* ---- NVML: optional; nothing here fails ---- */

typedef int nvml_result;
typedef int nvml_clock_kind;
typedef struct nvml_state nvml_state; /* nvmlDevice_t is a pointer to it */

/* name, parameters */
#define NVML_CALLS(X)                                                                                                  \
  X(nvmlInit_v2, (void))                                                                                               \
  X(nvmlDeviceGetHandleByUUID, (const char *, nvml_state **))                                                          \
  X(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, (nvml_state *, nvml_state **))                                       \
  X(nvmlDeviceGetClockInfo, (nvml_state *, nvml_clock_kind, unsigned *))                                               \
  X(nvmlDeviceGetCurrentClocksThrottleReasons, (nvml_state *, unsigned long long *))                                   \
  X(nvmlSystemGetDriverVersion, (char *, unsigned))

enum { NVML_SM = 1, NVML_MEMORY = 2 };
/* What NVML calls reasons of clock events: the bit, and in our words. */
#define NVML_REASONS(X)                                                                                                \
  X(GpuIdle, 0x1, "idle")                                                                                              \
  X(ApplicationsClocksSetting, 0x2, "application clocks")                                                              \
  X(SwPowerCap, 0x4, "power cap")                                                                                      \
  X(HwSlowdown, 0x8, "hardware slowdown")                                                                              \
  X(SyncBoost, 0x10, "sync boost")                                                                                     \
  X(SwThermalSlowdown, 0x20, "software thermal")                                                                       \
  X(HwThermalSlowdown, 0x40, "hardware thermal")                                                                       \
  X(HwPowerBrakeSlowdown, 0x80, "power brake")                                                                         \
  X(DisplayClockSetting, 0x100, "display clocks")

/* NULL: not here, or it does not know the device. Of a part of a GPU (MIG) the whole GPU: clocks are its own. */
nvml_state *nvml_open(const cu_uuid *);
/* "SM 1980 MHz, memory 2619 MHz". 0: unknown. */
int nvml_clocks(nvml_state *, char *ret_text, size_t size);
/* "none", or "0x4 (power cap)". 0: unknown. */
int nvml_throttle(nvml_state *, char *ret_text, size_t size);
/* The driver's own version, "580.65.06". 0: unknown. */
int nvml_driver(nvml_state *, char *ret_text, size_t size);
