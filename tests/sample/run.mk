# SPDX-License-Identifier: MIT
#
# `make run`: a source system and a warehouse on a private server under build/run, all workflows for
# the history and then for one more day, and the report. What a pipeline does for that is in
# tests/sample/<pipeline>.mk. Each step leaves its result file build/run/<day>/<step>.json, the
# target of its rule: after a failure the next `make run` goes on where this one ended.
#
# Yours to set: PIPELINE (commcare), SCALE (1; times the workers), WAREHOUSE=own (see README.md),
# HISTORY_END (a date; yesterday), V=1 (show each command and its log).

PIPELINE ?= commcare
SCALE ?= 1
WAREHOUSE ?= sample
RUN := build/run
RUN_BIN ?= build/bin

ifneq ($(DEPS),no)
DEPS_RUN := build/.deps-run
endif

# A step: its task and arguments. The run key makes a second try find the same batch.
run_key = $(if $(filter own/%,$1),make-run/$(notdir $1),sample/$1)
step = @V='$(V)' tests/sample/step.sh $@ $(RUN_BIN)/$1 --run-key $(call run_key,$*)

with_server = +@tests/sample/with-server.sh $(RUN) $(MAKE) --no-print-directory

.PHONY: run run-steps run-clean run-psql

ifeq ($(WAREHOUSE),own)

# ---- your own source and warehouse: one incremental run of all workflows ----

OWN := $(RUN)/own
RUN_DAYS = own/$(shell cat $(OWN)/unfinished $(OWN)/last 2>/dev/null | head -n 1)

## run: build, then run all workflows on a sample installation, and print the report
run: all | $(DEPS_RUN)
	@mkdir -p $(OWN)
	@test -n "$$PGSERVICE$$PGHOST" || { echo "make run: WAREHOUSE=own needs PGSERVICE or" \
	    "PGHOST of the warehouse; see README.md" >&2; exit 78; }
	@test -e $(OWN)/unfinished || date -u +%Y%m%dT%H%M%SZ >$(OWN)/unfinished
	+@$(MAKE) --no-print-directory run-steps
	@mv $(OWN)/unfinished $(OWN)/last

## step/NAME: one step of the latest day again, say step/form-transform
step/%: all
	@test -n '$(notdir $(RUN_DAYS))' || { echo "make: nothing ran yet; make run" >&2; exit 64; }
	@rm -f $(RUN)/$(RUN_DAYS)/$*.json
	+@$(MAKE) --no-print-directory $(RUN)/$(RUN_DAYS)/$*.json

else

# ---- the sample on a private server ----

RUN_DAYS := day1 day2
RUN_END = $($(PIPELINE)_history_end)
RUN_AGAIN = $(word 2,$($(PIPELINE)_steps))$(if $(filter-out commcare,$(PIPELINE)), PIPELINE=$(PIPELINE))
RUN_LATEST = $(if $(wildcard $(RUN)/day2/*.json),day2,day1)

run: all | $(DEPS_RUN)
	@mkdir -p $(RUN)
	@test -e $(RUN)/scale || echo $(SCALE) >$(RUN)/scale
	@test "$$(cat $(RUN)/scale)" = $(SCALE) && \
	    test '$(or $(HISTORY_END),$(RUN_END))' = '$(or $(RUN_END),$(HISTORY_END))' || { \
	    echo "make run: the sample in $(RUN) was made with another SCALE or HISTORY_END;" \
	    "run make run-clean first" >&2; exit 64; }
	@! test -e $(lastword $(RUN_RESULTS)) || echo 'all steps were done before; the report again:'
	$(with_server) run-steps
	@printf '\n%s\n%s\n' \
	    'All steps are done, and the server is stopped. make run-psql opens the warehouse again,' \
	    'make step/$(RUN_AGAIN) runs one step again, make run-clean removes everything.'

step/%: all | $(DEPS_RUN)
	@rm -f $(RUN)/$(RUN_LATEST)/$*.json
	$(with_server) $(RUN)/$(RUN_LATEST)/$*.json

## run-psql: psql on the warehouse of `make run`
run-psql: | $(DEPS_RUN)
	+@tests/sample/with-server.sh $(RUN) psql

# The owner makes the schema; the loader and the reader get what README.md says, and no more.
$(RUN)/warehouse: $(RUN_BIN)/migrate-warehouse $(wildcard tests/sample/*.sql)
	@echo "the warehouse"
	@psql -Xq -f tests/sample/warehouse.sql service=admin
	@V='$(V)' PGSERVICE=warehouse_owner tests/sample/step.sh $(RUN)/migrate-warehouse.json \
	    $(RUN_BIN)/migrate-warehouse
	@psql -Xq -v loader=loader -v reader=report_reader -f tests/sample/warehouse_rights.sql \
	    service=warehouse_owner
	@touch $@

endif

include $(filter-out tests/sample/run.mk,$(wildcard tests/sample/*.mk))

RUN_RESULTS = $(foreach day,$(RUN_DAYS),$(patsubst %,$(RUN)/$(day)/%.json,$($(PIPELINE)_steps)))

run-steps: $(RUN_RESULTS)
	@$($(PIPELINE)_report)

## run-clean: remove the server, the sample and the results of `make run`
run-clean:
	@! test -d $(RUN)/server || tests/lib/scratch-server.sh stop $(RUN)/server
	@case "$$(cat $(RUN)/server.location 2>/dev/null)" in \
	    /var/tmp/factline-cluster.*) rm -rf "$$(cat $(RUN)/server.location)" ;; esac
	rm -rf $(RUN)
