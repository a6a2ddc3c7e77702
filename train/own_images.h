/* Images that the command line names, with a recipe that was written for others.
 *
 *     train --stage 1 --set data.train=my-pictures/ --set data.resolution=64
 *
 * The recipe's data.format, data.test and data.channels are those of its own images. Where the command
 * line leaves these keys out, they are taken from the images that it names.
 */
#pragma once

#include "base/options.h"
#include "config/config.h"

/* Overrides of keys, for memory_free; NULL: the recipe's value holds. */
typedef struct OwnImages {
    char *format, *test, *channels;
} OwnImages;

/* What `config` needs besides the overrides of the command line that it was read with. `earlier` is the
 * checkpoint that the run continues, which keeps its test images; NULL or no such file: a new run.
 * `imported`: the recipe is that of an imported network, which names no images. Notes say what is
 * changed. */
OwnImages own_images(const Config *config, const StringList *overrides, const char *earlier,
                     bool imported);

void own_images_free(OwnImages *own);
