# make run    opens the sample case; without a display it does the whole job and says where the results are
# make test   everything that must be green
# make package       the .deb and the .tar.gz of the app, into dist/
# make package-test  both tried in a clean Debian without Python (as the administrator)
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SYSTEM := $(VENV)/.system
TEST_SYSTEM := $(VENV)/.test-system
CODE := brainseg_desktop tests resources installer
# What Qt's wheels load at run time, and a font to draw with.
PACKAGES := libegl1 libgl1 libopengl0 libfontconfig1 libdbus-1-3 libxkbcommon0 libxkbcommon-x11-0 \
	libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 \
	libxcb-shape0 libxcb-xinerama0 libxcb-xkb1 fonts-dejavu-core
# A real archive for the tests of PACS (some 10 MB with what it needs); the program itself does without.
TEST_PACKAGES := orthanc orthanc-dicomweb
# What freezing and packing needs beside them, and what trying the packages needs.
FREEZE := build/freeze
FREEZE_EXTRAS := freeze
# make package CUDA=1 puts torch for NVIDIA's cards into it; not tried yet, see installer/cuda.md.
ifdef CUDA
FREEZE := build/freeze-cuda
FREEZE_EXTRAS := freeze,gpu
TORCH_INDEX := https://download.pytorch.org/whl/cu128
export BRAINSEG_CUDA := 1
endif
PACKAGE_PACKAGES := binutils patchelf dpkg-dev libwayland-client0 libwayland-cursor0 libwayland-egl1 libdrm2 libzstd1
# Debian's Python has the library that is frozen in a package of its own.
PACKAGE_PACKAGES += $(if $(filter /usr/bin/%,$(PYTHON)),lib$(notdir $(shell readlink -f $(PYTHON))))
PACKAGE_TEST_PACKAGES := debootstrap xvfb xdotool
# Which of the packages $(1) are not there, and how they come.
MISSING = $$(for p in $(1); do \
	dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done | xargs)
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

# Install them where that is allowed, else say how.
NEED = missing=$(call MISSING,$(1)); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && $(APT_INSTALL) $$missing; \
	elif [ -n "$$missing" ]; then \
		echo "Run first:  sudo apt-get install $$missing"; exit 1; \
	fi

.PHONY: run test lint format bench bench-napari selftest sample translations guide package package-test

run: $(INSTALLED) $(SYSTEM)
	@$(BIN)/brainseg open resources/sample --if-no-display out

test: $(INSTALLED) $(SYSTEM) $(TEST_SYSTEM) lint
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(INSTALLED)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy brainseg_desktop
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(INSTALLED) $(SYSTEM)
	$(BIN)/brainseg bench

# The same with napari beside us, in a folder of its own; needs a display with OpenGL (Xvfb with Mesa will do).
bench-napari: $(INSTALLED) $(SYSTEM) build/napari/.installed
	$(BIN)/brainseg bench --against napari

build/napari/.installed:
	$(PYTHON) -m venv build/napari
	build/napari/bin/pip install --quiet 'napari[pyside6]==0.9.2' nibabel==5.4.2
	touch $@

selftest: $(INSTALLED) $(SYSTEM)
	$(BIN)/brainseg selftest

# The list of texts that translators work from; see resources/languages/README.md.
translations: $(INSTALLED)
	$(BIN)/python resources/languages/extract.py

# Needs the ICBM152 template, which comes with nilearn; a folder of its own keeps that out of the program.
sample: build/nilearn/.installed
	build/nilearn/bin/python resources/sample/make_sample.py

# Takes the guide's pictures from the running program and renders its text for the web; the surface needs OpenGL.
guide: $(INSTALLED) $(SYSTEM)
	QT_QPA_PLATFORM=offscreen $(BIN)/python resources/guide/make_pictures.py
	@if command -v xvfb-run >/dev/null; then QT_QPA_PLATFORM=xcb xvfb-run -a -s '-screen 0 1600x1000x24' \
		$(BIN)/python resources/guide/make_pictures.py surface; fi
	$(BIN)/python resources/guide/make_web.py --into build/guide

build/nilearn/.installed:
	$(PYTHON) -m venv build/nilearn
	build/nilearn/bin/pip install --quiet nilearn==0.14.1 numpy==2.4.6 scipy==1.17.1 nibabel==5.4.2
	touch $@

$(INSTALLED): pyproject.toml constraints.txt
	@if ! $(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "Python 3.11 or newer with venv is needed: apt-get install python3 python3-venv"; exit 1; fi
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

# A Python of its own, so that nothing of development comes along.
package: $(FREEZE)/.installed
	@$(call NEED,$(PACKAGES) $(PACKAGE_PACKAGES))
	$(FREEZE)/bin/python installer/freeze.py
	$(FREEZE)/bin/python installer/linux/package.py

package-test: $(FREEZE)/.installed
	@$(call NEED,$(PACKAGE_TEST_PACKAGES))
	$(FREEZE)/bin/python installer/smoke/smoke.py

$(FREEZE)/.installed: pyproject.toml constraints.txt
	@if ! $(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "Python 3.11 or newer with venv is needed: apt-get install python3 python3-venv"; exit 1; fi
	$(PYTHON) -m venv --clear $(FREEZE)
	$(if $(TORCH_INDEX),$(FREEZE)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 \
		--index-url $(TORCH_INDEX))
	$(FREEZE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt '.[$(FREEZE_EXTRAS)]'
	touch $@

# Other systems than Debian and its kin bring these libraries with their desktop.
$(SYSTEM): $(INSTALLED)
	@if command -v dpkg-query >/dev/null; then \
		missing=$(call MISSING,$(PACKAGES)); \
		if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
			apt-get update -qq && $(APT_INSTALL) $$missing; \
		elif [ -n "$$missing" ]; then \
			echo "Libraries of Qt are missing. Run:  sudo apt-get install $$missing"; exit 1; \
		fi; \
	fi
	@touch $@

# Without them the tests that need them are skipped, and say so. Debian would start the archive as a service;
# the policy keeps it from that, and it is not to start with the machine either.
$(TEST_SYSTEM): $(SYSTEM)
	@if command -v dpkg-query >/dev/null; then \
		missing=$(call MISSING,$(TEST_PACKAGES)); policy=/usr/sbin/policy-rc.d; \
		if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
			if [ ! -e $$policy ]; then \
				printf '#!/bin/sh\nexit 101\n' > $$policy; chmod +x $$policy; trap "rm -f $$policy" EXIT; \
			fi; \
			{ apt-get update -qq && $(APT_INSTALL) $$missing; } || \
				echo "$$missing could not be installed: tests against a real archive are skipped."; \
			! command -v systemctl >/dev/null || systemctl disable orthanc >/dev/null 2>&1 || true; \
		elif [ -n "$$missing" ]; then \
			echo "Tests against a real archive are skipped. For them:  sudo apt-get install $$missing"; \
		fi; \
	else \
		echo "Tests against a real archive are skipped: they need Debian's packages $(TEST_PACKAGES)."; \
	fi
	@touch $@
