/* The results of infer nll: tables on the screen, and files for other programs. */
#pragma once

#include "evaluation/bound.h"
#include "infer/nll/nll_cells.h"

typedef struct NllReport {
    const Bound *bound;
    const BoundTask *task;
    const NllRequest *request;
    const EstimateSource *source;
    const FullOptions *full;
    /* "100 test images" */
    const char *images;
    /* All else that the bounds depend on (results.h), and the fingerprint of the images' data set. */
    const char *settings;
    uint64_t images_print;
} NllReport;

/* Prints a table of bounds for each trajectory, and the calibration. */
void nll_report_print(const NllReport *report);

/* CSV: variance,trajectory,steps,bits_per_dim,stderr,images, a row per cell. */
bool nll_report_table(const NllReport *report, const char *path, Error *error);

/* CSV: variance,t,mean_square,stderr,floored,ratio,mean_square_1,...,mean_fourth_10, a row per
 * variance and timestep (evaluation/bound_task.h). */
bool nll_report_calibration(const NllReport *report, const char *path, Error *error);

/* HDF5: the attributes settings and images, and a group <variance>/<trajectory>_<steps> for each cell:
 *
 *     timesteps            [K + 1], from 0 up
 *     terms, terms_stderr  [K + 1], bits/dim: the decoder, the steps t_2 -> t_1 and up, the prior
 *     bits_per_dim_each    [images]
 *     quadrature_stderr_each   [images], of full by quadrature: what its random vectors add
 */
bool nll_report_terms(const NllReport *report, const char *path, Error *error);
