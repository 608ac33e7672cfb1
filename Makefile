# The ways to run boss-bot. `make` alone lists them. Everything a fresh machine with Rust lacks is installed first.

# Both commands build the same set, so that cargo resolves one set of features and compiles dependencies once.
BUILD := cargo build --locked --bins --examples
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

.PHONY: help demo demo-cluster play test crash-test test-play bench run lint docs prerequisites tools

help:  ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 15

demo: tools  ## Show the main job: real bot, real tools, stand-in Discord and web, no token, no internet
	@cargo run --quiet --locked --example demo

demo-cluster: tools  ## From one box to many: PostgreSQL, a gateway and three workers here, one of them killed on the way
	@scripts/prerequisites cluster
	@cargo run --quiet --locked --example cluster

play: tools  ## A page that looks like a Discord channel: paste links, watch what the bot does
	@cargo run --quiet --locked --example play

test: tools  ## All tests (the first run installs Chromium, strace and PostgreSQL, which some of them use)
	@scripts/prerequisites test
ifdef NEXTEST
	cargo nextest run --locked
else
	cargo test --locked --tests
endif

crash-test: tools  ## 200 times kill -9 in the middle of 300 jobs, on SQLite and on PostgreSQL (about ten minutes)
	@scripts/prerequisites test
	for database in sqlite postgres; do \
	  BOSS_BOT_CRASH_KILLS=200 BOSS_BOT_CRASH_JOBS=300 BOSS_BOT_CRASH_DATABASE=$$database \
	  cargo test --locked --test it durable::crash -- --nocapture || exit 1; \
	done

test-play: tools  ## The page of `make play` in headless Chromium; renews its picture in docs/
	tests/play/run

bench: tools  ## The claims about speed and memory, measured and printed beside their goals
	cargo bench --locked --bench claims

run: prerequisites  ## The real thing: needs DISCORD_TOKEN in .env (see README.md)
	cargo build --locked --release
	target/release/boss-bot doctor --fix
	target/release/boss-bot run

lint:  ## Format, clippy, documentation, licences
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	scripts/deny

docs:  ## The API documentation, in a browser
	cargo doc --locked --no-deps --open

prerequisites:  ## ffmpeg and Python from the system's packages, where missing
	@scripts/prerequisites

tools: prerequisites  ## Build, and install the pinned yt-dlp and gallery-dl into data/tools
	$(BUILD)
	@target/debug/boss-bot doctor --fix --quiet
