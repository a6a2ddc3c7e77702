/* Runs Lanczos' method for a group of images. The products are made for the whole group at once,
 * and the rest image by image. An image whose space is complete goes on with zeros. */
#include "inference/jacobian_spaces.h"

#include "base/group.h"
#include "base/memory.h"
#include "inference/network_products.h"

struct JacobianSpaces {
    NetworkProducts *products;
    size_t dims;
    int count;
    /* [count] */
    Lanczos *spaces;
    int *t;
    /* [count, dims]: vectors, and their products with J and with J'. */
    double *q, *right, *left;
};

static bool allocate(JacobianSpaces *j, int size, Error *error)
{
    const size_t count = (size_t)j->count, bytes = j->dims * sizeof(double);
    double **arrays[] = {&j->q, &j->right, &j->left};
    j->t = memory_small(count, sizeof *j->t);
    j->spaces = memory_small(count, sizeof *j->spaces);
    for (int i = 0; i < 3; i++)
        if (!(*arrays[i] = memory_large(count, bytes, "a Krylov space", error)))
            return false;
    for (int i = 0; i < j->count; i++)
        if (!lanczos_make(&j->spaces[i], j->dims, size, error))
            return false;
    return true;
}

bool jacobian_spaces_make(JacobianSpaces **spaces, Network *network, int count, int size,
                          Error *error)
{
    JacobianSpaces *j = *spaces = memory_small(1, sizeof *j);
    *j = (JacobianSpaces){.count = count, .dims = network_dims(network)};
    if (allocate(j, size, error) && network_products_make(&j->products, network, count, error))
        return true;
    jacobian_spaces_free(j);
    *spaces = NULL;
    return false;
}

void jacobian_spaces_free(JacobianSpaces *j)
{
    if (!j)
        return;
    for (int i = 0; j->spaces && i < j->count; i++)
        lanczos_free(&j->spaces[i]);
    network_products_free(j->products);
    memory_free(j->spaces);
    memory_free(j->t);
    memory_free(j->q);
    memory_free(j->right);
    memory_free(j->left);
    memory_free(j);
}

double *jacobian_spaces_start(JacobianSpaces *j)
{
    return j->q;
}

const Lanczos *jacobian_spaces_at(const JacobianSpaces *j, int image)
{
    return &j->spaces[image];
}

static void start(JacobianSpaces *j, int t, int count)
{
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
        j->t[i] = t;
        lanczos_start(&j->spaces[i], j->q + (size_t)i * j->dims);
    }
}

/* Puts the next vectors into q. Returns whether any image goes on, in any process: processors of
 * several kinds may round differently. */
static bool gather(JacobianSpaces *j, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++) {
        const bool goes_on = lanczos_goes_on(&j->spaces[i]);
        const double *vector = goes_on ? lanczos_vector(&j->spaces[i]) : NULL;
        for (size_t k = 0; k < j->dims; k++)
            j->q[(size_t)i * j->dims + k] = goes_on ? vector[k] : 0;
        any = any || goes_on;
    }
    return group_any(any);
}

static void add(JacobianSpaces *j, int count)
{
#pragma omp parallel for
    for (int i = 0; i < count; i++) {
        const size_t at = (size_t)i * j->dims;
        double *product = j->right + at;
        for (size_t k = 0; k < j->dims; k++)
            product[k] = (product[k] + j->left[at + k]) / 2;
        if (lanczos_goes_on(&j->spaces[i]))
            lanczos_add(&j->spaces[i], product);
    }
}

bool jacobian_spaces_fill(JacobianSpaces *j, const float *x, int t, int count, Error *error)
{
    start(j, t, count);
    while (gather(j, count)) {
        if (!network_product(j->products, x, j->t, count, j->q, j->right, error) ||
            !network_transposed_product(j->products, x, j->t, count, j->q, j->left, error))
            return false;
        add(j, count);
    }
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        lanczos_solve(&j->spaces[i]);
    return true;
}
