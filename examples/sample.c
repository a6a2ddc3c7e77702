/* Draws 16 samples of a trained model and writes them as a picture.
 *
 *     cc sample.c $(pkg-config --cflags --libs varhead) -o sample
 *     ./sample checkpoints/quick beta_tilde 25 samples.png
 */
#include <stdio.h>
#include <stdlib.h>
#include <varhead.h>

int main(int argc, char **argv)
{
    if (argc != 5)
        return fprintf(stderr, "usage: sample RUN VARIANCE STEPS FILE.png\n"), 2;
    const int count = 16;
    VarheadModel *model = NULL;
    VarheadOptions *options = varhead_options_new();
    VarheadError error = {0};
    float *images = NULL;
    int code = varhead_set(options, "variance", argv[2], &error);
    if (code == VARHEAD_OK)
        code = varhead_set(options, "steps", argv[3], &error);
    if (code == VARHEAD_OK)
        code = varhead_open(&model, argv[1], options, &error);
    if (code == VARHEAD_OK)
        images = malloc(count * varhead_dims(model) * sizeof *images);
    if (code == VARHEAD_OK)
        code = varhead_sample(model, options, 0, count, images, &error);
    if (code == VARHEAD_OK)
        code = varhead_write_png(model, argv[4], images, count, 0, 0, &error);
    if (code != VARHEAD_OK)
        fprintf(stderr, "sample: %s\n", error.message);
    free(images);
    varhead_close(model);
    varhead_options_free(options);
    return code;
}
