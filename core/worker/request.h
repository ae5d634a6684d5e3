/* SPDX-License-Identifier: MIT
 * What the supervisor tells a cell's process and what it hears back. The process is `benchhost internal-worker`: the request
 * is one JSON line on fd 3 (read to its end), events are JSON lines on fd 4. stdin is /dev/null; stdout and stderr
 * go to a log file in the scratch folder's parent, whose tail the supervisor quotes when the process dies.
 *
 * Events: {"event":"phase","name":"open|fill|bind|cold|warmup|measure|verify|close"} for the progress line;
 *         {"event":"log","text":...}; and exactly one {"event":"result", ...} with a `cell` line's fields that the worker
 *         knows (status .. flags). A process that ends without a result is `crashed`, `timeout` or `out-of-memory`.
 * The descriptors are close-on-exec and closed in forked workers by nobody: the host ignores writers other than itself. */
#pragma once
#include "plan/plan.h"

#define BH_WORKER_REQUEST_FD 3
#define BH_WORKER_EVENT_FD 4

typedef struct {
  char *workload_path, *backend_path;
  char **param_names, **param_values;   /* canonical texts; only those `given` differ in meaning from defaults */
  char **option_names, **option_values;
  GHashTable *given;                    /* set of (char *) "w:name" and "b:name" */
  char *variant;
  BhMeasure measure;
  guint64 seed;                         /* the cell's own */
  char *data_dir, *scratch_dir;         /* data_dir may be NULL */
  guint cores;                          /* CPUs the process may use */
  GArray *cpus_compact, *cpus_spread;   /* of int: placement orders, worker w gets element w % length */
  guint64 memory_bytes;                 /* what the cell may use: limit or what is available */
} BhWorkerRequest;

void bh_worker_request_free(BhWorkerRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhWorkerRequest, bh_worker_request_free)

/* What a cell's inputs follow from: the workload and its parameters, not the backend, so that cells that are compared get
 * the same inputs. */
guint64 bh_worker_request_seed(const BhPlan *plan, const BhCell *cell, guint round);
BhWorkerRequest *bh_worker_request_from_cell(const BhPlan *plan, const BhCell *cell, guint round, const char *scratch_dir);
char *bh_worker_request_to_text(const BhWorkerRequest *request); /* one line, no newline inside */
BhWorkerRequest *bh_worker_request_parse(const char *text, GError **error);

/* The main function of `benchhost internal-worker`; returns an exit status (0 whenever a result was sent). */
int bh_worker_main(void);
