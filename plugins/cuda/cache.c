/* SPDX-License-Identifier: MIT
 *
 * cache.c - an entry is 16 bytes "benchhost cubin\n", its own key as 64 hex digits, the length of its contents (8
 * bytes, least first), their SHA-256 and the contents.
 */
#include "cache.h"

#include <benchhost/sha256.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[] = "benchhost cubin\n";
enum { MAGIC_BYTES = sizeof magic - 1, KEY_BYTES = 64, HEAD_BYTES = MAGIC_BYTES + KEY_BYTES + 8 + 32 };
#define LARGEST (UINT64_C(1) << 30) /* more is no cubin of ours */

static char *joined(const char *folder, const char *rest) {
  char *path = NULL;
  return asprintf(&path, "%s/%s", folder, rest) < 0 ? NULL : path;
}

char *cache_folder(void) {
  const char *own = getenv("BENCHHOST_CACHE_DIR"), *caches = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (own && *own)
    return strdup(own);
  if (caches && *caches == '/') /* the XDG base directory specification: relative ones are to be ignored */
    return joined(caches, "benchhost/cuda");
  return home && *home ? joined(home, ".cache/benchhost/cuda") : NULL;
}

static void add_number(bh_sha256 *hash, uint64_t number) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; i++)
    bytes[i] = (uint8_t)(number >> 8 * i);
  bh_sha256_add(hash, bytes, sizeof bytes);
}

/* With its length first: no two lists of parts give the same bytes. */
static void add_part(bh_sha256 *hash, const char *part, uint64_t bytes) {
  add_number(hash, bytes);
  bh_sha256_add(hash, part, bytes);
}

void cache_key(const char *source, uint64_t source_bytes, const char *options, int architecture,
               const char *compiler_version, char ret_key[65]) {
  uint8_t digest[32];
  bh_sha256 hash;
  bh_sha256_init(&hash);
  add_part(&hash, source, source_bytes);
  add_part(&hash, options, strlen(options));
  add_part(&hash, compiler_version, strlen(compiler_version));
  add_number(&hash, (uint64_t)architecture);
  bh_sha256_end(&hash, digest);
  bh_sha256_text(digest, ret_key);
}

static void make_head(const char *key, const void *bytes, size_t size, uint8_t ret_head[HEAD_BYTES]) {
  uint8_t *at = ret_head;
  bh_sha256 hash;
  memcpy(at, magic, MAGIC_BYTES);
  memcpy(at += MAGIC_BYTES, key, KEY_BYTES);
  at += KEY_BYTES;
  for (int i = 0; i < 8; i++)
    at[i] = (uint8_t)((uint64_t)size >> 8 * i);
  bh_sha256_init(&hash);
  bh_sha256_add(&hash, bytes, size);
  bh_sha256_end(&hash, at + 8);
}

static int read_all(int file, void *into, size_t size) {
  char *at = into;
  while (size > 0) {
    const ssize_t n = read(file, at, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return -1;
    at += n;
    size -= (size_t)n;
  }
  return 0;
}

static int write_all(int file, const void *from, size_t size) {
  const char *at = from;
  while (size > 0) {
    const ssize_t n = write(file, at, size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return -1;
    at += n;
    size -= (size_t)n;
  }
  return 0;
}

static cache_result damaged(const char *what, void *bytes, char *ret_why) {
  free(bytes);
  snprintf(ret_why, CACHE_WHY_BYTES, "%s", what);
  return CACHE_DAMAGED;
}

static cache_result read_entry(int file, const char *key, void **ret_bytes, size_t *ret_size, char *ret_why) {
  uint8_t head[HEAD_BYTES], expected[HEAD_BYTES];
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode))
    return damaged("not a regular file", NULL, ret_why);
  if (info.st_size < HEAD_BYTES || (uint64_t)info.st_size > LARGEST || read_all(file, head, HEAD_BYTES) != 0)
    return damaged("its length is not that of an entry", NULL, ret_why);
  const size_t size = (size_t)info.st_size - HEAD_BYTES;
  void *bytes = malloc(size ? size : 1);
  if (!bytes)
    return CACHE_MISS;
  if (read_all(file, bytes, size) != 0)
    return damaged("it cannot be read to its end", bytes, ret_why);
  make_head(key, bytes, size, expected);
  const size_t to_length = MAGIC_BYTES + KEY_BYTES;
  if (memcmp(head, expected, MAGIC_BYTES) != 0)
    return damaged("it does not begin as an entry does", bytes, ret_why);
  if (memcmp(head, expected, to_length) != 0)
    return damaged("it is another kernel's", bytes, ret_why);
  if (memcmp(head, expected, to_length + 8) != 0)
    return damaged("it is not as long as it says: cut off, or appended to", bytes, ret_why);
  if (memcmp(head, expected, HEAD_BYTES) != 0)
    return damaged("its checksum is wrong", bytes, ret_why);
  *ret_bytes = bytes;
  *ret_size = size;
  return CACHE_HIT;
}

cache_result cache_read(const char *folder, const char *key, void **ret_bytes, size_t *ret_size,
                        char ret_why[CACHE_WHY_BYTES]) {
  char name[KEY_BYTES + 8];
  snprintf(name, sizeof name, "%.64s.cubin", key);
  char *path = joined(folder, name);
  if (!path)
    return CACHE_MISS;
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe there must not make us wait */
  free(path);
  if (file < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? CACHE_MISS
                                                                  : damaged(strerror(errno), NULL, ret_why);
  const cache_result result = read_entry(file, key, ret_bytes, ret_size, ret_why);
  close(file);
  return result;
}

static int make_folders(const char *folder) {
  char *path = strdup(folder);
  if (!path)
    return -1;
  for (char *at = path + 1; *at; at++)
    if (*at == '/') {
      *at = 0;
      mkdir(path, 0777); /* whether it is there shows in the end */
      *at = '/';
    }
  const int result = mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -1;
  free(path);
  return result;
}

static int failed(const char *what, const char *path, char *ret_why) {
  snprintf(ret_why, CACHE_WHY_BYTES, "cannot %s %.400s: %s", what, path, strerror(errno));
  return -1;
}

/* The entry in a file of its own, then in its place at once. */
static int write_entry(const char *folder, const char *key, const void *bytes, size_t size, char *draft,
                       char *ret_why) {
  uint8_t head[HEAD_BYTES];
  char name[KEY_BYTES + 8];
  const int file = mkostemp(draft, O_CLOEXEC);
  if (file < 0)
    return failed("write in", folder, ret_why);
  make_head(key, bytes, size, head);
  int result = write_all(file, head, HEAD_BYTES) == 0 && write_all(file, bytes, size) == 0 && fchmod(file, 0644) == 0
                   ? 0
                   : failed("write", draft, ret_why);
  if (close(file) != 0 && result == 0)
    result = failed("write", draft, ret_why);
  snprintf(name, sizeof name, "%.64s.cubin", key);
  char *path = joined(folder, name);
  if (result == 0 && (!path || rename(draft, path) != 0))
    result = failed("rename to", path ? path : name, ret_why);
  if (result != 0)
    unlink(draft);
  free(path);
  return result;
}

int cache_write(const char *folder, const char *key, const void *bytes, size_t size, char ret_why[CACHE_WHY_BYTES]) {
  if (make_folders(folder) != 0)
    return failed("make", folder, ret_why);
  char *draft = joined(folder, ".draft-XXXXXX");
  if (!draft)
    return failed("write in", folder, ret_why);
  const int result = write_entry(folder, key, bytes, size, draft, ret_why);
  free(draft);
  return result;
}
