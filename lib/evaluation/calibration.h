/* Calibration: whether each variance predicts the size of the errors of the mean
 * (calibration.c). */
#pragma once

#include "evaluation/bound_parts.h"
#include "evaluation/tenths.h"

typedef struct CalibrationImage CalibrationImage;

typedef struct Calibration {
    const BoundFrame *frame;
    /* [variances, images]: the current timestep's. */
    CalibrationImage *images;
    /* The fields of BoundSums with the same names: [variances, N + 1] each. */
    double *calibration, *calibration_error, *floored, *ratio;
    /* [variances, N + 1, 2, TENTHS] */
    double *tenths;
} Calibration;

/* A run-time error if memory runs out; call calibration_free in either case. */
bool calibration_make(Calibration *calibration, const BoundFrame *frame, Error *error);
void calibration_free(Calibration *calibration);

/* Adds an estimate of an image. Calibration has no `begin`, since every image overwrites its own
 * entry. */
void calibration_add(Calibration *calibration, const BoundImage *image,
                     const BoundEstimate *estimate);
/* Computes the means over images at timestep t. */
void calibration_finish(Calibration *calibration, int t);
