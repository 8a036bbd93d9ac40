# SPDX-License-Identifier: MIT
#
# The figures of the design as ratios, each beside its yardstick in one run. Takes some minutes, and
# means little while anything else runs on the machine.

.PHONY: bench
## bench: figures of PIPELINE=commcare as ratios, each beside its yardstick; SCALE=1 is a million
bench: release
	@tests/lib/scratch-server.sh run \
	    python3 tests/bench/$(or $(PIPELINE),commcare).py --scale $(or $(SCALE),1)
