/* The header of an .npy file: type and shape of its array. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NPY_MAX_RANK = 8,
    /* Bytes before the text of a header: magic, version, length. */
    NPY_PRELUDE = 12,
    /* Bytes of the longest text that is read. */
    NPY_MAX_TEXT = 4096,
};

typedef struct NpyHeader {
    /* 'u', 'i', 'f' or 'b' (bool), as NumPy writes it. */
    char kind;
    /* Bytes of an element. */
    int size;
    bool big_endian, fortran_order;
    int rank;
    int64_t dims[NPY_MAX_RANK];
    /* "|u1", for messages. */
    char type[16];
} NpyHeader;

/* The length of the header's text, and in *prelude where the text begins: from the first NPY_PRELUDE
 * bytes of a file. -1 if they begin no .npy file, or one of an unknown version. */
int64_t npy_text_length(const uint8_t bytes[NPY_PRELUDE], int *prelude);

/* Reads the text, a Python dictionary with the keys descr, fortran_order and shape. False if it is no
 * such text, or describes no plain numbers. */
bool npy_header_read(NpyHeader *header, const char *text);

/* "[10, 32, 32, 3]" */
typedef struct NpyShapeText {
    char text[NPY_MAX_RANK * 24];
} NpyShapeText;

NpyShapeText npy_shape_text(const NpyHeader *header);
