# build.mk: compiles and links oiduna. Sources are found by wildcard; a new file is built without being listed.
#
#   make -f build.mk [all | tests | bench | lint | effects] [VARIABLE=value…]
#
# build.sh runs it, and adds a lock for two builds in one directory; packagers may call make themselves.
# An object depends on its source, its headers and $B/flags, a program on its objects and $B/link. Those two files hold
# the command lines and the list of objects. They are rewritten only when their text changes, so that changed flags
# recompile everything and a removed source relinks.

BUILD ?= build
PKG_CONFIG ?= pkg-config
CLANG_TIDY ?= clang-tidy-14
CPPCHECK ?= cppcheck
CLANG_EFFECTS ?= clang-22
ifeq ($(strip $(CFLAGS)),)
override CFLAGS := -O2 -g
endif
# CC (default cc) and LDFLAGS are make's; WERROR=1 makes a warning an error.

LIBRARIES := liburing liblo json-c inih libsystemd sndfile libpng alsa
# Includes are named from the top of the tree. Floating point rounds the same on every machine.
SEMANTICS := -I. -std=gnu11 -ffp-contract=off -fno-fast-math -pthread
# -Wno-psabi: the rack passes vectors between inlined functions only, so their calling convention never matters.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wno-psabi $(if $(WERROR),-Werror)

B := $(BUILD)
FLAGS := $(CFLAGS) $(SEMANTICS) $(WARNINGS) $(shell $(PKG_CONFIG) --cflags $(LIBRARIES))
COMPILE := $(CC) $(FLAGS)
LIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES)) -lm
# Records the headers of a target beside it.
NOTE_HEADERS = -MMD -MP -MF $@.d -MT $@

find_c = $(sort $(shell find $1 -name '*.c' 2>/dev/null))

SOURCES := oiduna.c $(call find_c,engine io ir)
UNIT_TESTS := $(call find_c,t/unit)
BENCHES := $(call find_c,t/bench)
GUESTS := $(call find_c,t/emulated)
SIM_SOURCES := $(call find_c,t/sim)
EVERY_SOURCE := $(SOURCES) $(UNIT_TESTS) $(SIM_SOURCES) $(BENCHES) $(GUESTS)
# What the engine and the audio thread run is here (engine/rt.h).
REALTIME_SOURCES := $(call find_c,engine io/audio io/loop io/wire)
# Compiled a second time for the simulator (t/sim), which switches threads between their operations.
SIMULATED := $(shell find engine io ir -name '*.c' -exec grep -l '\<OIDUNA_SIM\>' {} + 2>/dev/null)
# The rack's kernels are compiled a second time for AVX2; the program chooses when it starts.
MODULES := $(call find_c,engine/rack/modules)
ON_X86_64 := $(shell $(CC) -dM -E -x c /dev/null 2>/dev/null | grep -w __x86_64__)

OBJECTS := $(SOURCES:%.c=$B/obj/%.o) $(if $(ON_X86_64),$(MODULES:%.c=$B/avx2/%.o))
SIM_OBJECTS := $(SIMULATED:%.c=$B/sim/%.o) $(SIM_SOURCES:%.c=$B/sim/%.o)
SIM := $(if $(SIM_SOURCES),$B/t/sim)
# Programs of one source file each. Tests and benches link against the library.
TEST_PROGRAMS := $(UNIT_TESTS:t/unit/%.c=$B/t/%)
BENCH_PROGRAMS := $(BENCHES:t/%.c=$B/%)
GUEST_PROGRAMS := $(GUESTS:t/emulated/%.c=$B/t/%)

.PHONY: all tests bench lint effects FORCE
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

all: $B/compile_commands.json $B/oiduna
tests: all $(TEST_PROGRAMS) $(SIM) $(GUEST_PROGRAMS)
bench: all $(BENCH_PROGRAMS)
lint: $(EVERY_SOURCE:%.c=$B/lint/%.ok) $B/lint/cppcheck.ok
effects: $(REALTIME_SOURCES:%.c=$B/effects/%.ok)

$B/oiduna: $(OBJECTS) $B/link
	@echo '  LINK $@'
	@$(COMPILE) $(LDFLAGS) -o $@ $(OBJECTS) $(LIBS)

$B/liboiduna.a: $(OBJECTS) $B/link
	@rm -f $@
	@ar rcs $@ $(filter-out $B/obj/oiduna.o,$(OBJECTS))

$B/obj/%.o: %.c $B/flags
	@echo '  CC   $<'
	@mkdir -p $(@D)
	@$(COMPILE) $(NOTE_HEADERS) -c -o $@ $<

$B/avx2/%.o: %.c $B/flags
	@echo '  CC   $< (AVX2)'
	@mkdir -p $(@D)
	@$(COMPILE) -mavx2 -DMODULE_VARIANT=avx2 $(NOTE_HEADERS) -c -o $@ $<

$B/sim/%.o: %.c $B/flags
	@echo '  CC   $< (OIDUNA_SIM)'
	@mkdir -p $(@D)
	@$(COMPILE) -DOIDUNA_SIM $(NOTE_HEADERS) -c -o $@ $<

# The simulator's own objects come before the library, and so replace some of its members.
$B/t/sim: $(SIM_OBJECTS) $B/liboiduna.a
	@echo '  LINK $@'
	@mkdir -p $(@D)
	@$(COMPILE) $(LDFLAGS) -o $@ $(SIM_OBJECTS) $B/liboiduna.a $(LIBS)

$(TEST_PROGRAMS): $B/t/%: t/unit/%.c $B/liboiduna.a
	@echo '  TEST $<'
	@mkdir -p $(@D)
	@$(COMPILE) $(NOTE_HEADERS) $(LDFLAGS) -o $@ $< $B/liboiduna.a $(LIBS)

$(BENCH_PROGRAMS): $B/%: t/%.c $B/liboiduna.a
	@echo '  BENCH $<'
	@mkdir -p $(@D)
	@$(COMPILE) $(NOTE_HEADERS) $(LDFLAGS) -o $@ $< $B/liboiduna.a $(LIBS)

# These run in the emulated machine beside the daemon and share no code with it.
$(GUEST_PROGRAMS): $B/t/%: t/emulated/%.c $B/flags $B/link
	@echo '  TEST $<'
	@mkdir -p $(@D)
	@$(COMPILE) $(NOTE_HEADERS) $(LDFLAGS) -Wl,--as-needed -o $@ $< $(LIBS)

# Writes $1 to the target unless it holds that already: make goes by the time of the last change.
define write_if_changed
$(file >$@.new,$1)
@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
endef
$(shell mkdir -p $B)

$B/flags: FORCE
	$(call write_if_changed,$(shell $(CC) --version | head -n 1) $(COMPILE))

$B/link: FORCE
	$(call write_if_changed,$(LDFLAGS) $(LIBS) $(OBJECTS) $(SIM_OBJECTS))

# How each source is compiled, for clangd and clang-tidy: https://clang.llvm.org/docs/JSONCompilationDatabase.html
sim_flag = $(if $(filter t/sim/%,$1), -DOIDUNA_SIM)
in_json = $(subst ",\",$(subst \,\\,$1))
define database_entry
{"directory": "$(CURDIR)", "file": "$1", "command": "$(call in_json,$(COMPILE))$(call sim_flag,$1) -c $1"}
endef
# A comma and a newline, which cannot stand inside $(foreach).
define next_entry
,

endef
DATABASE = [$(call database_entry,oiduna.c)$(foreach source,$(filter-out oiduna.c,$(EVERY_SOURCE)),$(next_entry)$(call database_entry,$(source)))]

$B/compile_commands.json: FORCE
	$(call write_if_changed,$(DATABASE))

# A stamp for each source that clang-tidy has nothing to say to, by .clang-tidy. Its remarks are on standard output; on
# the other it counts what it suppressed.
$B/lint/%.ok: %.c $B/flags .clang-tidy
	@echo '  LINT $<'
	@mkdir -p $(@D)
	@$(COMPILE)$(call sim_flag,$<) -MM -MP -MF $@.d -MT $@ $<
	@$(CLANG_TIDY) --quiet $< -- $(FLAGS)$(call sim_flag,$<) 2>$@.err
	@touch $@

# A stamp for each source whose real-time functions call only what promises the same. Kernels are checked in both forms.
$B/effects/%.ok: %.c $B/flags
	@echo '  EFFECTS $<'
	@mkdir -p $(@D)
	@$(CLANG_EFFECTS) $(FLAGS) -w -Wfunction-effects -Werror=function-effects -fsyntax-only -MD -MP -MF $@.d -MT $@ $<
	@$(if $(filter engine/rack/modules/%,$<),$(CLANG_EFFECTS) $(FLAGS) -w -Wfunction-effects -Werror=function-effects -mavx2 -DMODULE_VARIANT=avx2 -fsyntax-only $<)
	@touch $@

# cppcheck keeps what it knows of each file, and looks only at what has changed. Tests are left to the sanitizers.
$B/lint/cppcheck.ok: FORCE
	@echo '  LINT cppcheck'
	@mkdir -p $B/lint/cppcheck
	@$(CPPCHECK) --quiet --error-exitcode=1 --enable=warning,style,performance,portability --std=c11 -I. \
	    --inline-suppr --suppressions-list=.cppcheck-suppressions --cppcheck-build-dir=$B/lint/cppcheck \
	    --template='{file}:{line}:{column}: {severity}: {message} [{id}]' $(SOURCES)
	@touch $@

-include $(EVERY_SOURCE:%.c=$B/lint/%.ok.d) $(REALTIME_SOURCES:%.c=$B/effects/%.ok.d) $(addsuffix .d,$(OBJECTS) $(SIM_OBJECTS) $(TEST_PROGRAMS) $(BENCH_PROGRAMS) $(GUEST_PROGRAMS))
