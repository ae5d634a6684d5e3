/* SPDX-License-Identifier: MIT
 *
 * sleep-device: napping for devices whose kernels have no clock (OpenCL): the host naps when the device's stream gets
 * there, and what is enqueued later waits for it. One device's items nap one after the other.
 */
#include "sleep.h"

#include <stdlib.h>

/* A range of items that was enqueued; runs of one sample enqueue the same ones again. */
typedef struct job job;
struct job {
  job *next;
  sleep_nap *naps; /* the program's, of all items */
  uint64_t begin, end, duration_ns;
  int ran; /* since the last fetch */
};

typedef struct {
  job *jobs;
  sleep_nap naps[];
} program;

static bh_status out_of_memory(bh_device *d, uint64_t bytes) {
  return d->host->stop(d->host, BH_OUT_OF_MEMORY, "no memory for the device's naps: needed %llu bytes",
                       (unsigned long long)bytes);
}

static bh_status sleep_prepare_device(bh_device *d, uint32_t loop, void **ret_state) {
  const uint64_t bytes = sizeof(program) + d->problem->loops[loop].items * sizeof(sleep_nap);
  program *s = calloc(1, bytes);
  if (!s)
    return out_of_memory(d, bytes);
  d->host->fact(d->host, "naps", "by the host in stream order, one after the other on each device");
  *ret_state = s;
  return BH_OK;
}

/* On a thread of the runtime, when the stream got here. */
static void nap(void *arg) {
  job *j = arg;
  for (uint64_t i = j->begin; i < j->end; i++)
    sleep_take(&j->naps[i], i, j->duration_ns);
}

static bh_status sleep_enqueue(void *state, bh_device *d, uint64_t begin, uint64_t end, const void *params) {
  program *s = state;
  const uint64_t duration_ns = ((const sleep_params *)params)->duration_ns;
  job *j = s->jobs;
  if (begin == end)
    return BH_OK;
  while (j && (j->begin != begin || j->end != end || j->duration_ns != duration_ns))
    j = j->next;
  if (!j) {
    if (!(j = malloc(sizeof *j)))
      return out_of_memory(d, sizeof *j);
    *j = (job){.next = s->jobs, .naps = s->naps, .begin = begin, .end = end, .duration_ns = duration_ns};
    s->jobs = j;
  }
  j->ran = 1;
  return d->host_func(d, nap, j);
}

/* Only what ran since the last time: what the host wrote into its view meanwhile is not to be hidden by older naps. */
static bh_status sleep_fetch(void *state, bh_device *d) {
  program *s = state;
  bh_status status = d->finish(d);
  for (job *j = s->jobs; j && status == BH_OK; j = j->next) {
    if (j->ran)
      status = d->upload(d, d->region(d, 0), j->begin * sizeof(sleep_nap), &s->naps[j->begin],
                         (j->end - j->begin) * sizeof(sleep_nap));
    j->ran = 0;
  }
  return status;
}

static void sleep_finish(void *state, bh_device *d) {
  program *s = state;
  (void)d;
  while (s && s->jobs) {
    job *j = s->jobs;
    s->jobs = j->next;
    free(j);
  }
  free(s);
}

const bh_program sleep_program = {.size = sizeof(bh_program),
                                  .prepare = sleep_prepare_device,
                                  .enqueue = sleep_enqueue,
                                  .fetch = sleep_fetch,
                                  .finish = sleep_finish};
