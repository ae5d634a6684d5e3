/* SPDX-License-Identifier: MIT
 * What of OpenCL 1.2 the driver uses: types, constants and the table of functions that are looked up in libOpenCL at run
 * time. Own prototypes, so that neither headers nor a library are needed to build; written as CL/cl.h writes them, so that a
 * test can include both and let the compiler compare (tests/unit/test-opencl-names.c). */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct _cl_platform_id *cl_platform_id;
typedef struct _cl_device_id *cl_device_id;
typedef struct _cl_context *cl_context;
typedef struct _cl_command_queue *cl_command_queue;
typedef struct _cl_mem *cl_mem;
typedef struct _cl_program *cl_program;
typedef struct _cl_kernel *cl_kernel;
typedef struct _cl_event *cl_event;

#define CL_SUCCESS                                  0
#define CL_DEVICE_NOT_FOUND                         -1
#define CL_MEM_OBJECT_ALLOCATION_FAILURE            -4
#define CL_OUT_OF_RESOURCES                         -5
#define CL_OUT_OF_HOST_MEMORY                       -6
#define CL_INVALID_VALUE                            -30
#define CL_INVALID_BUFFER_SIZE                      -61
#define CL_PLATFORM_NOT_FOUND_KHR                   -1001
#define CL_TRUE                                     1
#define CL_FALSE                                    0
#define CL_COMPLETE                                 0x0
#define CL_DEVICE_TYPE_CPU                          (1 << 1)
#define CL_DEVICE_TYPE_GPU                          (1 << 2)
#define CL_DEVICE_TYPE_ACCELERATOR                  (1 << 3)
#define CL_DEVICE_TYPE_ALL                          0xFFFFFFFF
#define CL_PLATFORM_VERSION                         0x0901
#define CL_PLATFORM_NAME                            0x0902
#define CL_DEVICE_TYPE                                   0x1000
#define CL_DEVICE_MAX_COMPUTE_UNITS                      0x1002
#define CL_DEVICE_MAX_CLOCK_FREQUENCY                    0x100C
#define CL_DEVICE_MAX_MEM_ALLOC_SIZE                     0x1010
#define CL_DEVICE_MEM_BASE_ADDR_ALIGN                    0x1019
#define CL_DEVICE_GLOBAL_MEM_CACHE_SIZE                  0x101E
#define CL_DEVICE_GLOBAL_MEM_SIZE                        0x101F
#define CL_DEVICE_COMPILER_AVAILABLE                     0x1028
#define CL_DEVICE_EXECUTION_CAPABILITIES                 0x1029
#define CL_DEVICE_NAME                                   0x102B
#define CL_DRIVER_VERSION                                0x102D
#define CL_DEVICE_VERSION                                0x102F
#define CL_DEVICE_EXTENSIONS                             0x1030
#define CL_DEVICE_HOST_UNIFIED_MEMORY                    0x1035
#define CL_EXEC_NATIVE_KERNEL                       (1 << 1)
#define CL_QUEUE_PROFILING_ENABLE                   (1 << 1)
#define CL_MEM_READ_WRITE                           (1 << 0)
#define CL_MEM_ALLOC_HOST_PTR                       (1 << 4)
#define CL_BUFFER_CREATE_TYPE_REGION                0x1220
#define CL_MAP_READ                                 (1 << 0)
#define CL_MAP_WRITE                                (1 << 1)
#define CL_PROGRAM_BUILD_LOG                        0x1183
#define CL_KERNEL_WORK_GROUP_SIZE                   0x11B0
#define CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE 0x11B3
#define CL_EVENT_COMMAND_EXECUTION_STATUS           0x11D3
#define CL_PROFILING_COMMAND_START                  0x1282
#define CL_PROFILING_COMMAND_END                    0x1283

/* X(result, name, (arguments)) */
#define OCL_FUNCTIONS(X)                                                                                                \
  X(int32_t, clGetPlatformIDs, (uint32_t, cl_platform_id *, uint32_t *))                                               \
  X(int32_t, clGetPlatformInfo, (cl_platform_id, uint32_t, size_t, void *, size_t *))                                  \
  X(int32_t, clGetDeviceIDs, (cl_platform_id, uint64_t, uint32_t, cl_device_id *, uint32_t *))                         \
  X(int32_t, clGetDeviceInfo, (cl_device_id, uint32_t, size_t, void *, size_t *))                                      \
  X(cl_context, clCreateContext,                                                                                       \
    (const intptr_t *, uint32_t, const cl_device_id *, void (*)(const char *, const void *, size_t, void *), void *,   \
     int32_t *))                                                                                                       \
  X(int32_t, clReleaseContext, (cl_context))                                                                           \
  X(cl_command_queue, clCreateCommandQueue, (cl_context, cl_device_id, uint64_t, int32_t *))                           \
  X(int32_t, clReleaseCommandQueue, (cl_command_queue))                                                                \
  X(cl_mem, clCreateBuffer, (cl_context, uint64_t, size_t, void *, int32_t *))                                         \
  X(cl_mem, clCreateSubBuffer, (cl_mem, uint64_t, uint32_t, const void *, int32_t *))                                  \
  X(int32_t, clReleaseMemObject, (cl_mem))                                                                             \
  X(cl_program, clCreateProgramWithSource, (cl_context, uint32_t, const char **, const size_t *, int32_t *))           \
  X(int32_t, clBuildProgram,                                                                                           \
    (cl_program, uint32_t, const cl_device_id *, const char *, void (*)(cl_program, void *), void *))                  \
  X(int32_t, clGetProgramBuildInfo, (cl_program, cl_device_id, uint32_t, size_t, void *, size_t *))                    \
  X(int32_t, clReleaseProgram, (cl_program))                                                                           \
  X(cl_kernel, clCreateKernel, (cl_program, const char *, int32_t *))                                                  \
  X(int32_t, clReleaseKernel, (cl_kernel))                                                                             \
  X(int32_t, clSetKernelArg, (cl_kernel, uint32_t, size_t, const void *))                                              \
  X(int32_t, clGetKernelWorkGroupInfo, (cl_kernel, cl_device_id, uint32_t, size_t, void *, size_t *))                  \
  X(int32_t, clEnqueueNDRangeKernel,                                                                                   \
    (cl_command_queue, cl_kernel, uint32_t, const size_t *, const size_t *, const size_t *, uint32_t,                  \
     const cl_event *, cl_event *))                                                                                    \
  X(int32_t, clEnqueueReadBuffer,                                                                                      \
    (cl_command_queue, cl_mem, uint32_t, size_t, size_t, void *, uint32_t, const cl_event *, cl_event *))              \
  X(int32_t, clEnqueueWriteBuffer,                                                                                     \
    (cl_command_queue, cl_mem, uint32_t, size_t, size_t, const void *, uint32_t, const cl_event *, cl_event *))        \
  X(int32_t, clEnqueueCopyBuffer,                                                                                      \
    (cl_command_queue, cl_mem, cl_mem, size_t, size_t, size_t, uint32_t, const cl_event *, cl_event *))                \
  X(int32_t, clEnqueueFillBuffer,                                                                                      \
    (cl_command_queue, cl_mem, const void *, size_t, size_t, size_t, uint32_t, const cl_event *, cl_event *))          \
  X(void *, clEnqueueMapBuffer,                                                                                        \
    (cl_command_queue, cl_mem, uint32_t, uint64_t, size_t, size_t, uint32_t, const cl_event *, cl_event *, int32_t *)) \
  X(int32_t, clEnqueueUnmapMemObject, (cl_command_queue, cl_mem, void *, uint32_t, const cl_event *, cl_event *))      \
  X(int32_t, clEnqueueNativeKernel,                                                                                    \
    (cl_command_queue, void (*)(void *), void *, size_t, uint32_t, const cl_mem *, const void **, uint32_t,            \
     const cl_event *, cl_event *))                                                                                    \
  X(int32_t, clEnqueueMarkerWithWaitList, (cl_command_queue, uint32_t, const cl_event *, cl_event *))                  \
  X(int32_t, clEnqueueBarrierWithWaitList, (cl_command_queue, uint32_t, const cl_event *, cl_event *))                 \
  X(cl_event, clCreateUserEvent, (cl_context, int32_t *))                                                              \
  X(int32_t, clSetUserEventStatus, (cl_event, int32_t))                                                                \
  X(int32_t, clSetEventCallback, (cl_event, int32_t, void (*)(cl_event, int32_t, void *), void *))                     \
  X(int32_t, clReleaseEvent, (cl_event))                                                                               \
  X(int32_t, clGetEventInfo, (cl_event, uint32_t, size_t, void *, size_t *))                                           \
  X(int32_t, clGetEventProfilingInfo, (cl_event, uint32_t, size_t, void *, size_t *))                                  \
  X(int32_t, clFlush, (cl_command_queue))                                                                              \
  X(int32_t, clFinish, (cl_command_queue))

#define OCL_MEMBER(RESULT, NAME, ARGUMENTS) RESULT (*NAME) ARGUMENTS;
typedef struct {
  OCL_FUNCTIONS(OCL_MEMBER)
} ocl_functions;
#undef OCL_MEMBER
