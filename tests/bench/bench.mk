# SPDX-License-Identifier: MIT
#
# The figures of the design as ratios, each beside its yardstick in one run. Means little while
# anything else runs on the machine.

.PHONY: bench
## bench: figures as ratios of one run; SCALE=1 million rows, HISTORY=20 millions of facts or 0
bench: bench-$(or $(PIPELINE),commcare)

.PHONY: bench-commcare bench-openedx
bench-commcare: release
	@tests/lib/scratch-server.sh run python3 tests/bench/commcare.py --scale $(or $(SCALE),1)
ifneq ($(HISTORY),0)
	@tests/lib/scratch-server.sh run python3 tests/bench/commcare_history.py \
	    --small $(or $(SCALE),1) --large $(or $(HISTORY),20)
endif

bench-openedx: release
	@tests/lib/scratch-server.sh run python3 tests/bench/openedx.py --scale $(or $(SCALE),1) \
	    --history $(or $(HISTORY),20)
