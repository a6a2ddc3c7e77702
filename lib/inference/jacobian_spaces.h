/* Krylov spaces of S = (J + J') / 2, the symmetric part of the network's Jacobian J = d eps_hat /
 * d x_t, for a group of images at a time (stats/lanczos.h).
 *
 * A dimension of the spaces takes a product of each image with J and one with J', which are
 * PRODUCT_PASSES passes of the trunk (inference/network_products.h). Memory: size + 4 images in
 * double for each image.
 */
#pragma once

#include "inference/network.h"
#include "stats/lanczos.h"

typedef struct JacobianSpaces JacobianSpaces;

/* For at most `count` images, with spaces of `size` dimensions. The network must be prepared, and
 * stay so. */
bool jacobian_spaces_make(JacobianSpaces **spaces, Network *network, int count, int size,
                          Error *error);
void jacobian_spaces_free(JacobianSpaces *spaces); /* NULL is fine */

/* The vectors that the spaces begin with, [count, dims]: to be filled before jacobian_spaces_fill,
 * which overwrites them. */
double *jacobian_spaces_start(JacobianSpaces *spaces);

/* Makes and solves the spaces of the images x [count, dims] at timestep t. */
bool jacobian_spaces_fill(JacobianSpaces *spaces, const float *x, int t, int count, Error *error);

/* The space of an image. */
const Lanczos *jacobian_spaces_at(const JacobianSpaces *spaces, int image);
