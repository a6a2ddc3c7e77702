/* Reads Python's pickles as data. A pickle is a program for a small machine that can call any
 * function; this machine knows the instructions that build tensors, dictionaries, lists, tuples,
 * texts and numbers, and nothing else. Whatever else a pickle names is refused, with its name,
 * before anything is made of it.
 */
#pragma once

#include "base/error.h"
#include "exchange/tensor_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum PickleKind {
    PICKLE_NONE,
    PICKLE_TRUTH,
    PICKLE_INTEGER,
    /* An integer of more than eight bytes, as its bytes. */
    PICKLE_LONG,
    PICKLE_REAL,
    PICKLE_TEXT,
    PICKLE_TUPLE,
    PICKLE_LIST,
    /* Keys and values by turns. */
    PICKLE_DICT,
    /* One of the names that are known. */
    PICKLE_NAME,
    PICKLE_STORAGE,
    PICKLE_TENSOR,
    PICKLE_MARK,
} PickleKind;

typedef struct PickleValue PickleValue;
struct PickleValue {
    PickleKind kind;
    /* Whether somebody has walked through this container. */
    bool visited;
    union {
        bool truth;
        int64_t integer;
        double real;
        /* Not terminated; a part of the pickle's bytes. */
        struct {
            const char *bytes;
            size_t size;
        } text;
        struct {
            PickleValue **items;
            size_t count, room;
        } list;
        /* An index of the table of names in pickle_calls.c. */
        int name;
        struct {
            TensorType type;
            const PickleValue *key;
            int64_t count;
        } storage;
        struct {
            const PickleValue *storage, *offset, *shape, *stride;
        } tensor;
    } as;
};

/* The values of a pickle. They live until pickle_free, and point into the bytes that were read. */
typedef struct Pickle Pickle;

/* Reads the pickle at the beginning of `bytes`. *used := the bytes that it takes. Input errors
 * begin with `origin`. The caller frees *pickle. */
bool pickle_read(Pickle **pickle, const uint8_t *bytes, size_t size, size_t *used,
                 const char *origin, Error *error);

/* NULL is fine. */
void pickle_free(Pickle *pickle);

PickleValue *pickle_root(const Pickle *pickle);

/* Calls visit(context, value) for the values of a kind, in no order. It stops and returns false when
 * visit does. */
bool pickle_each(const Pickle *pickle, PickleKind kind,
                 bool (*visit)(void *context, const PickleValue *value), void *context);

/* Whether the value is this text. */
bool pickle_is_text(const PickleValue *value, const char *text);

/* The value of a dictionary under a text; NULL if there is none. */
PickleValue *pickle_member(const PickleValue *dict, const char *key);
