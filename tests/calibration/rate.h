/* SPDX-License-Identifier: MIT
 * How often something happened, with its exact interval; and the two distributions that this and the peers' tests need.
 */
#pragma once
#include <glib.h>

typedef struct {
  guint64 hits, of;
} Rate;

void rate_add(Rate *rate, gboolean hit);
double rate_value(Rate rate); /* 0 for none of none */
/* Clopper and Pearson 1934: covers the true rate in at least 95 of 100 studies. 0..1 for none of none. */
void rate_interval(Rate rate, double *ret_low, double *ret_high);
double rate_incomplete_beta(double a, double b, double x); /* regularised, I_x(a, b) */
double rate_student_upper(double t, double df);            /* P(T > t) */
double rate_normal_upper(double z);
