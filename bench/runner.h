/* Something that can be stepped, to be timed. */
#pragma once

#include "bench/measure.h"

typedef struct Runner Runner;
struct Runner {
    /* Images, or evaluations of the network, in a step. */
    int batch;
    bool (*step)(Runner *runner, int step, Error *error);
    /* The lower bound of a step's time, in seconds. NULL: the time of its products alone. */
    double (*floor)(Runner *runner, int step);
};

/* The bounds of infer nll (WORK_BOUNDS, WORK_DP), for bounds_free. */
bool bounds_make(Runner **runner, const Task *task, Error *error);
void bounds_free(Runner *runner); /* NULL is fine */

/* The noise of full (WORK_FULL). */
bool full_make(Runner **runner, const Task *task, Error *error);
void full_free(Runner *runner); /* NULL is fine */

/* The steps of variances.c (WORK_DRAWS, WORK_GMS, WORK_SOLUTION). */
bool draws_make(Runner **runner, const Task *task, Error *error);
void draws_free(Runner *runner); /* NULL is fine */
bool solution_make(Runner **runner, const Task *task, Error *error);
void solution_free(Runner *runner); /* NULL is fine */
