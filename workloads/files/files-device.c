/* SPDX-License-Identifier: MIT
 *
 * files on a device: the letters are made there, a batch of files at a time, and the host writes the files in order, by
 * the same code as on the host. The stream cannot make the next letters while it waits for the host, so the host's part
 * of it only hands the batch to a writer thread; two page-locked slots let the one be filled while the other is
 * written.
 *
 *   stream:  letters 0, copy to slot 0, hand over 0, letters 1, copy to slot 1, hand over 1 (waits for writer 0), ...
 *   writer:                                         files of batch 0 ................ | files of batch 1 ...
 */
#include "files.h"
#include "files.k.h"
#include "files.k.inc"
#include <benchhost/device.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FILES_BATCH_BYTES (UINT64_C(4) << 20) /* of letters in a slot, unless one file is longer */

static const bh_use files_words_uses[] = {
    {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(uint64_t)}};
static const bh_kernel files_words_kernel = {
    .name = "letters", BH_KERNEL_DEVICE(files_words, files_source), .uses = files_words_uses, .n_uses = 1};

typedef struct files_device files_device;

/* Files [first, first + count), whose letters lie one file after the other, each from a multiple of 8 bytes. */
typedef struct {
  files_device *owner;
  unsigned char *letters;
  uint64_t first, count;
} files_batch;

struct files_device {
  const files_params *params;
  uint64_t batch_files;  /* in a batch, at most */
  files_batch *batches;  /* what is enqueued points to these */
  files_record *records; /* of all items; the writer fills those of [begin, end) */
  uint64_t begin, end;
  bh_buffer *words;
  void *slot[2];
  pthread_t writer;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  const files_batch *work; /* what the writer has to do; NULL: nothing */
  uint32_t givers;         /* in files_give */
  int has_writer, quit;
};

static uint64_t files_batch_files(const files_params *p, uint64_t items) {
  const uint64_t file_bytes = files_words_of(p) * sizeof(uint64_t);
  const uint64_t fit = file_bytes == 0 ? items : FILES_BATCH_BYTES / file_bytes;
  return fit == 0 ? 1 : fit < items ? fit : items;
}

static uint64_t files_batch_bytes(const files_params *p, uint64_t items) {
  return files_batch_files(p, items) * files_words_of(p) * sizeof(uint64_t);
}

/* ---- The writer ---- */

static void files_write_batch(const files_batch *batch) {
  files_device *s = batch->owner;
  const uint64_t file_bytes = files_words_of(s->params) * sizeof(uint64_t);
  for (uint64_t k = 0; k < batch->count; k++)
    files_item(s->params, batch->first + k, batch->letters + k * file_bytes, &s->records[batch->first + k]);
}

static void *files_writer(void *arg) {
  files_device *s = arg;
  pthread_mutex_lock(&s->lock);
  while (!s->quit) {
    if (!s->work) {
      pthread_cond_wait(&s->changed, &s->lock);
      continue;
    }
    pthread_mutex_unlock(&s->lock);
    files_write_batch(s->work);
    pthread_mutex_lock(&s->lock);
    s->work = NULL;
    pthread_cond_broadcast(&s->changed);
  }
  pthread_mutex_unlock(&s->lock);
  return NULL;
}

/* Gives `batch` to the writer once it is done with the one before; NULL: only waits for that. */
static void files_give(files_device *s, const files_batch *batch) {
  pthread_mutex_lock(&s->lock);
  s->givers++;
  while (s->work && !s->quit)
    pthread_cond_wait(&s->changed, &s->lock);
  if (!s->quit)
    s->work = batch;
  s->givers--;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

/* In the stream: the batch's letters are here; the other slot is free when this returns. */
static void files_hand_over(void *batch) {
  files_give(((files_batch *)batch)->owner, batch);
}

static void files_await_writer(void *state) {
  files_give(state, NULL);
}

/* ---- The program ---- */

static bh_status files_footprint(const bh_host *h, const bh_problem *problem, uint32_t loop,
                                 bh_footprint *ret_footprint) {
  const uint64_t items = problem->loops[loop].items, batch = files_batch_bytes(problem->loops[loop].params, items);
  (void)h;
  ret_footprint->device_bytes = batch;
  ret_footprint->host_bytes = 2 * batch + items * sizeof(files_record);
  return BH_OK;
}

static void files_finish(void *state, bh_device *d) {
  files_device *s = state;
  if (!s)
    return;
  if (s->has_writer) {
    pthread_mutex_lock(&s->lock);
    s->quit = 1;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->writer, NULL);
    /* A device that failed may have ended its stream while a host function was still in `files_give`. */
    pthread_mutex_lock(&s->lock);
    while (s->givers)
      pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
  }
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  d->unpin(d, s->slot[0]);
  d->unpin(d, s->slot[1]);
  d->release(d, s->words);
  free(s->batches);
  free(s->records);
  free(s);
}

static bh_status files_take(files_device *s, bh_device *d, uint64_t items) {
  const uint64_t bytes = files_batch_bytes(s->params, items);
  bh_status status = bytes ? d->alloc(d, bytes, &s->words) : BH_OK; /* files of size 0 have no letters */
  for (int k = 0; k < 2 && bytes && status == BH_OK; k++)
    status = d->pinned(d, bytes, &s->slot[k]);
  if (status != BH_OK)
    return status;
  s->batch_files = files_batch_files(s->params, items);
  s->batches = calloc(items / (s->batch_files ? s->batch_files : 1) + 1, sizeof *s->batches);
  s->records = calloc(items ? items : 1, sizeof *s->records);
  if (!s->batches || !s->records)
    return d->host->stop(d->host, BH_OUT_OF_MEMORY, "the records of %" PRIu64 " files need %" PRIu64 " bytes", items,
                         items * (uint64_t)sizeof *s->records);
  const int error = pthread_create(&s->writer, NULL, files_writer, s);
  s->has_writer = error == 0;
  return error ? d->host->stop(d->host, BH_FAIL, "the thread that writes files: %s", strerror(error)) : BH_OK;
}

static bh_status files_prepare(bh_device *d, uint32_t loop, void **ret_state) {
  files_device *s = calloc(1, sizeof *s);
  if (!s)
    return d->host->stop(d->host, BH_OUT_OF_MEMORY, "no memory for the program's state");
  s->params = d->problem->loops[loop].params;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->changed, NULL);
  const bh_status status = files_take(s, d, d->problem->loops[loop].items);
  if (status == BH_OK)
    *ret_state = s;
  else
    files_finish(s, d);
  return status;
}

static bh_status files_enqueue_batch(files_device *s, bh_device *d, files_batch *batch) {
  const uint64_t file_words = files_words_of(s->params), words = batch->count * file_words;
  const files_words_params p = {.seed = s->params->seed, .first = batch->first * file_words};
  bh_status status = BH_OK;
  if (words)
    status = d->launch(d, &files_words_kernel, 0, words, &s->words, &p, sizeof p);
  if (words && status == BH_OK)
    status = d->download(d, s->words, 0, batch->letters, words * sizeof(uint64_t));
  return status == BH_OK ? d->host_func(d, files_hand_over, batch) : status;
}

static bh_status files_enqueue(void *state, bh_device *d, uint64_t begin, uint64_t end, const void *params) {
  files_device *s = state;
  bh_status status = BH_OK;
  (void)params; /* the loop's own: what is enqueued needs them for longer than this call */
  s->begin = begin;
  s->end = end;
  memset(s->records + begin, 0, (end - begin) * sizeof *s->records); /* no file of this run has such a record */
  for (uint64_t k = 0, first = begin; first < end && status == BH_OK; first += s->batch_files, k++) {
    const uint64_t count = end - first < s->batch_files ? end - first : s->batch_files;
    s->batches[k] = (files_batch){.owner = s, .letters = s->slot[k % 2], .first = first, .count = count};
    status = files_enqueue_batch(s, d, &s->batches[k]);
  }
  return status == BH_OK ? d->host_func(d, files_await_writer, s) : status;
}

/* The records are the host's work: they are there when the stream has ended, not when `enqueue` returned. */
static bh_status files_fetch(void *state, bh_device *d) {
  const files_device *s = state;
  const uint64_t record = sizeof *s->records;
  const bh_status status = d->finish(d);
  if (status != BH_OK || s->begin == s->end)
    return status;
  return d->upload(d, d->region(d, 0), s->begin * record, s->records + s->begin, (s->end - s->begin) * record);
}

const bh_program files_program = {.size = sizeof(bh_program),
                                  .footprint = files_footprint,
                                  .prepare = files_prepare,
                                  .enqueue = files_enqueue,
                                  .fetch = files_fetch,
                                  .finish = files_finish};
