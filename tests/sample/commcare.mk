# SPDX-License-Identifier: MIT
#
# CommCare in `make run`: seven feeds, the two App Status workflows, and a check of their table.
# The order is that of the DAGs: a transform follows its load, App Status follows its facts, and
# nothing waits for a dimension. Of an own installation (WAREHOUSE=own) you say where things are:
#
#   FORM_SOURCES, SYNCLOG_SOURCES, LOCATION_SOURCES    connection strings without blanks, say
#       "service=hq_p1 service=hq_p2"; without one the feed reads what SOURCE_PG* names
#   USER_DOCUMENTS, GROUP_DOCUMENTS, DOMAIN_DOCUMENTS, APPLICATION_DOCUMENTS    files; without one
#       the feed is left out
#   FEEDS    the feeds to run, where that is not all of them

commcare_generator := tests/sample/commcare/generate.py
commcare_history_end = $(shell cat $(RUN)/sample/commcare/history-end 2>/dev/null)

FEEDS ?= user group domain location application form synclog
ifeq ($(WAREHOUSE),own)
commcare_without = $(if $(USER_DOCUMENTS),,user) $(if $(GROUP_DOCUMENTS),,group) \
    $(if $(DOMAIN_DOCUMENTS),,domain) $(if $(APPLICATION_DOCUMENTS),,application)
endif
commcare_feeds = $(filter-out $(commcare_without),$(FEEDS))
commcare_steps = $(foreach feed,$(commcare_feeds),$(feed)-load $(feed)-transform \
    $(if $(filter form synclog,$(feed)),app-status-$(feed))) \
    $(if $(filter sample,$(WAREHOUSE)),verify-app-status)

# $1 is the feed, $2 the day
ifeq ($(WAREHOUSE),own)
commcare_sources = $(foreach source,$(commcare_own_$1),--source '$(source)')
commcare_own_form = $(FORM_SOURCES)
commcare_own_synclog = $(SYNCLOG_SOURCES)
commcare_own_location = $(LOCATION_SOURCES)
commcare_own_user = $(USER_DOCUMENTS)
commcare_own_group = $(GROUP_DOCUMENTS)
commcare_own_domain = $(DOMAIN_DOCUMENTS)
commcare_own_application = $(APPLICATION_DOCUMENTS)
else
commcare_sources = $(if $(commcare_databases_$1),$(foreach database,$(commcare_databases_$1),\
    --source service=$(database)) $(commcare_settle_$2),--source $(commcare_folder_$2)/$1s.ndjson)
commcare_databases_form := hq_form_1 hq_form_2
commcare_databases_synclog := hq_synclog
commcare_databases_location := hq_main
commcare_folder_day1 := $(RUN)/sample/commcare/history
commcare_folder_day2 := $(RUN)/sample/commcare/next
# The first day's window ends where the history does; the second's, as usual, where the source's
# clock and its open transactions allow.
commcare_settle_day1 = --settle \
    $(shell expr $$(date +%s) - $$(date -u -d '$(commcare_history_end)' +%s))s
endif

# $1 is the feed, $2 the task of its transform
define commcare_feed
$$(RUN)/%/$1-load.json: $$(RUN)/%/commcare-ready
	$$(call step,load-staging $1 $$(call commcare_sources,$1,$$*))

$$(RUN)/%/$1-transform.json: $$(RUN)/%/$1-load.json
	$$(call step,$2 $1 --batch-file $$<)
endef
$(foreach feed,user group domain location application,\
    $(eval $(call commcare_feed,$(feed),transform-dim)))
$(foreach feed,form synclog,$(eval $(call commcare_feed,$(feed),transform-fact)))

$(RUN)/%/app-status-form.json: $(RUN)/%/form-transform.json
	$(call step,app-status-from-fact form)

$(RUN)/%/app-status-synclog.json: $(RUN)/%/synclog-transform.json
	$(call step,app-status-from-fact synclog)

$(RUN)/%/verify-app-status.json: $(RUN)/%/app-status-form.json $(RUN)/%/app-status-synclog.json
	@tests/sample/step.sh $@ $(RUN_BIN)/verify-app-status

# ---- the source ----

$(RUN)/own/%/commcare-ready:
	@mkdir -p $(@D)
	@echo "incremental run $*"
	@touch $@

# Yesterday is the second day, unless HISTORY_END says otherwise.
$(RUN)/sample/commcare/made: $(commcare_generator)
	@mkdir -p $(@D)
	@echo "the sample"
	@end='$(HISTORY_END)'; end=$${end:-$$(date -u -d yesterday +%F)}; \
	    $(commcare_generator) installation $(@D) --scale $(SCALE) --history-end "$$end" && \
	    echo "$$end" >$(@D)/history-end
	@touch $@

$(RUN)/day1/commcare-ready: $(RUN)/sample/commcare/made | $(RUN)/warehouse
	@mkdir -p $(@D)
	@for name in form_1 form_2 synclog main; do \
	    psql -Xq -v ON_ERROR_STOP=1 service=admin -c "DROP DATABASE IF EXISTS hq_$$name" \
	        -c "CREATE DATABASE hq_$$name TEMPLATE template0 ENCODING 'UTF8'" 2>$(@D)/source.log && \
	    psql -Xq -v ON_ERROR_STOP=1 -v reader=hq_reader "service=hq_$$name user=postgres" \
	        -f tests/sample/commcare/schema/$${name%_[12]}.sql -f $(commcare_folder_day1)/$$name.sql \
	        -f tests/sample/commcare/source_rights.sql || exit; done
	@echo "day 1: thirty days of history, until $(commcare_history_end)"
	@touch $@

$(RUN)/day2/commcare-ready: $(commcare_steps:%=$(RUN)/day1/%.json)
	@mkdir -p $(@D)
	@for name in form_1 form_2 synclog main; do \
	    psql -Xq -v ON_ERROR_STOP=1 "service=hq_$$name user=postgres" \
	        -f $(commcare_folder_day2)/$$name.sql || exit; done
	@echo "day 2: one more day, and what it changed in the days before"
	@touch $@

# ---- the report ----

ifeq ($(WAREHOUSE),own)
commcare_as_of = now
commcare_reader =
else
commcare_as_of = $(shell date -u -d '$(commcare_history_end) + 1 day' +%FT%TZ)
commcare_reader = service=warehouse_reader
endif

define commcare_report
psql -Xq -v as_of='$(commcare_as_of)' -f tests/sample/commcare/report.sql $(commcare_reader)
echo
$(RUN_BIN)/batch-status --quiet
endef
