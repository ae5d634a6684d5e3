/* SPDX-License-Identifier: MIT
 * A stand-in for NVRTC that compiles nothing, and opens its other half as the real one does: by the bare name, when it
 * is asked to compile. */
#include <benchhost/plugin.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { FAILED_TO_OPEN = 7 }; /* NVRTC_ERROR_BUILTIN_OPERATION_FAILURE */
static const char log_text[] = "nvrtc: error: failed to open libnvrtc-builtins.so.99.1.";
static const char cubin[] = "a cubin";

typedef struct {
  int compiled;
} fake_program;

BH_EXPORT int nvrtcVersion(int *ret_major, int *ret_minor) {
  *ret_major = 99;
  *ret_minor = 1;
  return 0;
}

BH_EXPORT int nvrtcGetNumSupportedArchs(int *ret_n) {
  *ret_n = 2;
  return 0;
}

BH_EXPORT int nvrtcGetSupportedArchs(int *ret_archs) {
  ret_archs[0] = 75;
  ret_archs[1] = 90;
  return 0;
}

BH_EXPORT int nvrtcCreateProgram(fake_program **ret_program, const char *source, const char *name, int n_headers,
                                 const char *const *headers, const char *const *names) {
  (void)source, (void)name, (void)n_headers, (void)headers, (void)names;
  *ret_program = calloc(1, sizeof **ret_program);
  return *ret_program ? 0 : 1;
}

BH_EXPORT int nvrtcDestroyProgram(fake_program **program) {
  free(*program);
  *program = NULL;
  return 0;
}

BH_EXPORT int nvrtcCompileProgram(fake_program *program, int n_options, const char *const *options) {
  (void)n_options, (void)options;
  void *half = dlopen("libnvrtc-builtins.so.99.1", RTLD_NOW | RTLD_LOCAL);
  program->compiled = half && dlsym(half, "fake_builtins_are_here");
  return program->compiled ? 0 : FAILED_TO_OPEN;
}

BH_EXPORT int nvrtcGetCUBINSize(fake_program *program, size_t *ret_bytes) {
  *ret_bytes = program->compiled ? sizeof cubin : 0;
  return 0;
}

BH_EXPORT int nvrtcGetCUBIN(fake_program *program, char *ret_bytes) {
  (void)program;
  memcpy(ret_bytes, cubin, sizeof cubin);
  return 0;
}

BH_EXPORT int nvrtcGetProgramLogSize(fake_program *program, size_t *ret_bytes) {
  *ret_bytes = program->compiled ? 1 : sizeof log_text;
  return 0;
}

BH_EXPORT int nvrtcGetProgramLog(fake_program *program, char *ret_text) {
  memcpy(ret_text, program->compiled ? "" : log_text, program->compiled ? 1 : sizeof log_text);
  return 0;
}

BH_EXPORT const char *nvrtcGetErrorString(int result) {
  return result == FAILED_TO_OPEN ? "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE" : "NVRTC_ERROR_OTHER";
}
