/* The correlations of a head in a checkpoint (variance/block_covariance.h):
 *
 *     /correlation/<head>                attribute block: the side of a block, in pixels
 *     /correlation/<head>/matrix         float32 [B, n, n]: R of each bin of timesteps
 *     /correlation/<head>/bins           float64 [B + 1]: the limits of the bins, as /time_bins
 *     /correlation/<head>/share          float64 [B]: the share of I in each R
 *     /correlation/<head>/gain           float64 [B]: by how much R lowers the KL of the step t -> 1
 *                                        of unseen images, in bits per dimension
 *     /correlation/<head>/gain_stderr    float64 [B]: its standard error
 *
 * The bins need not be those of the head.
 */
#pragma once

#include "io/checkpoint.h"
#include "variance/correlation_fit.h"

/* Whether the file has correlations of the head. */
bool correlation_file_has(Checkpoint *checkpoint, const char *head);

/* Reads the matrices and their bins; the caller frees correlation->matrix. An input error if they
 * are damaged or do not fit the images. */
bool correlation_file_read(Checkpoint *checkpoint, const char *head, BlockCorrelation *correlation,
                           Error *error);

/* The mean of `gain` over the bins; 0 if the file does not say. */
double correlation_file_gain(Checkpoint *checkpoint, const char *head, int bins);

bool correlation_file_write(CheckpointWriter *writer, const char *head, const CorrelationFit *fit,
                            Error *error);
