/* SPDX-License-Identifier: MIT
 * The plugin under test together with another one, as a cell would run them. */
#pragma once
#include "check/trials.h"

/* `argument`: the other plugin's file. */
void bh_pair_trial(BhSubject *subject, const char *argument, const BhCheckOptions *options);
