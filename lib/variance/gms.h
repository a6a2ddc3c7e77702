/* The two Gaussians of gms, for one element (variance/gms.c). */
#pragma once

/* A mixture with mean 0: N(2 offset, within) with probability GMS_FIRST, and N(-offset, within). */
typedef struct GmsSplit {
    double offset, within;
} GmsSplit;

/* The probability of the first component, and the least part of the variance that is within
 * components; both are those of the published code. */
#define GMS_FIRST (1.0 / 3)
#define GMS_LEAST_WITHIN 0.1

/* The mixture with this variance, 0 or more, and this third central moment. A third moment that is
 * too large for the variance is lowered. */
GmsSplit gms_split(double variance, double third);
