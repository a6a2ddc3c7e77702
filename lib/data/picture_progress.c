/* Counts files of a directory, or megabytes of an archive, whose number of files is not known
 * before its end. */
#include "data/picture_progress.h"

#include "base/clock.h"
#include "data/cache_place.h"

void picture_progress_start(PictureProgress *p, const char *what, const PictureFiles *files)
{
    p->files = files;
    progress_start(&p->progress, what, 0, picture_files_total(files), 1,
                   picture_files_are_packed(files) ? "MiB/s" : "files/s",
                   !cache_place().shows_progress);
    p->progress.shown = clock_seconds();
}

void picture_progress_show(PictureProgress *p, int64_t pictures)
{
    progress_update(&p->progress, picture_files_done(p->files), "%lld pictures",
                    (long long)pictures);
}

void picture_progress_finish(PictureProgress *p, bool done)
{
    Progress *progress = &p->progress;
    if (p->files == NULL)
        return;
    if (done)
        progress->done = progress->total;
    if (clock_seconds() - progress->start_time > progress->interval)
        progress_finish(progress);
}
