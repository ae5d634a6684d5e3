/* SPDX-License-Identifier: MIT
 *
 * files.h - what the host's path and the device program share: what one item does with its letters, and its record.
 */
#ifndef FILES_H
#define FILES_H
#include <benchhost/plugin.h>

#define FILES_FOLDER_BYTES 1024

typedef struct {
  uint64_t seed, bytes;
  uint32_t sync, reserved;
  char folder[FILES_FOLDER_BYTES];
} files_params;

/* One per item. */
typedef struct {
  uint64_t hash;       /* of the letters and the item */
  uint64_t file_bytes; /* what the file system said while the file existed */
  uint32_t step;       /* 0, or the first that failed */
  uint32_t error;      /* its errno */
} files_record;

/* Numbers of the random stream that one file takes: eight letters each. */
static inline uint64_t files_words_of(const files_params *p) {
  return (p->bytes + 7) / 8;
}

/* Writes the item's file from `letters` (p->bytes of them), looks at it and deletes it. [any thread] */
void files_item(const files_params *p, uint64_t item, const unsigned char *letters, files_record *ret_record);

extern const bh_program files_program; /* files-device.c */
#endif
