/* One array of NumPy's, read from an .npy or from an archive of them (.npz).
 *
 *     NpyArray array;
 *     bool ok = npy_array_open(&array, "train.npz", &wanted, error);
 *     while (ok && more)
 *         ok = npy_array_read(&array, bytes, size, &got, error);
 *     ok = ok && npy_array_check_end(&array, error);
 *     npy_array_close(&array);
 */
#pragma once

#include "data/bundle.h"
#include "data/npy_header.h"

#include <stdio.h>

typedef struct NpyArray {
    /* Of the caller. */
    const char *path;
    /* For messages, to follow the path: ":arr_0" in an archive, else "". */
    char suffix[80];
    /* One of the two is open. */
    FILE *stream;
    Bundle *bundle;
    NpyHeader header;
} NpyArray;

/* Which array of an archive is looked for. */
typedef struct NpyWanted {
    /* For messages: "images". */
    const char *what;
    /* Its name, the best first. */
    const char *names[2];
    /* An array of another name is chosen by its axes and its kind ("uf"), where there is no other one
     * like it. */
    int least_rank, most_rank;
    const char *kinds;
} NpyWanted;

/* Whether the file `path` is an .npy, by its content. False where it cannot be read. */
bool npy_detects(const char *path);

/* name := "arr_0" of the file "arr_0.npy" in an archive. False for another ending. */
bool npy_array_name(char name[64], const char *file);

/* Opens an array up to its data, with its header. Input error if it is not there, or is in Fortran's
 * order. The caller closes it, after a failure too. */
bool npy_array_open(NpyArray *array, const char *path, const NpyWanted *wanted, Error *error);

/* Reads *got bytes: `size`, or fewer where the array ends. Input error if the file cannot be read. */
bool npy_array_read(NpyArray *array, void *bytes, int64_t size, int64_t *got, Error *error);

/* Input error if there are data behind those that were read, or if the archive's checksum differs. */
bool npy_array_check_end(NpyArray *array, Error *error);

/* May be called twice. */
void npy_array_close(NpyArray *array);
