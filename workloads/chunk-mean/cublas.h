/* SPDX-License-Identifier: MIT
 *
 * cublas.h - the variant `cublas` of chunk-mean.
 */
#ifndef CHUNK_MEAN_CUBLAS_H
#define CHUNK_MEAN_CUBLAS_H
#include <benchhost/plugin.h>

extern const bh_program chunk_mean_cublas;
#endif
