/* SPDX-License-Identifier: MIT
 * plugins/cuda's own prototypes, and those of chunk-mean's cuBLAS variant, against the vendor's headers where those are
 * installed: the type of every function, at the version at which it is asked for, every number, and every size. The
 * compiler does it; the program that comes out counts the rows. */
#include <cublas_v2.h>
#include <cuda.h>
#include <cudaTypedefs.h>
#include <nvrtc.h>
#if __has_include(<nvml.h>)
#include <nvml.h>
#define HAVE_NVML 1
#endif

#include "api.h"
#include "cublas.c"

#include <glib.h>

/* ---- Sizes first: with the names of our types still ours ---- */

#define SAME_SIZE(OURS, THEIRS)                                                                                        \
  _Static_assert(sizeof(OURS) == sizeof(THEIRS) && _Alignof(OURS) == _Alignof(THEIRS), #THEIRS)
SAME_SIZE(cu_result, CUresult);
SAME_SIZE(cu_device, CUdevice);
SAME_SIZE(cu_device_attribute, CUdevice_attribute);
SAME_SIZE(cu_function_attribute, CUfunction_attribute);
SAME_SIZE(cu_capture_mode, CUstreamCaptureMode);
SAME_SIZE(cu_pointer, CUdeviceptr);
SAME_SIZE(cu_context, CUcontext);
SAME_SIZE(cu_uuid, CUuuid);
SAME_SIZE(nvrtc_result, nvrtcResult);
SAME_SIZE(nvrtc_program, nvrtcProgram);
SAME_SIZE(int, cublasStatus_t);
SAME_SIZE(int, cublasOperation_t);
SAME_SIZE(void *, cublasHandle_t);
SAME_SIZE(void *, cudaStream_t);
_Static_assert(__builtin_types_compatible_p(cudaStream_t, CUstream), "a stream of the driver is one of the runtime");

/* ---- Numbers ---- */

#define SAME(OURS, THEIRS) _Static_assert((unsigned long long)(OURS) == (unsigned long long)(THEIRS), #THEIRS)
SAME(CU_SUCCESS, CUDA_SUCCESS);
SAME(CU_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY);
SAME(CU_STUB_LIBRARY, CUDA_ERROR_STUB_LIBRARY);
SAME(CU_NO_DEVICE, CUDA_ERROR_NO_DEVICE);
SAME(CU_NOT_FOUND, CUDA_ERROR_NOT_FOUND);
SAME(CU_ATTRIBUTE_CLOCK_KHZ, CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
SAME(CU_ATTRIBUTE_SMS, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
SAME(CU_ATTRIBUTE_L2_BYTES, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
SAME(CU_ATTRIBUTE_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
SAME(CU_ATTRIBUTE_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
SAME(CU_FUNCTION_MAX_THREADS, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
SAME(CU_FUNCTION_SHARED, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
SAME(CU_FUNCTION_LOCAL, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
SAME(CU_FUNCTION_REGISTERS, CU_FUNC_ATTRIBUTE_NUM_REGS);
SAME(CU_NON_BLOCKING, CU_STREAM_NON_BLOCKING);
SAME(CU_TIMING, CU_EVENT_DEFAULT);
SAME(CU_NO_TIMING, CU_EVENT_DISABLE_TIMING);
SAME(CU_HOST_PORTABLE, CU_MEMHOSTALLOC_PORTABLE);
SAME(CU_HOST_MAPPED, CU_MEMHOSTALLOC_DEVICEMAP);
SAME(CU_CAPTURE_RELAXED, CU_STREAM_CAPTURE_MODE_RELAXED);
SAME(0, CU_GET_PROC_ADDRESS_DEFAULT); /* what the loader asks with: the default stream is the old one, and never used */
SAME(NVRTC_OUT_OF_MEMORY, NVRTC_ERROR_OUT_OF_MEMORY);
SAME(0, NVRTC_SUCCESS);
SAME(CUBLAS_TRANSPOSED, CUBLAS_OP_T);
SAME(CUBLAS_ALLOC_FAILED, CUBLAS_STATUS_ALLOC_FAILED);
SAME(0, CUBLAS_STATUS_SUCCESS);

#define SAME_TYPE(OURS, THEIRS) _Static_assert(__builtin_types_compatible_p(OURS, THEIRS), #THEIRS)

/* ---- cuBLAS: beside each other, as an enumeration is no int and a handle no void * to the compiler. cublas_v2.h makes
 * the plain names those of version 2, which are what is looked up. ---- */

#define SAME_SHAPE(MEMBER, OURS, NAME, THEIRS)                                                                         \
  SAME_TYPE(__typeof__(((cublas_functions *)0)->MEMBER), OURS);                                                        \
  SAME_TYPE(__typeof__(&(NAME)), THEIRS);
SAME_SHAPE(create, int (*)(void **), cublasCreate_v2, cublasStatus_t (*)(cublasHandle_t *))
SAME_SHAPE(destroy, int (*)(void *), cublasDestroy_v2, cublasStatus_t (*)(cublasHandle_t))
SAME_SHAPE(set_stream, int (*)(void *, void *), cublasSetStream_v2, cublasStatus_t (*)(cublasHandle_t, cudaStream_t))
SAME_SHAPE(set_workspace, int (*)(void *, void *, size_t), cublasSetWorkspace_v2,
           cublasStatus_t (*)(cublasHandle_t, void *, size_t))
SAME_SHAPE(version, int (*)(void *, int *), cublasGetVersion_v2, cublasStatus_t (*)(cublasHandle_t, int *))
SAME_SHAPE(dgemv,
           int (*)(void *, int, int, int, const double *, const double *, int, const double *, int, const double *,
                   double *, int),
           cublasDgemv_v2,
           cublasStatus_t (*)(cublasHandle_t, cublasOperation_t, int, int, const double *, const double *, int,
                              const double *, int, const double *, double *, int))
SAME_SHAPE(text, const char *(*)(int), cublasGetStatusString, const char *(*)(cublasStatus_t))

/* ---- From here on the names of our types mean theirs, so that a list of parameters means what the header says ---- */

#define cu_result CUresult
#define cu_device CUdevice
#define cu_device_attribute CUdevice_attribute
#define cu_function_attribute CUfunction_attribute
#define cu_capture_mode CUstreamCaptureMode
#define cu_pointer CUdeviceptr
#define cu_context CUcontext
#define cu_module CUmodule
#define cu_function CUfunction
#define cu_stream CUstream
#define cu_event CUevent
#define cu_graph CUgraph
#define cu_graph_exec CUgraphExec
#define cu_uuid CUuuid
/* There is such a function of exactly that version: cudaTypedefs.h has a type for each. */
#define SAME_CALL(NAME, VERSION, PARAMETERS) SAME_TYPE(CUresult(*) PARAMETERS, PFN_##NAME##_v##VERSION);
CU_CALLS(SAME_CALL)

#define nvrtc_result nvrtcResult
#define nvrtc_program nvrtcProgram
#define SAME_NVRTC(NAME, RESULT, PARAMETERS) SAME_TYPE(RESULT(*) PARAMETERS, __typeof__(&(NAME)));
NVRTC_CALLS(SAME_NVRTC)

#ifdef HAVE_NVML
SAME_SIZE(nvml_clock_kind, nvmlClockType_t);
SAME_SIZE(nvml_result, nvmlReturn_t);
SAME_SIZE(nvml_state *, nvmlDevice_t);
SAME(NVML_SM, NVML_CLOCK_SM);
SAME(NVML_MEMORY, NVML_CLOCK_MEM);
SAME(0, NVML_SUCCESS);
#define SAME_REASON(NAME, BIT, WORDS) SAME(BIT, nvmlClocksThrottleReason##NAME);
NVML_REASONS(SAME_REASON)
#define nvml_state struct nvmlDevice_st
#define nvml_clock_kind nvmlClockType_t
#define SAME_NVML(NAME, PARAMETERS) SAME_TYPE(nvmlReturn_t(*) PARAMETERS, __typeof__(&(NAME)));
NVML_CALLS(SAME_NVML)
SAME_TYPE(__typeof__(&(nvmlDeviceGetCurrentClocksThrottleReasons)),
          __typeof__(&(nvmlDeviceGetCurrentClocksEventReasons))); /* which is asked for first */
#endif

/* Tables have as many members as there are names. */
static void test_tables(void) {
#define COUNT2(NAME, A) +1
#define COUNT3(NAME, A, B) +1
  g_assert_cmpuint(sizeof(cu_api), ==, (0 CU_CALLS(COUNT3)) * sizeof(void *));
  g_assert_cmpuint(0 NVRTC_CALLS(COUNT3), ==, 11);
  g_assert_cmpuint(sizeof(cublas_functions), ==, 7 * sizeof(void *));
#ifdef HAVE_NVML
  g_assert_cmpuint(0 NVML_CALLS(COUNT2), ==, 6);
#else
  g_test_message("NVML's names were not compared: no nvml.h here");
#endif
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cuda-names/tables", test_tables);
  return g_test_run();
}
