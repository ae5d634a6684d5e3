/* SPDX-License-Identifier: MIT
 *
 * memory: each item allocates an array, fills it with random doubles and frees it: page faults, memory bandwidth and,
 * with many workers, memory that multiplies. An allocation that the system refuses is an out-of-memory result with
 * figures.
 */
#include "memory.k.h"
#include "memory.k.inc"
#include <benchhost/plugin.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { R_RECORDS, R_ARRAY, N_REGIONS };

/* Its array comes from the system, not from the scratch region, which is a device's and stays untouched here. */
static void memory_arrays(const bh_args *args, uint64_t begin, uint64_t end) {
  const memory_params *p = args->params;
  memory_record *records = args->region[R_RECORDS];
  uint64_t count = p->bytes / sizeof(double);
  for (uint64_t i = begin; i < end; i++) {
    uint64_t stream = bh_random_u64(p->seed, i), sample = 0;
    double *array =
        p->map ? mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : malloc(p->bytes);
    if (!array || array == MAP_FAILED) {
      records[i] = (memory_record){.item = i, .error = (uint64_t)errno};
      continue;
    }
    memory_fill(array, count, stream);
    __asm__ volatile("" : : "r"(array) : "memory"); /* all of it is written, however little is read */
    for (uint64_t k = 0; k < MEMORY_SAMPLES; k++)
      sample = memory_fold(sample, memory_word(array[memory_position(count, stream, k)], k));
    if (p->map)
      munmap(array, p->bytes);
    else
      free(array);
    records[i] = (memory_record){.item = i, .sample = sample};
  }
}

static const bh_use memory_uses[] = {
    {.region = R_RECORDS, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(memory_record)},
    {.region = R_ARRAY, .role = BH_SCRATCH, .split = BH_WHOLE}};
static const bh_kernel memory_kernels[] = {
    {.name = "fill", BH_KERNEL_DEVICE(memory_arrays, memory_source), .uses = memory_uses, .n_uses = N_REGIONS}};

typedef struct {
  const bh_host *host;
  memory_params params;
  bh_region regions[N_REGIONS];
  bh_loop loop;
} memory_state;

enum { P_ITEMS, P_BYTES, P_ALLOCATOR };

static bh_status memory_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  memory_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  uint64_t items = (uint64_t)values[P_ITEMS].i;
  s->host = h;
  s->params = (memory_params){.seed = h->seed,
                              .bytes = (uint64_t)values[P_BYTES].i / sizeof(double) * sizeof(double),
                              .map = values[P_ALLOCATOR].i == 1};
  s->regions[R_RECORDS] = (bh_region){
      .name = "records", .role = BH_OUT, .split = BH_WHOLE, .dtype = BH_U64, .bytes = items * sizeof(memory_record)};
  /* One for each worker: what it allocates, or on a device the array itself. The footprint counts it either way. */
  s->regions[R_ARRAY] =
      (bh_region){.name = "array", .role = BH_SCRATCH, .split = BH_WHOLE, .dtype = BH_F64, .bytes = s->params.bytes};
  s->loop = (bh_loop){.items = items, .params = &s->params, .params_bytes = sizeof s->params};
  *ret_problem = (bh_problem){.size = ret_problem->size,
                              .flags = BH_EFFECTS, /* the host's code allocates */
                              .regions = s->regions,
                              .n_regions = N_REGIONS,
                              .kernels = memory_kernels,
                              .n_kernels = 1,
                              .loops = &s->loop,
                              .n_loops = 1,
                              .items = (double)items,
                              .bytes_written = (double)items * (double)s->params.bytes,
                              .item_unit = "arrays"};
  *ret_state = s;
  return BH_OK;
}

/* What the kernel says is available now; 0 where it does not say. */
static uint64_t memory_available(void) {
  char line[128];
  uint64_t kib = 0;
  FILE *file = fopen("/proc/meminfo", "re");
  while (file && kib == 0 && fgets(line, sizeof line, file))
    sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib);
  if (file)
    fclose(file);
  return kib * 1024;
}

static bh_status memory_verify(void *state, void *const *region, uint32_t workers) {
  const memory_state *s = state;
  const bh_host *h = s->host;
  const memory_record *records = region[R_RECORDS];
  uint64_t count = s->params.bytes / sizeof(double);
  for (uint64_t i = 0; i < s->loop.items; i++) {
    uint64_t stream = bh_random_u64(s->params.seed, i), sample = 0;
    const memory_record *r = &records[i];
    if (r->item != i || r->error > 4095)
      return h->stop(h, BH_WRONG, "item %" PRIu64 ": its record names item %" PRIu64 ", errno %" PRIu64, i, r->item,
                     r->error);
    if (r->error)
      return h->stop(h, BH_OUT_OF_MEMORY,
                     "item %" PRIu64 ": the system refused an array: needed %" PRIu64 " bytes for each of %" PRIu32
                     " workers, had %" PRIu64 " bytes available (%s)",
                     i, s->params.bytes, workers, memory_available(), strerror((int)r->error));
    for (uint64_t k = 0; k < MEMORY_SAMPLES; k++)
      sample = memory_fold(sample, memory_word(bh_random_unit(stream, memory_position(count, stream, k)), k));
    if (r->sample != sample)
      return h->stop(h, BH_WRONG,
                     "item %" PRIu64 ": digest of %d sampled elements: expected %016" PRIx64 ", found %016" PRIx64, i,
                     MEMORY_SAMPLES, sample, r->sample);
  }
  return BH_OK;
}

static void memory_close(void *state) {
  free(state);
}

static const bh_param memory_table[] = {
    {.name = "items",
     .type = BH_INT,
     .fallback = "10",
     .unit = "arrays",
     .help = "how many arrays, one after the other on each worker",
     .min = 0,
     .max = 1e8},
    {.name = "bytes",
     .type = BH_SIZE,
     .fallback = "64 MB",
     .help = "size of one array, rounded down to whole doubles; each worker holds one at a time",
     .min = 8,
     .max = 1e13},
    {.name = "allocator",
     .type = BH_CHOICE,
     .fallback = "malloc",
     .choices = "malloc|mmap",
     .help = "malloc may give pages of an earlier array again (below 32 MiB it does); mmap always takes fresh ones"},
    {.name = NULL}};

static const bh_workload memory_workload = {
    .size = sizeof(bh_workload), .open = memory_open, .verify = memory_verify, .close = memory_close};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,         .name = "memory",
    .version = "0.1.0",     .summary = "allocates arrays, fills them with random doubles, frees them",
    .params = memory_table, .workload = &memory_workload};
