/* SPDX-License-Identifier: MIT
 * The functions of cuBLAS that chunk-mean uses, on host memory and a StubStream: arguments are checked, calls are noted
 * on the stream, a chosen one fails, and handles are counted. */
#include "stub-device.h"

#include <string.h>

/* The tests' to read and set. */
extern int stub_cublas_handles, stub_cublas_calls, stub_cublas_fail_at, stub_cublas_status;
int stub_cublas_handles; /* that live */
int stub_cublas_calls;   /* that may fail, so far */
int stub_cublas_fail_at; /* which one does, from 1 */
int stub_cublas_status;  /* and how */

typedef struct {
  StubStream *stream;
  void *workspace;
} Handle;

typedef struct {
  int rows, columns, leading;
  double alpha, beta;
  const double *matrix, *x;
  double *y;
} Product;

int cublasCreate_v2(void **handle);
int cublasDestroy_v2(void *handle);
int cublasSetStream_v2(void *handle, void *stream);
int cublasSetWorkspace_v2(void *handle, void *memory, size_t bytes);
int cublasGetVersion_v2(void *handle, int *version);
int cublasDgemv_v2(void *handle, int transposed, int m, int n, const double *alpha, const double *a, int lda,
                   const double *x, int incx, const double *beta, double *y, int incy);
const char *cublasGetStatusString(int status);

static int answer(void) {
  return ++stub_cublas_calls == stub_cublas_fail_at ? stub_cublas_status : 0;
}

int cublasCreate_v2(void **handle) {
  const int status = answer();
  if (status)
    return status;
  *handle = g_new0(Handle, 1);
  stub_cublas_handles++;
  return 0;
}

int cublasDestroy_v2(void *handle) {
  Handle *h = handle;
  if (h->stream)
    h->stream->note(h->stream, "cublasDestroy");
  stub_cublas_handles--;
  g_free(handle);
  return 0;
}

int cublasSetStream_v2(void *handle, void *stream) {
  Handle *h = handle;
  g_assert_nonnull(stream); /* never the default stream */
  h->stream = stream;
  h->stream->note(h->stream, "cublasSetStream");
  h->workspace = NULL; /* as the manual says */
  return answer();
}

int cublasSetWorkspace_v2(void *handle, void *memory, size_t bytes) {
  Handle *h = handle;
  g_assert_nonnull(memory);
  g_assert_cmpuint((uintptr_t)memory % 256, ==, 0);
  g_assert_cmpuint(bytes, >, 0);
  h->workspace = memory;
  h->stream->note(h->stream, "cublasSetWorkspace");
  return answer();
}

int cublasGetVersion_v2(void *handle, int *version) {
  g_assert_nonnull(handle);
  *version = 130000;
  return answer();
}

#ifndef WITHOUT_DGEMV /* as an older one might lack a function */
/* y = alpha A' x + beta y; A is stored by columns. */
static void multiply(void *arg) {
  const Product *p = arg;
  for (int c = 0; c < p->columns; c++) {
    double sum = 0;
    for (int r = 0; r < p->rows; r++)
      sum += p->matrix[(size_t)c * (size_t)p->leading + (size_t)r] * p->x[r];
    p->y[c] = p->alpha * sum + (p->beta == 0 ? 0 : p->beta * p->y[c]);
  }
}

int cublasDgemv_v2(void *handle, int transposed, int m, int n, const double *alpha, const double *a, int lda,
                   const double *x, int incx, const double *beta, double *y, int incy) {
  Handle *h = handle;
  g_assert_nonnull(h->workspace);
  g_assert_cmpint(transposed, ==, 1);
  g_assert_cmpint(m, >, 0);
  g_assert_cmpint(n, >, 0);
  g_assert_cmpint(lda, >=, m);
  g_assert_cmpint(incx, ==, 1);
  g_assert_cmpint(incy, ==, 1);
  const Product p = {m, n, lda, *alpha, *beta, a, x, y};
  g_autofree char *call = g_strdup_printf("cublasDgemv %d x %d", m, n);
  h->stream->note(h->stream, call);
  const int status = answer();
  if (status == 0)
    h->stream->enqueue(h->stream, multiply, g_memdup2(&p, sizeof p));
  return status;
}
#endif

const char *cublasGetStatusString(int status) {
  return status == 3 ? "the resource allocation failed" : status == 13 ? "the function failed to launch" : "unknown";
}
