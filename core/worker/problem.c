/* SPDX-License-Identifier: MIT
 * Owns the checking of what a workload declares, before any backend sees it: a wrong table is the plugin's bug and must
 * be named, not crash a backend. */
#include "worker/problem.h"
#include <benchhost/device.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_TABLE 65536u

/* Saturating: a hostile size must be "too big", never wrap to small. */
static guint64 mul(guint64 a, guint64 b) {
  guint64 r;
  return __builtin_mul_overflow(a, b, &r) ? G_MAXUINT64 : r;
}

static guint64 add(guint64 a, guint64 b) {
  guint64 r;
  return __builtin_add_overflow(a, b, &r) ? G_MAXUINT64 : r;
}

#define REFUSE(...)                                                                                                    \
  do {                                                                                                                 \
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, __VA_ARGS__);                                                        \
    return FALSE;                                                                                                      \
  } while (0)

static gboolean check_regions(const bh_problem *p, GError **error) {
  for (guint i = 0; i < p->n_regions; i++) {
    const bh_region *r = &p->regions[i];
    if (!r->name)
      REFUSE("region %u has no name", i);
    if (r->role < BH_IN || r->role > BH_TEMP)
      REFUSE("region %s: role %d is none of BH_IN..BH_TEMP", r->name, (int)r->role);
    if (r->split != BH_WHOLE && r->split != BH_BY_WORKER)
      REFUSE("region %s: a region's split is BH_WHOLE or BH_BY_WORKER; BH_BY_ITEM belongs in a kernel's use", r->name);
    if (r->dtype < BH_U8 || r->dtype > BH_F64)
      REFUSE("region %s: dtype %d is none of BH_U8..BH_F64", r->name, (int)r->dtype);
    if (r->role == BH_REDUCE && !r->combine)
      REFUSE("region %s: BH_REDUCE needs `combine`", r->name);
    if (r->role == BH_REDUCE && r->split != BH_WHOLE)
      REFUSE("region %s: BH_REDUCE is BH_WHOLE: the host sees one joined result", r->name);
  }
  return TRUE;
}

/* May a kernel use a region of role `whole` in role `use`? */
static gboolean role_fits(bh_role whole, bh_role use) {
  switch (whole) {
  case BH_IN:
    return use == BH_IN;
  case BH_OUT:
  case BH_INOUT:
  case BH_TEMP:
    return use == BH_IN || use == BH_OUT || use == BH_INOUT;
  case BH_REDUCE:
    return use == BH_REDUCE || use == BH_IN;
  case BH_SCRATCH:
    return use == BH_SCRATCH;
  }
  return FALSE;
}

/* Parts by worker are written by their worker alone; a later loop may read all of them. */
static gboolean split_fits(const bh_region *region, const bh_use *use) {
  if (region->split != BH_BY_WORKER || use->split == BH_BY_WORKER)
    return (region->split == BH_BY_WORKER) == (use->split == BH_BY_WORKER);
  return use->split == BH_WHOLE && use->role == BH_IN;
}

static gboolean writes_part(const bh_use *uses, guint n, guint region) {
  for (guint i = 0; i < n; i++)
    if (uses[i].region == region && uses[i].role != BH_IN)
      return TRUE;
  return FALSE;
}

/* What a body hands to the team's calls alone has one place, the member's own part. */
static gboolean check_flags(const bh_problem *p, const char *who, const bh_use *uses, guint n, GError **error) {
  for (guint i = 0; i < n; i++) {
    const bh_region *r = &p->regions[uses[i].region];
    if (!uses[i].flags)
      continue;
    if (uses[i].flags != BH_EXCHANGED || uses != p->uses)
      REFUSE("%s: use %u has flags %x: only a team body's use may have one, BH_EXCHANGED", who, i, uses[i].flags);
    if (uses[i].split != BH_BY_WORKER || r->role == BH_SCRATCH)
      REFUSE("%s: region %s is BH_EXCHANGED: the use must be BH_BY_WORKER, the region none of BH_SCRATCH", who,
             r->name);
    for (guint other = 0; other < n; other++)
      if (uses[other].region == uses[i].region && !uses[other].flags)
        REFUSE("%s: region %s is BH_EXCHANGED in one use and looked at in another", who, r->name);
  }
  return TRUE;
}

static gboolean check_uses(const bh_problem *p, const char *who, const bh_use *uses, guint n, GError **error) {
  if (n > BH_MAX_USES)
    REFUSE("%s uses %u regions; the most is %d", who, n, BH_MAX_USES);
  if (n && !uses)
    REFUSE("%s: n_uses is %u but `uses` is NULL", who, n);
  for (guint i = 0; i < n; i++) {
    if (uses[i].region >= p->n_regions)
      REFUSE("%s: use %u names region %u of %u", who, i, uses[i].region, p->n_regions);
    const bh_region *r = &p->regions[uses[i].region];
    if (!role_fits(r->role, uses[i].role))
      REFUSE("%s: uses region %s in a role that its own role does not allow", who, r->name);
    if (uses[i].split == BH_BY_ITEM && !uses[i].stride_bytes && !uses[i].slice)
      REFUSE("%s: region %s BY_ITEM needs `stride_bytes` or `slice`", who, r->name);
    if (r->role != BH_SCRATCH && !split_fits(r, &uses[i]))
      REFUSE("%s: region %s is BH_BY_WORKER in only one of the region and the use (all parts may be read as BH_IN and "
             "BH_WHOLE)",
             who, r->name);
    if (r->split == BH_BY_WORKER && uses[i].split == BH_WHOLE && writes_part(uses, n, uses[i].region))
      REFUSE("%s: reads all parts of region %s and writes its own: others would see it half done; use two loops", who,
             r->name);
  }
  return check_flags(p, who, uses, n, error);
}

/* A variant without its code would let another's run under its name. */
static gboolean check_variants(const bh_kernel *k, GError **error) {
  for (const bh_variant *v = k->variants; v && v->name; v++) {
    if (!v->target)
      REFUSE("kernel %s: variant %s has no target", k->name, v->name);
    const gboolean on_host = !strcmp(v->target, "host");
    if (on_host ? !v->host : !v->program)
      REFUSE("kernel %s: variant %s for target \"%s\" has no `%s`", k->name, v->name, v->target,
             on_host ? "host" : "program");
    if (on_host)
      continue;
    if (v->setup || v->teardown)
      REFUSE("kernel %s: variant %s: `setup` is for host code; a program has `prepare`", k->name, v->name);
    if (v->program->size != sizeof(bh_program) || !v->program->prepare || !v->program->enqueue || !v->program->finish)
      REFUSE("kernel %s: variant %s: its program needs `size`, `prepare`, `enqueue` and `finish`", k->name, v->name);
  }
  return TRUE;
}

/* The form REDUCE reads and writes one sum in use 0, whatever stands there. */
static gboolean check_sum(const bh_problem *p, const bh_kernel *k, GError **error) {
  const bh_region *r = &p->regions[k->uses[0].region];
  const guint64 bytes = k->shape->sum_bytes;
  if (bytes && (k->uses[0].role != BH_REDUCE || r->bytes != bytes))
    REFUSE("kernel %s: the form REDUCE wants as use 0 a BH_REDUCE of %" G_GUINT64_FORMAT
           " bytes, one sum; found region %s of %" G_GUINT64_FORMAT " bytes%s",
           k->name, bytes, r->name, r->bytes, k->uses[0].role == BH_REDUCE ? "" : " in another role");
  return TRUE;
}

/* What the macro in the kernel file says, against the table: where they differ the host would touch the wrong memory,
 * and a device would refuse the arguments. */
static gboolean check_kernel_file(const bh_problem *p, const bh_kernel *k, GError **error) {
  if (!k->source || !k->shape->n_uses)
    return TRUE;
  if (k->shape->n_uses != k->n_uses)
    REFUSE(
        "kernel %s: its table has %u uses, its macro in the kernel file %u types: give one for each, in the same order",
        k->name, k->n_uses, k->shape->n_uses);
  if (!check_sum(p, k, error))
    return FALSE;
  for (guint u = 0; u < k->n_uses; u++) {
    const gboolean reads = k->uses[u].role == BH_IN, is_const = (k->shape->read_only >> u & 1) != 0;
    if (reads != is_const)
      REFUSE("kernel %s: use %u, region %s, is %sBH_IN, but type %u of its macro in the kernel file is %sconst: "
             "types stand in the order of the uses, const for BH_IN and for no other role",
             k->name, u, p->regions[k->uses[u].region].name, reads ? "" : "not ", u, is_const ? "" : "not ");
  }
  return TRUE;
}

static gboolean check_kernels(const bh_problem *p, GError **error) {
  for (guint i = 0; i < p->n_kernels; i++) {
    const bh_kernel *k = &p->kernels[i];
    if (!k->name)
      REFUSE("kernel %u has no name", i);
    if (!k->host && !k->source && !k->variants)
      REFUSE("kernel %s has neither host code, nor source, nor variants", k->name);
    if (k->source && (!k->entry || !k->source_bytes || !k->shape))
      REFUSE("kernel %s has a source but no `entry`, `source_bytes` or `shape` (see benchhost/kernel.h)", k->name);
    if (k->program)
      REFUSE("kernel %s: `program` is the host's to set; give it in a variant", k->name);
    if (!check_variants(k, error) || !check_uses(p, k->name, k->uses, k->n_uses, error) ||
        !check_kernel_file(p, k, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean check_loops(const bh_problem *p, GError **error) {
  for (guint i = 0; i < p->n_loops; i++) {
    const bh_loop *l = &p->loops[i];
    if (l->kernel >= p->n_kernels)
      REFUSE("loop %u runs kernel %u of %u", i, l->kernel, p->n_kernels);
    if (l->params_bytes && !l->params)
      REFUSE("loop %u: params_bytes is %u but `params` is NULL", i, l->params_bytes);
    const bh_kernel *k = &p->kernels[l->kernel];
    if (k->source && k->shape->n_uses && k->shape->params_bytes != l->params_bytes)
      REFUSE("loop %u: `params_bytes` is %u, but the parameters of kernel %s in the kernel file have %u", i,
             l->params_bytes, k->name, k->shape->params_bytes);
    for (guint u = 0; u < k->n_uses; u++) {
      const bh_use *use = &k->uses[u];
      const bh_region *r = &p->regions[use->region];
      if (use->split == BH_BY_ITEM && !use->slice && mul(l->items, use->stride_bytes) > r->bytes)
        REFUSE("loop %u: kernel %s needs %" G_GUINT64_FORMAT " items x %" G_GUINT64_FORMAT
               " bytes of region %s, which has %" G_GUINT64_FORMAT,
               i, k->name, l->items, use->stride_bytes, r->name, r->bytes);
      if (use->split == BH_BY_ITEM && use->slice && l->items) {
        guint64 offset = G_MAXUINT64, length = G_MAXUINT64;
        use->slice(l->params, 0, l->items, &offset, &length);
        if (add(offset, length) > r->bytes)
          REFUSE("loop %u: kernel %s: `slice` of all items ends beyond region %s", i, k->name, r->name);
      }
    }
  }
  return TRUE;
}

static gboolean check_shape(const bh_problem *p, GError **error) {
  if (p->size != sizeof(bh_problem))
    REFUSE("the problem's `size` was changed to %u", p->size);
  if (p->n_regions > MAX_TABLE || p->n_kernels > MAX_TABLE || p->n_loops > MAX_TABLE)
    REFUSE("more than %u regions, kernels or loops", MAX_TABLE);
  if ((p->n_regions && !p->regions) || (p->n_kernels && !p->kernels) || (p->n_loops && !p->loops))
    REFUSE("a table of regions, kernels or loops has a count but is NULL");
  if (!p->member && !p->n_loops)
    REFUSE("the problem has neither loops nor a team's member");
  if (p->max_members && p->min_members > p->max_members)
    REFUSE("min_members %u exceeds max_members %u", p->min_members, p->max_members);
  const double figures[] = {p->items, p->flops, p->bytes_read, p->bytes_written};
  for (gsize i = 0; i < G_N_ELEMENTS(figures); i++)
    if (!(figures[i] >= 0 && figures[i] < 1e300))
      REFUSE("the cost model has a figure that is negative or not finite");
  return TRUE;
}

/* Parameters' alignment: that of the widest vector type. */
static gsize sealed_size(guint32 params_bytes) {
  return ((gsize)params_bytes + 63) / 64 * 64;
}

static gboolean seal_params(BhProblem *ours, GError **error) {
  const guint n = ours->problem.n_loops;
  ours->loops = g_memdup2(ours->problem.loops, n * sizeof *ours->loops);
  ours->problem.loops = ours->loops;
  for (guint i = 0; i < n; i++)
    ours->sealed_bytes += sealed_size(ours->loops[i].params_bytes);
  if (!ours->sealed_bytes)
    return TRUE;
  void *memory = mmap(NULL, ours->sealed_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "%zu bytes of loop parameters: %s", ours->sealed_bytes,
                g_strerror(errno));
    return FALSE;
  }
  ours->sealed = memory;
  char *at = memory;
  for (guint i = 0; i < n; i++)
    if (ours->loops[i].params_bytes) {
      memcpy(at, ours->loops[i].params, ours->loops[i].params_bytes);
      ours->loops[i].params = at;
      at += sealed_size(ours->loops[i].params_bytes);
    }
  mprotect(memory, ours->sealed_bytes, PROT_READ);
  return TRUE;
}

BhProblem *bh_problem_new(const bh_problem *theirs, GError **error) {
  if (!check_shape(theirs, error) || !check_regions(theirs, error) || !check_kernels(theirs, error) ||
      !check_loops(theirs, error) ||
      (theirs->member && !check_uses(theirs, "member", theirs->uses, theirs->n_uses, error)))
    return NULL;
  g_autoptr(BhProblem) ours = g_new0(BhProblem, 1);
  ours->problem = *theirs;
  ours->kernels = g_memdup2(theirs->kernels, theirs->n_kernels * sizeof *theirs->kernels);
  ours->problem.kernels = ours->kernels;
  ours->chosen = g_new(const char *, MAX(theirs->n_kernels, 1));
  for (guint i = 0; i < theirs->n_kernels; i++)
    ours->chosen[i] = BH_VARIANT_PORTABLE;
  return seal_params(ours, error) ? g_steal_pointer(&ours) : NULL;
}

void bh_problem_free(BhProblem *problem) {
  if (!problem)
    return;
  if (problem->sealed)
    munmap(problem->sealed, problem->sealed_bytes);
  g_free(problem->loops);
  g_free(problem->kernels);
  g_free(problem->chosen);
  g_free(problem);
}

/* One for this very target goes before one for all devices. */
static const bh_variant *find_variant(const bh_kernel *kernel, const char *name, const char *target) {
  const bh_variant *any = NULL;
  for (const bh_variant *v = kernel->variants; v && v->name; v++) {
    if (strcmp(v->name, name))
      continue;
    if (!g_strcmp0(v->target, target))
      return v;
    if (!any && !g_strcmp0(v->target, "device") && strcmp(target, "host"))
      any = v;
  }
  return any;
}

/* "portable, simd (host), cublas (cuda)": each name and target once. */
static char *known_variants(const BhProblem *problem) {
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_add(names, g_strdup(BH_VARIANT_PORTABLE));
  for (guint i = 0; i < problem->problem.n_kernels; i++)
    for (const bh_variant *v = problem->kernels[i].variants; v && v->name; v++) {
      g_autofree char *name =
          strcmp(v->name, BH_VARIANT_PORTABLE) ? g_strdup_printf("%s (%s)", v->name, v->target) : g_strdup(v->name);
      if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_ptr_array_add(names, g_steal_pointer(&name));
    }
  g_ptr_array_add(names, NULL);
  return g_strjoinv(", ", (char **)names->pdata);
}

bh_status bh_problem_choose(BhProblem *problem, const char *name, const char *target, const bh_host *host) {
  const gboolean on_host = !strcmp(target, "host");
  guint found = 0;
  for (guint i = 0; i < problem->problem.n_kernels; i++) {
    bh_kernel *kernel = &problem->kernels[i];
    const bh_variant *variant = find_variant(kernel, name, target);
    if (!on_host) /* are for `host` */
      kernel->setup = NULL, kernel->teardown = NULL;
    if (variant) {
      const bh_status status = variant->probe ? variant->probe(host) : BH_OK;
      if (status != BH_OK)
        return status;
      if (on_host)
        kernel->host = variant->host;
      else
        kernel->program = variant->program;
      kernel->setup = variant->setup;
      kernel->teardown = variant->teardown;
      problem->chosen[i] = variant->name;
      found++;
    }
    if (on_host && !kernel->host)
      return host->stop(host, BH_UNSUPPORTED, "kernel %s has no %s code for the host", kernel->name, name);
  }
  if (!found && strcmp(name, BH_VARIANT_PORTABLE)) {
    g_autofree char *known = known_variants(problem);
    return host->stop(host, BH_UNSUPPORTED, "no kernel has a variant '%s' for %s backends; there are: %s", name, target,
                      known);
  }
  return BH_OK;
}

guint64 bh_problem_view_bytes(const bh_problem *problem, guint region, guint workers) {
  const bh_region *r = &problem->regions[region];
  if (r->role == BH_SCRATCH)
    return 0;
  return r->split == BH_BY_WORKER ? mul(r->bytes, workers) : r->bytes;
}

/* Does somebody need all of region `region` at once? Then each worker that has its own memory holds all of it. */
static gboolean used_whole(const bh_problem *problem, guint region) {
  for (guint u = 0; u < problem->n_uses; u++)
    if (problem->uses[u].region == region && problem->uses[u].split == BH_WHOLE)
      return TRUE;
  for (guint k = 0; k < problem->n_kernels; k++)
    for (guint u = 0; u < problem->kernels[k].n_uses; u++)
      if (problem->kernels[k].uses[u].region == region && problem->kernels[k].uses[u].split == BH_WHOLE)
        return TRUE;
  return FALSE;
}

guint64 bh_problem_footprint(const bh_problem *problem, const bh_needs *needs) {
  guint64 total = add(needs->host_bytes, mul(problem->worker_bytes, needs->workers));
  for (guint i = 0; i < problem->n_regions; i++) {
    const bh_region *r = &problem->regions[i];
    total = add(total, bh_problem_view_bytes(problem, i, needs->workers));
    if (r->role == BH_SCRATCH || r->role == BH_REDUCE)
      total = add(total, mul(r->bytes, needs->workers));
    else if (needs->copies && used_whole(problem, i))
      total = add(total, mul(bh_problem_view_bytes(problem, i, needs->workers), needs->workers));
    else if (needs->copies || r->role == BH_INOUT) /* slices together make one more copy; INOUT: what restores it */
      total = add(total, r->bytes);
  }
  return total;
}
