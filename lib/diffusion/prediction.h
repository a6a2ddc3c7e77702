/* What the output of a network stands for: the noise eps, the data x_0, or the velocity
 *     v = sqrt(alpha_bar) eps - sqrt(beta_bar) x_0      (Salimans and Ho 2022)
 *
 * Everything here computes with eps. The output is converted where the network is read, in double.
 */
#pragma once

#include "diffusion/schedule.h"

#include <stddef.h>

typedef enum Predicts { PREDICTS_EPS, PREDICTS_V, PREDICTS_X0 } Predicts;

/* eps as a sum of the network's input and output: eps = input * x_t + output * (the output). For
 * PREDICTS_EPS these are 0 and 1. */
typedef struct PredictionFactors {
    double input, output;
} PredictionFactors;
PredictionFactors prediction_factors(Predicts predicts, const Schedule *schedule, int t);

/* output [count, dims] of a network at x_t [count, dims] and t [count] becomes eps. At t = 0, where
 * there is no noise, x_0 says nothing of it, and eps becomes 0. */
void prediction_to_eps(Predicts predicts, const Schedule *schedule, const float *x_t, const int *t,
                       size_t count, size_t dims, float *output);

/* The way back: gradient [count, dims] of a loss by eps becomes the gradient by the output. */
void prediction_gradient(Predicts predicts, const Schedule *schedule, const int *t, size_t count,
                         size_t dims, float *gradient);
