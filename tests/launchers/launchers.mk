# SPDX-License-Identifier: MIT
#
# The executables under launchers that want root, namespaces and packages of their own: systemd,
# cron, a container builder. What needs none of it is in tests/tasks/test_other_launchers.py.

LAUNCHER_TESTS := $(sort $(wildcard tests/launchers/test_*.py tests/launchers/test_*.sh))

.PHONY: check-launchers
## check-launchers: the examples for systemd, cron and containers by the programs themselves; root
check-launchers: release
	@$(if $(filter no,$(DEPS)),,ci/install-deps launchers)
	@$(SCRATCH) $(RUN_TESTS) --database $(LAUNCHER_TESTS)
