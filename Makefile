# Firn: everything is built under $(BUILD), and `make help` prints the targets.
#
# Which folders there are, and which of them a folder may use, is read from tests/lint/layers.txt: a folder's test binary is linked
# with that folder and, transitively, the folders its row names. So the layers hold at link time too, and a file that is
# broken elsewhere does not stop anybody's tests.
#
# Variables: BUILD=dir  DIR=storage/meta (one folder)  TEST=word (tests with it in their names)  WERROR=1  SAN=asan|tsan|cov
#            PREFIX, DESTDIR (install)  ARGS (run)  V=1 (print commands)

BUILD  ?= build
PREFIX ?= /usr/local
CC      = gcc
AR      = ar
OUT    := $(BUILD)$(if $(SAN),/$(SAN))

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wno-sign-conversion \
            $(if $(WERROR),-Werror)
CPPFLAGS := -I. -D_GNU_SOURCE $(shell pkg-config --cflags libxml-2.0 libpq)
CFLAGS   := -std=gnu17 -g -pthread -ffunction-sections -fdata-sections -fstack-protector-strong $(WARN)
LDFLAGS  := -pthread -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro,-z,now
LIBS     := -lmicrohttpd -llmdb -ljansson -luuid -lxml2 -lcrypto -lcurl -lpthread -lz -lbz2 -llzma -lzstd -lsnappy \
            $(if $(wildcard storage/meta/pg.c),-lpq)

ifeq ($(SAN),)
CFLAGS   += -O2
CPPFLAGS += -D_FORTIFY_SOURCE=2
else ifeq ($(SAN),asan)
CFLAGS   += -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LDFLAGS  += -fsanitize=address,undefined
else ifeq ($(SAN),tsan)
CFLAGS   += -O1 -fno-omit-frame-pointer -fsanitize=thread
LDFLAGS  += -fsanitize=thread
else ifeq ($(SAN),cov)
CFLAGS   += -O1 -fno-inline --coverage
LDFLAGS  += --coverage
else
$(error SAN is asan, tsan or cov, not '$(SAN)')
endif

# layers.txt as words "folder=folder,folder...": the folder itself and all that it may use. A row names only rows above it, so
# one pass gives the transitive sets.
LAYERS := $(shell awk -F: '/^[^\#]/ && NF > 1 { n = split($$2, deps, " "); set = $$1; \
              for (i = 1; i <= n; i++) set = set "," closure[deps[i]]; \
              m = split(set, all, ","); split("", seen); out = ""; \
              for (i = 1; i <= m; i++) if (all[i] != "" && !(all[i] in seen)) { seen[all[i]]; out = out "," all[i] } \
              closure[$$1] = substr(out, 2); print $$1 "=" closure[$$1] }' tests/lint/layers.txt)
comma   := ,
FOLDERS := $(foreach l,$(LAYERS),$(firstword $(subst =, ,$(l))))
$(foreach l,$(LAYERS),$(eval uses_$(firstword $(subst =, ,$(l))) := $(subst $(comma), ,$(lastword $(subst =, ,$(l))))))

# $(call sources,folder) are its product files, $(call tests,folder) its tests; MAIN has the main function.
MAIN     := server/main.c
tests     = $(sort $(wildcard $(1)/*_test.c))
sources   = $(filter-out $(MAIN) %_test.c,$(sort $(wildcard $(1)/*.c)))
objects   = $(patsubst %.c,$(OUT)/%.o,$(1))
archive   = $(OUT)/$(1)/folder.a
$(if $(filter-out $(FOLDERS),$(patsubst %/,%,$(DIR))),$(error DIR=$(DIR) is no folder of tests/lint/layers.txt))
RUNNER   := $(call objects,$(wildcard tests/unit/*.c))
TESTED   := $(foreach f,$(FOLDERS),$(if $(call tests,$(f)),$(f)))
UNITS    := $(foreach f,$(if $(DIR),$(filter $(patsubst %/,%,$(DIR)),$(TESTED)),$(TESTED)),$(OUT)/$(f)/unit)
PRODUCT  := $(call objects,$(foreach f,$(FOLDERS),$(call sources,$(f))) $(wildcard $(MAIN)))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all libs help unit test check asan tsan coverage prove fuzz clients image-test bench run docs install clean

all: $(OUT)/firn ## build the server: $(BUILD)/firn (the default)

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{ printf "%-10s %s\n", $$1, $$2 }'

unit: $(UNITS) ## run the unit tests (DIR=folder for one folder, TEST=word for the tests with it in their names)
	@sh tests/unit/run.sh $(if $(TEST),-w $(TEST)) $(UNITS)

test: ## run all that CI runs
	sh tests/run.sh

check: ## hold the house style: layers, sizes, format, banned functions, clang-tidy, cppcheck
	sh tests/lint/check.sh

asan: ## run the unit tests with address and undefined behaviour sanitizers
	@$(MAKE) --no-print-directory SAN=asan unit

tsan: ## run the unit tests with the thread sanitizer
	@$(MAKE) --no-print-directory SAN=tsan unit

coverage: ## run the unit tests and print which share of each folder's lines and branches they run (DIR=folder)
	@$(MAKE) --no-print-directory SAN=cov unit > $(BUILD)/coverage.txt 2>&1; tail -n 1 $(BUILD)/coverage.txt
	@python3 tests/unit/coverage.py $(BUILD)/cov $(or $(DIR),$(FOLDERS))

prove: ## the long forms of what CI runs short (HOURS=1; PROOFS="kills fuzz": only these)
	sh tests/prove.sh $(or $(HOURS),1) $(PROOFS)

fuzz: ## run every fuzz target for a while
	sh tests/fuzz/run.sh

# Spark and its jars are 600 MB, so this is not in CI. It wants a JDK 17 and Maven, and installs to build/venv-spark and build/jars.
SPARK_JARS := iceberg-spark-runtime-4.0_2.13 iceberg-aws-bundle
ICEBERG    := 1.11.0
clients: all ## run Spark against the server (installs it first: 600 MB)
	$(Q)cmp -s tests/clients/spark/requirements.txt build/venv-spark/installed.txt || { \
	    python3 -m venv --clear build/venv-spark && \
	    build/venv-spark/bin/pip install -q --disable-pip-version-check -r tests/clients/spark/requirements.txt && \
	    cp tests/clients/spark/requirements.txt build/venv-spark/installed.txt; }
	$(Q)for jar in $(SPARK_JARS); do \
	    [ -s build/jars/$$jar-$(ICEBERG).jar ] || \
	        mvn -q -B dependency:copy -Dartifact=org.apache.iceberg:$$jar:$(ICEBERG) -DoutputDirectory=$(CURDIR)/build/jars || exit 1; \
	done
	FIRN_BINARY=$(abspath $(OUT)/firn) build/venv-spark/bin/python -m pytest -q -p no:cacheprovider tests/clients/spark/scenario.py

image-test: ## run the image's very steps in chroots (needs root and debootstrap)
	python3 tests/deploy/image.py

bench: all ## measure, side by side with servers that are named (PEERS="NAME=..."; PAGE=docs/BENCHMARKS.md writes the page)
	@sh tests/bench/run.sh $(PEERS)

run: all ## start the server (ARGS="...")
	$(OUT)/firn $(ARGS)

docs: all ## write the generated parts of docs/
	sh docs/generate.sh

install: all ## install to $(DESTDIR)$(PREFIX)
	install -D -m 755 $(OUT)/firn $(DESTDIR)$(PREFIX)/bin/firn
	$(OUT)/firn man >$(OUT)/firn.1
	$(OUT)/firn completion bash >$(OUT)/firn.bash
	$(OUT)/firn completion zsh >$(OUT)/firn.zsh
	install -D -m 644 $(OUT)/firn.1 $(DESTDIR)$(PREFIX)/share/man/man1/firn.1
	install -D -m 644 $(OUT)/firn.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/firn
	install -D -m 644 $(OUT)/firn.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_firn

clean: ## remove what was built
	rm -rf $(BUILD)

libs: $(foreach f,$(FOLDERS),$(call archive,$(f))) ## build one archive for each folder, for fuzz targets and benchmarks

$(OUT)/firn: $(PRODUCT)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(OUT)/%.o: %.c Makefile
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define folder_rules
$(call archive,$(1)): $(call objects,$(call sources,$(1)))
	$(Q)mkdir -p $$(@D) && rm -f $$@ && $(AR) rcs $$@ $$^

$(OUT)/$(1)/unit: $(call objects,$(call tests,$(1))) $(RUNNER) $(foreach f,$(uses_$(1)),$(call archive,$(f)))
	$$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LIBS)
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

-include $(patsubst %.o,%.d,$(PRODUCT) $(RUNNER) $(call objects,$(foreach f,$(FOLDERS),$(call tests,$(f)))))
