/* Finds the tensors of every convolution, compares their shapes, reads them in one pass over the
 * file, and folds each normalisation into its convolution. Weights go to their place directly; the
 * four vectors of the normalisations are read to an array of their own. */
#include "exchange/inception_weights.h"

#include "base/memory.h"
#include "exchange/names.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

/* The weight of a convolution, and what its normalisation has for each channel. */
enum { WEIGHT, GAMMA, BETA, MEAN, VARIANCE, PARTS };

static const char *const endings[PARTS] = {"conv.weight", "bn.weight", "bn.bias", "bn.running_mean",
                                           "bn.running_var"};

static const double epsilon = 0.001;

enum { CLASSES = 1008, FEATURES = 2048 };

typedef struct Reading {
    TensorFile *file;
    int group;
    const ParamSet *params;
    float *weights;
    /* The channels of all convolutions, and [PARTS, channels]: the vectors of the normalisations, in
     * the order of the convolutions; row WEIGHT is not used. */
    size_t channels;
    float *vectors;
    TensorWish *wishes;
    int wish_count;
    /* Tensors that are missing or of another shape, and the first of each kind. */
    int expected, missing, wrong;
    char *first_missing, *first_wrong;
} Reading;

/* -- Finding ----------------------------------------------------------------------------------- */

static bool has_shape(const Tensor *tensor, int rank, const int64_t *shape)
{
    bool same = tensor->rank == rank;
    for (int d = 0; same && d < rank; d++)
        same = tensor->shape[d] == shape[d];
    return same;
}

/* The index of a tensor of this shape, or -1. */
static int find(Reading *r, const char *name, int rank, const int64_t *shape)
{
    const TensorTable *table = tensor_file_table(r->file);
    const int index = names_find(table, r->group, name);
    r->expected++;
    if (index < 0) {
        if (r->missing++ == 0)
            r->first_missing = memory_string(name);
        return -1;
    }
    const Tensor *tensor = &table->tensors[index];
    if (has_shape(tensor, rank, shape))
        return index;
    if (r->wrong++ == 0)
        r->first_wrong = memory_format("%s of shape %s instead of %s", name,
                                       tensor_shape_text(tensor->rank, tensor->shape).text,
                                       tensor_shape_text(rank, shape).text);
    return -1;
}

static void wish(Reading *r, int tensor, float *to)
{
    if (tensor >= 0)
        r->wishes[r->wish_count++] = (TensorWish){tensor, to};
}

/* The channels of the convolutions whose biases come before `end` in the set. */
static size_t channels_before(const ParamSet *params, const Param *end)
{
    size_t sum = 0;
    for (const Param *param = params->items; param < end; param++)
        sum += param->rank == 1 ? param->count : 0;
    return sum;
}

static float *vector_of(const Reading *r, int part, const Param *bias)
{
    return r->vectors + (size_t)part * r->channels + channels_before(r->params, bias);
}

/* "Mixed_5b.branch1x1" of "Mixed_5b.branch1x1.weight"; the caller frees. NULL for a bias. */
static char *convolution_of(const Param *param)
{
    static const char ending[] = ".weight";
    const size_t length = strlen(param->name), ends = sizeof ending - 1;
    if (length < ends || strcmp(param->name + length - ends, ending) != 0)
        return NULL;
    return memory_format("%.*s", (int)(length - ends), param->name);
}

static const Param *bias_of(const ParamSet *params, const char *convolution)
{
    char *name = memory_format("%s.bias", convolution);
    const Param *bias = &params->items[params_find(params, name)];
    memory_free(name);
    return bias;
}

static void find_convolution(Reading *r, const Param *param, const char *convolution)
{
    const Param *bias = bias_of(r->params, convolution);
    int64_t shape[PARAM_MAX_RANK] = {0};
    for (int d = 0; d < param->rank; d++)
        shape[d] = param->shape[d];
    for (int part = 0; part < PARTS; part++) {
        char *name = memory_format("%s.%s", convolution, endings[part]);
        const int tensor = find(r, name, part == WEIGHT ? param->rank : 1, shape);
        wish(r, tensor, part == WEIGHT ? r->weights + param->offset : vector_of(r, part, bias));
        memory_free(name);
    }
}

/* The dictionary with the first convolution; the first of all if none has it. */
static void choose_group(Reading *r)
{
    const TensorTable *table = tensor_file_table(r->file);
    for (int g = table->group_count - 1; g >= 0; g--)
        if (names_find(table, g, "Conv2d_1a_3x3.conv.weight") >= 0)
            r->group = g;
}

static bool find_all(Reading *r, Error *error)
{
    choose_group(r);
    for (int i = 0; i < r->params->count; i++) {
        char *convolution = convolution_of(&r->params->items[i]);
        if (convolution)
            find_convolution(r, &r->params->items[i], convolution);
        memory_free(convolution);
    }
    find(r, "fc.weight", 2, (int64_t[]){CLASSES, FEATURES});
    find(r, "fc.bias", 1, (int64_t[]){CLASSES});
    if (r->missing + r->wrong == 0)
        return true;
    error_input(error,
                "%s: are not the weights of the FID's Inception-v3:", tensor_file_path(r->file));
    if (r->missing > 0)
        error_add(error, " %d missing, the first %.100s;", r->missing, r->first_missing);
    if (r->wrong > 0)
        error_add(error, " %d of another shape, the first %.200s;", r->wrong, r->first_wrong);
    return error_add(error, " of %d tensors", r->expected);
}

/* -- Folding ----------------------------------------------------------------------------------- */

/* Returns false if a number is not finite. */
static bool fold(const Reading *r, const Param *param, const Param *bias)
{
    const size_t channels = bias->count, each = param->count / channels;
    const float *gamma = vector_of(r, GAMMA, bias), *beta = vector_of(r, BETA, bias);
    const float *mean = vector_of(r, MEAN, bias), *variance = vector_of(r, VARIANCE, bias);
    bool finite = true;
    for (size_t c = 0; c < channels; c++) {
        float *weight = r->weights + param->offset + c * each;
        const double spread = variance[c] < 0 ? NAN : sqrt((double)variance[c] + epsilon);
        const double scale = (double)gamma[c] / spread;
        float *constant = r->weights + bias->offset + c;
        *constant = (float)((double)beta[c] - (double)mean[c] * scale);
        finite = finite && isfinite(*constant);
        for (size_t k = 0; k < each; k++) {
            weight[k] = (float)((double)weight[k] * scale);
            finite = finite && isfinite(weight[k]);
        }
    }
    return finite;
}

static bool fold_all(const Reading *r, Error *error)
{
    bool ok = true;
    for (int i = 0; ok && i < r->params->count; i++) {
        char *convolution = convolution_of(&r->params->items[i]);
        if (convolution)
            ok = fold(r, &r->params->items[i], bias_of(r->params, convolution)) ||
                 error_input(error, "%s: %s has numbers that are not finite, or a variance below 0",
                             tensor_file_path(r->file), convolution);
        memory_free(convolution);
    }
    return ok;
}

/* -- The whole --------------------------------------------------------------------------------- */

static bool check_there(const char *path, Error *error)
{
    return access(path, F_OK) == 0 ||
           error_input(
               error,
               "%s: no such file; the weights are weights-inception-2015-12-05-6726825d.pth "
               "of https://github.com/toshas/torch-fidelity/releases (v0.2.0), or "
               "pt_inception-2015-12-05-6726825d.pth of "
               "https://github.com/mseitzer/pytorch-fid/releases (fid_weights)",
               path);
}

bool inception_weights_read(const char *path, const ParamSet *params, float *weights, Error *error)
{
    Reading r = {.params = params, .weights = weights};
    bool ok = check_there(path, error) && tensor_file_open(&r.file, path, error);
    if (ok) {
        r.wishes = memory_small((size_t)params->count * PARTS, sizeof *r.wishes);
        r.channels = channels_before(params, params->items + params->count);
        r.vectors = memory_large(r.channels, PARTS * sizeof *r.vectors, "weights", error);
        ok = r.vectors && find_all(&r, error) &&
             tensor_file_read(r.file, r.wishes, r.wish_count, error) && fold_all(&r, error);
    }
    tensor_file_close(r.file);
    memory_free(r.wishes);
    memory_free(r.vectors);
    memory_free(r.first_missing);
    memory_free(r.first_wrong);
    return ok;
}
