/* SPDX-License-Identifier: MIT
 *
 * The means of equal chunks are one matrix-vector product: the chunks are the columns of a matrix, the vector holds
 * 1/n. cuBLAS does it on the backend's own stream. It is loaded when a cell asks for it; nothing of CUDA is needed to
 * build.
 */
#include "cublas.h"
#include <benchhost/device.h>

#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CUBLAS_TRANSPOSED 1
#define CUBLAS_ALLOC_FAILED 3
#define CUBLAS_WORKSPACE_BYTES (UINT64_C(32) << 20) /* what its manual recommends for the largest devices */
#define CUBLAS_BLOCK (UINT64_C(1) << 17)            /* elements of the vector that are sent at once */

/* cuBLAS's functions, as its manual declares them; a status is an int, 0 for success. */
typedef struct {
  int (*create)(void **ret_handle);
  int (*destroy)(void *handle);
  int (*set_stream)(void *handle, void *stream);
  int (*set_workspace)(void *handle, void *memory, size_t bytes);
  int (*version)(void *handle, int *ret_version);
  int (*dgemv)(void *handle, int transposed, int rows, int columns, const double *alpha, const double *matrix,
               int leading, const double *x, int x_step, const double *beta, double *y, int y_step);
  const char *(*text)(int status);
} cublas_functions;

typedef struct {
  cublas_functions call;
  void *handle;
  bh_buffer *workspace, *weights; /* weights: 1/n, n times */
  uint64_t length;                /* n: elements of a chunk */
} cublas_state;

static bh_status cublas_load(bh_device *d, cublas_functions *ret_call) {
  const struct {
    const char *name;
    void *into;
  } wanted[] = {{"cublasCreate_v2", &ret_call->create},        {"cublasDestroy_v2", &ret_call->destroy},
                {"cublasSetStream_v2", &ret_call->set_stream}, {"cublasSetWorkspace_v2", &ret_call->set_workspace},
                {"cublasGetVersion_v2", &ret_call->version},   {"cublasDgemv_v2", &ret_call->dgemv},
                {"cublasGetStatusString", &ret_call->text}};
  void *library = d->library(d, "libcublas.so.13|libcublas.so.12");
  if (!library)
    return BH_SKIP;
  for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
    void *found = dlsym(library, wanted[k].name);
    if (!found)
      return d->host->stop(d->host, BH_SKIP, "cuBLAS has no %s: expected version 12 or 13", wanted[k].name);
    memcpy(wanted[k].into, &found, sizeof found);
  }
  return BH_OK;
}

static bh_status cublas_check(const cublas_state *s, bh_device *d, const char *function, int status) {
  if (status == 0)
    return BH_OK;
  return d->host->stop(d->host, status == CUBLAS_ALLOC_FAILED ? BH_OUT_OF_MEMORY : BH_FAIL, "%s: %s (status %d)",
                       function, s->call.text(status), status);
}

/* Also the place to say no: nothing is allocated yet. */
static bh_status cublas_footprint(const bh_host *h, const bh_problem *problem, uint32_t loop,
                                  bh_footprint *ret_footprint) {
  const uint64_t chunks = problem->loops[loop].items, elements = problem->regions[0].bytes / sizeof(double);
  if (elements % chunks != 0)
    return h->stop(h, BH_UNSUPPORTED,
                   "variant cublas needs chunks of equal length: %" PRIu64 " elements in %" PRIu64
                   " chunks leave a rest of %" PRIu64 "; use portable",
                   elements, chunks, elements % chunks);
  if (elements / chunks > INT32_MAX || chunks > INT32_MAX)
    return h->stop(h, BH_UNSUPPORTED,
                   "variant cublas: cublasDgemv takes at most %" PRId32 " rows and columns, found %" PRIu64
                   " and %" PRIu64,
                   INT32_MAX, elements / chunks, chunks);
  ret_footprint->device_bytes = elements / chunks * sizeof(double) + CUBLAS_WORKSPACE_BYTES;
  return BH_OK;
}

static void cublas_finish(void *state, bh_device *d) {
  cublas_state *s = state;
  if (!s)
    return;
  if (s->handle)
    s->call.destroy(s->handle);
  d->release(d, s->weights);
  d->release(d, s->workspace);
  free(s);
}

static bh_status cublas_send_weights(cublas_state *s, bh_device *d) {
  const uint64_t most = s->length < CUBLAS_BLOCK ? s->length : CUBLAS_BLOCK;
  double *block = malloc(most * sizeof *block);
  bh_status status = block ? BH_OK : d->host->stop(d->host, BH_OUT_OF_MEMORY, "no memory for the vector of 1/n");
  for (uint64_t j = 0; block && j < most; j++)
    block[j] = 1 / (double)s->length;
  for (uint64_t at = 0; at < s->length && status == BH_OK; at += most) {
    const uint64_t n = s->length - at < most ? s->length - at : most;
    status = d->upload(d, s->weights, at * sizeof *block, block, n * sizeof *block);
  }
  free(block);
  return status;
}

static bh_status cublas_open_handle(cublas_state *s, bh_device *d) {
  int version = 0;
  bh_status status = cublas_check(s, d, "cublasCreate", s->call.create(&s->handle));
  if (status == BH_OK)
    status = cublas_check(s, d, "cublasSetStream", s->call.set_stream(s->handle, d->native(d, "cuda.stream")));
  if (status == BH_OK) /* after the stream, which takes the workspace away */
    status =
        cublas_check(s, d, "cublasSetWorkspace",
                     s->call.set_workspace(s->handle, (void *)d->address(d, s->workspace), CUBLAS_WORKSPACE_BYTES));
  if (status == BH_OK)
    status = cublas_check(s, d, "cublasGetVersion", s->call.version(s->handle, &version));
  if (status == BH_OK)
    d->host->fact(d->host, "cuBLAS", "%d", version);
  return status;
}

static bh_status cublas_prepare(bh_device *d, uint32_t loop, void **ret_state) {
  cublas_state *s = calloc(1, sizeof *s);
  if (!s)
    return d->host->stop(d->host, BH_OUT_OF_MEMORY, "no memory for the program's state");
  s->length = d->problem->regions[0].bytes / sizeof(double) / d->problem->loops[loop].items;
  bh_status status = cublas_load(d, &s->call);
  if (status == BH_OK)
    status = d->alloc(d, s->length * sizeof(double), &s->weights);
  if (status == BH_OK)
    status = d->alloc(d, CUBLAS_WORKSPACE_BYTES, &s->workspace);
  if (status == BH_OK)
    status = cublas_open_handle(s, d);
  if (status == BH_OK)
    status = cublas_send_weights(s, d);
  if (status == BH_OK)
    *ret_state = s;
  else
    cublas_finish(s, d);
  return status;
}

static bh_status cublas_enqueue(void *state, bh_device *d, uint64_t begin, uint64_t end, const void *params) {
  const cublas_state *s = state;
  const double one = 1, zero = 0; /* read before cublasDgemv returns */
  const double *values = (const double *)d->address(d, d->region(d, 0));
  double *means = (double *)d->address(d, d->region(d, 1));
  const double *weights = (const double *)d->address(d, s->weights);
  (void)params;
  return cublas_check(s, d, "cublasDgemv",
                      s->call.dgemv(s->handle, CUBLAS_TRANSPOSED, (int)s->length, (int)(end - begin), &one,
                                    values + begin * s->length, (int)s->length, weights, 1, &zero, means + begin, 1));
}

const bh_program chunk_mean_cublas = {.size = sizeof(bh_program),
                                      .footprint = cublas_footprint,
                                      .prepare = cublas_prepare,
                                      .enqueue = cublas_enqueue,
                                      .finish = cublas_finish};
