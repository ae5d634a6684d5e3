/* SPDX-License-Identifier: MIT
 *
 * spawn.h - one run of an external program from a flat description: what is run, and what came of it.
 */
#ifndef COMMAND_SPAWN_H
#define COMMAND_SPAWN_H
#include <stdint.h>

#define SPAWN_WORDS 1000

/* Flat bytes without pointers: `text` holds, one after the other and each ended by a 0: the program's path, the folder
 * to run in ("" = here), the file for stdin ("" = /dev/null), and `words` arguments from argv[0] on. */
typedef struct {
  uint64_t seed;
  uint32_t words;
  uint32_t keep_stderr; /* 0: to /dev/null */
  uint32_t hash;        /* 1: read stdout and hash it; 0: to /dev/null */
  uint32_t bytes;       /* of `text` */
  char text[];
} spawn_params;

/* What one run left. All times in ns; hash and output_bytes are 0 unless asked for. */
typedef struct {
  uint64_t tag;   /* spawn_tag of the item: a record is of this item and of this cell */
  int32_t error;  /* errno of what failed before the program ran, or 0 */
  int32_t status; /* as wait4 gave it */
  uint64_t wall_ns, user_ns, system_ns, output_bytes;
  /* The system counts a program's peak from before its exec, when the child still was our image: a peak that is not
   * above our own (floor_bytes) says nothing about the program. */
  uint64_t peak_bytes, floor_bytes;
  uint8_t hash[32];
} spawn_record;

uint64_t spawn_tag(uint64_t seed, uint64_t item);
void spawn_run(const spawn_params *p, uint64_t item, spawn_record *ret_record);
/* Text for messages: "exit status 3", "signal 11 (Segmentation fault)", "could not be started: ...". */
void spawn_text(const spawn_record *record, char *ret_text, uint64_t bytes);
#endif
