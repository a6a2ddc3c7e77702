/* The progress of a pass over the pictures of a directory or an archive. */
#pragma once

#include "base/progress.h"
#include "data/picture_files.h"

typedef struct PictureProgress {
    Progress progress;
    const PictureFiles *files;
} PictureProgress;

/* Begins a pass over `files`, both of which live on until it ends; `what` names it. Where a
 * program shows no progress of its data sets (data/cache_place.h), nothing is shown. The first
 * line comes after an interval. */
void picture_progress_start(PictureProgress *p, const char *what, const PictureFiles *files);

/* Shows how many files were given so far, and the number of pictures. */
void picture_progress_show(PictureProgress *p, int64_t pictures);

/* Ends the line. `done`: the whole pass is done. A pass that took less than an interval has
 * shown nothing, and gets no last line. Fine on a zeroed struct. */
void picture_progress_finish(PictureProgress *p, bool done);
