# wsgate: one flat Makefile. The lists below are the architecture: see src/README.md.
#
#   make            ./wsgate                     make check      all tests (unit, fuzz, conformance, scenario, browser)
#   make demo       builds and runs the demo     make asan/tsan  the same under sanitizers
#   make install    PREFIX=/usr/local DESTDIR=   make lint       format, clang-tidy, cppcheck, gcc -fanalyzer

VERSION := 0.1.0
PREFIX  ?= /usr/local
OUT     ?= build
CC      ?= gcc
WSGATE  ?= wsgate

# --- rooms -----------------------------------------------------------------------------------

BASE    := buf gather text log crypto address
PROTO   := utf8 utf8_blocks json http http_date chunked cgi deflate deflate_offer upgrade ws framing framing_lines framing_raw framing_message framing_netstring \
	framing_jsonl framing_lsp framing_tagged
IO      := loop tls stream child resolve dial listen
BACKEND := environment pipe pty spawn stderr_log process socket
GATE    := arena options preload value value_program draft draft_tls config command help access limit record folder client session \
	pages console body cgi worker server

# --- tools and flags -------------------------------------------------------------------------

PKG_CONFIG ?= pkg-config
LIBS := libssl libcrypto inih zlib libcares
CFLAGS ?= -O2 -g
SANITIZE ?=
LTO ?= -flto=auto

WARN := -Wall -Wextra -Wshadow -Wpedantic -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wformat=2 -Werror
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection
ifeq ($(SANITIZE),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
OPTIMISE := $(LTO)
else
OPTIMISE := -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -DWSGATE_POISON
endif

ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -Isrc -DWSGATE_VERSION='"$(VERSION)"' $(WARN) $(HARDEN) $(OPTIMISE) \
	-pthread $(shell $(PKG_CONFIG) --cflags $(LIBS)) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed -pthread $(OPTIMISE) $(LDFLAGS)
ALL_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBS)) -lev

# --- the program -----------------------------------------------------------------------------

objects = $(addprefix $(OUT)/src/$(1)/,$(addsuffix .o,$(2)))
ROOMS := $(call objects,base,$(BASE)) $(call objects,proto,$(PROTO)) $(call objects,io,$(IO)) \
	$(call objects,backend,$(BACKEND)) $(call objects,gate,$(GATE))
OBJECTS := $(ROOMS) $(OUT)/src/main.o

LINE_LIBRARY := $(OUT)/libwsgate-line.so

all: $(WSGATE) $(LINE_LIBRARY)

Q := $(if $(V),,@)

$(WSGATE): $(OBJECTS)
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The page is taken in by .incbin, which neither -MMD nor LTO looks into.
$(OUT)/src/gate/console.o: src/gate/console.html
$(OUT)/src/gate/console.o: ALL_CFLAGS += -fno-lto

$(OUT)/src/gate/preload.o: ALL_CFLAGS += -DWSGATE_LIBDIR='"$(PREFIX)/lib/wsgate"'

# A guest in other programs: no sanitizer, no flags of ours that it would bring there, two pages of memory.
$(LINE_LIBRARY): src/preload/line.c
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O2 -fPIC -fcf-protection -shared -nostartfiles \
		-Wl,-z,relro,-z,now,-z,noexecstack,-z,noseparate-code,--hash-style=gnu,-soname,$(@F) -o $@ $<

-include $(shell test -d $(OUT) && find $(OUT) -name '*.d')

# --- unit tests: each links its own room and those beneath, nothing else ---------------------

UNIT_SOURCES := $(wildcard tests/unit/*.c)
UNITS := $(UNIT_SOURCES:tests/unit/%.c=$(OUT)/unit/%)
CMOCKA = $(shell $(PKG_CONFIG) --libs cmocka)
UNDER_base    := $(call objects,base,$(BASE))
UNDER_proto   := $(UNDER_base) $(call objects,proto,$(PROTO))
UNDER_io      := $(UNDER_base) $(call objects,io,$(IO))
UNDER_backend := $(UNDER_proto) $(call objects,io,$(IO)) $(call objects,backend,$(BACKEND))
UNDER_gate    := $(ROOMS)

.SECONDEXPANSION:
$(OUT)/unit/%: $(OUT)/tests/unit/%.o $$(UNDER_$$(firstword $$(subst _, ,%)))
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS) $(CMOCKA)

unit: $(UNITS)
	@for t in $(UNITS); do $(UNDER) $$t || exit 1; done

# --- fuzzing: the same sources, by clang, with a property each --------------------------------

FUZZ_SECONDS ?= 5
FUZZ_OUT := build-fuzz
FUZZ_SOURCES := $(wildcard tests/fuzz/*.c)
FUZZERS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(FUZZ_OUT)/fuzz/%)

$(FUZZ_OUT)/fuzz/%: $(FUZZ_OUT)/tests/fuzz/%.o $(ROOMS:$(OUT)/%=$(FUZZ_OUT)/%)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) -fsanitize=fuzzer $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

fuzzers: $(FUZZERS)

fuzz:
	+$(MAKE) OUT=$(FUZZ_OUT) CC=clang SANITIZE=address,undefined,fuzzer-no-link fuzzers
	@for f in $(FUZZERS); do n=$$(basename $$f); mkdir -p $(FUZZ_OUT)/corpus/$$n; echo "fuzz $$n, $(FUZZ_SECONDS) s"; \
		$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -verbosity=0 -print_final_stats=1 -artifact_prefix=$(FUZZ_OUT)/$$n- \
		$(FUZZ_OUT)/corpus/$$n tests/fuzz/corpus/$$n 2>$(FUZZ_OUT)/$$n.log || { cat $(FUZZ_OUT)/$$n.log; exit 1; }; \
		grep number_of_executed_units $(FUZZ_OUT)/$$n.log; done

# The same targets under AFL++, another engine with other ideas; needs afl++. A crash or a hang fails.
AFL_OUT := build-afl

afl:
	+$(MAKE) OUT=$(AFL_OUT) FUZZ_OUT=$(AFL_OUT) CC=afl-clang-fast SANITIZE=address,undefined fuzzers
	@for f in $(FUZZERS:$(FUZZ_OUT)/%=$(AFL_OUT)/%); do n=$$(basename $$f); rm -rf $(AFL_OUT)/found/$$n; mkdir -p $(AFL_OUT)/found; echo "afl $$n, $(FUZZ_SECONDS) s"; \
		AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_AUTORESUME=0 \
		afl-fuzz -V $(FUZZ_SECONDS) -m none -t 2000 -i tests/fuzz/corpus/$$n -o $(AFL_OUT)/found/$$n $$f >$(AFL_OUT)/$$n.log 2>&1 \
		|| { tail -20 $(AFL_OUT)/$$n.log; exit 1; }; \
		grep -E '^(execs_done|edges_found|saved_crashes|saved_hangs)' $(AFL_OUT)/found/$$n/default/fuzzer_stats; \
		! grep -qE '^saved_(crashes|hangs) *: *[1-9]' $(AFL_OUT)/found/$$n/default/fuzzer_stats || exit 1; done

# --- scenarios: the real program, real sockets, real clients ----------------------------------

HELPERS := $(patsubst tests/scenario/helpers/%.c,$(OUT)/helpers/%,$(wildcard tests/scenario/helpers/*.c))

$(OUT)/helpers/%: tests/scenario/helpers/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(WARN) -o $@ $<

tests/node_modules/.package-lock.json: tests/package.json tests/package-lock.json
	cd tests && npm ci --no-audit --no-fund --loglevel=error

clients: tests/node_modules/.package-lock.json
TEST_ENV = WSGATE=$(abspath $(WSGATE)) WSGATE_HELPERS=$(abspath $(OUT)/helpers)

scenario: $(WSGATE) $(LINE_LIBRARY) $(HELPERS) clients
	cd tests && $(TEST_ENV) node --test --test-concurrency=2 scenario/*.test.js

# What the RFCs ask of a server, case by case, with a table of the sections.
conformance: $(WSGATE) clients
	cd tests && $(TEST_ENV) node --test --test-concurrency=2 --test-reporter=spec conformance/*.test.js

browser: $(WSGATE) $(LINE_LIBRARY) $(HELPERS) clients
	cd tests && $(TEST_ENV) node --test browser/*.test.js

# --- benchmark: against the ceiling and the peers that are installed ---------------------------

BENCH := $(addprefix $(OUT)/bench/,load echo lines ceiling)

$(OUT)/bench/%: tests/bench/%.c $(wildcard tests/bench/*.h)
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(WARN) -Wl,--as-needed -o $@ $< -lssl -lcrypto -lz

# How fast the loops are that touch every byte, beside memcpy.
$(OUT)/bench/bytes: $(OUT)/tests/bench/bytes.o $(UNDER_proto)
	@mkdir -p $(@D)
	@echo "  LD $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LIBS)

bench-bytes: $(OUT)/bench/bytes
	$<

# Counts instructions and system calls, which hold still on a busy machine; BENCH_ARGS=--keep writes them down.
bench-instr: $(WSGATE) $(BENCH)
	WSGATE=$(abspath $(WSGATE)) BENCH_TOOLS=$(abspath $(OUT)/bench) node tests/bench/instr.js $(BENCH_ARGS)

# What thousands of connections cost; --write puts the tables into tests/bench/SCALE.md.
bench-scale: $(WSGATE) $(BENCH)
	WSGATE=$(abspath $(WSGATE)) BENCH_TOOLS=$(abspath $(OUT)/bench) node tests/bench/scale.js $(BENCH_ARGS)

# BENCH_ARGS='--only W3 --peers wsgate,ceiling --rounds 5'
bench: $(WSGATE) $(BENCH) clients
	WSGATE=$(abspath $(WSGATE)) BENCH_TOOLS=$(abspath $(OUT)/bench) node tests/bench/run.js $(BENCH_ARGS)

# Unmodified clients of others against real services; see tests/README.md for the packages.
clients-real: $(WSGATE) $(LINE_LIBRARY) clients
	cd tests/clients && npm ci --no-audit --no-fund --loglevel=error
	cd tests && $(TEST_ENV) node --test clients/*.test.js

# --- laws -------------------------------------------------------------------------------------

SOURCES := $(wildcard src/*.c src/*/*.c)
HEADERS := $(wildcard src/*/*.h)

# Which rooms a room may include, and the one door of each library.
rooms:
	@fail=0; law() { grep -Hn '#include "' src/$$1/*.[ch] | grep -Ev "#include \"($$2)/" && { echo "rooms: src/$$1 may include $$2 only"; fail=1; }; }; \
	door() { grep -ln "$$1" $(SOURCES) $(HEADERS) | grep -Ev "^($$2)$$" && { echo "rooms: $$1 belongs in $$2"; fail=1; }; }; \
	law base base; law proto 'base|proto'; law io 'base|io'; law backend 'base|proto|io|backend'; \
	law gate 'base|proto|io|backend|gate'; law preload 'nothing'; \
	door '<ev\.h>' 'src/io/.*'; door '<openssl/' 'src/base/crypto.c|src/io/tls.c'; door '<ini\.h>' 'src/gate/config.c'; \
	door '<ares\.h>' 'src/io/resolve.c'; door '<zlib\.h>' 'src/proto/deflate.c'; door 'SYS_execve' 'src/backend/spawn.c'; \
	exit $$fail

headers:
	@for h in $(HEADERS); do $(CC) -std=gnu11 -D_GNU_SOURCE -Isrc $(WARN) -fsyntax-only -x c $$h || exit 1; done

format:
	clang-format -i $(SOURCES) $(HEADERS) $(UNIT_SOURCES) $(FUZZ_SOURCES)

lint: rooms headers
	clang-format --dry-run -Werror $(SOURCES) $(HEADERS) $(UNIT_SOURCES) $(FUZZ_SOURCES)
	clang-tidy --quiet $(SOURCES) -- -std=gnu11 -D_GNU_SOURCE -Isrc -DWSGATE_VERSION='"$(VERSION)"'
	cppcheck --std=c11 -D_GNU_SOURCE -Isrc --enable=warning,performance,portability --inline-suppr --error-exitcode=1 --quiet \
		--suppress=missingIncludeSystem src
	+$(MAKE) OUT=build-analyzer WSGATE=build-analyzer/wsgate LTO= CFLAGS='-O1 -fanalyzer' build-analyzer/wsgate
	+$(MAKE) OUT=build-clang WSGATE=build-clang/wsgate CC=clang LTO= build-clang/wsgate

# --- documents that come from the option table ------------------------------------------------

$(OUT)/wsgate.1: $(WSGATE) packaging/wsgate.1.in
	./$(WSGATE) --help=man1 <packaging/wsgate.1.in >$@
$(OUT)/wsgate.ini.5: $(WSGATE) packaging/wsgate.ini.5.in
	./$(WSGATE) --help=man5 <packaging/wsgate.ini.5.in >$@

man: $(OUT)/wsgate.1 $(OUT)/wsgate.ini.5

documents: man
	./$(WSGATE) --help=ini | diff -u wsgate.ini -
	if command -v mandoc >/dev/null; then mandoc -Tlint -Wwarning $(OUT)/wsgate.1 $(OUT)/wsgate.ini.5; fi

# --- all together -----------------------------------------------------------------------------

check: all rooms headers unit documents fuzz conformance scenario browser

asan:
	+$(MAKE) OUT=build-asan WSGATE=build-asan/wsgate SANITIZE=address,undefined CFLAGS='-O1 -g' SLOW=$(or $(SLOW),4) unit conformance scenario
tsan:
	+$(MAKE) OUT=build-tsan WSGATE=build-tsan/wsgate SANITIZE=thread TSAN_OPTIONS=suppressions=$(abspath tests/tsan.supp) CFLAGS='-O1 -g' SLOW=$(or $(SLOW),6) unit scenario
valgrind:
	+$(MAKE) OUT=$(OUT) WRAP='valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,possible' SLOW=$(or $(SLOW),15) scenario
export SLOW WRAP FULL TSAN_OPTIONS

# Which lines the unit tests and the scenarios run; needs gcovr. proto is to stay whole.
coverage:
	@if test -d build-coverage; then find build-coverage -name '*.gcda' -delete; fi
	+$(MAKE) OUT=build-coverage WSGATE=build-coverage/wsgate LTO= CFLAGS='-Og -g --coverage' SLOW=$(or $(SLOW),2) unit scenario
	gcovr --root . --object-directory build-coverage --filter src/ --exclude-unreachable-branches --print-summary \
		--txt build-coverage/coverage.txt --html-details build-coverage/coverage.html build-coverage/src
	@cat build-coverage/coverage.txt

demo: all
	./$(WSGATE) --config=examples/demo.ini

install: all man
	install -D -m 755 $(WSGATE) $(DESTDIR)$(PREFIX)/bin/wsgate
	install -D -m 644 $(LINE_LIBRARY) $(DESTDIR)$(PREFIX)/lib/wsgate/libwsgate-line.so
	install -D -m 644 $(OUT)/wsgate.1 $(DESTDIR)$(PREFIX)/share/man/man1/wsgate.1
	install -D -m 644 $(OUT)/wsgate.ini.5 $(DESTDIR)$(PREFIX)/share/man/man5/wsgate.ini.5
	install -D -m 644 wsgate.ini $(DESTDIR)$(PREFIX)/share/doc/wsgate/wsgate.ini

clean:
	rm -rf build build-* wsgate

.SECONDARY:
.PHONY: all clients-real unit fuzz fuzzers afl clients conformance scenario browser bench bench-bytes bench-instr bench-scale rooms headers format lint man documents check asan tsan valgrind coverage demo install clean
