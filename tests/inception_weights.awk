# Prints the header of a safetensors file that has all tensors of the FID's Inception-v3
# (lib/exchange/inception_weights.h): their names, shapes and places. The bytes that all numbers take go to stderr.

function tensor(name, shape, count) {
    printf "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%d,%d]}", end ? "," : "{", name, shape, end, end + 4 * count
    end += 4 * count
}

# A convolution of h x w pixels and its normalisation. Returns its outputs.
function conv(name, inputs, outputs, h, w,    i) {
    name = block name
    tensor(name ".conv.weight", outputs "," inputs "," h "," w, outputs * inputs * h * w)
    for (i = 1; i <= 4; i++)
        tensor(name ".bn." vectors[i], outputs, outputs)
    return outputs
}

function a(inputs, pool) {
    conv("branch1x1", inputs, 64, 1, 1)
    conv("branch5x5_2", conv("branch5x5_1", inputs, 48, 1, 1), 64, 5, 5)
    conv("branch3x3dbl_3", conv("branch3x3dbl_2", conv("branch3x3dbl_1", inputs, 64, 1, 1), 96, 3, 3), 96, 3, 3)
    conv("branch_pool", inputs, pool, 1, 1)
}

function b(inputs) {
    conv("branch3x3", inputs, 384, 3, 3)
    conv("branch3x3dbl_3", conv("branch3x3dbl_2", conv("branch3x3dbl_1", inputs, 64, 1, 1), 96, 3, 3), 96, 3, 3)
}

function c(inputs, seven,    last) {
    conv("branch1x1", inputs, 192, 1, 1)
    conv("branch7x7_3", conv("branch7x7_2", conv("branch7x7_1", inputs, seven, 1, 1), seven, 1, 7), 192, 7, 1)
    last = conv("branch7x7dbl_3", conv("branch7x7dbl_2", conv("branch7x7dbl_1", inputs, seven, 1, 1), seven, 7, 1), seven, 1, 7)
    conv("branch7x7dbl_5", conv("branch7x7dbl_4", last, seven, 7, 1), 192, 1, 7)
    conv("branch_pool", inputs, 192, 1, 1)
}

function d(inputs,    last) {
    conv("branch3x3_2", conv("branch3x3_1", inputs, 192, 1, 1), 320, 3, 3)
    last = conv("branch7x7x3_2", conv("branch7x7x3_1", inputs, 192, 1, 1), 192, 1, 7)
    conv("branch7x7x3_4", conv("branch7x7x3_3", last, 192, 7, 1), 192, 3, 3)
}

function e(inputs,    last) {
    conv("branch1x1", inputs, 320, 1, 1)
    last = conv("branch3x3_1", inputs, 384, 1, 1)
    conv("branch3x3_2a", last, 384, 1, 3)
    conv("branch3x3_2b", last, 384, 3, 1)
    last = conv("branch3x3dbl_2", conv("branch3x3dbl_1", inputs, 448, 1, 1), 384, 3, 3)
    conv("branch3x3dbl_3a", last, 384, 1, 3)
    conv("branch3x3dbl_3b", last, 384, 3, 1)
    conv("branch_pool", inputs, 192, 1, 1)
}

BEGIN {
    split("weight bias running_mean running_var", vectors)
    conv("Conv2d_1a_3x3", 3, 32, 3, 3)
    conv("Conv2d_2a_3x3", 32, 32, 3, 3)
    conv("Conv2d_2b_3x3", 32, 64, 3, 3)
    conv("Conv2d_3b_1x1", 64, 80, 1, 1)
    conv("Conv2d_4a_3x3", 80, 192, 3, 3)
    block = "Mixed_5b."; a(192, 32)
    block = "Mixed_5c."; a(256, 64)
    block = "Mixed_5d."; a(288, 64)
    block = "Mixed_6a."; b(288)
    block = "Mixed_6b."; c(768, 128)
    block = "Mixed_6c."; c(768, 160)
    block = "Mixed_6d."; c(768, 160)
    block = "Mixed_6e."; c(768, 192)
    block = "Mixed_7a."; d(768)
    block = "Mixed_7b."; e(1280)
    block = "Mixed_7c."; e(2048)
    tensor("fc.weight", "1008,2048", 1008 * 2048)
    tensor("fc.bias", 1008, 1008)
    print "}"
    printf "%d\n", end >"/dev/stderr"
}
