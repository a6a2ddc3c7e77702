/* Calibration: whether the errors of the mean are as large as each variance says. */
#pragma once

#include "evaluation/bound_parts.h"

typedef struct CalibrationImage CalibrationImage;

typedef struct Calibration {
    const BoundFrame *frame;
    /* [variances, images]: of one timestep. */
    CalibrationImage *images;
    /* Those of BoundSums. */
    double *calibration, *calibration_error, *floored, *ratio;
} Calibration;

/* Fails for want of memory; calibration_free is called then too. */
bool calibration_make(Calibration *calibration, const BoundFrame *frame, Error *error);
void calibration_free(Calibration *calibration);

/* There is nothing to begin: every image writes its own entry. */
void calibration_add(Calibration *calibration, const BoundImage *image,
                     const BoundEstimate *estimate);
void calibration_finish(Calibration *calibration, int t);
