/* SPDX-License-Identifier: MIT
 *
 * benchhost/plugin.h - the contract between benchhost, a workload and a backend.
 *
 * A plugin is a shared object that exports ONE const object named `bh_plugin` of type bh_plugin_info. A *workload* says
 * what there is to do; a *backend* says how it is done. Neither knows the other: any workload runs on any backend.
 * Nothing here needs a library: plain C11, also valid C++ and CUDA; plugins resolve no symbol from the host.
 *
 * Stability: before ABI 1.0 a plugin must be built for exactly this BH_ABI. From 1.0 on fields are only ever added at the
 * end of a struct; the host copies min(theirs, ours) bytes and zeroes the rest, so a missing tail reads as 0/NULL.
 *
 * Conventions: sizes are bytes (`_bytes`) and times nanoseconds (`_ns`) unless a name says otherwise. A pointer that is
 * passed in belongs to the caller and is valid for the call, unless its comment names a longer life. Callbacks that can
 * fail return a bh_status; when it is not BH_OK they must have said why: `return h->stop(h, BH_SKIP, "no GPU");`.
 * Thread tags: [host] called by the cell's first thread only, never concurrently; [worker] called by any worker, at once.
 *
 * Life of a cell (one fresh process each):
 *
 *   workload.open -> backend.probe -> backend.accept -> backend.open -> backend.alloc (each region) -> workload.fill
 *     -> backend.bind (each region) -> { bind of outputs -> workload.prepare -> RUN } ... -> backend.fetch (each region)
 *     -> workload.verify -> backend.close -> workload.close        RUN = run_loop for each loop, or run_team once
 */
#ifndef BENCHHOST_PLUGIN_H
#define BENCHHOST_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BH_MAGIC UINT32_C(0x31484842) /* "BHH1" */
#define BH_ABI_MAJOR 0u
#define BH_ABI_MINOR 3u
#define BH_ABI ((BH_ABI_MAJOR << 16) | BH_ABI_MINOR)
#define BH_UNBOUNDED 1e300 /* a parameter's limit: none */

#if defined(__GNUC__)
#define BH_EXPORT __attribute__((visibility("default")))
#define BH_PRINTF(text_at, first_at) __attribute__((__format__(__printf__, text_at, first_at)))
#else
#define BH_EXPORT
#define BH_PRINTF(text_at, first_at)
#endif

/* How a callback ended. The host turns it into the cell's status. */
typedef enum {
  BH_OK = 0,
  BH_SKIP,          /* cannot run here: no GPU, data absent. Does not fail a run. */
  BH_UNSUPPORTED,   /* this pair or this combination of parameters can never run */
  BH_OUT_OF_MEMORY, /* say what was needed and what was there */
  BH_WRONG,         /* verify found a wrong result */
  BH_FAIL           /* anything else */
} bh_status;

/* ---- Parameters: a table. The host parses, checks, documents and sweeps them; a plugin gets typed values. ---- */

typedef enum {
  BH_BOOL = 1, /* true | false           -> i = 0 or 1 */
  BH_INT,      /* 12, 1e6, cores / 2     -> i */
  BH_REAL,     /* 0.5                    -> r */
  BH_SIZE,     /* 64 KiB, 500 MB         -> i, bytes */
  BH_DURATION, /* 10ms, 1.5 s            -> i, nanoseconds */
  BH_TEXT,     /* any text               -> s */
  BH_CHOICE,   /* one of `choices`       -> i = its index, s = its name */
  BH_WORDS     /* a command: quoted text or a list -> words, NULL-terminated */
} bh_type;

typedef struct {
  const char *name; /* lower-case letters, digits and '-'; starts with a letter */
  bh_type type;
  const char *fallback; /* the default, written as in a matrix; NULL: the matrix must give it */
  const char *choices;  /* BH_CHOICE: "static|dynamic|guided"; else NULL */
  const char *unit;     /* for help: "items"; NULL where the type says it */
  const char *help;     /* one sentence: what it does, and what 0 or "" means if special */
  double min, max;      /* numbers: inclusive limits; both 0: none on either side; BH_UNBOUNDED for one open side */
  /* An environment variable that must be set before the plugin's library loads (OMP_WAIT_POLICY): the host sets it in
   * the cell's process. `env_values`: for BH_CHOICE its text per choice, '|'-separated, an empty one meaning "leave
   * unset"; NULL: the value as written. */
  const char *env, *env_values;
} bh_param;

/* A parameter's value, in the order of the table. `i`, `r`, `s` and `words` are set as bh_type says, else 0/NULL. Texts
 * live as long as the cell. */
typedef struct {
  int64_t i;
  double r;
  const char *s;
  const char *const *words;
  int given; /* 1: the matrix gave it; 0: it is the default */
} bh_value;

/* ---- Services of the host ---- */

typedef enum { BH_LOWER = 0, BH_HIGHER } bh_better; /* which direction of a metric is good */

typedef struct bh_host bh_host;
/* One per cell, valid from the first callback to the end of the last `close`. All functions may be called by any worker,
 * in threads and in processes that the backend forked; none is meant for the inside of a timed kernel. */
struct bh_host {
  uint32_t size, abi;
  void *cell;              /* the host's own */
  uint64_t seed;           /* of the matrix's seed, the workload with its parameters, and the round: the same inputs on
                            * every backend */
  const char *data_dir;    /* folder of input data (BENCHHOST_DATA); NULL when none was given */
  const char *scratch_dir; /* an empty folder for this cell alone; the host removes it with all that is in it */
  uint32_t cores;          /* CPUs that this process may use: min(affinity mask, cgroup quota) */
  /* Says why; returns `why`, so that it can be returned at once. The first call in a cell counts. */
  bh_status (*stop)(const bh_host *, bh_status why, const char *format, ...) BH_PRINTF(3, 4);
  /* A line for people, shown with --verbose and kept in the journal. */
  void (*log)(const bh_host *, const char *format, ...) BH_PRINTF(2, 3);
  /* A fact about how the cell ran, kept with its result: fact(h, "wait policy", "active"). The last one of a name counts. */
  void (*fact)(const bh_host *, const char *name, const char *format, ...) BH_PRINTF(3, 4);
  /* Worker `worker` enters phase `name` ("load", "forward"): its time is summed by name. NULL: back to none. Costs two
   * clock readings. `name` must stay valid: a literal. */
  void (*phase)(const bh_host *, uint32_t worker, const char *name);
  /* One observation of a metric for the current sample ("latency", 1.2e-6, "s"). Several in one sample are summarised. */
  void (*metric)(const bh_host *, const char *name, double value, const char *unit, bh_better better);
  /* 1 once the run was interrupted: long operations should end soon; the cell is dropped. */
  int (*cancelled)(const bh_host *);
  /* Places the calling thread or process as worker `worker` of `workers` by the one policy that all backends share
   * ("none", "compact", "spread", ...: the choices of BH_PARAM_PIN), checks that it took, and records it. Every worker
   * calls it once, before work. BH_FAIL with the reason when the kernel refuses. */
  bh_status (*pin)(const bh_host *, const char *policy, uint32_t worker, uint32_t workers);
  /* Monotonic clock. */
  uint64_t (*now_ns)(void);
};

/* ---- Data: the regions that a problem reads and writes. The backend allocates them. ---- */

typedef enum { BH_U8 = 1, BH_I32, BH_U32, BH_I64, BH_U64, BH_F32, BH_F64 } bh_dtype;

typedef enum {
  BH_IN = 1,  /* filled once by workload.fill; never written by a kernel */
  BH_OUT,     /* every byte is written by every run (unless BH_PARTIAL); the host poisons it before each sample */
  BH_INOUT,   /* filled, then changed in place; the host restores it before each sample */
  BH_REDUCE,  /* each worker starts from `identity` and accumulates its own copy; the backend joins them by `combine` */
  BH_SCRATCH, /* per worker, private, contents undefined at the start of a chunk */
  BH_TEMP     /* passed from one loop to a later one of the same run; poisoned before each sample, not looked at after */
} bh_role;

/* How a region is divided among those who touch it. */
typedef enum {
  BH_WHOLE = 0, /* everybody sees all of it (an IN to share; a REDUCE) */
  BH_BY_ITEM,   /* item i owns bytes [i*stride, (i+1)*stride), or what `slice` says */
  BH_BY_WORKER  /* worker w owns bytes [w*bytes, (w+1)*bytes): `bytes` is ONE worker's part, the host sees all parts, and
                 * so does a use that is BH_IN and BH_WHOLE, for what an earlier loop wrote */
} bh_split;

#define BH_PARTIAL UINT32_C(1) /* bh_region.flags: a run may leave bytes of this OUT region unwritten */

typedef struct {
  const char *name;
  bh_role role;
  bh_split split; /* WHOLE, or BY_WORKER for parts whose number is the number of workers; SCRATCH is always per worker */
  bh_dtype dtype; /* for reports, reductions and device copies */
  uint32_t flags;
  uint64_t bytes;
  double abs_tolerance, rel_tolerance; /* what verify allows; recorded with the result */
  void (*identity)(void *part, uint64_t bytes);                    /* [worker] REDUCE; NULL: all bytes 0 */
  void (*combine)(void *into, const void *part, uint64_t bytes);   /* [worker] REDUCE; must be given */
} bh_region;

/* bh_use.flags, in a team body's BY_WORKER use of a region: the body never looks at the region itself, it only hands
 * addresses inside of it to the team's calls. So a device keeps the member's part in its own memory and exchanges from
 * there; elsewhere it changes nothing. */
#define BH_EXCHANGED UINT32_C(1)

/* How one kernel touches one region: what lets fork use pipes, CUDA copy, MPI scatter. */
typedef struct {
  uint32_t region; /* index into bh_problem.regions */
  bh_role role;    /* this kernel's view: the OUT of one loop is the IN of the next */
  bh_split split;
  uint64_t stride_bytes; /* BY_ITEM */
  /* BY_ITEM with ragged data: the bytes of items [begin, end), contiguous and ascending; NULL: `stride_bytes`.
   * `params` are the loop's. [worker] */
  void (*slice)(const void *params, uint64_t begin, uint64_t end, uint64_t *ret_offset, uint64_t *ret_length);
  uint32_t flags; /* BH_EXCHANGED, or 0 */
} bh_use;

/* ---- Shape 1: items. A kernel works on a chunk of indices, never on one item per call. ---- */

typedef struct {
  /* One pointer per `bh_kernel.uses`, in its order. WHOLE and BY_ITEM: the start of the region, so that item i of the
   * whole range is at i*stride (only the chunk's own items may be touched). BY_WORKER, SCRATCH, REDUCE: this worker's
   * own part. */
  void *const *region;
  const void *params; /* the loop's flat bytes */
  uint32_t worker, workers;
  void *state; /* what the kernel's `setup` made for this worker, else NULL */
} bh_args;

/* Work on items [begin, end), begin < end. Touches its regions, its parameters and its state and nothing else. [worker]
 */
typedef void (*bh_chunk)(const bh_args *, uint64_t begin, uint64_t end);

/* What a library wants ready before it is called (a primitive, a plan, a handle, a workspace): made once by each worker
 * for each loop, in the worker's own thread or process, while the backend opens, so that `total` counts it and `steady`
 * does not. `args->region` may not be touched yet. [worker] */
typedef bh_status (*bh_setup)(const bh_host *, const bh_args *, uint64_t items, void **ret_state);
/* [host] After the last run, where the state lives in the host's process; a worker's process just ends. */
typedef void (*bh_teardown)(void *state);

typedef struct bh_program bh_program; /* a device program, such as a vendor library on a backend's stream: benchhost/device.h */

/* What a device backend must know of a kernel's source: benchhost/kernel.h writes one for each kernel. */
typedef enum {
  BH_BY_LANE = 1, /* any number of lanes; REDUCE and SCRATCH parts are a lane's */
  BH_BY_GROUP     /* groups of exactly `lanes` lanes; such parts are a group's */
} bh_kernel_by;
typedef struct {
  bh_kernel_by by;
  uint32_t lanes; /* BH_BY_GROUP: a power of two in a REDUCE kernel; BH_BY_LANE: 0 */
  /* What the source was written for: the host refuses a table of uses or a loop that does not fit. */
  uint32_t n_uses;       /* 0: nothing is known of this and the rest */
  uint32_t read_only;    /* bit k: use k's type is const */
  uint32_t params_bytes; /* 0: it takes none */
  uint32_t sum_bytes;    /* of use 0, in the form REDUCE; else 0 */
} bh_kernel_shape;

/* Another implementation of a kernel, chosen by name in the matrix (`variant: openblas`) and never silently. */
typedef struct {
  const char *name;    /* NULL ends the list */
  const char *target;  /* which backends can run it: "host", "cuda", ... (bh_backend.target); "device": all but "host" */
  const char *summary; /* one line */
  bh_status (*probe)(const bh_host *); /* [host] can it run here (instruction set, library)? NULL: always */
  bh_chunk host;                       /* target "host" */
  const bh_program *program;           /* other targets */
  bh_setup setup;                      /* NULL: no state */
  bh_teardown teardown;
} bh_variant;

typedef struct {
  const char *name;
  bh_chunk host;      /* the variant named "portable" on target "host" */
  const bh_use *uses; /* at most BH_MAX_USES */
  uint32_t n_uses;
  const char *source; /* the kernel's own text for device compilers, or NULL: such backends answer "unsupported", unless
                       * there is a program */
  uint64_t source_bytes;          /* without a closing zero */
  const char *entry;              /* the function's name in it */
  const bh_kernel_shape *shape;   /* with `source`: how it takes items */
  const bh_program *program;      /* the chosen variant's, set by the host: takes the place of `source`; else NULL */
  const bh_variant *variants; /* or NULL */
  bh_setup setup;             /* of `host`; the host puts the chosen variant's here, as it does with `host` */
  bh_teardown teardown;
} bh_kernel;
#define BH_MAX_USES 16

typedef struct {
  uint32_t kernel;    /* index into bh_problem.kernels */
  uint32_t uneven;    /* 1: items differ in cost (a hint: recorded, shown; nobody may change results by it) */
  uint64_t items;     /* indices 0..items; 0 is allowed */
  uint64_t min_chunk; /* no chunk but the last may be smaller, and each starts at a multiple of it; 0 means 1 */
  const char *phase;  /* name for reports; NULL: the kernel's */
  const void *params; /* flat bytes without pointers; the host copies them after `open` and write-protects its copy */
  uint32_t params_bytes;
} bh_loop;

/* ---- Shape 2: a team. One body, run by all members at once (SPMD). ---- */

typedef enum { BH_SUM = 0, BH_MIN, BH_MAX } bh_op;

typedef struct bh_team bh_team;
/* A member's own handle, supplied by the backend; valid inside the body. Collectives are called by all members in the
 * same order. They fail (BH_FAIL, reason said) when a member died or stopped: return the status at once. Buffers are the
 * caller's own memory or its regions (each wholly inside of one); `bytes` and `count` are equal on all members. */
struct bh_team {
  uint32_t size_of, rank, size, reserved;
  void *member; /* the backend's own */
  const bh_host *host;
  /* Runs items [begin, end) of loop `loop` of the problem on this member's own lane: inline, or its device's stream.
   * `params`: what the kernel gets this time (a step, a rate, which batch), the loop's params_bytes of flat bytes, copied
   * before it returns; NULL: the loop's own. */
  bh_status (*run)(bh_team *, uint32_t loop, uint64_t begin, uint64_t end, const void *params);
  bh_status (*barrier)(bh_team *);
  bh_status (*broadcast)(bh_team *, void *buffer, uint64_t bytes, uint32_t root);
  bh_status (*all_reduce)(bh_team *, void *inout, uint64_t count, bh_dtype, bh_op);
  /* in: size*count elements; out: the `count` that belong to this rank, reduced. */
  bh_status (*reduce_scatter)(bh_team *, const void *in, void *out, uint64_t count, bh_dtype, bh_op);
  /* out: size*bytes, in rank order. */
  bh_status (*all_gather)(bh_team *, const void *in, void *out, uint64_t bytes);
  /* Messages between a pair are matched in order by tag; `send` may block until it is received. */
  bh_status (*send)(bh_team *, const void *, uint64_t bytes, uint32_t to, uint32_t tag);
  bh_status (*receive)(bh_team *, void *, uint64_t bytes, uint32_t from, uint32_t tag);
  /* Both at once without deadlock: for rings and halos. */
  bh_status (*exchange)(bh_team *, const void *out, uint64_t out_bytes, uint32_t to, void *in, uint64_t in_bytes,
                        uint32_t from, uint32_t tag);
};

/* `state` is the workload's, read-only here: a backend may run members in other processes. `args->region` follows
 * bh_problem.uses, args->worker == rank. [worker] */
typedef bh_status (*bh_member)(const void *state, bh_team *, const bh_args *);

/* ---- A workload says what there is to do ---- */

#define BH_EFFECTS UINT32_C(1)  /* bh_problem.flags: kernels' host code acts outside its regions (files, processes, heap) */
#define BH_BLOCKING UINT32_C(2) /* workers mostly wait (sleep, I/O): more workers than cores is no over-subscription */
#define BH_REPEATABLE UINT32_C(4) /* `prepare` restores nothing: a sample may hold many runs after one `prepare` */

/* Everything it points to belongs to the workload's state and stays unchanged until `close`. */
typedef struct {
  uint32_t size, flags;
  const bh_region *regions;
  const bh_kernel *kernels;
  const bh_loop *loops; /* items: run one after the other, each joined before the next. Team: what members may `run`. */
  uint32_t n_regions, n_kernels, n_loops;
  uint32_t n_uses; /* team: the body's uses */
  const bh_use *uses;
  bh_member member;                  /* NULL: items */
  uint32_t min_members, max_members; /* team: sizes it can run with; 0: any */
  uint32_t inner_threads;            /* threads that each worker runs itself (a BLAS); 0 means 1 */
  uint32_t reserved;
  uint64_t worker_bytes; /* memory that each worker allocates itself while running */
  /* Cost model of one run, for items/s, GFLOP/s, GB/s. 0: unknown or meaningless. */
  double items, flops, bytes_read, bytes_written;
  const char *item_unit; /* "numbers", "files"; NULL: "items" */
} bh_problem;

typedef struct {
  uint32_t size, reserved;
  /* [host] Can it run on this machine at all (a data set, a library)? BH_SKIP with the reason. NULL: always. */
  bh_status (*probe)(const bh_host *);
  /* [host] Reads the values, fills `ret_problem` (zeroed, size set). Cheap: sizes and plans, no big memory, no threads.
   * On failure nothing is kept: `close` is called only after success. */
  bh_status (*open)(const bh_host *, const bh_value *values, bh_problem *ret_problem, void **ret_state);
  /* [host] Writes the seeded inputs into IN and INOUT regions. `region` follows bh_problem.regions (SCRATCH, TEMP: NULL).
   * For BY_WORKER regions `workers` parts lie one after the other. NULL: no inputs. */
  bh_status (*fill)(void *state, void *const *region, uint32_t workers);
  /* [host] Untimed, before every sample: restores what the last run used up, so a sample is one run then, however short
   * (BH_REPEATABLE: it may be many). NULL: nothing to do. */
  bh_status (*prepare)(void *state);
  /* [host] Checks all results against a closed form or an independent reference; untimed. BH_WRONG with what was expected,
   * what was found and where. Must not trust anything that a kernel computed about itself. */
  bh_status (*verify)(void *state, void *const *region, uint32_t workers);
  void (*close)(void *state); /* [host] accepts NULL */
} bh_workload;

/* ---- A backend says how it is done ---- */

/* What a cell will take, answered by `accept` before anything is allocated. */
typedef struct {
  uint32_t size;
  uint32_t workers;   /* that run kernels, or members of a team */
  uint32_t processes; /* 1: workers are processes of their own (private memory is counted per worker) */
  uint32_t copies;    /* 1: each worker holds its own copy of IN and OUT regions */
  uint64_t host_bytes;                 /* the backend's own, besides the regions */
  uint64_t device_bytes, device_free_bytes; /* 0 on the host */
} bh_needs;

typedef struct {
  uint32_t size, reserved;
  const char *target; /* the class of variants it runs: "host", "cuda", "opencl" */
  /* [host] Can it run on this machine at all? BH_SKIP with the reason. NULL: always. */
  bh_status (*probe)(const bh_host *);
  /* [host] Can it run this problem with these values? Cheap; allocates nothing. */
  bh_status (*accept)(const bh_host *, const bh_value *values, const bh_problem *, bh_needs *ret_needs);
  /* [host] Starts the workers: a timed phase. `problem` and `workload_state` stay valid and unchanged until `close`.
   * A backend that forks does it here: no other thread exists yet. On failure nothing is kept. */
  bh_status (*open)(const bh_host *, const bh_value *values, const bh_problem *, const void *workload_state, void **ret_state);
  /* [host] The host's view of region `index` (zeroed, 64-byte aligned, freed by `close`), sized for all workers if BY_WORKER.
   * Not called for SCRATCH. NULL: out of memory. */
  void *(*alloc)(void *state, uint32_t index);
  /* [host] What the host wrote into its view is now what workers see. Called for every region after `fill` (inputs:
   * timed as bind; OUT, REDUCE and TEMP, which hold poison: untimed) and again before each sample for those that the
   * host poisoned or restored (untimed). A kernel that then writes
   * nothing must leave exactly those bytes in what `fetch` returns: no result of an earlier run may survive in a worker's
   * copy. Poison is one 8-byte word repeated, another for each sample. NULL: the view is shared. */
  bh_status (*bind)(void *state, uint32_t index);
  /* [host] Runs loop `index`; when it returns every effect is visible to the next loop. A worker that dies is reported
   * by BH_FAIL (`h->stop`), never waited for. */
  bh_status (*run_loop)(void *state, uint32_t index);
  /* [host] Runs the member body on all members, returns when all have. The first failure counts. */
  bh_status (*run_team)(void *state);
  /* [host] Results of region `index` are in the host's view. NULL: it is shared. */
  bh_status (*fetch)(void *state, uint32_t index);
  void (*close)(void *state); /* [host] workers down, memory freed; accepts NULL */
} bh_backend;

/* ---- The one exported object ---- */

typedef struct {
  uint32_t magic, size, abi, reserved; /* BH_MAGIC, sizeof(bh_plugin_info), BH_ABI, 0: first for ever */
  const char *name;                    /* equals the file's name without ".so" */
  const char *version, *summary;
  const bh_param *params; /* ends with a NULL name; may be NULL */
  const bh_workload *workload;
  const bh_backend *backend; /* exactly one of the two */
} bh_plugin_info;

#define BH_PLUGIN_HEAD .magic = BH_MAGIC, .size = sizeof(bh_plugin_info), .abi = BH_ABI

extern BH_EXPORT const bh_plugin_info bh_plugin;

#ifdef __cplusplus
}
#endif
#endif
