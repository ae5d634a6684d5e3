/* SPDX-License-Identifier: MIT
 * plugins/opencl/cl.h against Khronos' headers, where those are installed: constants are compared by the preprocessor (a
 * second definition that differs is an error), functions here. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include "cl.h"

#include <glib.h>

#define SAME(RESULT, NAME, ARGUMENTS)                                                                                  \
  _Static_assert(__builtin_types_compatible_p(__typeof__(((ocl_functions *)0)->NAME), __typeof__(&(NAME))), #NAME);
OCL_FUNCTIONS(SAME)

/* A call through the table reaches what the headers promise: struct and table have as many members as there are names. */
static void test_table(void) {
#define COUNT(RESULT, NAME, ARGUMENTS) +1
  g_assert_cmpuint(sizeof(ocl_functions), ==, (0 OCL_FUNCTIONS(COUNT)) * sizeof(void *));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/opencl-names/table", test_table);
  return g_test_run();
}
