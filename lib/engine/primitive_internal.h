/* What the files primitive_*.c share: a compiled product, and the steps that make one. */
#pragma once

#include "engine/blocked.h"
#include "engine/onednn.h"
#include "engine/primitive.h"
#include "engine/primitive_own.h"
#include "engine/product_log.h"

typedef struct Slot {
    Operand operand;
    /* DNNL_ARG_... */
    int argument;
    dnnl_memory_t memory;
    /* Where the memory points now. */
    void *pointer;
} Slot;

struct Primitive {
    Product product;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t kernel;
    /* One per operand, and one for scratch memory if it needs any. */
    Slot slots[OPERAND_COUNT + 1];
    int slot_count;
    size_t scratch_bytes;
    /* How weights are packed; NULL: they are read or written as they lie. */
    BlockedPlan *weights;
    size_t weights_bytes;
    /* Of OPERAND_ADDED, copied to OPERAND_DST before the kernel runs, which adds to it. */
    size_t copied_bytes;
    /* Code of our own computes it, with this number of threads. NULL: oneDNN does. */
    const OwnWay *own;
    int own_threads;
};

enum { SCRATCH = OPERAND_COUNT };

typedef enum Outcome {
    OUTCOME_DONE,
    /* There is no such implementation; the error says why. */
    OUTCOME_ABSENT,
    /* The machine failed; the error says how. */
    OUTCOME_FAILED,
} Outcome;

/* The engine that serves the whole process; started at the first call. */
bool primitive_engine(dnnl_engine_t *engine, Error *error);
/* The engine's stream, which runs in order. primitive_engine must have succeeded. */
dnnl_stream_t primitive_stream(void);

dnnl_data_type_t primitive_type(DType type);

/* What is looked for: the library's first implementation that the log accepts, used in one of two
 * ways. */
typedef struct Candidate {
    const ProductLog *log;
    bool in_place;
} Candidate;

ImplementationFilter primitive_filter(const Candidate *candidate);

/* Describes and compiles p->product as the candidate says. */
Outcome primitive_build_conv(Primitive *p, const Candidate *candidate, Error *error);
Outcome primitive_build_matmul(Primitive *p, const Candidate *candidate, Error *error);

/* What a status amounts to; the error names `what`. */
Outcome primitive_outcome(dnnl_status_t status, const char *what, Error *error);

/* Scratch memory comes from the caller, so that a graph plans it with everything else. */
dnnl_status_t primitive_attributes(dnnl_primitive_attr_t *attributes);

/* Adds a tensor of its own to the result; or, if `in_place`, what dst holds. */
dnnl_status_t primitive_append_added(dnnl_primitive_attr_t attributes, ConstLayout layout,
                                     bool in_place);

/* Compiles p->description and gives it a slot for each (operand, argument) pair and for scratch. */
Outcome primitive_finish(Primitive *p, const Operand *operands, const int *arguments, int count,
                         Error *error);

/* Plans the packing of the weights, argument `argument` of the compiled primitive, from or to a
 * plain array with the given strides. Absent where their layout is not known. */
Outcome primitive_plan_weights(Primitive *p, int argument, const int64_t *plain, Error *error);

/* Sees every run before it begins; NULL: nothing does. primitive_record.c notes runs so. */
extern void (*primitive_observer)(Primitive *p, void *const *operands, void *scratch);
