# SPDX-License-Identifier: GPL-3.0-or-later
# make          build ./kmidi                      make test    all tests (installs what they need)
# make demo     the main job, end to end           make asan    the tests under ASan and UBSan
# make bench    speed beside the peers             make help    all targets

ifeq ($(origin CC),default)
CC      := gcc
endif
# CROSS=aarch64-linux-gnu SYSROOT=FOLDER: Debian's cross compiler, and the libraries of a system
# that is unpacked in FOLDER.
ifdef CROSS
CC      := $(filter ccache,$(CC)) $(CROSS)-gcc --sysroot=$(abspath $(SYSROOT))
AR      := $(CROSS)-ar
LD      := $(CROSS)-ld
OBJCOPY := $(CROSS)-objcopy
export PKG_CONFIG_SYSROOT_DIR := $(abspath $(SYSROOT))
export PKG_CONFIG_LIBDIR := $(abspath $(SYSROOT))/usr/lib/$(CROSS)/pkgconfig:$(abspath $(SYSROOT))/usr/share/pkgconfig
endif
OBJCOPY ?= objcopy
# As many jobs as cores, unless the command line says otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN)
endif
CONFIG  ?= release
BUILD   ?= $(if $(filter 1,$(MPI)),build/mpi,build)
OUT     := $(BUILD)/$(CONFIG)
PKGS    := hdf5 sndfile flac ogg libmpg123 smf soxr yaml-0.1 libprotobuf-c hwloc jansson fftw3 libcrypto libpcre2-8 libzip
# MPI=1: one run in several processes (base/comm_mpi.c), by Open MPI or else MPICH.
ifeq ($(MPI),1)
MPIPKG  := $(firstword $(foreach p,ompi-c mpich,$(shell pkg-config --exists $(p) && echo $(p))))
MPIDEPS := $(if $(MPIPKG),,libopenmpi-dev openmpi-bin)
PKGS    += $(or $(MPIPKG),ompi-c)
endif
# Opened where they are used (base/library.h).
OPENED  := openblas libcurl espeak-ng libmicrohttpd jack rubberband

# Folders of sources.
ROOMS   := $(shell sed -n 's/^ROOM.\([^,]*\),.*/\1/p' rooms.def)
# make lib: what include/kmidi.h stands on.
ifeq ($(CONFIG),lib)
ROOMS   := $(filter-out cmd train compose net speech serve/http serve/http/routes perform,$(ROOMS))
endif

# A line for each room that is compiled; V=1 shows whole commands. Whoever makes a room's folder in
# SAID first has the line.
LOUD := $(filter-out 0,$(V))
Q    := $(if $(LOUD),,@)
SAID := $(OUT)/said
ifeq ($(filter clean help format format-check,$(MAKECMDGOALS)),)
$(shell rm -rf $(SAID); mkdir -p $(SAID))
endif
say   = $(if $(LOUD),,if mkdir "$(SAID)/$(subst /,.,$(1))" 2>/dev/null; then echo "  CC   $(1)"; fi;)

CFLAGS_release := -O3 -g
CFLAGS_debug   := -O0 -g
CFLAGS_lib     := -O3 -g -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS_fuzz    := $(CFLAGS_asan) -fsanitize=fuzzer-no-link -Wno-pass-failed
LDFLAGS_fuzz   := -fsanitize=address,undefined,fuzzer
LDFLAGS_asan   := -fsanitize=address,undefined
WARN    := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes
STD     := -std=c17 -D_GNU_SOURCE -ffp-contract=fast -fno-math-errno -fno-trapping-math
ALLC     = $(STD) $(WARN) $(CFLAGS_$(CONFIG)) -I. -I$(OUT)/gen $(PKGC) -pthread -MMD -MP $(CALLED) $(CFLAGS)
ALLL     = $(LDFLAGS_$(CONFIG)) $(PKGL) -lm -pthread $(LDFLAGS)

TARGET  := $(shell $(CC) -dumpmachine)
ARCH    := $(firstword $(subst -, ,$(TARGET)))
DARWIN  := $(or $(findstring darwin,$(TARGET)),$(findstring macos,$(TARGET)))
VARIANTS := base
ifeq ($(ARCH),x86_64)
VARIANTS := base v3 v4
endif
MARCH_base :=
MARCH_v3   := -march=x86-64-v3
MARCH_v4   := -march=x86-64-v4 -mprefer-vector-width=512
VDEFS      := $(foreach v,$(VARIANTS),-DKMIDI_HAS_$(v)=1)

# A file that names its one public symbol through VARIANT() is compiled once for each vector width
# (base/variant.h).
ALLSRC  := $(foreach r,$(ROOMS),$(wildcard $(r)/*.c))
FASTSRC := $(shell grep -lw VARIANT $(ALLSRC))
SRC     := $(filter-out cmd/main.c $(if $(DARWIN),,autograd/gemm/gemm_accelerate.c) $(if $(filter 1,$(MPI)),base/comm_none.c,base/comm_mpi.c) $(FASTSRC),$(ALLSRC))
TESTSRC := $(filter-out tests/fuzz/% tests/toys/% tests/faults/shim.c tests/serve/watch/% tests/serve/load/%,$(shell find tests -name '*.c'))
PROTO   := $(wildcard export/*.proto)
GEN     := $(OUT)/gen/onnx.pb-c.o $(PROTO:%.proto=$(OUT)/gen/%.pb-c.o)
OBJ     := $(SRC:%.c=$(OUT)/%.o) $(foreach v,$(VARIANTS),$(FASTSRC:%.c=$(OUT)/%.$(v).o)) $(GEN)
ONNX_PROTO := $(firstword $(wildcard /usr/include/onnx/onnx.proto /opt/homebrew/include/onnx/onnx.proto /usr/local/include/onnx/onnx.proto))

kmidi: $(OUT)/kmidi
	@cp -f $< $@

# Homebrew keeps what macOS has of its own (OpenSSL), and OpenBLAS, out of the way; and nothing of
# it is where Apple's compiler looks.
ifneq ($(and $(DARWIN),$(shell command -v brew)),)
BREW    := $(shell brew --prefix)
export PKG_CONFIG_PATH := $(BREW)/opt/openblas/lib/pkgconfig:$(BREW)/opt/curl/lib/pkgconfig:$(BREW)/opt/openssl@3/lib/pkgconfig:$(PKG_CONFIG_PATH)
CFLAGS  += -isystem $(BREW)/include
LDFLAGS += -L$(BREW)/lib
endif
# Where the libraries are: made once, after deps.sh has installed what was missing; make then starts
# again with it. csv has no pkg-config file, nor has oneDNN, which is opened.
ifeq ($(filter clean help format format-check,$(MAKECMDGOALS)),)
include $(BUILD)/libs.mk
endif
$(BUILD)/libs.mk: deps.sh Makefile
	@$(if $(CROSS),,./deps.sh $(MPIDEPS))
	@mkdir -p $(@D)
	@{ echo "PKGC := $$(pkg-config --cflags $(PKGS) $(OPENED)) -DKMIDI_LIBRARIES='\"$$({ for p in $(OPENED); do pkg-config --variable=libdir $$p; done; echo $(if $(BREW),$(BREW)/lib); } | grep . | sort -u | paste -sd: -)\"'"; \
	    echo "PKGL := $$(pkg-config --libs $(PKGS)) -lcsv -ldl"; } >$@.new && mv $@.new $@

$(OUT)/kmidi: $(OUT)/cmd/main.o $(OUT)/house.a
	$(Q)$(if $(LOUD),,echo "  LINK $@" &&) $(CC) -o $@ $^ $(ALLL)
$(OUT)/house.a: $(OBJ)
	@rm -f $@
	@$(AR) rcs $@ $^
# The library: what serve/kmidi.c needs, and of that nothing to be seen but kmidi_*.
.PHONY: lib check-lib check-jack check-perform
lib:
	@$(MAKE) --no-print-directory CONFIG=lib $(BUILD)/lib/libkmidi.a $(BUILD)/lib/libkmidi.so $(BUILD)/lib/kmidi.pc
$(OUT)/libkmidi.so: $(OUT)/serve/kmidi.o $(OUT)/serve/bridge.o $(OUT)/house.a include/kmidi.map
	$(Q)$(if $(LOUD),,echo "  LINK $@" &&) $(CC) -shared -o $@ $(filter-out %.map,$^) -Wl,--version-script=include/kmidi.map,-soname,libkmidi.so -Wl,--as-needed,--gc-sections,-z,now $(ALLL)
$(OUT)/libkmidi.a: $(OUT)/serve/kmidi.o $(OUT)/serve/bridge.o $(OUT)/house.a
	$(Q)$(if $(LOUD),,echo "  LINK $@" &&) rm -f $@ && $(LD) -r -o $(OUT)/libkmidi.o $^ && $(OBJCOPY) -w --keep-global-symbol='kmidi_*' $(OUT)/libkmidi.o && $(AR) rcs $@ $(OUT)/libkmidi.o && rm $(OUT)/libkmidi.o
$(OUT)/kmidi.pc: Makefile
	@{ echo "Name: kmidi"; echo "Description: trained models of music and emotion in real time"; echo "Version: 1"; \
	    echo "Cflags: -I$(abspath include)"; echo "Libs: -L$(abspath $(OUT)) -lkmidi"; echo "Libs.private: $(PKGL) -lm -pthread"; } >$@
# A JACK client of it for a minute (FOR=60 seconds), while a training run takes the machine.
check-jack: kmidi lib
	@tests/serve/jack.sh ./kmidi $(BUILD)/lib $(FOR)
# `kmidi perform` by the full models, headless for a minute (FOR=60 seconds).
check-perform: kmidi
	@tests/perform/check.sh ./kmidi $(FOR)
# MODEL='CHECKPOINT ...': the first of a recogniser.
check-lib: lib
	+@tests/serve/check.sh $(BUILD)/lib $(or $(MODEL),$(error MODEL=CHECKPOINT names a trained recogniser))
# Preloaded by the tests of faults; it replaces functions of glibc.
SHIM    := $(if $(filter Linux,$(shell uname -s)),$(if $(filter release,$(CONFIG)),$(OUT)/tests/faults/shim.so))
$(OUT)/tests/faults/shim.so: tests/faults/shim.c
	@mkdir -p $(@D)
	$(Q)$(if $(V),,echo "  LINK $@" &&) $(CC) -std=gnu17 -Wall -Wextra -Werror -O2 -g -shared -fPIC -fvisibility=hidden -o $@ $< -ldl
# Watches calls of the library in real time.
WATCH   := $(if $(SHIM),$(OUT)/tests/serve/watch/watch)
$(OUT)/tests/serve/watch/watch: $(OUT)/tests/serve/watch/watch.o $(OUT)/house.a
	$(Q)$(if $(LOUD),,echo "  LINK $@" &&) $(CC) -o $@ $^ $(ALLL)
# Many clients of kmidi serve, and hostile ones.
LOADOBJ := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/serve/load/*.c))
$(OUT)/tests/serve/load/load: $(LOADOBJ) $(OUT)/house.a
	$(Q)$(if $(LOUD),,echo "  LINK $@" &&) $(CC) -o $@ $^ $(ALLL)
# Fuzz targets need clang for libFuzzer; the tests have them under names of their own.
FUZZSRC := $(wildcard tests/fuzz/*.c)
ifneq ($(CONFIG),fuzz)
$(OUT)/tests/fuzz/%.o: CALLED = -DLLVMFuzzerTestOneInput=fuzz_$(*F)
endif
$(OUT)/tests/all: $(TESTSRC:%.c=$(OUT)/%.o) $(FUZZSRC:%.c=$(OUT)/%.o) $(OUT)/house.a | $(SHIM) $(WATCH) $(LOADOBJ)
	$(Q)$(if $(LOUD),,echo "  LINK $@" &&) $(CC) -o $@ $^ $(ALLL)

$(OUT)/%.o: %.c Makefile | $(GEN:.o=.h)
	@mkdir -p $(@D)
	$(Q)$(call say,$(<D)) $(CC) $(ALLC) $(VDEFS) -c -o $@ $<
define variant_rule
$(OUT)/%.$(1).o: %.c Makefile
	@mkdir -p $$(@D)
	$$(Q)$$(call say,$$(<D) ($(1))) $$(CC) $$(ALLC) -DKMIDI_VARIANT=$(1) -DKMIDI_VARIANT_$(1)=1 $(MARCH_$(1)) -c -o $$@ $$<
endef
$(foreach v,$(VARIANTS),$(eval $(call variant_rule,$(v))))

# The git revision, written anew only when it changed.
$(OUT)/gen/revision.h: FORCE
	@mkdir -p $(@D)
	@echo '#define KMIDI_REVISION "$(shell git describe --always --dirty --abbrev=12 --exclude "*" 2>/dev/null || echo unknown)"' > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@
$(OUT)/base/version.o: $(OUT)/gen/revision.h
FORCE:

# The configurations of configs/, compiled in (base/shipped.h): a row {name, text} for each.
CONFIGS := $(sort $(wildcard configs/*.yaml configs/*/*.yaml))
$(OUT)/gen/shipped.inc: $(CONFIGS) Makefile
	@mkdir -p $(@D)
	@for f in $(CONFIGS); do n=$${f#configs/}; echo "{\"$${n%.yaml}\","; sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $$f; echo '},'; done >$@.new
	@mv $@.new $@
$(OUT)/base/shipped.o: $(OUT)/gen/shipped.inc
# The page of kmidi serve, compiled in, as the numbers of its bytes.
$(OUT)/gen/page.inc: serve/http/page.html Makefile
	@mkdir -p $(@D)
	@od -An -v -t u1 $< | sed 's/[0-9][0-9]*/&,/g' >$@.new && mv $@.new $@
$(OUT)/serve/http/routes/page.o: $(OUT)/gen/page.inc

# Generated code is not ours to warn about.
$(OUT)/gen/onnx.pb-c.c $(OUT)/gen/onnx.pb-c.h &: $(ONNX_PROTO)
	@mkdir -p $(OUT)/gen
	$(Q)protoc-c --c_out=$(OUT)/gen -I$(dir $(ONNX_PROTO)) $(ONNX_PROTO)
$(OUT)/gen/%.pb-c.c $(OUT)/gen/%.pb-c.h &: %.proto
	@mkdir -p $(@D)
	$(Q)protoc-c --c_out=$(OUT)/gen -I. $<
$(OUT)/gen/%.pb-c.o: $(OUT)/gen/%.pb-c.c
	$(Q)$(call say,$(<D)) $(CC) -std=gnu17 -O2 -w -I$(OUT)/gen $(PKGC) -c -o $@ $<
.PRECIOUS: $(OUT)/gen/%.pb-c.c $(OUT)/gen/%.pb-c.h

test: kmidi $(OUT)/tests/all
	@$(OUT)/tests/all
# intercept_tls_get_addr=0: gcc 12's search for leaks reads thread-local blocks of libraries opened by
# name (libcurl) where none are any more, and ends a program that had done its work.
asan:
	@$(MAKE) --no-print-directory CONFIG=asan build/asan/tests/all build/asan/kmidi
	@KMIDI=build/asan/kmidi ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:intercept_tls_get_addr=0 LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0 build/asan/tests/all
# Every reader of outside files against random ones, SECONDS each, from the seeds in
# tests/fuzz/seeds where there are any; needs clang. What crashes is kept in build/fuzz/.
fuzz:
	@command -v clang >/dev/null || { echo "make fuzz needs clang and its libFuzzer: apt install clang" >&2; exit 1; }
	@$(MAKE) --no-print-directory CC=clang CONFIG=fuzz fuzz-all
fuzz-all: $(FUZZSRC:%.c=$(OUT)/%)
	@for f in $^; do mkdir -p $$f.corpus && LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0 $$f -max_total_time=$(or $(SECONDS),20) -timeout=30 \
	    -max_len=65536 -artifact_prefix=$$f. -print_final_stats=0 -verbosity=0 $$f.corpus $$(ls -d tests/fuzz/seeds/$${f##*/} 2>/dev/null) || exit 1; done
$(OUT)/tests/fuzz/%: $(OUT)/tests/fuzz/%.o $(OUT)/house.a
	$(Q)$(if $(LOUD),,echo "  LINK $@" &&) $(CC) -o $@ $^ $(ALLL)
# For arm64 with a cross compiler, under qemu; for macOS as far as a compiler and the names in its
# system library go.
check-arm64:
	@tests/arm64/sysroot.sh $(BUILD)/arm64/sysroot
	@$(MAKE) --no-print-directory CROSS=aarch64-linux-gnu SYSROOT=$(BUILD)/arm64/sysroot BUILD=$(BUILD)/arm64 cross-tests
	@tests/arm64/check.sh $(BUILD)/arm64
# A real Slurm on this machine, and what it may do to jobs.
check-slurm: kmidi
	@tests/cluster/check.sh $(OUT)/kmidi $(wildcard $(BUILD)/mpi/$(CONFIG)/kmidi)
check-macos:
	@tests/macos/setup.sh $(BUILD)/macos
	@$(MAKE) --no-print-directory CC="tests/macos/cc $(BUILD)/macos" BUILD=$(BUILD)/macos CONFIG=debug cross-objects
	@python3 tests/macos/symbols.py $(BUILD)/macos
# What `kmidi export --format rtneural` writes, run by RTNeural: a header library, from the address
# or folder RTNEURAL_GIT.
check-rtneural: kmidi $(OUT)/tests/all
	@tests/rtneural/setup.sh $(BUILD)/rtneural
	@RTNEURAL=$(abspath $(BUILD)/rtneural) $(OUT)/tests/all -v rtneural
# The page of kmidi serve in headless Chromium. MODEL=CHECKPOINT: of a recogniser, else a small one is
# trained.
check-serve: kmidi
	@tests/serve/http/check.sh ./kmidi $(MODEL)
# What kmidi serve bears: 200 clients, 10,000 generations, 10,000 hostile requests, some
# minutes. MODELS=FOLDER of run folders, else small ones are trained.
check-load: kmidi $(OUT)/tests/serve/load/load
	@tests/serve/load/check.sh $(OUT)/kmidi $(OUT)/tests/serve/load/load $(MODELS)
# One run in several processes: 1, 2 and 4 of them on this machine, by a program made with MPI=1.
# EMODB, MAESTRO: folders of data, else synthetic ones.
check-mpi:
	@$(MAKE) --no-print-directory MPI=1 BUILD=$(BUILD)/mpi ranks-tests
	@KMIDI=$(BUILD)/mpi/$(CONFIG)/kmidi $(BUILD)/mpi/$(CONFIG)/tests/all -v ranks
	@tests/cluster/mpi.sh $(BUILD)/mpi/$(CONFIG)/kmidi $(EMODB) $(MAESTRO)
# KMIDI_KILLS (200) kills at random instants over sweeps, arrays and runs in two processes.
check-kills: $(OUT)/kmidi $(OUT)/tests/all
	@$(MAKE) --no-print-directory MPI=1 BUILD=$(BUILD)/mpi ranks-tests
	@tests/cluster/kills.sh $(OUT) $(BUILD)/mpi/$(CONFIG)
ranks-tests: $(OUT)/kmidi $(OUT)/tests/all
cross-tests: $(OUT)/kmidi $(OUT)/tests/all
cross-objects: $(OBJ) $(OUT)/cmd/main.o $(TESTSRC:%.c=$(OUT)/%.o) $(FUZZSRC:%.c=$(OUT)/%.o)
demo: kmidi
	@./demo.sh
# A base model from a downloaded MAESTRO, with its card. SIZE=small (ten minutes), full (overnight).
player: kmidi
	@./player.sh $(if $(MAESTRO),"$(MAESTRO)" "$(or $(PLAYER),player)" "$(or $(SIZE),small)")
bench: kmidi
	@./bench/run.sh
# docs/config.md from the tables of keys.
docs: $(OUT)/tests/all
	@KMIDI_WRITE_DOCS=1 $(OUT)/tests/all docs_config
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
format-check:
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
clean:
	rm -rf $(BUILD) kmidi demo
help:
	@sed -n '2,5p' Makefile
	@echo "# make lib      build/lib/libkmidi.a and libkmidi.so, for include/kmidi.h (docs/library.md)"
	@echo "# make player MAESTRO=DIR [SIZE=full]     a base model of piano music, with its card (player.sh)"
	@echo "# make fuzz     random files against every reader, with clang (SECONDS=20)"
	@echo "# make check-arm64, check-macos     the tests for arm64 under emulation; every file compiled for macOS"
	@echo "# make MPI=1, check-mpi     for runs in several processes (docs/cluster.md); its tests"
	@echo "# make check-slurm, check-kills     jobs of a real Slurm; runs that are killed at any instant"
	@echo "# make check-rtneural     exports for RTNeural, run by it"
	@echo "# make check-serve, check-load     the page of kmidi serve in headless Chromium; many clients of it"
	@echo "# make check-perform, check-jack, check-lib     a minute of kmidi perform; of a JACK client; the libraries"
	@echo "# make docs     docs/config.md from the tables of keys"
	@echo "# make format   clang-format over all sources    make clean   remove what make made (runs/ stays)"
	@echo "# make CC=clang, CONFIG=debug|asan|release, V=1 for whole commands"

.PHONY: FORCE kmidi test check-arm64 check-macos check-slurm check-mpi check-kills check-rtneural check-serve check-load ranks-tests cross-tests cross-objects asan fuzz fuzz-all demo player bench docs format format-check clean help
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
