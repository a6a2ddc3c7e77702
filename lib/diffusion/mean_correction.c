/* Corrections of a step's mean.
 *
 * The Haar transform works on blocks of 2x2 pixels. Its low band is the mean of a block, but for a
 * factor. So DCW needs no transform: with d = x - x_0_hat and m the mean of d over its block,
 *     x += low m + high (d - m).
 * Pixels beyond the edge count as d = 0.
 */
#include "diffusion/mean_correction.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double mean_correction_scale(const MeanCorrection *correction)
{
    return correction->eps_scale == 0 ? 1 : correction->eps_scale;
}

bool mean_correction_scales(const MeanCorrection *correction)
{
    return mean_correction_scale(correction) != 1;
}

bool mean_correction_has_dcw(const MeanCorrection *correction)
{
    return correction->dcw_low != 0 || correction->dcw_high != 0;
}

bool mean_correction_equal(const MeanCorrection *a, const MeanCorrection *b)
{
    return mean_correction_scale(a) == mean_correction_scale(b) && a->dcw_low == b->dcw_low &&
           a->dcw_high == b->dcw_high;
}

/* Appends "-<word><value>" unless the value is the one that changes nothing. */
static void append(char *text, size_t size, const char *word, double value, double neutral)
{
    const size_t used = strlen(text);
    if (value != neutral)
        snprintf(text + used, size - used, "-%s%.9g", word, value);
}

void mean_correction_label(const MeanCorrection *correction, char *text, size_t size)
{
    append(text, size, "eps", mean_correction_scale(correction), 1);
    append(text, size, "low", correction->dcw_low, 0);
    append(text, size, "high", correction->dcw_high, 0);
}

double mean_correction_weight(const Schedule *schedule, int t)
{
    return sqrt(schedule->beta_bar[t] / schedule->beta_bar[schedule->timesteps]);
}

/* Corrects one channel of the block whose first pixel is (y, x). */
static void correct_block(double low, double high, int height, int width, int channels, int y,
                          int x, int channel, const float *x0_hat, float *image)
{
    size_t at[4];
    double d[4], mean = 0;
    int count = 0;
    for (int i = y; i < y + 2 && i < height; i++)
        for (int j = x; j < x + 2 && j < width; j++) {
            at[count] =
                ((size_t)i * (size_t)width + (size_t)j) * (size_t)channels + (size_t)channel;
            d[count] = (double)image[at[count]] - (double)x0_hat[at[count]];
            mean += d[count++] / 4;
        }
    for (int k = 0; k < count; k++)
        image[at[k]] = (float)(image[at[k]] + low * mean + high * (d[k] - mean));
}

void mean_correction_dcw(const MeanCorrection *correction, double w, int height, int width,
                         int channels, const float *x0_hat, float *x)
{
    const double low = correction->dcw_low * w, high = correction->dcw_high * (1 - w);
    for (int i = 0; i < height; i += 2)
        for (int j = 0; j < width; j += 2)
            for (int c = 0; c < channels; c++)
                correct_block(low, high, height, width, channels, i, j, c, x0_hat, x);
}
