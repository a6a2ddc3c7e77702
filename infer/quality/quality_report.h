/* The results of infer quality: tables on the screen, and a CSV. */
#pragma once

#include "infer/quality/quality_task.h"

/* Prints a table for each sampler and metric. */
void quality_report_print(const QualityTask *task);

/* CSV:
 * variance,sampler,trajectory,steps,metric,value,stderr,images,reference,classifier,accuracy, a
 * row per cell and metric. The rows of real images have the variance "real" and no sampler. */
bool quality_report_table(const QualityTask *task, const char *path, Error *error);
