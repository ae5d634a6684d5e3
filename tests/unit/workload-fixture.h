/* SPDX-License-Identifier: MIT
 * One workload opened in this process without any backend: its values, its checked problem, and regions with canaries.
 */
#pragma once
#include "plugin/mini-host.h"
#include "plugin/validate.h"
#include "worker/poison.h"
#include "worker/problem.h"
#include <dlfcn.h>
#include <glib.h>
#include <string.h>

#define FIXTURE_CANARY 64

typedef struct {
  const bh_plugin_info *info;
  BhMiniHost *mini;
  GPtrArray *params, *store; /* of BhParam, of BhValue */
  bh_value *values;
  bh_problem theirs;
  BhProblem *ours;
  void *state;
  void **region; /* the host's view; NULL for SCRATCH and TEMP */
  guint64 *bytes;
  guint workers;
} Fixture;

static inline const bh_plugin_info *fixture_load(const char *name) {
  g_autofree char *build = g_path_get_dirname(g_getenv("BENCHHOST"));
  g_autofree char *path = g_strdup_printf("%s/workloads/%s/%s.so", build, name, name);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    g_error("%s", dlerror());
  return dlsym(library, "bh_plugin");
}

/* `settings`: "n=12 cost=variable", parted by ';' for the command workload, whose values have blanks. */
static inline void fixture_values(Fixture *f, const char *settings) {
  g_auto(GStrv) pairs = g_strsplit(settings, strcmp(f->info->name, "command") == 0 ? ";" : " ", -1);
  GError *error = NULL;
  f->params = bh_validate_params(f->info->params, &error);
  g_assert_no_error(error);
  f->store = g_ptr_array_new_with_free_func((GDestroyNotify)bh_value_free);
  f->values = g_new0(bh_value, f->params->len + 1);
  guint used = 0;
  for (guint i = 0; i < f->params->len; i++) {
    const BhParam *param = f->params->pdata[i];
    const char *text = param->fallback;
    gboolean given = FALSE;
    for (guint k = 0; pairs[k]; k++)
      if (g_str_has_prefix(pairs[k], param->name) && pairs[k][strlen(param->name)] == '=') {
        text = pairs[k] + strlen(param->name) + 1;
        given = TRUE;
        used++;
      }
    BhValue *value = bh_value_parse(param, text, &error);
    g_assert_no_error(error);
    value->given = given;
    g_ptr_array_add(f->store, value);
    f->values[i] = bh_value_view(value);
  }
  guint asked = 0;
  for (guint k = 0; pairs[k]; k++)
    asked += pairs[k][0] != 0;
  g_assert_cmpuint(used, ==, asked); /* a misspelt setting tests nothing */
}

/* `open`'s status; on BH_OK everything is ready to run. */
static inline bh_status fixture_open(Fixture *f, const char *name, const char *settings, const char *variant,
                                     const char *scratch, guint workers) {
  GError *error = NULL;
  memset(f, 0, sizeof *f);
  f->info = fixture_load(name);
  g_assert_cmpstr(f->info->name, ==, name);
  f->mini = bh_mini_host_new(scratch);
  f->mini->host.seed = G_GUINT64_CONSTANT(0x1234abcd5678);
  f->workers = workers;
  fixture_values(f, settings);
  f->theirs.size = sizeof f->theirs;
  bh_status status = f->info->workload->open(&f->mini->host, f->values, &f->theirs, &f->state);
  if (status != BH_OK) {
    g_assert_nonnull(bh_mini_host_reason(f->mini));
    return status;
  }
  f->ours = bh_problem_new(&f->theirs, &error);
  g_assert_no_error(error);
  if (variant && (status = bh_problem_choose(f->ours, variant, "host", &f->mini->host)) != BH_OK)
    return status;
  f->region = g_new0(void *, f->theirs.n_regions);
  f->bytes = g_new0(guint64, f->theirs.n_regions);
  for (guint r = 0; r < f->theirs.n_regions; r++) {
    if (f->theirs.regions[r].role == BH_SCRATCH || f->theirs.regions[r].role == BH_TEMP)
      continue;
    f->bytes[r] = bh_problem_view_bytes(&f->ours->problem, r, workers);
    f->region[r] = g_malloc0(f->bytes[r] + FIXTURE_CANARY);
    memset((char *)f->region[r] + f->bytes[r], 0x6b, FIXTURE_CANARY);
  }
  if (f->info->workload->fill)
    g_assert_cmpint(f->info->workload->fill(f->state, f->region, workers), ==, BH_OK);
  return BH_OK;
}

static inline void fixture_prepare(Fixture *f, guint64 sample) {
  for (guint r = 0; r < f->theirs.n_regions; r++)
    if (f->theirs.regions[r].role == BH_OUT)
      bh_poison_fill(f->region[r], f->bytes[r], bh_poison_word(1, sample));
  if (f->info->workload->prepare)
    g_assert_cmpint(f->info->workload->prepare(f->state), ==, BH_OK);
}

static inline bh_status fixture_verify(Fixture *f) {
  bh_mini_host_reset(f->mini);
  bh_status status = f->info->workload->verify(f->state, f->region, f->workers);
  if (status != BH_OK)
    g_assert_nonnull(bh_mini_host_reason(f->mini));
  else if (bh_mini_host_reason(f->mini))
    g_error("verify said OK, and why not: %s", bh_mini_host_reason(f->mini));
  return status;
}

static inline void fixture_check_canaries(Fixture *f) {
  for (guint r = 0; r < f->theirs.n_regions; r++)
    for (guint k = 0; f->region[r] && k < FIXTURE_CANARY; k++)
      g_assert_cmphex(((guint8 *)f->region[r])[f->bytes[r] + k], ==, 0x6b);
}

/* Bytes that belong together in region r: an item, a worker's element, the whole of a reduction. */
static inline guint64 fixture_element(const Fixture *f, guint r) {
  const bh_kernel *kernels = f->theirs.kernels;
  for (guint k = 0; k < f->theirs.n_kernels; k++)
    for (guint u = 0; u < kernels[k].n_uses; u++)
      if (kernels[k].uses[u].region == r && kernels[k].uses[u].split == BH_BY_ITEM)
        return kernels[k].uses[u].stride_bytes;
  return 8;
}

static inline void fixture_must_fail(Fixture *f, guint r, const char *how) {
  bh_status status = fixture_verify(f);
  if (status != BH_WRONG)
    g_error("%s: region %s %s: verify said %d (%s), expected BH_WRONG", f->info->name, f->theirs.regions[r].name, how,
            status, bh_mini_host_reason(f->mini));
  g_assert_nonnull(strstr(bh_mini_host_reason(f->mini), "expected") ?: strstr(bh_mini_host_reason(f->mini), "record") ?:
                                                                       strstr(bh_mini_host_reason(f->mini), "names"));
}

/* Good results, then every kind of damage to each result region, one after the other. */
static inline void fixture_damage(Fixture *f) {
  for (guint r = 0; r < f->theirs.n_regions; r++) {
    const bh_role role = f->theirs.regions[r].role;
    if ((role != BH_OUT && role != BH_REDUCE) || f->bytes[r] == 0)
      continue;
    guint8 *bytes = f->region[r];
    g_autofree guint8 *good = g_memdup2(bytes, f->bytes[r]);
    const guint64 element = fixture_element(f, r), n = f->bytes[r] / element;
    memset(bytes, 0, f->bytes[r]);
    fixture_must_fail(f, r, "zeroed");
    for (guint64 sample = 0; sample < 3; sample++) {
      bh_poison_fill(bytes, f->bytes[r], bh_poison_word(1, 77 + sample));
      fixture_must_fail(f, r, "poisoned");
    }
    if (n > 1) {
      memcpy(bytes, good + element, f->bytes[r] - element);
      memcpy(bytes + f->bytes[r] - element, good + f->bytes[r] - element, element);
      fixture_must_fail(f, r, "shifted by one element");
    }
    const guint64 at[] = {0, n / 2, n - 1};
    for (guint k = 0; k < 3; k++) {
      memcpy(bytes, good, f->bytes[r]);
      for (guint64 b = 0; b < element; b++)
        bytes[at[k] * element + b] ^= 0x5a;
      fixture_must_fail(f, r, "with one damaged element");
    }
    memcpy(bytes, good, f->bytes[r]);
    g_assert_cmpint(fixture_verify(f), ==, BH_OK);
  }
}

static inline void fixture_close(Fixture *f) {
  if (f->state)
    f->info->workload->close(f->state);
  for (guint r = 0; f->region && r < f->theirs.n_regions; r++)
    g_free(f->region[r]);
  g_free(f->region);
  g_free(f->bytes);
  g_clear_pointer(&f->ours, bh_problem_free);
  g_free(f->values);
  g_clear_pointer(&f->store, g_ptr_array_unref);
  g_clear_pointer(&f->params, g_ptr_array_unref);
  g_clear_pointer(&f->mini, bh_mini_host_free);
}
