# Builds $(BUILD)/$(GUEST).wasm, the core module, of the guest's sources; guest-pack makes a component and a flash image of it.
# A guest's Makefile sets GUEST and includes this; it may set SOURCES and OPTIMISATION first.
WASI_SDK_PATH ?= /opt/wasi-sdk
BUILD ?= target
SOURCES ?= $(GUEST).c
OPTIMISATION ?= -Oz -flto

CC := "$(WASI_SDK_PATH)/bin/clang"
PLATFORM := $(dir $(lastword $(MAKEFILE_LIST)))

CFLAGS := -std=c23 $(OPTIMISATION) -Wall -Wextra -Werror "-I$(PLATFORM)"
# The same bytes wherever the sources stand.
CFLAGS += "-ffile-prefix-map=$(CURDIR)=."

# A library with one exported function: no main, no _start, no constructors.
LDFLAGS := -mexec-model=reactor -nostartfiles -Wl,--no-entry -Wl,--strip-all
# Memory to the byte: pages of 1 byte instead of 64 KiB, a stack of 1 KiB that meets an access out of bounds when it
# overflows instead of other data, and no growing.
LDFLAGS += -Wl,--page-size=1 -Wl,-z,stack-size=1024 -Wl,--stack-first -Wl,--no-growable-memory
# A wasm-opt that happens to be on PATH would change the bytes.
LDFLAGS += --no-wasm-opt

$(BUILD)/$(GUEST).wasm: $(SOURCES) $(wildcard *.h) $(PLATFORM)platform.h Makefile $(PLATFORM)guest.mk
	mkdir -p $(BUILD)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(SOURCES)

.PHONY: clean
clean:
	rm -rf $(BUILD)
