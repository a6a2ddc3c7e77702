/* Makes a picture an image of a data set: its size, its channels, and no alpha. */
#pragma once

#include "config/config.h"
#include "data/picture.h"

/* What the images of a data set are like. */
typedef struct PictureRule {
    int resolution, channels;
    DataResize resize;
    DataBackground background;
} PictureRule;

/* image [resolution, resolution, channels] := the picture.
 *
 * RESIZE_NONE takes pictures of that size alone. RESIZE_CENTER_CROP takes the square in the middle, and
 * the mean over the area of each pixel; smaller pictures are refused. Grey becomes three equal
 * channels; colours become grey only where all three are equal. Pixels that are not opaque need a
 * background. Input error to follow the name of the file. */
bool picture_fit(const Picture *picture, const PictureRule *rule, uint8_t *image, Error *error);
