# `make` alone lists the targets. Each line of a target is a command that a person could type.
# Everything runs in .venv, which is made from the locks in requirements/; never install into it by hand.

# sample, tatoeba, or a TSV file of pairs
DATA ?= sample
PYTHON ?= python3
IMAGE ?= sagemaker-nmt
MINUTES ?= 60
# a folder with a model directory named model in it
FROM ?= data/pretrained

.PHONY: help demo serve test check image image-pytorch image-gpu test-gpu sbom docs lock resolve bench-train bench-serve bench-text soak bench-quality ablations
help:
	@echo "make demo                 train on the embedded sample, serve it, translate ten sentences (5 minutes)"
	@echo "make demo DATA=tatoeba    the same on the Tatoeba English-Spanish corpus (40 minutes)"
	@echo "make serve                serve data/pretrained, with a page at http://localhost:8080, until Ctrl-C"
	@echo "make serve FROM=build/demo/opt-ml    the same with the model of the last demo"
	@echo "make test                 every test; those that need Docker run where there is an engine"
	@echo "make check                ruff, mypy, shellcheck"
	@echo "make image                build the Docker image; make image-gpu: with TensorFlow's CUDA libraries;"
	@echo "                          make image-pytorch: with PyTorch instead of TensorFlow"
	@echo "make test-gpu             build the GPU image, train and serve with it (25 GB of disk; no GPU needed)"
	@echo "make bench-train          training speed beside JoeyNMT, Keras and an eager loop (15 minutes; CORPUS=PAIRS.tsv)"
	@echo "make bench-serve          serving speed beside the engine alone and other servers (12 minutes; MODEL=DIR CORPUS=...)"
	@echo "make bench-text           chrF2 on text as people write it, beside plain text; single cases (MODEL=DIR CORPUS=PAIRS.tsv)"
	@echo "make soak                 15 minutes of mixed traffic: failures, memory, p99 (MODEL=DIR CORPUS=...)"
	@echo "make sbom                 what is in the image, with licences: build/sbom.cdx.json, build/licences.md"
	@echo "make bench-quality        BLEU and chrF against time beside JoeyNMT (MINUTES=60 of training each; CORPUS=PAIRS.tsv)"
	@echo "make ablations            what each part of the recipe gives, four to ten minutes for each row (CORPUS=PAIRS.tsv)"
	@echo "make docs                 write the tables in docs/ again from the code"
	@echo "make lock                 resolve pyproject.toml into requirements/*.txt again"
	@echo "make resolve              prove that the locks resolve on Python 3.11, 3.12 and 3.13"

bench-train:
	local_test/setup.sh runtime
	local_test/setup.sh torch
	benchmarks/setup.sh
	.venv/bin/python -m benchmarks.training.speed $(if $(CORPUS),--corpus "$(CORPUS)")

bench-serve:
	local_test/setup.sh runtime
	.venv/bin/python -m benchmarks.serving.speed $(if $(MODEL),--model "$(MODEL)") $(if $(CORPUS),--data "$(CORPUS)")

bench-text:
	@test -n "$(CORPUS)" || { echo "make bench-text needs a TSV file of pairs that training has not seen: CORPUS=PAIRS.tsv"; exit 2; }
	local_test/setup.sh runtime
	.venv/bin/python -m benchmarks.serving.text --model "$(or $(MODEL),data/pretrained)" --corpus "$(CORPUS)" \
		$(if $(SENTENCES),--sentences $(SENTENCES)) $(if $(JSON),--json "$(JSON)")

soak:
	local_test/setup.sh runtime
	.venv/bin/python -m benchmarks.serving.soak $(if $(MODEL),--model "$(MODEL)") $(if $(CORPUS),--data "$(CORPUS)") \
		--keep benchmarks/soak.md

bench-quality:
	local_test/setup.sh runtime
	benchmarks/setup.sh
	.venv/bin/python -m benchmarks.training.quality_over_time --minutes $(MINUTES) $(if $(CORPUS),--corpus "$(CORPUS)")

ablations:
	local_test/setup.sh runtime
	.venv/bin/python -m benchmarks.training.ablations $(if $(CORPUS),--corpus "$(CORPUS)")

demo:
	local_test/setup.sh runtime
	.venv/bin/python -m local_test.demo --data "$(DATA)"

serve:
	local_test/setup.sh runtime
	PATH="$(CURDIR)/.venv/bin:$$PATH" SAGEMAKER_BASE_DIR="$(FROM)" container/bin/serve

# Without PyTorch its tests are skipped, but not in CI.
test:
	local_test/setup.sh test
	local_test/setup.sh torch || [ "$$CI" != true ]
	.venv/bin/python -m pytest $(TESTS)

check:
	local_test/setup.sh test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy container train serve data local_test docs
	git ls-files -z '*.sh' container/bin .ci/run | xargs -0 .venv/bin/shellcheck

image:
	docker build --tag $(IMAGE) .

image-pytorch:
	docker build --build-arg FRAMEWORK=pytorch --tag $(IMAGE):pytorch .

image-gpu:
	docker build --build-arg ACCELERATOR=gpu --tag $(IMAGE):gpu .

test-gpu:
	local_test/setup.sh test
	.venv/bin/python -m pytest -m gpu_image tests/docker/test_gpu_image.py

sbom:
	mkdir -p build
	docker run --rm $(IMAGE) cat /opt/sbom.cdx.json >build/sbom.cdx.json
	python3 requirements/licences.py <build/sbom.cdx.json >build/licences.md

docs:
	.venv/bin/python -m docs.tables.pages

lock:
	requirements/lock.sh

resolve:
	requirements/lock.sh --prove
