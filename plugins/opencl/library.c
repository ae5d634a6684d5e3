/* SPDX-License-Identifier: MIT
 * libOpenCL.so.1, the loader of installed drivers, opened at run time: without it this plugin still loads and says why
 * it cannot run. */
#include "opencl.h"

#include <dlfcn.h>
#include <inttypes.h>

static ocl_functions functions;

/* NULL, or the name of a function that the library lacks. */
static const char *look_up(void *library) {
#define LOOK_UP(RESULT, NAME, ARGUMENTS)                                                                               \
  *(void **)&functions.NAME = dlsym(library, #NAME);                                                                   \
  if (!functions.NAME)                                                                                                 \
    return #NAME;
  OCL_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
  return NULL;
}

/* Never closed: drivers leave threads behind. */
const ocl_functions *ocl_load(const bh_host *h) {
  static int loaded;
  if (loaded)
    return &functions;
  void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    h->stop(h, BH_SKIP, "no OpenCL loader (%s); install one (ocl-icd-libopencl1) and a driver, such as pocl-opencl-icd",
            dlerror());
    return NULL;
  }
  const char *missing = look_up(library);
  if (missing) {
    h->stop(h, BH_SKIP, "libOpenCL.so.1 has no %s: an OpenCL 1.2 loader is needed (ocl-icd-libopencl1)", missing);
    return NULL;
  }
  loaded = 1;
  return &functions;
}

static const struct {
  int32_t error;
  const char *name;
} errors[] = {{-1, "CL_DEVICE_NOT_FOUND"},
              {-2, "CL_DEVICE_NOT_AVAILABLE"},
              {-3, "CL_COMPILER_NOT_AVAILABLE"},
              {-4, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
              {-5, "CL_OUT_OF_RESOURCES"},
              {-6, "CL_OUT_OF_HOST_MEMORY"},
              {-7, "CL_PROFILING_INFO_NOT_AVAILABLE"},
              {-8, "CL_MEM_COPY_OVERLAP"},
              {-11, "CL_BUILD_PROGRAM_FAILURE"},
              {-12, "CL_MAP_FAILURE"},
              {-13, "CL_MISALIGNED_SUB_BUFFER_OFFSET"},
              {-14, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
              {-30, "CL_INVALID_VALUE"},
              {-33, "CL_INVALID_DEVICE"},
              {-34, "CL_INVALID_CONTEXT"},
              {-36, "CL_INVALID_COMMAND_QUEUE"},
              {-38, "CL_INVALID_MEM_OBJECT"},
              {-43, "CL_INVALID_BUILD_OPTIONS"},
              {-45, "CL_INVALID_PROGRAM_EXECUTABLE"},
              {-46, "CL_INVALID_KERNEL_NAME"},
              {-48, "CL_INVALID_KERNEL"},
              {-49, "CL_INVALID_ARG_INDEX"},
              {-50, "CL_INVALID_ARG_VALUE"},
              {-51, "CL_INVALID_ARG_SIZE"},
              {-52, "CL_INVALID_KERNEL_ARGS"},
              {-54, "CL_INVALID_WORK_GROUP_SIZE"},
              {-55, "CL_INVALID_WORK_ITEM_SIZE"},
              {-59, "CL_INVALID_OPERATION"},
              {-61, "CL_INVALID_BUFFER_SIZE"},
              {-63, "CL_INVALID_GLOBAL_WORK_SIZE"},
              {-1001, "CL_PLATFORM_NOT_FOUND_KHR"}};

const char *ocl_error(int32_t error) {
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (errors[i].error == error)
      return errors[i].name;
  return "an error of the driver's own";
}

int ocl_is_memory(int32_t error) {
  return error == CL_MEM_OBJECT_ALLOCATION_FAILURE || error == CL_OUT_OF_HOST_MEMORY;
}

bh_status ocl_failed(const bh_host *h, const char *call, int32_t error) {
  return h->stop(h, ocl_is_memory(error) ? BH_OUT_OF_MEMORY : BH_FAIL, "%s: %s (%" PRId32 ")", call, ocl_error(error), error);
}
