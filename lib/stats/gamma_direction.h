/* The directions of a fit's steps, from the gradient; private to it.
 *
 * Both set s->direction, and s->change to the change of l along it.
 */
#pragma once

#include "stats/gamma_state.h"

/* The solution of Newton's system, as far as `accuracy`, a part of the gradient. */
void gamma_direction_newton(GammaState *s, double accuracy);

/* The solution of Fisher's system. */
void gamma_direction_fisher(GammaState *s);
