/* SPDX-License-Identifier: MIT
 * Subcommands. Each takes its own argv (argv[0] is the subcommand), prints data to stdout and messages to stderr,
 * returns an exit status. Only main() exits. */
#pragma once
#include "base/error.h"

typedef struct {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *summary; /* one line for --help; NULL: internal, not shown */
} BhCommand;

int bh_cmd_run(int argc, char **argv);      /* cmd-run.c */
int bh_cmd_ab(int argc, char **argv);       /* cmd-ab.c: base against candidate */
int bh_cmd_plan(int argc, char **argv);     /* cmd-plan.c */
int bh_cmd_schema(int argc, char **argv);   /* cmd-schema.c */
int bh_cmd_list(int argc, char **argv);     /* cmd-list.c */
int bh_cmd_describe(int argc, char **argv); /* cmd-describe.c */
int bh_cmd_doctor(int argc, char **argv);   /* cmd-doctor.c */
int bh_cmd_check(int argc, char **argv);    /* cmd-check.c */
int bh_cmd_new(int argc, char **argv);      /* cmd-new.c */
int bh_cmd_export(int argc, char **argv);   /* cmd-export.c */
int bh_cmd_report(int argc, char **argv);   /* cmd-report.c: the table of a stored journal */
int bh_cmd_compare(int argc, char **argv);  /* cmd-compare.c: stored runs side by side */
int bh_cmd_history(int argc, char **argv);  /* cmd-history.c: runs kept over time */
int bh_cmd_analyze(int argc, char **argv);  /* cmd-analyze.c: what parallelism bought */
int bh_cmd_peaks(int argc, char **argv);    /* cmd-peaks.c: the machine's own peaks */
int bh_cmd_internal_probe(int argc, char **argv);
int bh_cmd_internal_worker(int argc, char **argv);

/* Where a journal goes that nobody named: results/NAME-20260101T120000Z.jsonl, `mark` ("ab-") before the date. Sorts by
 * time, never overwrites. Caller frees. */
char *bh_cli_default_output(const char *name, const char *mark);
/* A file whole or not at all; NULL and "-": standard output. What is no regular file is written into, since as root one
 * would replace /dev/null by a file. `who` begins the error's message. */
gboolean bh_cli_write_text(const char *who, const char *path, const char *text, GError **error);
/* "benchhost: <message>" on stderr; returns the exit status that fits the error. Takes ownership and frees. */
int bh_cli_fail(GError *error);
