/* A oneDNN that computes wrong numbers: stands before the library, as a part of a test program or by
 * LD_PRELOAD, and puts a NaN into the results of some implementations.
 *
 *     ONEDNN_FAULT=jit:avx2   implementations with that in their name; empty: all of them
 *     ONEDNN_FAULT_AT=last    the NaN is the result's last element; else it is the first
 */
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef dnnl_status_t Execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream, int count,
                              const dnnl_exec_arg_t *arguments);

static int is_faulty(const_dnnl_primitive_t primitive, const char *wanted)
{
    const_dnnl_primitive_desc_t description = NULL;
    const char *name = "";
    dnnl_primitive_get_primitive_desc(primitive, &description);
    dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name);
    return strstr(name, wanted) != NULL;
}

static int is_result(int argument)
{
    return argument == DNNL_ARG_DST || argument == DNNL_ARG_DIFF_SRC ||
           argument == DNNL_ARG_DIFF_WEIGHTS;
}

/* NaN as a float32, and as each of two bfloat16. */
static void spoil(dnnl_memory_t memory)
{
    const uint32_t nan = 0x7fc07fc0;
    const char *at = getenv("ONEDNN_FAULT_AT");
#if DNNL_VERSION_MAJOR >= 3
    const_dnnl_memory_desc_t layout = NULL;
#else
    const dnnl_memory_desc_t *layout = NULL;
#endif
    void *data = NULL;
    dnnl_memory_get_memory_desc(memory, &layout);
    dnnl_memory_get_data_handle(memory, &data);
    const size_t bytes = dnnl_memory_desc_get_size(layout);
    if (bytes >= sizeof nan)
        memcpy((char *)data + (at && strcmp(at, "last") == 0 ? bytes - sizeof nan : 0), &nan,
               sizeof nan);
}

dnnl_status_t dnnl_primitive_execute(const_dnnl_primitive_t primitive, dnnl_stream_t stream,
                                     int count, const dnnl_exec_arg_t *arguments)
{
    Execute *real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "dnnl_primitive_execute");
    const dnnl_status_t status = real(primitive, stream, count, arguments);
    const char *wanted = getenv("ONEDNN_FAULT");
    if (wanted && is_faulty(primitive, wanted))
        for (int i = 0; i < count; i++)
            if (is_result(arguments[i].arg))
                spoil(arguments[i].memory);
    return status;
}
