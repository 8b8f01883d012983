# SPDX-License-Identifier: Apache-2.0
#
# The short names for everything; the build itself is Meson and Ninja.
#
#   make run        set up, build, prepare the model, cut out a photo, serve on 127.0.0.1:8080
#   make run ONCE=1 the same without serving
#   make test       set up and run every test that ends within minutes
#   make test-full  the slow ones too
#   make bench      side by side with OpenSSL, libmicrohttpd, Argon2id, oidc-provider, dd, tus servers and rembg
#   make help       this list

MAKEFLAGS += --no-print-directory
BUILD     := build
MODEL     := isnet-general-use
PYTHON    := .deps/venv/bin/python
BINARY    := $(BUILD)/imagesync
PHOTO      = $(firstword $(wildcard .deps/venv/lib/python3*/site-packages/skimage/data/chelsea.png))
LISTEN    ?= 127.0.0.1:8080

# One step at a time, so that the lines they print stay whole; each uses all processors.
.NOTPARALLEL:
.PHONY: help run demo setup build model test test-full lint format fuzz bench clean

help:
	@sed -n 's/^#   //p' Makefile

run: demo
ifndef ONCE
	@echo "Serving the page and the API on http://$(LISTEN); Ctrl-C ends it."
	@exec $(BINARY) serve --listen $(LISTEN) --data var
endif

setup:
	@tools/setup.sh build

build: setup
	@tools/build.sh $(BUILD)

model: setup
	@$(PYTHON) models/prepare.py $(MODEL) --out var/models

# A real photo, cut out once; again when the binary or the model has changed.
demo: build model
	@[ out/chelsea-cutout.png -nt $(BINARY) ] && \
	  [ out/chelsea-cutout.png -nt var/models/$(MODEL)/manifest.json ] || \
	  { mkdir -p out && $(BINARY) cutout $(PHOTO) -o out/chelsea-cutout.png --data var --force; }
	@echo "The cut-out is in out/chelsea-cutout.png."

test:
	@tools/setup.sh test
	@$(MAKE) build model
	@$(PYTHON) tools/test.py

test-full:
	@tools/setup.sh test
	@$(MAKE) build model
	@$(PYTHON) tools/test.py --full

lint:
	@tools/setup.sh test
	@$(MAKE) build
	@$(PYTHON) tools/test.py --only lint

format:
	@git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'bench/*.[ch]' | xargs clang-format-14 -i

fuzz:
	@tools/setup.sh test
	@$(MAKE) setup
	@tools/fuzz.sh

bench:
	@tools/setup.sh bench
	@$(MAKE) build model
	@$(PYTHON) bench/jwt.py
	@$(PYTHON) bench/me.py
	@$(PYTHON) bench/sign_in.py
	@$(PYTHON) bench/tokens.py
	@$(PYTHON) bench/blobs.py
	@$(PYTHON) bench/jobs.py
	@$(PYTHON) bench/streams.py
	@$(PYTHON) bench/events.py
	@$(PYTHON) bench/changes.py
	@$(PYTHON) bench/uploads.py
	@$(PYTHON) bench/library.py
	@$(PYTHON) bench/rebuild.py --photos 30000
	@$(PYTHON) bench/compare.py
	@$(PYTHON) bench/million.py

clean:
	@rm -rf build build-* build.log out
