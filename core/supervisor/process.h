/* SPDX-License-Identifier: MIT
 * One cell's process from spawn to reaped: its request, its events, its deadline, its memory, its end, and the end of
 * all that it started. Says what was seen; what that means for the cell is cell-line.c's. */
#pragma once
#include "supervisor/guardian.h"
#include <json-glib/json-glib.h>
#include <sys/resource.h>

typedef enum {
  BH_KILLED_NOT = 0,
  BH_KILLED_DEADLINE,
  BH_KILLED_MEMORY,
  BH_KILLED_EVENTS,    /* wrote what is no event */
  BH_KILLED_INTERRUPT, /* the user would not wait */
  BH_KILLED_LINGERING, /* had sent its result and did not end */
} BhKilled;

typedef struct {
  const char *program; /* NULL: this one */
  char *const *envp;
  const char *request_text;
  const char *log_path; /* stdout and stderr of the process */
  gint64 deadline_ns;   /* 0: none */
  guint64 limit_bytes;  /* 0: none */
  const GArray *spare;  /* of pid_t: children of ours that are none of the cell's */
  int signal_fd;        /* a signalfd for the signals that interrupt; -1: none */
  BhGuardian *guardian; /* told the process's number; may be NULL */
  void *user;
  void (*phase)(void *user, const char *name); /* may be NULL */
  void (*log)(void *user, const char *text);   /* may be NULL */
} BhProcessTask;

typedef struct {
  JsonObject *result; /* the `result` event; NULL: none came */
  char *bad_event;    /* why the events were refused; NULL: they were good */
  GPtrArray *log;     /* of char *: lines that plugins logged */
  guint log_dropped;  /* more of them, not kept */
  char *phase;        /* the last one heard of; NULL: none */
  char *stderr_tail;  /* valid UTF-8; NULL: it wrote nothing */
  char *started;      /* ISO 8601 */
  BhKilled killed;
  int exec_errno;      /* the program could not be started; 0: it was */
  int status;          /* as from wait() */
  struct rusage usage; /* of the process and of those children that it waited for */
  gint64 wall_ns;      /* spawn to end */
  guint64 peak_bytes, limit_bytes;
  guint64 seen_bytes;  /* BH_KILLED_MEMORY: what was over the limit */
  gboolean oom_killer; /* the kernel's out-of-memory killer struck meanwhile */
  guint strays;        /* processes that outlived it and were ended */
  guint interrupts;    /* 1: asked to end; 2 and more: killed */
} BhOutcome;

/* FALSE with `error` only when no process could be made at all. `ret` is zeroed first; bh_outcome_clear frees its
 * parts. */
gboolean bh_process_run(const BhProcessTask *task, BhOutcome *ret, GError **error);
void bh_outcome_clear(BhOutcome *outcome);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BhOutcome, bh_outcome_clear)
