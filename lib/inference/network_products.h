/* Products of the network's Jacobian J = d eps_hat / d x_t with vectors, an image at a time or many.
 *
 *     J'q  by a backward pass of the trunk with respect to its input, exact but for float32
 *     J q  by a central difference of eps_hat along q, two passes
 *
 * The difference takes steps of PRODUCT_STEP per element, root mean square. The curvature of the
 * network makes an error that grows with the step's square, and the rounding of eps_hat one that
 * falls with the step. In float32 both together were below 5e-5 of the products, and moved noise by
 * less than that (tests/test_full.c). A space of ten dimensions is off by a hundred times as much.
 */
#pragma once

#include "inference/network.h"

#define PRODUCT_STEP 1.5e-3

typedef struct NetworkProducts NetworkProducts;

/* Input error where the network computes in bfloat16: its rounding is larger than the differences. */
bool network_products_check(const Network *network, Error *error);

/* For images x [count, dims] at timesteps t [count], which are borrowed; builds a graph with a
 * backward pass. The network must be prepared, and stay so. */
bool network_products_make(NetworkProducts **products, Network *network, int count, Error *error);
void network_products_free(NetworkProducts *products); /* NULL is fine */

/* out [count, dims] := J'q, and J q, for q [count, dims], at x [count, dims] and t [count]; at most
 * as many images as network_products_make was told. */
bool network_transposed_product(NetworkProducts *products, const float *x, const int *t, int count,
                                const double *q, double *out, Error *error);
bool network_product(NetworkProducts *products, const float *x, const int *t, int count,
                     const double *q, double *out, Error *error);

/* The passes of the trunk that a J'q and a J q cost together: forward and backward, and two. */
enum { PRODUCT_PASSES = 5 };
