/* Chooses the ridge of a gamma regression, and how much a bin borrows from all bins, by the loss on
 * held-out rows. It does for this loss what stats/shrinkage.h does for least squares.
 *
 * The loss of all bins together is not summed again for each bin. Near its minimum it is a
 * parabola, whose curvature is Fisher's matrix of all bins. So a bin that borrows the share b has
 * the loss
 *
 *     (1 - b) own(w) + b/2 (w - center)' all_fisher (w - center)
 *
 * and b = 1 takes the solution of all bins, `center`, as it is.
 */
#pragma once

#include "stats/gamma_regression.h"
#include "stats/least_squares.h"

/* The data of one bin. All arrays are borrowed. */
typedef struct GammaBin {
    /* The rows to fit, and those held out. Either may have none. */
    const GammaRows *own, *held;
    const double *r, *held_r;
    /* The weights of the rows' losses, with the mean 1 for the fitted rows; NULL: all are 1. */
    const double *weight, *held_weight;
    /* [P (P + 1) / 2]: Fisher's matrix of the bin, and of all bins. */
    const double *fisher, *all_fisher;
    /* [P]: the solution of all bins; NULL if there is only one bin. */
    const double *center;
} GammaBin;

/* w [P] := the solution of the best trial; the trials begin at w. If no rows are held out, a medium
 * ridge and share are used. Without rows to fit, all is borrowed. `ridge` >= 0: this ridge; < 0:
 * choose the ridge too. A run-time error for want of memory, or if numbers are not finite. */
bool gamma_shrinkage_fit(const GammaBin *bin, double ridge, Shrinkage *chosen, double *w,
                         Error *error);

/* w [P] := the solution with a given ridge and share; the fit begins at w. Errors as above. */
bool gamma_shrinkage_solve(const GammaBin *bin, Shrinkage shrinkage, double *w, Error *error);
