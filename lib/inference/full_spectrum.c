/* Finds spectra of the variance full (full_spectrum.h).
 *
 * A quadrature's nodes are the eigenvalues of the small matrix, and a node's weight is the share of
 * the first vector that its eigenvector has. A vector of signs v has |v|^2 = d, and the mean of
 * v' f(S) v is the trace of f(S).
 */
#include "inference/full_spectrum.h"

#include "base/memory.h"
#include "base/random.h"
#include "inference/jacobian_spaces.h"
#include "inference/network_products.h"
#include "stats/eigen.h"

#include <string.h>

struct FullSpectrum {
    Network *network;
    FullOptions options;
    uint64_t seed;
    size_t dims;
    /* [batch] */
    Spectrum *spectra;
    double *numbers;
    /* Of quadratures: spaces, and one vector of signs. */
    JacobianSpaces *spaces;
    float *signs;
    /* Of dense Jacobians: [batch] t; [batch, dims] copies of an image, and unit vectors; [dims,
     * dims] J and S. */
    NetworkProducts *products;
    int *t;
    float *copies;
    double *units, *jacobian, *symmetric;
    FullSeen seen;
};

/* -- Preparation ------------------------------------------------------------------------------ */

bool full_spectrum_check(const Network *network, const FullOptions *options, Error *error)
{
    const size_t dims = network_dims(network);
    return !options->dense || dims <= FULL_MOST_DENSE ||
           error_input(
               error,
               "--dense: expected images of at most %d elements, whose whole Jacobian fits, "
               "got %zu; without it the quadrature serves",
               FULL_MOST_DENSE, dims);
}

static bool make_spectra(FullSpectrum *f, int batch, Error *error)
{
    const int groups = f->options.dense ? 1 : 1 + full_probes(&f->options);
    const int size = f->options.dense ? (int)f->dims : full_krylov(&f->options);
    const size_t entries = (size_t)groups * (size_t)size;
    f->spectra = memory_small((size_t)batch, sizeof *f->spectra);
    f->numbers = memory_large((size_t)batch * 3, entries * sizeof(double), "spectra", error);
    for (int i = 0; f->numbers && i < batch; i++) {
        double *own = f->numbers + (size_t)i * 3 * entries;
        f->spectra[i] = (Spectrum){.groups = groups,
                                   .size = size,
                                   .value = own,
                                   .weight = own + entries,
                                   .square = own + 2 * entries};
    }
    return f->numbers != NULL;
}

static bool make_dense(FullSpectrum *f, int batch, Error *error)
{
    const size_t count = (size_t)batch, row = f->dims * sizeof(double);
    f->t = memory_small(count, sizeof *f->t);
    return (f->copies = memory_large(count, f->dims * sizeof(float), "a Jacobian", error)) &&
           (f->units = memory_large(count, row, "a Jacobian", error)) &&
           (f->jacobian = memory_large(f->dims, row, "a Jacobian", error)) &&
           (f->symmetric = memory_large(f->dims, row, "a Jacobian", error)) &&
           network_products_make(&f->products, f->network, batch, error);
}

static bool make_quadrature(FullSpectrum *f, int batch, Error *error)
{
    return (f->signs = memory_large(1, f->dims * sizeof(float), "signs", error)) &&
           jacobian_spaces_make(&f->spaces, f->network, batch, full_krylov(&f->options), error);
}

bool full_spectrum_make(FullSpectrum **full, Network *network, const FullOptions *options,
                        uint64_t seed, Error *error)
{
    const int batch = network_batch(network);
    FullSpectrum *f = *full = memory_small(1, sizeof *f);
    *f = (FullSpectrum){
        .network = network, .options = *options, .seed = seed, .dims = network_dims(network)};
    if (full_spectrum_check(network, options, error) && make_spectra(f, batch, error) &&
        (options->dense ? make_dense(f, batch, error) : make_quadrature(f, batch, error)))
        return true;
    full_spectrum_free(f);
    *full = NULL;
    return false;
}

void full_spectrum_free(FullSpectrum *f)
{
    if (!f)
        return;
    jacobian_spaces_free(f->spaces);
    network_products_free(f->products);
    void *const arrays[] = {f->spectra, f->numbers, f->signs,    f->t,
                            f->copies,  f->units,   f->jacobian, f->symmetric};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
        memory_free(arrays[i]);
    memory_free(f);
}

FullSeen full_spectrum_seen(const FullSpectrum *f)
{
    return f->seen;
}

/* The eigenvalue of Cov for one of S, or 0. NaN stays NaN. */
static double eigenvalue(FullSpectrum *f, int t, double of_s)
{
    const double cov = full_eigenvalue(network_schedule(f->network), t, of_s);
    f->seen.eigenvalues++;
    f->seen.negative += cov < 0;
    return cov < 0 ? 0 : cov;
}

/* Lowers the largest values of image i's spectrum. */
static void lower(FullSpectrum *f, int i)
{
    const Spectrum *s = &f->spectra[i];
    const size_t count = (size_t)s->groups * (size_t)s->size;
    const double most = spectrum_most(s->value, s->weight, count, full_most_mean);
    for (size_t k = 0; k < count; k++)
        if (s->value[k] > most) {
            s->value[k] = most;
            f->seen.lowered++;
        }
}

/* -- Quadrature ------------------------------------------------------------------------------- */

/* Puts the space of image i into a group of its spectrum: as weights that add up to dims / probes,
 * or (group 0) as squares. A space that was complete early leaves entries of 0. */
static void take_group(FullSpectrum *f, int t, int i, int group)
{
    const Lanczos *l = jacobian_spaces_at(f->spaces, i);
    const Spectrum *s = &f->spectra[i];
    const double part = (double)f->dims / full_probes(&f->options);
    for (int k = 0; k < s->size; k++) {
        const size_t at = (size_t)group * (size_t)s->size + (size_t)k;
        const bool there = k < l->size;
        s->value[at] = there ? eigenvalue(f, t, l->nodes[k]) : 0;
        s->weight[at] = there && group > 0 ? part * l->shares[k] : 0;
        s->square[at] = there && group == 0 ? l->norm * l->norm * l->shares[k] : 0;
    }
}

static void start_with_signs(FullSpectrum *f, int t, int image, int probe, double *start)
{
    random_signs((RandomKey){.seed = f->seed,
                             .purpose = RANDOM_QUADRATURE,
                             .substream = (uint32_t)probe,
                             .step = (uint32_t)t,
                             .sample = (uint32_t)image},
                 f->signs, f->dims);
    for (size_t k = 0; k < f->dims; k++)
        start[k] = f->signs[k];
}

static bool find_quadrature(FullSpectrum *f, int t, int first, int count, const float *x_t,
                            const double *r, Error *error)
{
    const int groups = f->spectra[0].groups;
    for (int group = 0; group < groups; group++) {
        double *start = jacobian_spaces_start(f->spaces);
        if (group == 0)
            memcpy(start, r, (size_t)count * f->dims * sizeof *start);
        for (int i = 0; group > 0 && i < count; i++)
            start_with_signs(f, t, first + i, group, start + (size_t)i * f->dims);
        if (!jacobian_spaces_fill(f->spaces, x_t, t, count, error))
            return false;
        for (int i = 0; i < count; i++)
            take_group(f, t, i, group);
    }
    return true;
}

/* -- Dense ------------------------------------------------------------------------------------ */

/* Rows first .. first + count - 1 of J: J' applied to unit vectors. */
static bool find_rows(FullSpectrum *f, int t, int first, int count, const float *x_t, Error *error)
{
    memset(f->units, 0, (size_t)count * f->dims * sizeof *f->units);
    for (int i = 0; i < count; i++) {
        f->t[i] = t;
        f->units[(size_t)i * f->dims + (size_t)(first + i)] = 1;
        memcpy(f->copies + (size_t)i * f->dims, x_t, f->dims * sizeof *f->copies);
    }
    return network_transposed_product(f->products, f->copies, f->t, count, f->units,
                                      f->jacobian + (size_t)first * f->dims, error);
}

static bool find_jacobian(FullSpectrum *f, int t, const float *x_t, Error *error)
{
    const int batch = network_batch(f->network), dims = (int)f->dims;
    for (int first = 0; first < dims; first += batch)
        if (!find_rows(f, t, first, dims - first < batch ? dims - first : batch, x_t, error))
            return false;
    for (size_t i = 0; i < f->dims; i++)
        for (size_t k = 0; k < f->dims; k++)
            f->symmetric[i * f->dims + k] =
                (f->jacobian[i * f->dims + k] + f->jacobian[k * f->dims + i]) / 2;
    return true;
}

static bool find_dense(FullSpectrum *f, int t, const float *x_t, const double *r, int i,
                       Error *error)
{
    const Spectrum *s = &f->spectra[i];
    if (!find_jacobian(f, t, x_t, error))
        return false;
    const bool solved = eigen_symmetric(f->symmetric, (int)f->dims, s->value, true);
    for (size_t j = 0; j < f->dims; j++) {
        double along = 0;
        for (size_t k = 0; k < f->dims; k++)
            along += f->symmetric[j * f->dims + k] * r[k];
        s->value[j] = solved ? eigenvalue(f, t, s->value[j]) : NAN;
        s->weight[j] = 1;
        s->square[j] = along * along;
    }
    return true;
}

const Spectrum *full_spectrum_find(void *context, int t, int first, int count, const float *x_t,
                                   const double *r, Error *error)
{
    FullSpectrum *f = context;
    bool found = f->options.dense || find_quadrature(f, t, first, count, x_t, r, error);
    for (int i = 0; found && f->options.dense && i < count; i++)
        found = find_dense(f, t, x_t + (size_t)i * f->dims, r + (size_t)i * f->dims, i, error);
    for (int i = 0; found && i < count; i++)
        lower(f, i);
    return found ? f->spectra : NULL;
}
