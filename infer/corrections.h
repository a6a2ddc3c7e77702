/* The options --eps-scale and --dcw, and the list of corrections that they amount to. */
#pragma once

#include "base/error.h"
#include "base/options.h"
#include "diffusion/mean_correction.h"

/* The most corrections of a command. */
enum { CORRECTIONS_MAX = 64 };

/* The divisors of eps_hat that --eps-scale takes, and the largest strength of DCW. */
#define CORRECTIONS_LEAST_SCALE 0.5
#define CORRECTIONS_MOST_SCALE 2.0
#define CORRECTIONS_MOST_DCW 10.0

/* The values of the options as they were given. */
typedef struct CorrectionOptions {
    /* "1,1.01"; NULL: none. */
    const char *eps_scales;
    /* "0.05,0.01" each. */
    StringList dcw;
} CorrectionOptions;

/* The corrections of a command: every divisor of eps_hat with every pair of DCW's strengths. Without
 * options it is one, which changes nothing. */
typedef struct CorrectionList {
    MeanCorrection items[CORRECTIONS_MAX];
    int count;
} CorrectionList;

/* *list := the corrections that the options name. An input error, with the name of the option, for
 * what is no number, for a number out of range, or given twice, and for too many of them. */
bool corrections_read(const CorrectionOptions *options, CorrectionList *list, Error *error);

/* The list with the one correction that changes nothing. */
CorrectionList corrections_none(void);
