/* SPDX-License-Identifier: MIT
 * A comparison of base and candidate as other programs want it: JUnit XML for CI servers, Markdown for a job's summary
 * or a merge request's comment, GitHub's workflow commands. All say the same as the terminal's table, since all print
 * one BhAbReport. Texts belong to the caller. */
#pragma once
#include "gate/ab.h"

/* One <testsuite>, one <testcase> a cell, in the form that Jenkins, GitLab and GitHub's actions read (the Ant schema).
 * <failure>: what makes the exit status 1, and inconclusive cells where those fail; <error>: wrong results, broken
 * cells, a control that flagged or failed, a run that was interrupted, invalid or inconclusive as a whole; <skipped>:
 * cells without a verdict that fail nothing. */
char *bh_ab_junit(const BhAbReport *report);

/* GitHub's flavour, fine elsewhere: what is wrong first, the unchanged rest folded away. Never longer than the 1 MiB
 * that a job's summary may have: what is left out is counted. */
char *bh_ab_markdown(const BhAbReport *report);

/* Workflow commands for standard output: `error` for what fails the run, `warning` for what a person should look at,
 * `notice` for improvements. GitHub shows ten of each a step: the last one counts the rest. */
char *bh_ab_annotations(const BhAbReport *report);
