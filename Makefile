# Every target brings up its own environment from nothing; the second time costs nothing.
.PHONY: demo test scan test-aws test-instance test-containers test-live-services test-thorough check coverage bench generate format clean help
.DEFAULT_GOAL := help
BIN := .venv/bin
# Each worker begins with a third in order, so that tests which share a deployment or a server meet in one worker. Three for two cores:
# a quarter of a test's time is waiting, in which another computes.
PYTEST := $(BIN)/pytest -q -n 3 --dist worksteal
# Debian keeps servers such as nginx where only root looks.
export PATH := $(PATH):/usr/sbin:/sbin

help: ## what there is to type
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

demo: ## deploy everything on this machine and let it solve an incident
	@scripts/bring-up demo
	@scripts/demo

test: ## all tests, in three workers for two cores
	@scripts/bring-up test
	@scripts/system-packages
	@$(PYTEST) $(ARGS)

test-aws: ## deploy, kill, update, rotate and clean up in an AWS account of its own; ARGS=--local: in the local AWS
	@scripts/bring-up test
	@scripts/system-packages
	@PYTHONPATH=tests $(BIN)/python -m live $(ARGS)

scan: ## run security scanners over template, policies, units, locks and a local deployment; write report and SBOM
	@scripts/bring-up test
	@scripts/system-packages
	@$(BIN)/python -m scripts.scan $(ARGS)

test-instance: ## deploy in production mode, boot the machine for real and try what it must survive; root on Debian, ten minutes; VM=qemu: with its own kernel
	@scripts/bring-up test
	@scripts/system-packages instance $(VM)
	@PYTHONPATH=tests $(BIN)/python -m booted $(if $(VM),--vm=$(VM)) $(ARGS)

test-containers: ## build the images of containers/ with buildah and look into them; root on Debian, minutes
	@scripts/bring-up test
	@scripts/system-packages containers
	@PYTHONPATH=tests $(BIN)/python -m booted.container

test-live-services: ## ask a real kube-apiserver what the tests' own API server is asked; root on Debian, minutes to build it once
	@scripts/bring-up test
	@scripts/system-packages live-services
	@SRE_TEST_KUBE_APISERVER=$$(scripts/kube-apiserver) && export SRE_TEST_KUBE_APISERVER && \
		$(BIN)/pytest -q -n 0 tests/sre_services/kubernetes/test_api_contract.py $(ARGS)

test-thorough: ## all tests with every point and many more examples; hours
	@scripts/bring-up test
	@scripts/system-packages
	@HYPOTHESIS_PROFILE=thorough $(PYTEST) $(ARGS)
	@$(MAKE) test-mutations

test-mutations: ## change safety-critical code in one place at a time: a test must fail each time; ARGS="nginx": prepared faults by name
	@scripts/bring-up test
	@scripts/system-packages
	@$(BIN)/python scripts/faults $(ARGS)
	@$$(scripts/get-uv $(BIN)/python) sync --quiet --frozen --all-extras --group mutation
	@$(BIN)/python scripts/mutations

coverage: ## the same, and at least the coverage that pyproject.toml asks for
	@scripts/bring-up test
	@scripts/system-packages
	@$(PYTEST) --cov --cov-report=term:skip-covered $(ARGS)

check: ## formatting, lint, types, and that generated files are fresh
	@scripts/bring-up test
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m sre_services openapi --check
	@$(BIN)/python -m sre_services recordings --check

format: ## put the code into the house's format
	@scripts/bring-up test
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: ## speed, as ratios against named peers in the same run
	@scripts/bring-up test
	@$(BIN)/python -m bench

generate: ## what is derived and committed: OpenAPI documents, recordings, tables, examples, a machine's locked libraries
	@scripts/bring-up test
	@$(BIN)/python -m sre_services openapi
	@$(BIN)/python -m sre_services recordings
	@for script in scripts/generate_*.py; do $(BIN)/python $$script || exit 1; done
	@$$(scripts/get-uv $(BIN)/python) export --quiet --frozen --extra services --extra agent --extra machine --extra traces --no-dev --no-emit-project \
		--no-header --no-annotate --output-file src/sre_agent_deploy/instance/requirements.txt
	@$$(scripts/get-uv $(BIN)/python) export --quiet --frozen --only-group installer --no-header --no-annotate \
		--output-file src/sre_agent_deploy/instance/installer.txt

clean: ## back to a fresh clone: environment, tools, caches
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* dist .find-python-says tests/contracts/.venv-mcp1*
	@find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} +
