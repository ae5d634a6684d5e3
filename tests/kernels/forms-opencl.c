/* SPDX-License-Identifier: MIT
 * forms.k.h on the first OpenCL device, by OpenCL's own functions and without any of benchhost's code. */
#include "forms.h"

#ifdef FORMS_OPENCL
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <glib/gstdio.h>

static cl_context context;
static cl_command_queue queue;
static cl_program program;
static char *cache; /* folder of PoCL's compiled kernels: not the user's */

/* PoCL and its compiler keep memory to the end. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libpocl\nleak:libLLVM\nleak:libclang\nleak:libOpenCL\n";
}

#define EXPECT(CALL) g_assert_cmpint(CALL, ==, CL_SUCCESS)

const char *forms_opencl_open(const char *source) {
  cl_platform_id platform;
  cl_device_id device;
  cl_int error;
  cache = g_dir_make_tmp("benchhost-forms-XXXXXX", NULL);
  g_setenv("POCL_CACHE_DIR", cache, TRUE);
  if (clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS)
    return "no OpenCL platform (PoCL: Debian's pocl-opencl-icd)";
  if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS)
    return "no OpenCL device on the first platform";
  context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
  EXPECT(error);
  queue = clCreateCommandQueue(context, device, 0, &error);
  EXPECT(error);
  program = clCreateProgramWithSource(context, 1, &source, NULL, &error);
  EXPECT(error);
  if (clBuildProgram(program, 1, &device, "-cl-std=CL1.2", NULL, NULL) != CL_SUCCESS) {
    char log[8192] = "";
    clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
    g_error("forms.k.h does not compile for OpenCL: %s", log);
  }
  return NULL;
}

void forms_opencl_run(const Launch *l) {
  cl_int error;
  cl_mem memory[FORMS_USES];
  cl_ulong whole[3] = {l->begin, l->end, l->grain};
  size_t lanes = l->lanes, all = (size_t)l->groups * l->lanes;
  cl_kernel kernel = clCreateKernel(program, l->name, &error);
  EXPECT(error);
  EXPECT(clSetKernelArg(kernel, 0, sizeof whole, whole));
  for (guint k = 0; k < l->uses; k++) {
    memory[k] = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, l->bytes[k], l->memory[k], &error);
    EXPECT(error);
    EXPECT(clSetKernelArg(kernel, 1 + 2 * k, sizeof memory[k], &memory[k]));
    EXPECT(clSetKernelArg(kernel, 2 + 2 * k, sizeof l->stride[k], &l->stride[k]));
  }
  EXPECT(clSetKernelArg(kernel, 1 + 2 * l->uses, l->params_bytes, l->params));
  EXPECT(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &all, &lanes, 0, NULL, NULL));
  for (guint k = 0; k < l->uses; k++) {
    EXPECT(clEnqueueReadBuffer(queue, memory[k], CL_TRUE, 0, l->bytes[k], l->memory[k], 0, NULL, NULL));
    EXPECT(clReleaseMemObject(memory[k]));
  }
  EXPECT(clReleaseKernel(kernel));
}

static void remove_folder(const char *path) {
  GDir *folder = g_dir_open(path, 0, NULL);
  for (const char *name; folder && (name = g_dir_read_name(folder));) {
    g_autofree char *inner = g_build_filename(path, name, NULL);
    if (g_file_test(inner, G_FILE_TEST_IS_DIR) && !g_file_test(inner, G_FILE_TEST_IS_SYMLINK))
      remove_folder(inner);
    else
      g_remove(inner);
  }
  if (folder)
    g_dir_close(folder);
  g_rmdir(path);
}

void forms_opencl_close(void) {
  if (program)
    clReleaseProgram(program);
  if (queue)
    clReleaseCommandQueue(queue);
  if (context)
    clReleaseContext(context);
  if (cache)
    remove_folder(cache);
  g_free(cache);
}
#else
const char *forms_opencl_open(const char *source) {
  (void)source;
  return "built without OpenCL (Debian: ocl-icd-opencl-dev, opencl-c-headers)";
}
void forms_opencl_run(const Launch *l) {
  g_error("%s: built without OpenCL", l->name);
}
void forms_opencl_close(void) {}
#endif
