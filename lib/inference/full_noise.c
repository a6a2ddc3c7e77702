/* Draws Sigma^(1/2) z by Lanczos' method, for a group of images at a time.
 *
 * The products are made for the whole group at once, and the rest image by image. The space that
 * the powers of S make of z is also that of Sigma, which is a function of S. So the eigenvalues of
 * the small matrix become eigenvalues of Cov, and then of Sigma's root.
 */
#include "inference/full_noise.h"

#include "base/memory.h"
#include "inference/network_products.h"
#include "stats/lanczos.h"

#include <math.h>

struct FullNoise {
    Network *network;
    NetworkProducts *products;
    int count, krylov;
    /* [count] */
    Lanczos *spaces;
    int *t;
    /* [count, dims]: vectors, and their products with J and with J'. */
    double *q, *right, *left;
    FullSeen seen;
};

static bool allocate(FullNoise *f, Error *error)
{
    const size_t count = (size_t)f->count, bytes = network_dims(f->network) * sizeof(double);
    double **arrays[] = {&f->q, &f->right, &f->left};
    f->t = memory_small(count, sizeof *f->t);
    f->spaces = memory_small(count, sizeof *f->spaces);
    for (int i = 0; i < 3; i++)
        if (!(*arrays[i] = memory_large(count, bytes, "a Krylov space", error)))
            return false;
    for (int i = 0; i < f->count; i++)
        if (!lanczos_make(&f->spaces[i], network_dims(f->network), f->krylov, error))
            return false;
    return true;
}

bool full_noise_make(FullNoise **full, Network *network, int count, int krylov, Error *error)
{
    FullNoise *f = *full = memory_small(1, sizeof *f);
    *f = (FullNoise){.network = network, .count = count, .krylov = krylov};
    if (allocate(f, error) && network_products_make(&f->products, network, count, error))
        return true;
    full_noise_free(f);
    *full = NULL;
    return false;
}

void full_noise_free(FullNoise *f)
{
    if (!f)
        return;
    for (int i = 0; f->spaces && i < f->count; i++)
        lanczos_free(&f->spaces[i]);
    network_products_free(f->products);
    memory_free(f->spaces);
    memory_free(f->t);
    memory_free(f->q);
    memory_free(f->right);
    memory_free(f->left);
    memory_free(f);
}

FullSeen full_noise_seen(const FullNoise *f)
{
    return f->seen;
}

static void start(FullNoise *f, int count, const float *z)
{
    const size_t dims = network_dims(f->network);
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
        double *q = f->q + (size_t)i * dims;
        for (size_t k = 0; k < dims; k++)
            q[k] = z[(size_t)i * dims + k];
        lanczos_start(&f->spaces[i], q);
    }
}

/* Puts the next vectors into q; zeros for an image whose space is complete. Returns whether any
 * goes on. */
static bool gather(FullNoise *f, int count)
{
    const size_t dims = network_dims(f->network);
    bool any = false;
    for (int i = 0; i < count; i++) {
        const bool goes_on = lanczos_goes_on(&f->spaces[i]);
        const double *vector = goes_on ? lanczos_vector(&f->spaces[i]) : NULL;
        for (size_t k = 0; k < dims; k++)
            f->q[(size_t)i * dims + k] = goes_on ? vector[k] : 0;
        any = any || goes_on;
    }
    return any;
}

static void add(FullNoise *f, int count)
{
    const size_t dims = network_dims(f->network);
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
        double *product = f->right + (size_t)i * dims;
        for (size_t k = 0; k < dims; k++)
            product[k] = (product[k] + f->left[(size_t)i * dims + k]) / 2;
        if (lanczos_goes_on(&f->spaces[i]))
            lanczos_add(&f->spaces[i], product);
    }
}

/* values [size] := the roots of Sigma's eigenvalues. Returns how many of Cov's are negative. */
static int roots(const FullNoise *f, const ReverseStep *step, const Lanczos *l, double *values)
{
    const Schedule *schedule = network_schedule(f->network);
    const double beta = schedule->beta_bar[step->t];
    const double factor = beta / schedule->alpha_bar[step->t];
    int negative = 0;
    for (int i = 0; i < l->size; i++) {
        const double cov = factor * (1 - sqrt(beta) * l->nodes[i]);
        const double variance = step->fixed_variance + step->gain * (cov < 0 ? 0 : cov);
        negative += cov < 0;
        values[i] = sqrt(variance > step->max_variance ? step->max_variance : variance);
    }
    return negative;
}

static void finish(FullNoise *f, const ReverseStep *step, int count, float *noise)
{
    const size_t dims = network_dims(f->network);
    int64_t negative = 0, seen = 0;
#pragma omp parallel for reduction(+ : negative, seen)
    for (int i = 0; i < count; i++) {
        Lanczos *l = &f->spaces[i];
        double *values = memory_small((size_t)f->krylov, sizeof *values);
        double *y = f->right + (size_t)i * dims;
        lanczos_solve(l);
        negative += roots(f, step, l, values);
        seen += l->size;
        lanczos_apply(l, values, y);
        for (size_t k = 0; k < dims; k++)
            noise[(size_t)i * dims + k] = (float)y[k];
        memory_free(values);
    }
    f->seen.eigenvalues += seen;
    f->seen.negative += negative;
}

bool full_noise_draw(FullNoise *f, const ReverseStep *step, const float *x, int count,
                     const float *z, float *noise, Error *error)
{
    for (int i = 0; i < count; i++)
        f->t[i] = step->t;
    start(f, count, z);
    while (gather(f, count)) {
        if (!network_product(f->products, x, f->t, count, f->q, f->right, error) ||
            !network_transposed_product(f->products, x, f->t, count, f->q, f->left, error))
            return false;
        add(f, count);
    }
    finish(f, step, count, noise);
    return true;
}
