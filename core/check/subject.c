/* SPDX-License-Identifier: MIT
 * Owns the plugin under test and its parameters' values. */
#include "check/subject.h"
#include "check/say.h"

#include <stdlib.h>
#include <string.h>

/* The value text of `name` in "name=value" settings; the last one counts. */
static const char *setting_of(const char *const *settings, const char *name) {
  const gsize length = strlen(name);
  const char *text = NULL;
  for (guint i = 0; settings && settings[i]; i++)
    if (!strncmp(settings[i], name, length) && settings[i][length] == '=')
      text = settings[i] + length + 1;
  return text;
}

static gboolean check_names(const BhPlugin *plugin, const char *const *settings, GError **error) {
  for (guint i = 0; settings && settings[i]; i++) {
    g_autofree char *name = g_strndup(settings[i], strcspn(settings[i], "="));
    if (!strchr(settings[i], '=') || !bh_plugin_param(plugin, name, NULL)) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--param %s: expected NAME=VALUE, NAME a parameter of '%s'",
                  settings[i], plugin->name);
      return FALSE;
    }
  }
  return TRUE;
}

/* The host sets a parameter's environment variable before the library loads; here it is loaded already, but the
 * libraries that read one do so when they start, which is later for most. The trial's parent sets it for the others. */
static void set_environment(const BhParam *param, const BhValue *value) {
  if (!param->env)
    return;
  const char *text = param->env_values && value->i >= 0 ? param->env_values[value->i] : value->text;
  if (text && *text)
    g_setenv(param->env, text, TRUE);
}

gboolean bh_subject_set(BhSubject *subject, const char *const *settings, GError **error) {
  if (!check_names(subject->plugin, settings, error))
    return FALSE;
  g_ptr_array_set_size(subject->store, 0);
  for (guint i = 0; i < subject->plugin->params->len; i++) {
    const BhParam *param = g_ptr_array_index(subject->plugin->params, i);
    const char *given = setting_of(settings, param->name);
    const char *text = given ? given : param->fallback;
    if (!text) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "parameter '%s' has no default: give --param %s=VALUE", param->name,
                  param->name);
      return FALSE;
    }
    if (!given && strstr(text, "cores")) /* an expression of the plan's; two of anything is enough here */
      text = "2";
    BhValue *value = bh_value_parse(param, text, error);
    if (!value)
      return FALSE;
    value->given = given != NULL;
    set_environment(param, value);
    g_ptr_array_add(subject->store, value);
    subject->values[i] = bh_value_view(value);
  }
  return TRUE;
}

BhSubject *bh_subject_new(const char *path, const char *const *settings, const char *scratch, GError **error) {
  g_autoptr(BhSubject) subject = g_new0(BhSubject, 1);
  subject->store = g_ptr_array_new_with_free_func((GDestroyNotify)bh_value_free);
  subject->mini = bh_mini_host_new(scratch);
  subject->loaded = bh_loader_open(path, error);
  if (!subject->loaded)
    return NULL;
  subject->plugin = bh_loader_describe(subject->loaded, error);
  if (!subject->plugin)
    return NULL;
  subject->values = g_new0(bh_value, subject->plugin->params->len + 1);
  return bh_subject_set(subject, settings, error) ? g_steal_pointer(&subject) : NULL;
}

void bh_subject_free(BhSubject *subject) {
  if (!subject)
    return;
  bh_plugin_free(subject->plugin);
  bh_loader_free(subject->loaded);
  bh_mini_host_free(subject->mini);
  g_ptr_array_unref(subject->store);
  g_free(subject->values);
  g_free(subject);
}

const char *bh_subject_reason(const BhSubject *subject) {
  const char *reason = bh_mini_host_reason(subject->mini);
  return reason ? reason : "no reason was given";
}

bh_status bh_subject_settle(BhSubject *subject, bh_status status, const char *callback) {
  const char *reason = bh_mini_host_reason(subject->mini);
  if ((int)status < BH_OK || (int)status > BH_FAIL) {
    bh_say_failed("%s returned %d, which is no bh_status", callback, (int)status);
    return BH_FAIL;
  }
  if (status != BH_OK && !reason)
    bh_say_failed("%s failed (status %d) without saying why: call h->stop(h, status, \"...\")", callback, (int)status);
  else if (status == BH_OK && reason)
    bh_say_failed("%s returned BH_OK but stopped the cell: %s", callback, reason);
  else if (status != BH_OK && status != subject->mini->status)
    bh_say_failed("%s returned status %d but stopped with %d: %s", callback, (int)status, (int)subject->mini->status,
                  reason);
  return status == BH_OK && reason ? subject->mini->status : status;
}

void bh_subject_try_help(const BhSubject *subject) {
  bh_say_trying("every parameter has a help text");
  for (guint i = 0; i < subject->plugin->params->len; i++) {
    const BhParam *param = g_ptr_array_index(subject->plugin->params, i);
    if (!param->help || !*param->help)
      bh_say_failed("parameter '%s' has none", param->name);
  }
  bh_say_ok();
}
