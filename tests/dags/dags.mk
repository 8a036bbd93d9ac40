# SPDX-License-Identifier: MIT
#
# The DAGs under real Airflow, 2.11 and 3: a virtual environment of each in build/airflow, made from
# the lock files in ci/ and nothing else. Without a network the installation fails and says so; no
# test is left out. What needs no Airflow is in tests/dags/test_*.py and runs with the unit tests.

AIRFLOW_VERSIONS := 2 3
AIRFLOW_PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
AIRFLOW_TESTS := $(sort $(wildcard tests/dags/airflow/test_*.py))
AIRFLOW_READY := $(AIRFLOW_VERSIONS:%=build/airflow/%/ready)

# Never one for both at once: pip is the only part of it that wants the network.
build/airflow/%/ready: ci/airflow-%.txt | $(DEPS_CHECK)
	@echo "installing Airflow $* from $<" && rm -rf $(@D) && mkdir -p $(@D) && \
	$(AIRFLOW_PYTHON) -m venv $(@D) && \
	$(@D)/bin/pip install --disable-pip-version-check --no-deps -q -r $< || { \
	echo "make: could not install Airflow $* from PyPI; it needs a network (pip's settings are" \
	    "honoured), python3-venv of Python 3.11, and 300 MB" >&2; exit 1; }
	@touch $@

.PHONY: airflow
## airflow: the virtual environments of the Airflow tests, in build/airflow
airflow: $(AIRFLOW_READY)

.PHONY: check-airflow
## check-airflow: the DAGs under Airflow 2.11 and 3, from PyPI into build/airflow; ends with a table
check-airflow: release $(AIRFLOW_READY)
	@rm -f build/airflow/cases-*
	@status=0; $(SCRATCH) $(RUN_TESTS) --database $(AIRFLOW_TESTS) || status=$$?; \
	    $(AIRFLOW_PYTHON) tests/dags/airflow/table.py; exit $$status
