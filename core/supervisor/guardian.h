/* SPDX-License-Identifier: MIT
 * A tiny process that outlives its supervisor, whatever kills that: it then ends what is left of the current cell and
 * removes the scratch folder. It holds no descriptor but its end of a pipe, so nobody waits for it. */
#pragma once
#include "supervisor/scratch.h"
#include <sys/types.h>

typedef struct {
  pid_t pid;
  int fd; /* the pipe's write end: its closing is the alarm */
} BhGuardian;

BhGuardian *bh_guardian_start(const BhScratch *scratch, GError **error);
void bh_guardian_watch(BhGuardian *guardian, pid_t worker); /* the session to end; 0: none */
void bh_guardian_stop(BhGuardian *guardian);                /* all is cleaned up: dismissed. Frees. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhGuardian, bh_guardian_stop)
