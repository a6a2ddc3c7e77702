/* Something that can be stepped, to be timed. */
#pragma once

#include "bench/measure.h"

typedef struct Runner Runner;
struct Runner {
    int batch; /* images, or evaluations of the network, in a step */
    bool (*step)(Runner *runner, int step, Error *error);
    double (*floor)(Runner *runner,
                    int step); /* seconds of the least that a step could take; NULL: its
                                                  products alone */
};

/* The bounds of infer nll (WORK_BOUNDS, WORK_DP), for bounds_free. */
bool bounds_make(Runner **runner, const Task *task, Error *error);
void bounds_free(Runner *runner); /* NULL is fine */
