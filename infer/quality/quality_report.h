/* What infer quality makes of its values: tables to read, and a CSV. */
#pragma once

#include "infer/quality/quality_task.h"

/* A table per sampler and metric, to stdout. */
void quality_report_print(const QualityTask *task);

/* variance,sampler,trajectory,steps,metric,value,stderr,images,reference,classifier,accuracy: a row per cell
 * and metric; those of the floor have the variance "real" and no sampler. */
bool quality_report_table(const QualityTask *task, const char *path, Error *error);
