# Everything that a contributor runs. CI (.ci/run) runs the same commands.

_default:
    @just --list

# Format all code.
fmt:
    cargo fmt --all

# Formatting, clippy, spelling.
lint:
    cargo fmt --all --check
    cargo clippy --all-targets --release -- -D warnings
    if command -v typos > /dev/null; then typos; fi

# Every test that a change must pass.
test:
    cargo test --release

# The long form: 10,000 random blocks, more cases of everything, and the tests marked as slow.
test-slow:
    KEMPE_CALLS=10000 KEMPE_CASES=250 PROPTEST_CASES=4096 KEMPE_CRASHES=1000 KEMPE_FLIPS=10000 KEMPE_REPAIRS=100 \
        KEMPE_COMPILE_KINDS=16 \
        KEMPE_REPAIR_STEP=1 KEMPE_REPAIR_BLOCKS=1 KEMPE_STAGE_BLOCKS=25 \
        cargo test --release -- --include-ignored

# Kill a process that builds blocks 1,000 times, and a pipeline at each stage of each block; flip
# 10,000 bits of a chain's files.
crash:
    KEMPE_STAGE_BLOCKS=25 cargo test --release -p kempe-tests --test pipeline kill -- --nocapture
    KEMPE_CRASHES=1000 KEMPE_FLIPS=10000 cargo test --release -p kempe-tests --test crash -- --nocapture

# Block-STM's scheduler on threads whose switches are chosen, a million schedules of each kind; the counters of batches
# and graphs on all interleavings of small cases.
interleavings:
    KEMPE_SCHEDULES=1000000 cargo test --release --workspace --manifest-path tests/interleavings/Cargo.toml \
        --target-dir target/interleavings

# The unsafe code that runs without wasm in the interpreter that finds undefined behavior. Needs a nightly
# toolchain with miri and rust-src.
miri:
    MIRIFLAGS="-Zmiri-ignore-leaks -Zmiri-disable-isolation -Zmiri-tree-borrows -Zmiri-permissive-provenance" PROPTEST_CASES=4 \
        cargo +nightly miri test -p kempe-runtime --lib executor:: --target-dir target/miri
    MIRIFLAGS="-Zmiri-tree-borrows" cargo +nightly miri test -p kempe-sdk --lib --target-dir target/miri

# The runtime's own tests that have threads, and the standard library, under the thread sanitizer, in ten minutes: prints each
# data race. Needs a nightly toolchain with rust-src.
race:
    #!/usr/bin/env bash
    set -euo pipefail
    host=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS=-Zsanitizer=thread CARGO_PROFILE_DEV_OPT_LEVEL=1 TSAN_OPTIONS=halt_on_error=0 \
        cargo +nightly test -Zbuild-std --target "$host" --target-dir target/race -p kempe-runtime --lib \
        -- executor:: tasks:: engine::compiler state::tests::tree chain:: --test-threads 1

# What each thing takes in time, beside what its fuel pays for: fails where it is more than ten times as much.
calibrate:
    KEMPE_CALIBRATE_RUNS=7 cargo test --release -p kempe-tests --test hostile prices -- --ignored --nocapture

# What must hold for any bytes, each property under libFuzzer for so many seconds (`just fuzz 60 module` is one of them
# only), and 5,000 random contracts on two engines. Needs a C++ compiler. What is found stays in target/fuzz/found, what
# reaches new code in target/fuzz/corpus; whoever mends a finding copies its file to tests/fuzz/corpus/<target>.
fuzz seconds="60" only="":
    #!/usr/bin/env bash
    set -euo pipefail
    cd tests/fuzz
    targets={{ if only == "" { "$(basename -s .rs targets/*.rs)" } else { only } }} kept=../../target/fuzz
    for target in $targets; do
        mkdir -p $kept/corpus/$target $kept/found/$target
        cargo run --release --locked --bin $target -- $kept/corpus/$target $(find corpus -name $target) \
            -max_total_time={{seconds}} -timeout=60 -rss_limit_mb=4096 -artifact_prefix=$kept/found/$target/
    done
    cd ../..
    if [ -z "{{only}}" ]; then KEMPE_SEED=$(date +%s) KEMPE_MODULES=5000 \
        cargo test --release --locked -p kempe-tests --test engines agree -- --nocapture; fi

# The documentation, without a broken link.
doc:
    RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --release

# Compile the shipped contracts to target/kempe/*.wasm and show their sizes.
contracts:
    cargo run --release -p kempe -- build \
        contracts/asset contracts/counter contracts/escrow contracts/fare contracts/futures contracts/governance \
        contracts/lending contracts/multisig contracts/nft contracts/options contracts/oracle \
        contracts/orderbook contracts/pool contracts/router contracts/staking contracts/token contracts/vesting

# Which lines of the shipped contracts their own tests run, as native code. Needs cargo-llvm-cov (`cargo install --locked
# cargo-llvm-cov`) and `rustup component add llvm-tools`; `just coverage --html` writes pages.
coverage *args="--summary-only":
    CARGO_TARGET_DIR=target/coverage cargo llvm-cov --lib {{args}} \
        $(ls contracts | grep -v -x wasm | sed 's/^/--package kempe-/') \
        --ignore-filename-regex '/(sdk|registry)/|/contracts/[a-z]+/src/test(\.rs|/)'

# The benches, and the comparison with other engines; `just bench scheduler` runs those with the
# word in their name, `just bench compare` the figures to quote.
bench filter="":
    cargo bench -p kempe-bench -- {{filter}}
    cargo bench -p kempe-peers -- {{filter}}

# Kempe, revm, litesvm, soroban-env-host and cosmwasm-vm on the same transfers, with every balance checked, in a minute.
# Needs the network and an older toolchain for the contract of cosmwasm-vm; compiles some 650 crates first.
peers:
    rustup toolchain install 1.86.0 --profile minimal --target wasm32-unknown-unknown
    cargo test --release --locked --manifest-path benches/peers/others/Cargo.toml --target-dir target/peers
    cargo run --release --locked --manifest-path benches/peers/others/Cargo.toml --target-dir target/peers

# Where the time goes: a flame graph in target/flame.svg. Needs perf, and inferno (`cargo install inferno`).
# `just flame "bench --schedulers graph"` draws the lab; without an argument, the whole way of transactions.
flame args="bench pipeline --accounts 10000 --threads 2 --path unsigned-durable":
    cargo build --release -p kempe
    perf record --freq 199 --call-graph dwarf,16384 -o target/flame.perf target/release/kempe {{args}}
    perf script -i target/flame.perf | inferno-collapse-perf | inferno-flamegraph > target/flame.svg

# Licenses, duplicates and sources of dependencies; needs cargo-deny and, after `cargo fetch`, no network.
deny:
    cargo deny --offline --locked check licenses bans sources
    cargo deny --offline --locked --manifest-path tests/fuzz/Cargo.toml check licenses sources

# Known vulnerabilities of dependencies, and which are unsound, unmaintained or yanked; needs cargo-deny, and the network
# for the RustSec database. `just advisories --offline` uses the copy in ~/.cargo/advisory-dbs: see SECURITY.md.
advisories *args:
    cargo deny --locked {{args}} check advisories
    cargo deny --locked --manifest-path tests/fuzz/Cargo.toml {{args}} check advisories
    cargo deny --locked --workspace --manifest-path tests/interleavings/Cargo.toml {{args}} check advisories

# What the command line is made of, as CycloneDX in target/kempe.cdx.json: every crate with its version, license and
# checksum, and some that only tests switch on; the same bytes for the same commit. Needs cargo-cyclonedx and, after
# `cargo fetch`, no network.
sbom target="x86_64-unknown-linux-gnu":
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) CARGO_NET_OFFLINE=true cargo cyclonedx --manifest-path cli/Cargo.toml \
        --format json --spec-version 1.5 --target {{target}} --override-filename kempe.cdx
    mkdir -p target
    sed "s|file://$PWD/|file:///|g" cli/kempe.cdx.json > target/kempe.cdx.json
    find . -name kempe.cdx.json -not -path './target/*' -delete

# What CI runs.
ci:
    .ci/run
