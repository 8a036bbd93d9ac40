# SPDX-License-Identifier: MIT
#
# One Makefile, lists by wildcard: a new file in its folder is found, nothing here is edited.
# Variants lie side by side under build/:
#
#   release    what is installed; binaries in build/bin
#   debug      no optimisation; BUG() aborts
#   asan       address and undefined-behaviour sanitizers; BUG() aborts
#   coverage   counts executed lines for ci/check-coverage.sh
#
# Yours to set: CC, CPPFLAGS, CFLAGS, LDFLAGS, LDLIBS, PREFIX, DESTDIR, WERROR=1, V=1 (show the
# commands), DEPS=no (install no packages).

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

VERSION := 1.0.0
PREFIX ?= /usr/local
VARIANTS := release debug asan coverage
AWK ?= awk
ifeq ($(origin CC),default)
CC := gcc
endif

# One line per file; V=1 shows the commands.
ifeq ($(V),1)
say =
else
say = @printf '%-8s %s\n' $1 $2;
endif

# ---- what there is ----

PIPELINES := $(patsubst common/pipelines/%/pipeline.c,%,$(sort $(wildcard common/pipelines/*/pipeline.c)))
SQL_FOLDERS := etl $(PIPELINES)
TASKS := $(patsubst tasks/%/main.c,%,$(sort $(wildcard tasks/*/main.c)))

COMMON_SOURCES := $(sort $(wildcard common/base/*.c common/io/*.c common/etl/*.c \
                                    common/pipelines/*/*.c))
TASK_SOURCES := $(TASKS:%=tasks/%/main.c)
# What tests share: an archive, so that a test gets only what it names.
TEST_LIB_SOURCES := $(sort $(wildcard tests/lib/*.c) $(foreach file,\
    $(wildcard tests/unit/*/*.c tests/fuzz/*.c tests/integration/*.c tests/integration/*/*.c),\
    $(if $(filter test_% fuzz_%,$(notdir $(file))),,$(file))))
# Scripts that run without a server, and those that want one.
UNIT_SCRIPTS := $(sort $(wildcard tests/unit/*/test_*.sh tests/unit/*/test_*.py \
                                  tests/dags/test_*.py tests/sample/test_*.py))
SERVER_SCRIPTS := $(sort $(wildcard $(foreach folder,integration integration/* tasks pipelines/*,\
    tests/$(folder)/*.sh tests/$(folder)/test_*.py)))
ROBUSTNESS := $(sort $(wildcard tests/robustness/test_*.py))
LINT := $(sort $(wildcard ci/check-*.sh))
UNIT_SOURCES := $(sort $(wildcard tests/unit/*/test_*.c tests/fuzz/fuzz_*.c))
INTEGRATION_SOURCES := $(sort $(wildcard tests/integration/test_*.c tests/integration/*/test_*.c))
UNIT_TESTS := $(UNIT_SOURCES:.c=)
INTEGRATION_TESTS := $(INTEGRATION_SOURCES:.c=)

sql_path = $(if $(filter etl,$1),common/etl,common/pipelines/$1)
sql_files = $(sort $(wildcard $(sql_path)/sql/*.sql)) $(sort $(wildcard $(sql_path)/schema/*.sql))
# Folders are prerequisites of what is made from a list, so that a removed file is noticed.
sql_dirs = $(wildcard $(sql_path) $(sql_path)/sql $(sql_path)/schema)
ALL_SQL := $(foreach folder,$(SQL_FOLDERS),$(call sql_files,$(folder)))
COMMON_DIRS := $(wildcard common/base common/io common/etl common/pipelines common/pipelines/*/)

# ---- flags ----

# What each warning catches, beyond what it is called.
WARNINGS := \
    -Wall -Wextra \
    -Wpedantic
# A variable that hides another of the same name: the wrong one gets the value.
WARNINGS += -Wshadow
# () that takes any arguments, so that the compiler checks none.
WARNINGS += -Wstrict-prototypes -Wold-style-definition
# A function that no header declares: make it static, or declare it.
WARNINGS += -Wmissing-prototypes -Wmissing-declarations
# A string literal that a char * could write to.
WARNINGS += -Wwrite-strings
# A format that is no literal, or does not fit its arguments.
WARNINGS += -Wformat=2
# #if on a name that is not defined and counts as 0: a typo.
WARNINGS += -Wundef
# An array whose size the input decides, on the stack.
WARNINGS += -Wvla
# A cast that takes const away from what another owns.
WARNINGS += -Wcast-qual
# A case that runs into the next one without saying so.
WARNINGS += -Wimplicit-fallthrough
# Arithmetic on void * and on functions, which C does not have.
WARNINGS += -Wpointer-arith
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

# _FORTIFY_SOURCE checks the sizes that the compiler knows, and needs optimisation; the stack
# protector notices an overrun frame; the rest makes addresses hard to guess and tables read-only.
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
HARDENING_LD := -pie -Wl,-z,relro,-z,now
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

CFLAGS_release := -O2 -g $(HARDENING)
LDFLAGS_release := $(HARDENING_LD)
CFLAGS_debug := -O0 -g -DFACTLINE_DEBUG
LDFLAGS_debug :=
CFLAGS_asan := -O1 -g -DFACTLINE_DEBUG $(SANITIZERS)
LDFLAGS_asan := $(SANITIZERS)
CFLAGS_coverage := -O0 -g --coverage -fprofile-update=atomic
LDFLAGS_coverage := --coverage

# Asked at the first use, when the packages have been installed.
PQ_CFLAGS = $(eval PQ_CFLAGS := $$(shell pkg-config --cflags libpq 2>/dev/null || \
    echo -I$$$$(pg_config --includedir)))$(PQ_CFLAGS)

# Everything is compiled by relative paths and holds no date: the same input, the same bytes.
# $1 is the variant.
compile = $(CC) -std=c11 -D_POSIX_C_SOURCE=200809L -DFACTLINE_VERSION='"$(VERSION)"' \
    -Icommon -Ibuild/$1/gen $(PQ_CFLAGS) \
    $(WARNINGS) $(CFLAGS_$1) -ffile-prefix-map=$(CURDIR)=. \
    $(CPPFLAGS) $(CFLAGS) -MMD -MP
BANNED := $(if $(wildcard common/base/banned.h),-include base/banned.h)
LIBS := -lpq -lcjson -lz -lzstd

bin_release := build/bin
$(foreach v,$(filter-out release,$(VARIANTS)),$(eval bin_$v := build/$v/bin))

# ---- targets ----

## all: the executables of the release variant, in build/bin (the default)
.PHONY: all
all: release

.PHONY: $(VARIANTS)
## release, debug, asan, coverage: one variant, its executables in build/bin or build/VARIANT/bin
$(foreach v,$(VARIANTS),$(eval $v: $(TASKS:%=$(bin_$v)/%)))

## tests-VARIANT: the test programs of a variant, without running them
$(foreach v,$(VARIANTS),$(eval .PHONY: tests-$v)$(eval \
    tests-$v: $v $(UNIT_TESTS:%=build/$v/%) $(INTEGRATION_TESTS:%=build/$v/%)))

.PHONY: FORCE
FORCE:

# ---- packages ----

ifneq ($(DEPS),no)
DEPS_BUILD := build/.deps-build
DEPS_CHECK := build/.deps-check
endif

build/.deps-%: ci/install-deps
	@mkdir -p build
	@ci/install-deps $*
	@touch $@

.PHONY: deps
## deps: install the packages that building and checking need, where they are missing
deps:
	@ci/install-deps check
	@mkdir -p build && touch build/.deps-build build/.deps-check

# ---- one variant ----

define variant_rules
# The commands themselves: other flags make everything anew.
build/$1/flags: FORCE | $$(DEPS_BUILD)
	@mkdir -p build/$1
	@printf '%s\n' '$$(subst ','\'',$$(call compile,$1) $$(LDFLAGS_$1) $$(LDFLAGS) $$(LDLIBS))' \
	    >build/$1/flags.new
	@cmp -s build/$1/flags.new $$@ || cp build/$1/flags.new $$@
	@rm -f build/$1/flags.new

GEN_$1 := $(SQL_FOLDERS:%=build/$1/gen/%_sql.h) build/$1/gen/pipeline_list.h
GEN_SOURCES_$1 := $(SQL_FOLDERS:%=build/$1/gen/%_sql.c) build/$1/gen/sql_all.c \
    build/$1/gen/pipeline_list.c
OBJECTS_$1 := $(COMMON_SOURCES:%.c=build/$1/%.o) $$(GEN_SOURCES_$1:.c=.o)
TEST_LIB_$1 := $(if $(TEST_LIB_SOURCES),build/$1/tests/libtest.a)

build/$1/gen/sql_all.c: common/pipelines/sqlgen.awk $(ALL_SQL) \
    $$(foreach folder,$(SQL_FOLDERS),$$(call sql_dirs,$$(folder)))
	@mkdir -p $$(@D)
	$$(call say,SQL,$$@)$$(AWK) -v mode=all -v out=$$(@D) -f common/pipelines/sqlgen.awk $(ALL_SQL)

build/$1/gen/pipeline_list.c: common/pipelines/sqlgen.awk $(wildcard common/pipelines)
	@mkdir -p $$(@D)
	$$(call say,SQL,$$@)$$(AWK) -v mode=pipelines -v out=$$(@D) -f common/pipelines/sqlgen.awk $(PIPELINES)

build/$1/gen/pipeline_list.h: build/$1/gen/pipeline_list.c ;

build/$1/libcommon.a: $$(OBJECTS_$1) $(COMMON_DIRS)
	@rm -f $$@
	$$(call say,AR,$$@)$$(AR) rcsD $$@ $$(OBJECTS_$1)

build/$1/common/%.o: common/%.c build/$1/flags Makefile | $$(GEN_$1)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)$$(call compile,$1) $$(BANNED) -c -o $$@ $$<

build/$1/gen/%.o: build/$1/gen/%.c build/$1/flags Makefile | $$(GEN_$1)
	$$(call say,CC,$$@)$$(call compile,$1) -c -o $$@ $$<

build/$1/tasks/%.o: tasks/%.c build/$1/flags Makefile | $$(GEN_$1)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)$$(call compile,$1) $$(BANNED) -c -o $$@ $$<

$$(bin_$1)/%: build/$1/tasks/%/main.o build/$1/libcommon.a
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$$(CC) $$(CFLAGS_$1) $$(CFLAGS) $$(LDFLAGS_$1) $$(LDFLAGS) -o $$@ $$^ $$(LIBS) $$(LDLIBS)

build/$1/tests/%.o: tests/%.c build/$1/flags Makefile | $$(GEN_$1) $$(DEPS_CHECK)
	@mkdir -p $$(@D)
	$$(call say,CC,$$@)$$(call compile,$1) -Itests/lib -c -o $$@ $$<

build/$1/tests/libtest.a: $(TEST_LIB_SOURCES:%.c=build/$1/%.o) $(wildcard tests/lib)
	@rm -f $$@
	$$(call say,AR,$$@)$$(AR) rcsD $$@ $$(filter %.o,$$^)

# A test that replaces functions says so in a line of its own: /* link: -Wl,--wrap=malloc */
build/$1/tests/%: build/$1/tests/%.o $$(TEST_LIB_$1) build/$1/libcommon.a
	$$(call say,LD,$$@)$$(CC) $$(CFLAGS_$1) $$(CFLAGS) $$(LDFLAGS_$1) $$(LDFLAGS) -o $$@ $$^ \
	    $$$$(sed -n 's,^/\* link: \(.*\) \*/$$$$,\1,p' tests/$$*.c) -lcmocka $$(LIBS) $$(LDLIBS)

-include $$(wildcard build/$1/*/*.d build/$1/*/*/*.d build/$1/*/*/*/*.d)
endef

# $1 is the variant, $2 the folder: etl or a pipeline.
define sql_rules
build/$1/gen/$2_sql.c: common/pipelines/sqlgen.awk $(call sql_files,$2) $(call sql_dirs,$2)
	@mkdir -p $$(@D)
	$$(call say,SQL,$$@)$$(AWK) -v mode=folder -v folder=$2 -v out=$$(@D) -f common/pipelines/sqlgen.awk \
	    $(call sql_files,$2)
build/$1/gen/$2_sql.h: build/$1/gen/$2_sql.c ;
endef

$(foreach v,$(VARIANTS),$(foreach f,$(SQL_FOLDERS),$(eval $(call sql_rules,$v,$f))))
$(foreach v,$(VARIANTS),$(eval $(call variant_rules,$v)))

# ---- checking ----

RUN_TESTS := tests/lib/run-tests.sh
SCRATCH := tests/lib/scratch-server.sh run
# The coverage check wants the counts of a whole run; it has a target of its own.
LINT_PROGRAMS := $(filter-out ci/check-coverage.sh,$(LINT))
server_tests = $(INTEGRATION_TESTS:%=build/$1/%) $(SERVER_SCRIPTS)
unit_tests = $(UNIT_TESTS:%=build/$1/%)
TALLY := build/check.tally
SUBMAKE = $(MAKE) --no-print-directory WERROR=1 \
    $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))

.PHONY: check
## check: the gate: lint, all tests in all variants, coverage; needs no server, starts its own
check:
	@$(if $(filter no,$(DEPS)),,ci/install-deps check)
	@mkdir -p build && rm -f $(TALLY)
	+@for variant in $(VARIANTS); do \
	    $(RUN_TESTS) --tally $(TALLY) --command "build $$variant" $(SUBMAKE) -k tests-$$variant; done
	@$(RUN_TESTS) --tally $(TALLY) $(LINT_PROGRAMS)
	@$(RUN_TESTS) --tally $(TALLY) $(call unit_tests,release) $(UNIT_SCRIPTS)
	@$(RUN_TESTS) --tally $(TALLY) --valgrind $(call unit_tests,release)
	@$(RUN_TESTS) --tally $(TALLY) --variant asan $(call unit_tests,asan)
	@$(SCRATCH) $(RUN_TESTS) --tally $(TALLY) --database $(call server_tests,release) \
	    $(ROBUSTNESS)
	@$(SCRATCH) $(RUN_TESTS) --tally $(TALLY) --database --variant asan $(call server_tests,asan)
	+@$(RUN_TESTS) --tally $(TALLY) --command "install airflow" $(SUBMAKE) airflow
	@$(SCRATCH) $(RUN_TESTS) --tally $(TALLY) --database $(AIRFLOW_TESTS)
	@find build/coverage -name '*.gcda' -delete
	@$(RUN_TESTS) --tally $(TALLY) --variant coverage $(call unit_tests,coverage)
	@$(SCRATCH) $(RUN_TESTS) --tally $(TALLY) --database --variant coverage $(call server_tests,coverage)
	@$(RUN_TESTS) --tally $(TALLY) --command coverage ci/check-coverage.sh
	@$(RUN_TESTS) --sum $(TALLY)

.PHONY: check-lint
## check-lint: format, shell scripts, layers, headers, style; no server
check-lint:
	@$(RUN_TESTS) $(LINT_PROGRAMS)

.PHONY: check-unit
## check-unit: unit tests of the release variant; no server
check-unit: $(call unit_tests,release)
	@$(RUN_TESTS) $(call unit_tests,release) $(UNIT_SCRIPTS)

.PHONY: check-server
## check-server: integration, task and pipeline tests of the release variant, on a scratch server
check-server: tests-release
	@$(SCRATCH) $(RUN_TESTS) --database $(call server_tests,release)

.PHONY: check-quick
## check-quick: lint and unit tests, and all else in the release variant only
check-quick: tests-release
	@mkdir -p build && rm -f $(TALLY)
	@$(RUN_TESTS) --tally $(TALLY) $(LINT_PROGRAMS)
	@$(RUN_TESTS) --tally $(TALLY) $(call unit_tests,release) $(UNIT_SCRIPTS)
	@$(SCRATCH) $(RUN_TESTS) --tally $(TALLY) --database $(call server_tests,release)
	@$(RUN_TESTS) --sum $(TALLY)

.PHONY: check-asan
## check-asan: all tests under the address and undefined-behaviour sanitizers
check-asan: tests-asan
	@$(SCRATCH) $(RUN_TESTS) --database --variant asan $(call unit_tests,asan) $(call server_tests,asan)

.PHONY: check-coverage
## check-coverage: all tests of the coverage variant, then lines and branches per module
check-coverage: tests-coverage
	@find build/coverage -name '*.gcda' -delete
	@$(SCRATCH) $(RUN_TESTS) --database --variant coverage $(call unit_tests,coverage) \
	    $(call server_tests,coverage)
	@ci/check-coverage.sh

# $1 is the variant.
campaign = @FACTLINE_VARIANT=$1 FACTLINE_BIN=$(CURDIR)/$(bin_$1) python3 tests/lib/run-campaign.py \
    --seed $(SEED) --seconds $(or $(SECONDS),3600) $(ROBUSTNESS)
SEED ?= random

.PHONY: campaign
## campaign: random schedules and faults for SECONDS (3600), from SEED (random, or a number)
campaign: release
	$(call campaign,release)

.PHONY: check-nightly
## check-nightly: the campaign under the sanitizers
check-nightly: asan release
	$(call campaign,asan)

.PHONY: format
## format: write the house style into the C sources
format:
	@clang-format-14 -i $$(find common tasks tests -name '*.[ch]')

# ---- installing ----

.PHONY: install
## install: the executables to $(DESTDIR)$(PREFIX)/bin
install: release
	install -d '$(DESTDIR)$(PREFIX)/bin'
	@# By rename: a step that starts meanwhile finds the old executable or the new one, whole.
	cd '$(DESTDIR)$(PREFIX)/bin' && for task in $(TASKS); do \
	    install -m 755 "$(CURDIR)/build/bin/$$task" ".$$task.new" && \
	    mv -f ".$$task.new" "$$task" || exit; done

.PHONY: uninstall
## uninstall: remove them from there
uninstall:
	rm -f $(TASKS:%='$(DESTDIR)$(PREFIX)/bin/%')

.PHONY: clean
## clean: remove what was built (not the server of `make run`, if it is running)
clean:
	rm -rf build/bin build/test-logs build/.deps-* $(VARIANTS:%=build/%)

.PHONY: help
## help: this list
help:
	@sed -n 's/^## \([^:]*\): /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do \
	    printf '%-34s %s\n' "$$name" "$$text"; done

-include tests/sample/run.mk
-include tests/bench/bench.mk
-include tests/dags/dags.mk
-include tests/launchers/launchers.mk
-include tests/fuzz/fuzz.mk
