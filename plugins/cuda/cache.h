/* SPDX-License-Identifier: MIT
 *
 * cache.h - compiled kernels on disk. An entry is a file named by the SHA-256 of all that its contents depend on; it is
 * written beside its place and renamed into it, so readers and writers need no lock, and it carries a checksum.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { CACHE_WHY_BYTES = 512 };
typedef enum {
  CACHE_HIT,     /* the caller frees what it got */
  CACHE_MISS,    /* nothing there, or no folder to look in */
  CACHE_DAMAGED, /* an entry that is not what was written: build it anew. `ret_why` says what is wrong with it. */
} cache_result;

/* BENCHHOST_CACHE_DIR, else benchhost/cuda in XDG_CACHE_HOME, else in ~/.cache. Caller frees; NULL: nowhere, or out of
 * memory. */
char *cache_folder(void);

/* The name of the entry: 64 hex digits and a 0. */
void cache_key(const char *source, uint64_t source_bytes, const char *options, int architecture,
               const char *compiler_version, char ret_key[65]);

cache_result cache_read(const char *folder, const char *key, void **ret_bytes, size_t *ret_size,
                        char ret_why[CACHE_WHY_BYTES]);

/* 0, or -1 with the reason; never an error of the cell. Makes the folder where it is missing. */
int cache_write(const char *folder, const char *key, const void *bytes, size_t size, char ret_why[CACHE_WHY_BYTES]);
