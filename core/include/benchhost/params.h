/* SPDX-License-Identifier: MIT
 *
 * benchhost/params.h - one vocabulary for all backends: the same name means the same thing everywhere, so that one line of
 * a matrix (`schedule: [static, dynamic]`) sweeps every backend alike. Use these rows in your table, in any order.
 */
#ifndef BENCHHOST_PARAMS_H
#define BENCHHOST_PARAMS_H
#include <benchhost/plugin.h>

#define BH_PARAM_WORKERS                                                                                                  \
  { "workers", BH_INT, "cores", NULL, "workers", "how many workers run kernels; `cores` = all that the process may use",  \
    1, 1024, NULL, NULL }

typedef enum { BH_STATIC = 0, BH_DYNAMIC, BH_GUIDED } bh_schedule; /* the index of BH_PARAM_SCHEDULE's choice */
#define BH_PARAM_SCHEDULE                                                                                                 \
  { "schedule", BH_CHOICE, "static", "static|dynamic|guided", NULL,                                                       \
    "how chunks reach workers: fixed in advance, first come first served, or first come with shrinking chunks", 0, 0,     \
    NULL, NULL }

#define BH_PARAM_CHUNK                                                                                                    \
  { "chunk", BH_INT, "0", NULL, "items",                                                                                  \
    "items per chunk (guided: the smallest); 0: static = one chunk per worker, dynamic and guided = the backend's choice", \
    0, BH_UNBOUNDED, NULL, NULL }

/* The host knows the policies: pass the choice's text to bh_host.pin. */
#define BH_PARAM_PIN                                                                                                      \
  { "pin", BH_CHOICE, "none", "none|compact|spread", NULL,                                                                \
    "placement: none = the kernel decides; compact = neighbouring cores first; spread = as far apart as possible", 0, 0,  \
    NULL, NULL }

typedef enum { BH_WAIT_BLOCK = 0, BH_WAIT_SPIN } bh_wait; /* the index of BH_PARAM_WAIT's choice */
#define BH_PARAM_WAIT                                                                                                     \
  { "wait", BH_CHOICE, "block", "block|spin", NULL,                                                                       \
    "idle workers sleep in the kernel (block) or burn their core to answer faster (spin)", 0, 0, NULL, NULL }

typedef enum { BH_TRANSPORT_SHM = 0, BH_TRANSPORT_PIPE } bh_transport; /* the index of BH_PARAM_TRANSPORT's choice */
#define BH_PARAM_TRANSPORT                                                                                                \
  { "transport", BH_CHOICE, "shm", "shm|pipe", NULL,                                                                      \
    "how data reaches worker processes: shared memory, or copied through pipes with every chunk", 0, 0, NULL, NULL }

#endif
