# Two commands do all the set-up on a fresh clone: `make serve` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: serve test check format bench conformance soak pins types clean

serve:  ## prepare everything, then answer over HTTP with the built-in `pony` in memory
	@$(PYTHON) scripts/prepare.py runtime
	@$(BIN)/paddock serve --preload pony

test:  ## prepare everything, then run every test
	@$(PYTHON) scripts/prepare.py dev
	@$(BIN)/python -m pytest $(TESTS)

check:  ## format, lint, types, imports, docs
	@$(PYTHON) scripts/prepare.py dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_docs.py

format:  ## rewrite the sources the way `make check` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench:  ## the numbers that README quotes; minutes, not part of CI
	@$(PYTHON) scripts/prepare.py dev
	$(BIN)/python -m benchmarks

conformance:  ## the SDKs' own cases against a server of ours; minutes, CI runs half of them
	@$(PYTHON) scripts/prepare.py dev
	$(BIN)/python -m tests.conformance

soak:  ## every test, in its long form where it has one; not part of CI
	@$(PYTHON) scripts/prepare.py dev
	PADDOCK_SOAK=1 $(BIN)/python -m pytest $(TESTS)

pins:  ## write requirements/*.txt anew (needs uv)
	scripts/pin.sh

types:  ## write the dashboard's types of the API anew
	@$(PYTHON) scripts/prepare.py dev
	$(BIN)/python -m tests.web.types

clean:
	rm -rf .venv .venv-clients web/node_modules src/paddock/web_pages tests/clients/node/node_modules .pytest_cache .ruff_cache .hypothesis .import_linter_cache
