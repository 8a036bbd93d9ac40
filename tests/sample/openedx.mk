# SPDX-License-Identifier: MIT
#
# Open edX in `make run PIPELINE=openedx`: seven feeds, enrollment data and daily metrics, and a check
# of them. A transform follows its load, enrollment data follows all facts and the structure; nothing
# waits for a dimension. Of an own installation (WAREHOUSE=own) you say where the extracts are:
#
#   OPENEDX_FILES    a folder with FEED.tsv, FEED.csv or FEED.ndjson for each feed there is

openedx_generator := tests/sample/openedx/generate.py
openedx_history_end = $(shell cat $(RUN)/sample/openedx/history-end 2>/dev/null)
openedx_all := learner course_block course_access_role enrollment student_module \
    student_module_history certificate
openedx_dims := learner course_block course_access_role

ifeq ($(WAREHOUSE),own)
openedx_folder = $(OPENEDX_FILES)
openedx_as_of =
openedx_feeds = $(foreach feed,$(openedx_all),$(if $(wildcard $(OPENEDX_FILES)/$(feed).*),$(feed)))
else
openedx_folder = $(RUN)/sample/openedx/$(if $(filter day1,$1),history,next)
openedx_as_of = --as-of $(shell date -u -d '$(openedx_history_end) \
    $(if $(filter day1,$1),- 1 day,)' +%F)
openedx_feeds = $(openedx_all)
endif
openedx_steps = $(foreach feed,$(openedx_feeds),$(feed)-load $(feed)-transform) enrollment-data \
    verify-enrollment-data

# $1 is the feed, $2 the task of its transform
define openedx_feed
$$(RUN)/%/$1-load.json: $$(RUN)/%/openedx-ready
	$$(call step,load-staging $1 --source $$(firstword $$(wildcard $$(call openedx_folder,$$*)/$1.*)))

$$(RUN)/%/$1-transform.json: $$(RUN)/%/$1-load.json
	$$(call step,$2 $1 --batch-file $$<)
endef
$(foreach feed,$(openedx_dims),$(eval $(call openedx_feed,$(feed),transform-dim)))
$(foreach feed,$(filter-out $(openedx_dims),$(openedx_all)),\
    $(eval $(call openedx_feed,$(feed),transform-fact)))

$(RUN)/%/enrollment-data.json: $(foreach feed,$(openedx_feeds),$(RUN)/%/$(feed)-transform.json)
	$(call step,enrollment-data-from-fact $(call openedx_as_of,$*))

$(RUN)/%/verify-enrollment-data.json: $(RUN)/%/enrollment-data.json
	@tests/sample/step.sh $@ $(RUN_BIN)/verify-enrollment-data

# ---- the source ----

$(RUN)/own/%/openedx-ready:
	@mkdir -p $(@D)
	@test -d '$(OPENEDX_FILES)' || { echo "make run: OPENEDX_FILES names no folder; see" \
	    "tests/sample/openedx.mk" >&2; exit 64; }
	@touch $@

$(RUN)/sample/openedx/made: $(openedx_generator)
	@mkdir -p $(@D)
	@echo "the sample"
	@end='$(HISTORY_END)'; end=$${end:-$$(date -u -d yesterday +%F)}; \
	    $(openedx_generator) installation $(@D) --scale $(SCALE) --history-end "$$end" && \
	    echo "$$end" >$(@D)/history-end
	@touch $@

$(RUN)/day1/openedx-ready: $(RUN)/sample/openedx/made | $(RUN)/warehouse
	@mkdir -p $(@D)
	@echo "day 1: sixty days of history, until $(openedx_history_end)"
	@touch $@

$(RUN)/day2/openedx-ready: $(openedx_steps:%=$(RUN)/day1/%.json)
	@mkdir -p $(@D)
	@echo "day 2: one more day"
	@touch $@

define openedx_report
psql -Xq -f tests/sample/openedx/report.sql
echo
$(RUN_BIN)/batch-status --quiet
endef
