/* SPDX-License-Identifier: MIT
 * The contract's tables: right ones pass, each way of being wrong is named; footprints against sums worked by hand. */
#include "worker/arena.h"
#include "worker/problem.h"
#include <benchhost/device.h>

#include <string.h>

static void chunk(const bh_args *args, uint64_t begin, uint64_t end) {
  (void)args, (void)begin, (void)end;
}
static void other_chunk(const bh_args *args, uint64_t begin, uint64_t end) {
  (void)args, (void)begin, (void)end;
}
static void combine(void *into, const void *part, uint64_t bytes) {
  (void)into, (void)part, (void)bytes;
}
static void beyond(const void *params, uint64_t begin, uint64_t end, uint64_t *offset, uint64_t *length) {
  (void)params, (void)begin;
  *offset = 0;
  *length = end * 9;
}
static bh_status no_instructions(const bh_host *host) {
  return host->stop(host, BH_SKIP, "this CPU has no such instructions");
}

static bh_status prepare(bh_device *device, uint32_t loop, void **ret_state) {
  (void)device, (void)loop, (void)ret_state;
  return BH_OK;
}
static bh_status enqueue(void *state, bh_device *device, uint64_t begin, uint64_t end, const void *params) {
  (void)state, (void)device, (void)begin, (void)end, (void)params;
  return BH_OK;
}
static void finish(void *state, bh_device *device) {
  (void)state, (void)device;
}
static bh_status setup(const bh_host *host, const bh_args *args, uint64_t items, void **ret_state) {
  (void)host, (void)args, (void)items, (void)ret_state;
  return BH_OK;
}
#define PROGRAM                                                                                                        \
  { .size = sizeof(bh_program), .prepare = prepare, .enqueue = enqueue, .finish = finish }
static const bh_program for_cuda = PROGRAM, for_all = PROGRAM, instead = PROGRAM;
static const bh_kernel_shape shape = {.by = BH_BY_LANE, .lanes = 0};

typedef struct {
  bh_region regions[4];
  bh_use uses[4];
  bh_variant variants[8];
  bh_program program;
  bh_kernel kernel;
  bh_loop loop;
  bh_problem problem;
} Fixture;

static Fixture *fixture(void) {
  static Fixture f;
  f = (Fixture){
      .regions = {{.name = "in", .role = BH_IN, .dtype = BH_F64, .bytes = 800},
                  {.name = "out", .role = BH_OUT, .dtype = BH_F64, .bytes = 80},
                  {.name = "sum", .role = BH_REDUCE, .dtype = BH_F64, .bytes = 8, .combine = combine},
                  {.name = "work", .role = BH_SCRATCH, .dtype = BH_U8, .bytes = 1000}},
      .uses = {{.region = 0, .role = BH_IN, .split = BH_BY_ITEM, .stride_bytes = 80},
               {.region = 1, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = 8},
               {.region = 2, .role = BH_REDUCE},
               {.region = 3, .role = BH_SCRATCH}},
      .variants = {{.name = "fast", .target = "host", .summary = "s", .host = other_chunk},
                   {.name = "absent", .target = "host", .summary = "s", .host = other_chunk, .probe = no_instructions},
                   {.name = "library", .target = "device", .summary = "s", .program = &for_all},
                   {.name = "library", .target = "cuda", .summary = "s", .program = &for_cuda},
                   {.name = "fast-library", .target = "cuda", .summary = "s", .program = &for_cuda}},
      .program = PROGRAM,
      .loop = {.items = 10},
  };
  f.kernel = (bh_kernel){.name = "k", .host = chunk, .uses = f.uses, .n_uses = 4, .variants = f.variants};
  f.problem = (bh_problem){.size = sizeof(bh_problem),
                           .regions = f.regions,
                           .kernels = &f.kernel,
                           .loops = &f.loop,
                           .n_regions = 4,
                           .n_kernels = 1,
                           .n_loops = 1};
  return &f;
}

static void refused(Fixture *f, const char *word) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhProblem) problem = bh_problem_new(&f->problem, &error);
  g_assert_null(problem);
  g_assert_error(error, BH_ERROR, BH_ERROR_PLUGIN);
  if (!strstr(error->message, word))
    g_error("'%s' does not name '%s'", error->message, word);
}

static void test_good(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhProblem) problem = bh_problem_new(&fixture()->problem, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(problem->chosen[0], ==, "portable");
}

#define BAD(change, word)                                                                                              \
  do {                                                                                                                 \
    Fixture *f = fixture();                                                                                            \
    change;                                                                                                            \
    refused(f, word);                                                                                                  \
  } while (0)

static void test_bad(void) {
  BAD(f->problem.size = 8, "size");
  BAD(f->problem.n_regions = 70000, "more than");
  BAD(f->problem.regions = NULL, "NULL");
  BAD(f->problem.n_loops = 0, "neither loops nor");
  BAD(f->problem.items = -1, "cost model");
  BAD(f->problem.flops = 0.0 / 0.0, "cost model");
  BAD((f->problem.min_members = 3, f->problem.max_members = 2), "min_members");
  BAD(f->regions[0].name = NULL, "no name");
  BAD(f->regions[0].role = (bh_role)9, "role");
  BAD(f->regions[0].dtype = (bh_dtype)0, "dtype");
  BAD(f->regions[0].split = BH_BY_ITEM, "BH_BY_ITEM belongs in a kernel");
  BAD(f->regions[2].combine = NULL, "combine");
  BAD(f->uses[0].region = 4, "region 4 of 4");
  BAD(f->uses[0].role = BH_OUT, "role");
  BAD(f->uses[0].stride_bytes = 0, "stride_bytes");
  BAD(f->uses[1].split = BH_BY_WORKER, "only one of the region and the use");
  BAD(f->regions[1].split = BH_BY_WORKER, "only one of the region and the use");
  BAD((f->regions[0].split = BH_BY_WORKER, f->uses[0] = (bh_use){0, BH_IN, BH_BY_ITEM, 8}), "only one of the region");
  BAD((f->regions[1].split = BH_BY_WORKER, f->uses[1] = (bh_use){1, BH_OUT, BH_WHOLE}), "only one of the region");
  BAD((f->regions[1].split = BH_BY_WORKER, f->uses[0] = (bh_use){1, BH_IN, BH_WHOLE},
       f->uses[1] = (bh_use){1, BH_OUT, BH_BY_WORKER}),
      "use two loops");
  BAD(f->kernel.n_uses = 17, "the most is 16");
  BAD(f->kernel.name = NULL, "no name");
  BAD((f->kernel.host = NULL, f->kernel.variants = NULL), "neither host code");
  BAD(f->loop.kernel = 1, "kernel 1 of 1");
  BAD(f->loop.items = 11, "11 items");
  BAD(f->loop.items = UINT64_MAX, "items");
  BAD(f->loop.params_bytes = 4, "params");
  BAD(f->uses[1].slice = beyond, "beyond region out");
  BAD(f->kernel.source = "text", "source");
  BAD((f->kernel.source = "text", f->kernel.source_bytes = 4, f->kernel.entry = "k"), "shape");
  BAD(f->kernel.program = &for_all, "give it in a variant");
}

static bh_status member(const void *state, bh_team *team, const bh_args *args) {
  (void)state, (void)team, (void)args;
  return BH_OK;
}

/* A team's body with one or two uses of region `out`, which is divided by worker; of the kernel's only that is one. */
static void exchanging(Fixture *f, bh_use first, bh_use second, uint32_t n) {
  static bh_use body[2];
  body[0] = first;
  body[1] = second;
  f->regions[1].split = BH_BY_WORKER;
  f->uses[1].split = BH_BY_WORKER;
  f->problem.member = member;
  f->problem.uses = body;
  f->problem.n_uses = n;
}

static void test_exchanged(void) {
  const bh_use good = {.region = 1, .role = BH_INOUT, .split = BH_BY_WORKER, .flags = BH_EXCHANGED};
  const bh_use looks = {.region = 1, .role = BH_INOUT, .split = BH_BY_WORKER};
  const bh_use all = {.region = 1, .role = BH_IN, .split = BH_WHOLE, .flags = BH_EXCHANGED};
  const bh_use whole = {.region = 0, .role = BH_IN, .flags = BH_EXCHANGED};
  const bh_use scratch = {.region = 3, .role = BH_SCRATCH, .split = BH_BY_WORKER, .flags = BH_EXCHANGED};
  const bh_use strange = {.region = 1, .role = BH_INOUT, .split = BH_BY_WORKER, .flags = 3};
  g_autoptr(GError) error = NULL;
  Fixture *fine = fixture();
  exchanging(fine, good, good, 2);
  g_autoptr(BhProblem) problem = bh_problem_new(&fine->problem, &error);
  g_assert_no_error(error);
  g_assert_nonnull(problem);
  BAD(f->uses[0].flags = BH_EXCHANGED, "only a team body's use may have one");
  BAD(exchanging(f, strange, good, 1), "use 0 has flags 3");
  BAD(exchanging(f, good, looks, 2), "in one use and looked at in another");
  BAD(exchanging(f, all, good, 1), "the use must be BH_BY_WORKER"); /* not all parts are where the member computes */
  BAD(exchanging(f, whole, good, 1), "the use must be BH_BY_WORKER");
  BAD(exchanging(f, scratch, good, 1), "none of BH_SCRATCH");
}

/* A variant that lacks its own code would be another one's under its name. */
static void test_bad_variants(void) {
  BAD(f->variants[0].target = NULL, "variant fast has no target");
  BAD(f->variants[0].host = NULL, "variant fast for target \"host\" has no `host`");
  BAD(f->variants[3].program = NULL, "variant library for target \"cuda\" has no `program`");
  BAD((f->variants[3].program = NULL, f->variants[3].host = chunk), "has no `program`");
  BAD(f->variants[2].setup = setup, "a program has `prepare`");
  BAD((f->variants[2].program = &f->program, f->program.size = 8), "`size`");
  BAD((f->variants[2].program = &f->program, f->program.prepare = NULL), "`prepare`");
  BAD((f->variants[2].program = &f->program, f->program.enqueue = NULL), "`enqueue`");
  BAD((f->variants[2].program = &f->program, f->program.finish = NULL), "`finish`");
}

/* What a kernel file's macro says must fit the table of uses and the loop. */
static void test_bad_kernel_file(void) {
  static bh_kernel_shape says;
#define BAD_FILE(change, word)                                                                                         \
  BAD((says = (bh_kernel_shape){.by = BH_BY_LANE, .n_uses = 4, .read_only = 1}, f->kernel.source = "text",             \
       f->kernel.source_bytes = 4, f->kernel.entry = "k", f->kernel.shape = &says, change),                            \
      word)
  BAD_FILE(says.n_uses = 3, "table has 4 uses, its macro in the kernel file 3 types");
  BAD_FILE(f->kernel.n_uses = 3, "table has 3 uses, its macro in the kernel file 4 types");
  BAD_FILE(says.read_only = 3, "use 1, region out, is not BH_IN, but type 1 of its macro in the kernel file is const");
  BAD_FILE(says.read_only = 0, "use 0, region in, is BH_IN, but type 0 of its macro in the kernel file is not const");
  BAD_FILE(says.read_only = 1 << 2 | 1, "use 2, region sum, is not BH_IN");
  BAD_FILE(says.params_bytes = 8, "`params_bytes` is 0, but the parameters of kernel k in the kernel file have 8");
  BAD_FILE((f->loop.params = "abcd", f->loop.params_bytes = 4), "in the kernel file have 0");
  BAD_FILE(says.sum_bytes = 8, "found region in of 800 bytes in another role");
  BAD_FILE((says.sum_bytes = 16, says.read_only = 2, f->uses[0] = (bh_use){.region = 2, .role = BH_REDUCE},
            f->uses[1] = (bh_use){.region = 0, .role = BH_IN}),
           "a BH_REDUCE of 16 bytes, one sum; found region sum of 8 bytes");
#undef BAD_FILE
}

static void test_good_kernel_file(void) {
  const bh_kernel_shape says = {.by = BH_BY_LANE, .n_uses = 4, .read_only = 1, .params_bytes = 4};
  const bh_kernel_shape silent = {.by = BH_BY_LANE, .lanes = 0};
  const bh_kernel_shape *const fine[] = {&says, &silent}; /* written by hand: nothing is known */
  for (guint i = 0; i < G_N_ELEMENTS(fine); i++) {
    g_autoptr(GError) error = NULL;
    Fixture *f = fixture();
    f->kernel.source = "text", f->kernel.source_bytes = 4, f->kernel.entry = "k", f->kernel.shape = fine[i];
    f->loop.params = "abcd", f->loop.params_bytes = 4;
    g_autoptr(BhProblem) problem = bh_problem_new(&f->problem, &error);
    g_assert_no_error(error);
    g_assert_nonnull(problem);
  }
}

static void test_footprint(void) {
  g_autoptr(BhProblem) problem = bh_problem_new(&fixture()->problem, NULL);
  const bh_needs threads = {.size = sizeof threads, .workers = 3, .host_bytes = 5};
  /* in 800, out 80, sum 8 and 3 private copies of it, scratch 3 x 1000, the backend's 5 */
  g_assert_cmpuint(bh_problem_footprint(&problem->problem, &threads), ==, 800 + 80 + 8 + 24 + 3000 + 5);
  const bh_needs copies = {.size = sizeof copies, .workers = 3, .copies = 1};
  /* `in` and `out` once more, in slices */
  g_assert_cmpuint(bh_problem_footprint(&problem->problem, &copies), ==, 800 + 800 + 80 + 80 + 8 + 24 + 3000);
  fixture()->uses[0].split = BH_WHOLE; /* each worker holds all of `in` */
  g_assert_cmpuint(bh_problem_footprint(&problem->problem, &copies), ==, 800 + 2400 + 80 + 80 + 8 + 24 + 3000);
  problem->problem.worker_bytes = UINT64_MAX / 2;
  g_assert_cmpuint(bh_problem_footprint(&problem->problem, &copies), ==, UINT64_MAX); /* saturates, never wraps */
}

static bh_status choose(const char *name, const char *target, BhProblem **ret, char **ret_why) {
  const int cpus[] = {0};
  const BhArenaOptions options = {.cores = 1, .cpus_compact = cpus, .n_compact = 1, .cpus_spread = cpus, .n_spread = 1};
  g_autoptr(BhArena) arena = bh_arena_new(&options, NULL);
  BhProblem *problem = bh_problem_new(&fixture()->problem, NULL);
  const bh_status status = bh_problem_choose(problem, name, target, bh_arena_host(arena));
  const char *message = "";
  bh_arena_stopped(arena, &message);
  *ret_why = g_strdup(message);
  *ret = problem;
  return status;
}

static const char known[] =
    "there are: portable, fast (host), absent (host), library (device), library (cuda), fast-library (cuda)";

static void test_choose(void) {
  static const struct {
    const char *name, *target, *why;
    bh_status status;
    bh_chunk runs;
    const bh_program *program;
  } rows[] = {
      {"portable", "host", "", BH_OK, chunk, NULL},
      {"fast", "host", "", BH_OK, other_chunk, NULL},
      {"portable", "cuda", "", BH_OK, chunk, NULL},
      {"library", "cuda", "", BH_OK, chunk, &for_cuda}, /* the one for this very target, wherever it stands */
      {"library", "opencl", "", BH_OK, chunk, &for_all},
      {"library", "host", known, BH_UNSUPPORTED, chunk, NULL}, /* "device" is never the host */
      {"fast", "cuda", "no kernel has a variant 'fast' for cuda backends", BH_UNSUPPORTED, chunk, NULL},
      {"fast-library", "opencl", known, BH_UNSUPPORTED, chunk, NULL},
      {"fsat", "host", "no kernel has a variant 'fsat'", BH_UNSUPPORTED, chunk, NULL},
      {"absent", "host", "no such instructions", BH_SKIP, chunk, NULL},
  };
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(BhProblem) problem = NULL;
    g_autofree char *why = NULL;
    g_assert_cmpint(choose(rows[i].name, rows[i].target, &problem, &why), ==, rows[i].status);
    if (!strstr(why, rows[i].why))
      g_error("%s on %s: expected a reason with '%s', found: %s", rows[i].name, rows[i].target, rows[i].why, why);
    g_assert_true(problem->kernels[0].host == rows[i].runs);
    g_assert_true(problem->kernels[0].program == rows[i].program);
    g_assert_cmpstr(problem->chosen[0], ==, rows[i].status == BH_OK ? rows[i].name : "portable");
  }
}

/* A kernel whose portable code on devices is a program: on the host it stays its function; on devices it goes before
 * the source, so that what is called portable there is one thing. */
static void test_choose_portable_program(void) {
  const int cpus[] = {0};
  const BhArenaOptions options = {.cores = 1, .cpus_compact = cpus, .n_compact = 1, .cpus_spread = cpus, .n_spread = 1};
  g_autoptr(BhArena) arena = bh_arena_new(&options, NULL);
  static const char *const targets[] = {"host", "cuda", "opencl"};
  for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
    Fixture *f = fixture();
    f->variants[2] = (bh_variant){.name = "portable", .target = "device", .summary = "s", .program = &instead};
    f->kernel.source = "text", f->kernel.source_bytes = 4, f->kernel.entry = "k", f->kernel.shape = &shape;
    g_autoptr(BhProblem) problem = bh_problem_new(&f->problem, NULL);
    g_assert_cmpint(bh_problem_choose(problem, "portable", targets[i], bh_arena_host(arena)), ==, BH_OK);
    g_assert_true(problem->kernels[0].program == (i ? &instead : NULL));
    g_assert_true(problem->kernels[0].host == chunk);
    g_assert_cmpstr(problem->chosen[0], ==, "portable");
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/problem/good", test_good);
  g_test_add_func("/problem/bad", test_bad);
  g_test_add_func("/problem/bad-variants", test_bad_variants);
  g_test_add_func("/problem/exchanged", test_exchanged);
  g_test_add_func("/problem/bad-kernel-file", test_bad_kernel_file);
  g_test_add_func("/problem/good-kernel-file", test_good_kernel_file);
  g_test_add_func("/problem/footprint", test_footprint);
  g_test_add_func("/problem/choose", test_choose);
  g_test_add_func("/problem/choose-portable-program", test_choose_portable_program);
  return g_test_run();
}
