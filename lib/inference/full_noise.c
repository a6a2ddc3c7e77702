/* Draws Sigma^(1/2) z for a group of images at a time. S and Sigma have the same Krylov space
 * from z, because Sigma is a function of S. So the eigenvalues of the small matrix become
 * eigenvalues of Cov, and then of Sigma's root. */
#include "inference/full_noise.h"

#include "base/memory.h"
#include "diffusion/spectrum.h"
#include "inference/jacobian_spaces.h"

struct FullNoise {
    const Schedule *schedule;
    JacobianSpaces *spaces;
    size_t dims;
    int krylov;
    FullSeen seen;
};

bool full_noise_make(FullNoise **full, Network *network, int count, int krylov, Error *error)
{
    FullNoise *f = *full = memory_small(1, sizeof *f);
    *f = (FullNoise){
        .schedule = network_schedule(network), .dims = network_dims(network), .krylov = krylov};
    if (jacobian_spaces_make(&f->spaces, network, count, krylov, error))
        return true;
    full_noise_free(f);
    *full = NULL;
    return false;
}

void full_noise_free(FullNoise *f)
{
    if (!f)
        return;
    jacobian_spaces_free(f->spaces);
    memory_free(f);
}

FullSeen full_noise_seen(const FullNoise *f)
{
    return f->seen;
}

/* values [size] := the roots of Sigma's eigenvalues. */
static FullSeen roots(const FullNoise *f, const ReverseStep *step, const Lanczos *l, double *values)
{
    FullSeen seen = {.eigenvalues = l->size};
    for (int i = 0; i < l->size; i++) {
        const double cov = full_eigenvalue(f->schedule, step->t, l->nodes[i]);
        seen.negative += cov < 0;
        values[i] = cov < 0 ? 0 : cov;
    }
    const double most = spectrum_most(values, l->shares, (size_t)l->size, full_most_mean);
    for (int i = 0; i < l->size; i++) {
        seen.lowered += values[i] > most;
        const double cov = values[i] > most ? most : values[i];
        const double variance = step->fixed_variance + step->gain * cov;
        values[i] = sqrt(variance > step->max_variance ? step->max_variance : variance);
    }
    return seen;
}

static void finish(FullNoise *f, const ReverseStep *step, int count, float *noise)
{
    double *result = jacobian_spaces_start(f->spaces);
    int64_t eigenvalues = 0, negative = 0, lowered = 0;
#pragma omp parallel for reduction(+ : eigenvalues, negative, lowered)
    for (int i = 0; i < count; i++) {
        const Lanczos *l = jacobian_spaces_at(f->spaces, i);
        double *values = memory_small((size_t)f->krylov, sizeof *values);
        double *y = result + (size_t)i * f->dims;
        const FullSeen seen = roots(f, step, l, values);
        eigenvalues += seen.eigenvalues;
        negative += seen.negative;
        lowered += seen.lowered;
        lanczos_apply(l, values, y);
        for (size_t k = 0; k < f->dims; k++)
            noise[(size_t)i * f->dims + k] = (float)y[k];
        memory_free(values);
    }
    f->seen.eigenvalues += eigenvalues;
    f->seen.negative += negative;
    f->seen.lowered += lowered;
}

bool full_noise_draw(FullNoise *f, const ReverseStep *step, const float *x, int count,
                     const float *z, float *noise, Error *error)
{
    double *start = jacobian_spaces_start(f->spaces);
    for (size_t k = 0; k < (size_t)count * f->dims; k++)
        start[k] = z[k];
    if (!jacobian_spaces_fill(f->spaces, x, step->t, count, error))
        return false;
    finish(f, step, count, noise);
    return true;
}
