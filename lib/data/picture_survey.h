/* What sizes the pictures of a directory or an archive have, by the headers of their files
 * alone. */
#pragma once

#include "base/error.h"

#include <stdint.h>

typedef struct PictureSurvey {
    /* Pictures whose header is sound. */
    int64_t pictures;
    /* Of all of them, as they are stored: orientation is not applied. */
    int least_width, most_width, least_height, most_height;
    /* The smallest side of any picture. */
    int least_side;
    bool has_colours;
} PictureSurvey;

/* Whether all pictures are squares of one size. */
bool picture_survey_is_even(const PictureSurvey *survey);

/* Reads the beginnings of all files on all cores, all of an archive, and decodes none. Shows its
 * progress. Broken pictures are passed over: opening the set names them. Input error if `path`
 * is neither a directory nor an archive, or is damaged; run-time error at a signal. */
bool picture_survey_read(PictureSurvey *survey, const char *path, Error *error);

/* *width, *height and *channels (1: grey, 3: colours) := what the header of the picture bytes
 * [size] says. A palette counts as colours. False if there is no sound header. */
bool picture_header(const uint8_t *bytes, int64_t size, int *width, int *height, int *channels);
