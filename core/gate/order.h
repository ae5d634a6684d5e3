/* SPDX-License-Identifier: MIT
 * Everything that a comparison leaves to chance, from its seed: the same seed means the same order. Internal to gate/.
 */
#pragma once
#include "gate/measure.h"

/* Which side of pair `index` comes first in `round`: a coin for each two rounds, and the other side in the second of
 * them, so that what depends on being first falls on both arms alike. */
BhAbSide bh_ab_first(guint64 seed, guint index, guint round);
/* Indexes 0 .. n-1 in this round's order; caller frees. */
guint *bh_ab_order(guint64 seed, guint round, guint n);
/* 0 .. n-1: which of the cheap cells is the control. */
guint bh_ab_draw(guint64 seed, guint n);
/* May a pair of this label be the control? */
gboolean bh_ab_control_matches(const BhAbTask *task, const char *label);
