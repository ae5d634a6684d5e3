/* SPDX-License-Identifier: MIT
 * The trials themselves: what a child process runs. */
#pragma once
#include "check/subject.h"

typedef struct {
  const char *name; /* "run:3": what follows ':' is the trial's own */
  void (*run)(BhSubject *subject, const char *argument, const BhCheckOptions *options);
} BhTrial;

/* Ends with a NULL name. */
extern const BhTrial bh_workload_trials[], bh_backend_trials[];
/* The names, with arguments, that suit this plugin; of char *. */
GPtrArray *bh_workload_trial_names(const BhPlugin *plugin, const BhCheckOptions *options);
GPtrArray *bh_backend_trial_names(const BhPlugin *plugin, const BhCheckOptions *options);
