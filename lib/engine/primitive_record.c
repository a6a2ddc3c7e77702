/* Runs that are noted, to be run again with nothing in between: the floor of bench. */
#include "engine/primitive_internal.h"

#include "base/clock.h"
#include "base/memory.h"

#include <string.h>

typedef struct Call {
    Primitive *primitive;
    void *operands[OPERAND_COUNT], *scratch;
} Call;

static Call *calls;
static size_t call_count;
static bool is_recording;

void primitive_record(void)
{
    memory_free(calls);
    calls = NULL;
    call_count = 0;
    is_recording = true;
}

void primitive_record_end(void)
{
    is_recording = false;
}

void primitive_note_run(Primitive *p, void *const *operands, void *scratch)
{
    if (!is_recording)
        return;
    calls = memory_grow(calls, call_count + 1, sizeof *calls);
    Call *call = &calls[call_count++];
    *call = (Call){.primitive = p, .scratch = scratch};
    memcpy(call->operands, operands, sizeof call->operands);
}

double primitive_replay(void)
{
    Error ignored = {0};
    double begin = clock_seconds();
    for (size_t i = 0; i < call_count; i++)
        primitive_run(calls[i].primitive, calls[i].operands, calls[i].scratch, &ignored);
    return clock_seconds() - begin;
}
