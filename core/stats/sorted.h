/* SPDX-License-Identifier: MIT
 * Figures in order: what all of stats/ is made of. Internal to stats/. */
#pragma once
#include <glib.h>

void bh_sorted_sort(double *x, guint n);          /* ascending, in place */
double *bh_sorted_copy(const double *x, guint n); /* caller frees */
double bh_sorted_median(const double *sorted, guint n);
double bh_sorted_quantile(const double *sorted, guint n, double q); /* type 7 */
/* Rounds to double; what is beyond its range becomes +-DBL_MAX. */
double bh_sorted_to_double(long double x);
/* z with P(Z <= z) = p for a standard normal Z, 0 < p < 1. */
double bh_sorted_normal_quantile(double p);

/* The least finite double t in low .. high with count(t, data) >= k, by halving what lies between them (at most 64
 * calls): exact, since doubles are finite in number. count rises with t, and count(high) >= k must hold. */
typedef guint64 (*BhSortedCount)(double t, gconstpointer data);
double bh_sorted_bisect(double low, double high, guint64 k, BhSortedCount count, gconstpointer data);
