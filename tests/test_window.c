/* Tests of the layers that only Inception has: windows, ReLU, and kernels that are a row or a column,
 * each against plain loops in double. */
#include "tests/network.h"

static const int channels = 20, height = 9, width = 7;

static double input_at(const Network *net, int n, int h, int w, int c)
{
    return (double)net->x[0][((n * height + h) * width + w) * channels + c];
}

static bool is_inside(int h, int w)
{
    return h >= 0 && h < height && w >= 0 && w < width;
}

static void check_shape(const Network *net, int rows, int columns, int depth)
{
    ck_assert_int_eq(value_height(net->out), rows);
    ck_assert_int_eq(value_channels(net->out), depth);
    ck_assert_uint_eq(value_count(net->out), (size_t)(net->options.batch * rows * columns * depth));
}

/* -- Windows ---------------------------------------------------------------------------------- */

static double window_loops(const Network *net, const Window *window, int n, int top, int left,
                           int c)
{
    double sum = 0, most = -INFINITY;
    int count = 0;
    for (int h = top; h < top + window->size; h++)
        for (int w = left; w < left + window->size; w++)
            if (is_inside(h, w)) {
                sum += input_at(net, n, h, w, c);
                most = fmax(most, input_at(net, n, h, w, c));
                count++;
            }
    return window->mean ? sum / count : most;
}

static void check_window(Window window)
{
    Network net;
    network_begin(&net, (GraphOptions){.batch = 2});
    Value *x = network_input(&net, height, width, channels);
    network_finish(&net, nn_window(net.graph, x, window));
    const float *y = network_forward(&net);
    const int rows = (height + 2 * window.padding - window.size) / window.stride + 1;
    const int columns = (width + 2 * window.padding - window.size) / window.stride + 1;
    check_shape(&net, rows, columns, channels);
    for (int n = 0; n < 2; n++)
        for (int h = 0; h < rows; h++)
            for (int w = 0; w < columns; w++)
                for (int c = 0; c < channels; c++, y++) {
                    const double want =
                        window_loops(&net, &window, n, h * window.stride - window.padding,
                                     w * window.stride - window.padding, c);
                    ck_assert_msg(fabs(*y - want) < 1e-6, "size %d, stride %d: %g, not %g",
                                  window.size, window.stride, *y, want);
                }
    network_free(&net);
}

START_TEST(windows_are_largest_values_and_means)
{
    for (int mean = 0; mean < 2; mean++) {
        check_window((Window){.size = 3, .stride = 2, .mean = mean});
        check_window((Window){.size = 3, .stride = 1, .padding = 1, .mean = mean});
        check_window((Window){.size = 5, .stride = 3, .padding = 4, .mean = mean});
        check_window((Window){.size = 7, .stride = 1, .mean = mean});
        check_window((Window){.size = 1, .stride = 1, .mean = mean});
    }
}
END_TEST

/* A network with numbers that are not finite has features that say so. */
START_TEST(windows_keep_a_nan)
{
    for (int mean = 0; mean < 2; mean++)
        for (int place = 0; place < 3; place++) {
            Network net;
            network_begin(&net, (GraphOptions){.batch = 1});
            Value *x = network_input(&net, 3, 3, 1);
            network_finish(&net,
                           nn_window(net.graph, x, (Window){.size = 3, .stride = 1, .mean = mean}));
            net.x[0][4 * place] = NAN;
            ck_assert(isnan(network_forward(&net)[0]));
            network_free(&net);
        }
}
END_TEST

/* -- ReLU ------------------------------------------------------------------------------------- */

START_TEST(relu_cuts_and_its_gradient_too)
{
    Network net;
    network_begin(&net, (GraphOptions){.batch = 2, .input_gradients = true});
    Value *x = network_input(&net, height, width, channels);
    network_finish(&net, nn_concat(net.graph, nn_relu(net.graph, x), x));
    const float *y = network_forward(&net);
    for (size_t i = 0; i < value_count(net.input[0]); i++) {
        const size_t at = i / (size_t)channels * 2 * (size_t)channels + i % (size_t)channels;
        ck_assert_float_eq(y[at], net.x[0][i] > 0 ? net.x[0][i] : 0);
    }
    network_backward(&net);
    for (size_t i = 0; i < value_count(net.input[0]); i++) {
        const size_t at = i / (size_t)channels * 2 * (size_t)channels + i % (size_t)channels;
        const float beside = net.cotangent[at + (size_t)channels];
        ck_assert_float_eq_tol(net.dx[0][i], beside + (net.x[0][i] > 0 ? net.cotangent[at] : 0),
                               1e-6);
    }
    network_free(&net);
}
END_TEST

/* -- Rows and columns ------------------------------------------------------------------------- */

enum { OUT = 24 };

static double line_loops(const Network *net, Conv conv, int n, int h, int w, int out)
{
    const float *weight = net->weights + net->params.items[0].offset;
    double sum = (double)net->weights[net->params.items[1].offset + (size_t)out];
    for (int k = 0; k < conv.kernel; k++) {
        const int at_h = h + (conv.span == CONV_COLUMN ? k - conv.pad_begin : 0);
        const int at_w = w + (conv.span == CONV_ROW ? k - conv.pad_begin : 0);
        for (int c = 0; is_inside(at_h, at_w) && c < channels; c++)
            sum += input_at(net, n, at_h, at_w, c) *
                   (double)weight[(out * channels + c) * conv.kernel + k];
    }
    return sum;
}

static void check_line(Conv conv)
{
    Network net;
    network_begin(&net,
                  (GraphOptions){.batch = 2, .weight_gradients = true, .input_gradients = true});
    Value *x = network_input(&net, height, width, channels);
    network_finish(&net, nn_conv2d(net.graph, x, "a", OUT, conv));
    const Param *weight = &net.params.items[0];
    const bool is_row = conv.span == CONV_ROW;
    const int less = conv.kernel - 1 - conv.pad_begin - conv.pad_end;
    const int rows = height - (is_row ? 0 : less), columns = width - (is_row ? less : 0);
    ck_assert_int_eq(weight->shape[2], is_row ? 1 : conv.kernel);
    ck_assert_int_eq(weight->shape[3], is_row ? conv.kernel : 1);
    const float *y = network_forward(&net);
    check_shape(&net, rows, columns, OUT);
    for (int n = 0; n < 2; n++)
        for (int h = 0; h < rows; h++)
            for (int w = 0; w < columns; w++)
                for (int c = 0; c < OUT; c++, y++)
                    ck_assert_double_eq_tol(*y, line_loops(&net, conv, n, h, w, c), 1e-5);
    network_backward(&net);
    for (int k = 0; k < network_leaves(&net); k++)
        network_check_leaf(&net, network_leaf(&net, k), 3, "a row or a column");
    network_free(&net);
}

START_TEST(kernels_may_be_rows_and_columns)
{
    for (ConvSpan span = CONV_ROW; span <= CONV_COLUMN; span++) {
        check_line((Conv){.kernel = 7, .span = span, .pad_begin = 3, .pad_end = 3});
        check_line((Conv){.kernel = 3, .span = span, .pad_begin = 1, .pad_end = 1});
        check_line((Conv){.kernel = 4, .span = span, .pad_begin = 2, .pad_end = 0});
    }
}
END_TEST

SUITE_MAIN("window", windows_are_largest_values_and_means, windows_keep_a_nan,
           relu_cuts_and_its_gradient_too, kernels_may_be_rows_and_columns)
