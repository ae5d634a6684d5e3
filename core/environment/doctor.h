/* SPDX-License-Identifier: MIT
 * What would disturb a measurement here, and what to do about it: the record's fields and a live look, each judged. */
#pragma once
#include "environment/live.h"

typedef enum { BH_CHECK_BAD = 0, BH_CHECK_OK, BH_CHECK_UNAVAILABLE } BhCheckState;

typedef struct {
  const char *name;  /* the record's, or the live look's: "governor", "live_steal" */
  const char *title; /* for people */
  BhCheckState state;
  char *found;      /* what there is, or why it is not known */
  const char *why;  /* why it matters, one phrase */
  char *todo;       /* what to do, mostly a command; NULL: nothing to do */
  gboolean as_root; /* the command needs root */
  const char *tool; /* what benchhost does about it by itself; NULL: nothing */
} BhCheck;

typedef struct {
  JsonNode *record;
  BhLive live;
  GPtrArray *checks; /* of BhCheck */
  guint bad;         /* how many are */
  char *expect;      /* which verdicts to expect here */
} BhDoctor;

/* Takes about `watch_s` seconds; 0: no live look. The other arguments as of bh_record_capture. */
BhDoctor *bh_doctor_examine(const char *root, double watch_s, const char *const *removed, const char *const *kept);
void bh_doctor_free(BhDoctor *doctor); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhDoctor, bh_doctor_free)
/* {"checks", "bad", "expect", "environment", "live"}. Caller unrefs. */
JsonNode *bh_doctor_to_json(const BhDoctor *doctor);

/* Internal to environment/: adds the checks of the live look to doctor->checks. */
void bh_doctor_add_live(BhDoctor *doctor);
/* Takes `found` and `todo`. */
void bh_doctor_add(BhDoctor *doctor, const BhCheck *check);
