# SPDX-License-Identifier: MIT
#
# The fuzz targets under libFuzzer, as a variant of their own, built by clang. Without clang they
# are unit tests, which replay the corpus (tests/fuzz/replay.c) in every variant.

FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_CC ?= clang-14
CFLAGS_fuzz := -O1 -g -DFACTLINE_DEBUG $(SANITIZERS) -fsanitize=fuzzer-no-link
LDFLAGS_fuzz := $(SANITIZERS) -fsanitize=fuzzer

$(foreach f,$(SQL_FOLDERS),$(eval $(call sql_rules,fuzz,$f)))
$(eval $(call variant_rules,fuzz))
build/fuzz/%: CC = $(FUZZ_CC)

build/fuzz/flags: | build/.deps-fuzz

.PHONY: fuzz
## fuzz: run each fuzzer (FUZZ="json csv ...") for SECONDS=60; executions, coverage, findings
fuzz: $(FUZZ_TARGETS:%=build/fuzz/tests/fuzz/fuzz_%) $(FUZZ_TARGETS:%=build/coverage/tests/fuzz/fuzz_%)
	@python3 tests/fuzz/run.py --seconds $(or $(SECONDS),60) $(or $(FUZZ),$(FUZZ_TARGETS))

.PHONY: fuzz-corpus
## fuzz-corpus: put what `make fuzz` found into the corpus that is kept, as little as reaches as much
fuzz-corpus:
	@python3 tests/fuzz/run.py --keep $(or $(FUZZ),$(FUZZ_TARGETS))
