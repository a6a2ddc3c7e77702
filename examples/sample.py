"""Draws 16 samples of a model and writes a picture: sample.py RUN VARIANCE STEPS FILE.png"""
import sys
from ctypes import CDLL, Structure, byref, c_char, c_float, c_int, c_int64, c_size_t, c_void_p

class Error(Structure):
    _fields_ = [("code", c_int), ("message", c_char * 1024)]

def call(function, *arguments):
    if function(*arguments, byref(error)) != 0:
        sys.exit("sample: " + error.message.decode())

error, model, varhead = Error(), c_void_p(), CDLL("libvarhead.so.0")
varhead.varhead_options_new.restype = c_void_p
varhead.varhead_dims.restype, varhead.varhead_dims.argtypes = c_size_t, [c_void_p]
if len(sys.argv) != 5:
    sys.exit("usage: sample.py RUN VARIANCE STEPS FILE.png")
run, variance, steps, path = (argument.encode() for argument in sys.argv[1:])
options = c_void_p(varhead.varhead_options_new())
call(varhead.varhead_set, options, b"variance", variance)
call(varhead.varhead_set, options, b"steps", steps)
call(varhead.varhead_open, byref(model), run, options)
images = (c_float * (16 * varhead.varhead_dims(model)))()
call(varhead.varhead_sample, model, options, c_int64(0), c_int64(16), images)
call(varhead.varhead_write_png, model, path, images, c_int64(16), 0, 0)
