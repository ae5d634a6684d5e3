/* SPDX-License-Identifier: MIT
 *
 * files: each item writes a file of random letters, optionally waits until it is on the disk, and deletes it. Files are
 * gone when a run ends, so the proof has two halves: what every item recorded while its file existed (size by fstat, a
 * hash of the letters written), and an untimed pass that writes files by the same code, reads them back and compares
 * every byte.
 */
#include "files.h"
#include "letters.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_READ_BACK_ITEMS 64
#define FILES_READ_BACK_BYTES (UINT64_C(16) << 20)

enum { STEP_DONE = 0, STEP_OPEN, STEP_WRITE, STEP_SYNC, STEP_STAT, STEP_CLOSE, STEP_DELETE };
static const char *const files_steps[] = {"done", "create", "write", "fsync", "fstat", "close", "delete"};

/* Eight letters 'a'..'z' from each 64-bit number; items have disjoint ranges of one stream. */
static void files_letters(const files_params *p, uint64_t item, unsigned char *letters) {
  uint64_t words = files_words_of(p);
  for (uint64_t w = 0; w < words; w++) {
    uint64_t r = bh_random_u64(p->seed, item * words + w);
    uint64_t n = p->bytes - w * 8 < 8 ? p->bytes - w * 8 : 8;
    for (uint64_t b = 0; b < n; b++)
      letters[w * 8 + b] = (unsigned char)files_letter(r, b);
  }
}

static uint64_t files_hash(const unsigned char *bytes, uint64_t length, uint64_t item) {
  uint64_t hash = bh_random_mix(item + BH_RANDOM_STEP);
  for (uint64_t at = 0; at < length; at += 8) {
    uint64_t word = 0;
    memcpy(&word, bytes + at, length - at < 8 ? length - at : 8);
    hash = (hash ^ word) * UINT64_C(0x9FB21C651E98DF25);
    hash ^= hash >> 32;
  }
  return hash;
}

static void files_path(const files_params *p, uint64_t item, char *ret_path, size_t bytes) {
  snprintf(ret_path, bytes, "%s/f%" PRIu64, p->folder, item);
}

/* Writes item's file from `letters`; the same code in the timed run and in the read-back pass. Returns the failed step.
 */
static uint32_t files_write(const files_params *p, const char *path, const unsigned char *letters,
                            uint64_t *ret_bytes) {
  struct stat st;
  uint64_t at = 0;
  uint32_t failed = STEP_DONE;
  int error;
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return STEP_OPEN;
  while (at < p->bytes && failed == STEP_DONE) {
    ssize_t n = write(fd, letters + at, p->bytes - at);
    if (n > 0)
      at += (uint64_t)n;
    else if (n == 0 || errno != EINTR)
      failed = STEP_WRITE;
  }
  if (failed == STEP_DONE && p->sync && fsync(fd) != 0)
    failed = STEP_SYNC;
  if (failed == STEP_DONE) {
    if (fstat(fd, &st) != 0)
      failed = STEP_STAT;
    else
      *ret_bytes = (uint64_t)st.st_size;
  }
  error = errno;
  if (close(fd) != 0 && failed == STEP_DONE)
    return STEP_CLOSE;
  errno = error;
  return failed;
}

void files_item(const files_params *p, uint64_t item, const unsigned char *letters, files_record *ret_record) {
  files_record record = {.file_bytes = 0};
  char path[FILES_FOLDER_BYTES + 32];
  files_path(p, item, path, sizeof path);
  record.step = files_write(p, path, letters, &record.file_bytes);
  record.error = record.step == STEP_DONE ? 0 : (uint32_t)errno;
  if (record.step != STEP_OPEN && unlink(path) != 0 && record.step == STEP_DONE) {
    record.step = STEP_DELETE;
    record.error = (uint32_t)errno;
  }
  record.hash = files_hash(letters, p->bytes, item);
  *ret_record = record;
}

static void files_chunk(const bh_args *args, uint64_t begin, uint64_t end) {
  const files_params *p = args->params;
  files_record *records = args->region[0];
  unsigned char *letters = args->region[1];
  for (uint64_t i = begin; i < end; i++) {
    files_letters(p, i, letters);
    files_item(p, i, letters, &records[i]);
  }
}

static const bh_use files_uses[] = {
    {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(files_record)},
    {.region = 1, .role = BH_SCRATCH, .split = BH_BY_WORKER}};
static const bh_variant files_variants[] = {{.name = "portable",
                                             .target = "device",
                                             .summary = "letters made on the device, files written by the host",
                                             .program = &files_program},
                                            {.name = NULL}};
static const bh_kernel files_kernels[] = {
    {.name = "files", .host = files_chunk, .uses = files_uses, .n_uses = 2, .variants = files_variants}};

typedef struct {
  const bh_host *host;
  files_params params;
  bh_region regions[2];
  bh_loop loop;
  uint64_t checks; /* how many times verify ran: each time other items are read back */
} files_state;

enum { P_COUNT, P_SIZE, P_FSYNC };

static bh_status files_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  if (strlen(h->scratch_dir) >= FILES_FOLDER_BYTES)
    return h->stop(h, BH_FAIL, "the scratch folder's path is longer than %d bytes; choose a shorter TMPDIR: %s",
                   FILES_FOLDER_BYTES - 1, h->scratch_dir);
  files_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  uint64_t count = (uint64_t)values[P_COUNT].i;
  s->host = h;
  s->params.seed = h->seed;
  s->params.bytes = (uint64_t)values[P_SIZE].i;
  s->params.sync = (uint32_t)values[P_FSYNC].i;
  strcpy(s->params.folder, h->scratch_dir);
  s->regions[0] = (bh_region){
      .name = "records", .role = BH_OUT, .split = BH_WHOLE, .dtype = BH_U64, .bytes = count * sizeof(files_record)};
  s->regions[1] = (bh_region){
      .name = "letters", .role = BH_SCRATCH, .split = BH_BY_WORKER, .dtype = BH_U8, .bytes = s->params.bytes + 8};
  s->loop = (bh_loop){.items = count, .params = &s->params, .params_bytes = sizeof s->params};
  *ret_problem = (bh_problem){.size = ret_problem->size,
                              .flags = BH_EFFECTS | (s->params.sync ? BH_BLOCKING : 0),
                              .regions = s->regions,
                              .n_regions = 2,
                              .kernels = files_kernels,
                              .n_kernels = 1,
                              .loops = &s->loop,
                              .n_loops = 1,
                              .items = (double)count,
                              .bytes_written = (double)count * (double)s->params.bytes,
                              .item_unit = "files"};
  *ret_state = s;
  return BH_OK;
}

/* Which kind of wrong is it? Failures of the system are BH_FAIL and name the path; the rest is BH_WRONG. */
static bh_status files_check_record(const files_state *s, uint64_t i, const files_record *r, uint64_t hash) {
  const bh_host *h = s->host;
  char path[FILES_FOLDER_BYTES + 32];
  files_path(&s->params, i, path, sizeof path);
  if (r->step > STEP_DELETE || (r->step == STEP_DONE) != (r->error == 0) || r->error > 4095)
    return h->stop(h, BH_WRONG, "item %" PRIu64 ": its record is no record: step %" PRIu32 ", errno %" PRIu32, i,
                   r->step, r->error);
  if (r->hash != hash)
    return h->stop(h, BH_WRONG, "item %" PRIu64 ": hash of the letters: expected %016" PRIx64 ", found %016" PRIx64, i,
                   hash, r->hash);
  if (r->step != STEP_DONE)
    return h->stop(h, BH_FAIL, "item %" PRIu64 ": cannot %s %s: %s", i, files_steps[r->step], path,
                   strerror((int)r->error));
  if (r->file_bytes != s->params.bytes)
    return h->stop(h, BH_WRONG, "item %" PRIu64 ": the file had %" PRIu64 " bytes, expected %" PRIu64, i, r->file_bytes,
                   s->params.bytes);
  return BH_OK;
}

/* Writes one item's file by the timed code, reads it through another descriptor and compares. */
static bh_status files_read_back(const files_state *s, uint64_t i, unsigned char *letters, unsigned char *found) {
  const bh_host *h = s->host;
  char path[FILES_FOLDER_BYTES + 32];
  uint64_t bytes = 0, at = 0;
  uint32_t failed;
  files_letters(&s->params, i, letters);
  files_path(&s->params, i, path, sizeof path);
  failed = files_write(&s->params, path, letters, &bytes);
  if (failed != STEP_DONE)
    return h->stop(h, BH_FAIL, "read-back pass: cannot %s %s: %s", files_steps[failed], path, strerror(errno));
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return h->stop(h, BH_FAIL, "read-back pass: cannot open %s: %s", path, strerror(errno));
  for (ssize_t n = 1; n > 0 && at <= s->params.bytes;
       at += n > 0 ? (uint64_t)n : 0) /* one byte more: nothing follows */
    n = read(fd, found + at, s->params.bytes + 1 - at);
  close(fd);
  unlink(path);
  if (at != s->params.bytes)
    return h->stop(h, BH_WRONG, "read-back of item %" PRIu64 ": expected %" PRIu64 " bytes, found %" PRIu64, i,
                   s->params.bytes, at);
  for (at = 0; at < s->params.bytes; at++)
    if (found[at] != letters[at])
      return h->stop(h, BH_WRONG, "read-back of item %" PRIu64 ": byte %" PRIu64 ": expected '%c', found %d", i, at,
                     letters[at], found[at]);
  return BH_OK;
}

/* Files of this workload that a run left behind. */
static bh_status files_check_folder(const files_state *s) {
  const struct dirent *entry;
  DIR *folder = opendir(s->params.folder);
  if (!folder)
    return s->host->stop(s->host, BH_FAIL, "cannot list %s: %s", s->params.folder, strerror(errno));
  bh_status status = BH_OK;
  while (status == BH_OK && (entry = readdir(folder)))
    if (entry->d_name[0] == 'f' && entry->d_name[1] >= '0' && entry->d_name[1] <= '9')
      status = s->host->stop(s->host, BH_WRONG, "expected no file left after the run, found %s/%s", s->params.folder,
                             entry->d_name);
  closedir(folder);
  return status;
}

static bh_status files_verify(void *state, void *const *region, uint32_t workers) {
  files_state *s = state;
  const files_record *records = region[0];
  unsigned char *letters = malloc(s->params.bytes + 8), *found = malloc(s->params.bytes + 8);
  bh_status status = letters && found ? BH_OK
                                      : s->host->stop(s->host, BH_OUT_OF_MEMORY,
                                                      "verification needs twice %" PRIu64 " bytes", s->params.bytes);
  (void)workers;
  for (uint64_t i = 0; status == BH_OK && i < s->loop.items; i++) {
    files_letters(&s->params, i, letters);
    status = files_check_record(s, i, &records[i], files_hash(letters, s->params.bytes, i));
  }
  if (status == BH_OK)
    status = files_check_folder(s);
  uint64_t reads = FILES_READ_BACK_BYTES / (s->params.bytes + 1) + 1;
  if (reads > FILES_READ_BACK_ITEMS)
    reads = FILES_READ_BACK_ITEMS;
  for (uint64_t k = 0; status == BH_OK && s->loop.items && k < reads && k < s->loop.items; k++) {
    uint64_t i = reads >= s->loop.items ? k : bh_random_u64(s->params.seed ^ ++s->checks, k) % s->loop.items;
    status = files_read_back(s, i, letters, found);
  }
  free(letters);
  free(found);
  return status;
}

static void files_close(void *state) {
  free(state);
}

static const bh_param files_table[] = {
    {.name = "count",
     .type = BH_INT,
     .fallback = "1000",
     .unit = "files",
     .help = "how many files",
     .min = 0,
     .max = 1e8},
    {.name = "size", .type = BH_SIZE, .fallback = "200 B", .help = "length of each file", .min = 0, .max = 1 << 30},
    {.name = "fsync",
     .type = BH_BOOL,
     .fallback = "false",
     .help = "wait until each file's content is on the disk before it is deleted"},
    {.name = NULL}};

static const bh_workload files_workload = {
    .size = sizeof(bh_workload), .open = files_open, .verify = files_verify, .close = files_close};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,        .name = "files",
    .version = "0.1.0",    .summary = "writes files of random letters and deletes them: the file system's cost",
    .params = files_table, .workload = &files_workload};
