//! Every shape, its seed, and texts that are no pattern.

use kempe_runtime::scheduler::{SCHEDULERS, verify_plan};

use super::*;

#[test]
fn the_seed_decides_and_nothing_else() {
    for shape in SHAPES {
        let others = if shape.is_of_calls() { "" } else { ",over=2,trap=10,heavy=5,sigma=0.5" };
        let pattern = |seed: u32| -> Pattern {
            format!("{}:txs=300,seed={seed}{others}", shape.name).parse().unwrap()
        };
        let input = pattern(1).generate().unwrap();
        assert_eq!(input, pattern(1).generate().unwrap(), "{}", shape.name);
        assert_eq!(input.n_txs(), 300);
        let again: Pattern = pattern(1).to_string().parse().unwrap();
        assert_eq!(again.to_string(), pattern(1).to_string());
        for scheduler in SCHEDULERS {
            let block = input.block();
            let plan = scheduler.plan(&block, 4);
            assert_eq!(verify_plan(&plan, &block, scheduler.mode()), Ok(()), "{}", shape.name);
        }
    }
    let draws = |seed: u32| {
        format!("p2p:txs=300,seed={seed}").parse::<Pattern>().unwrap().generate().unwrap()
    };
    assert!(!draws(1).accesses().rows().eq(draws(2).accesses().rows()));
}

#[test]
fn parameters_do_what_they_say() {
    let input = |text: &str| text.parse::<Pattern>().unwrap().generate().unwrap();
    let plain = input("independent:txs=100");
    let over = input("independent:txs=100,over=3");
    assert_eq!(plain.accesses().n_accesses() * 3, over.accesses().n_accesses());
    assert_eq!((plain.n_untouched(), over.n_untouched()), (0, 400));
    assert!(input("independent:txs=100,trap=100").costs().iter().all(|&cost| cost == 501));
    assert_eq!(input("independent:txs=1,latency=50").costs(), [1100]);
    assert_eq!(input("independent:txs=1,heavy=100").costs(), [20_000]);
    // Half of the costs of a log-normal distribution are below mean x exp(-sigma^2 / 2).
    let spread = input("independent:txs=20000,sigma=1");
    let mean = spread.costs().iter().sum::<u64>() / 20_000;
    let n_below = spread.costs().iter().filter(|&&cost| cost < 607).count();
    assert!((950..1050).contains(&mean), "{mean}");
    assert!((9_700..10_300).contains(&n_below), "{n_below}");
    let big = input("big:txs=1000,share=10");
    let total: u64 = big.costs().iter().sum();
    assert!((total / 11..total / 9).contains(&big.costs()[0]));
    // The exponent shows: with 1.0 over 1000 keys account 0 is in about a quarter of the transfers.
    let hot = input("p2p:accounts=1000,zipf=1,txs=4000");
    let share = hot
        .accesses()
        .rows()
        .filter(|row| row.iter().any(|access| hot.key_name(access.slot).ends_with(":0")));
    let share = share.count();
    assert!((900..1200).contains(&share), "{share}");
}

/// What is not a whole number is cut silently where it counts something.
#[test]
fn what_counts_something_says_so() {
    let parameters = |shape: &Shape| [shape.parameters, shape.common()].concat();
    let counts: std::collections::BTreeSet<&str> =
        SHAPES.iter().flat_map(parameters).filter(|p| p.is_count).map(|p| p.name).collect();
    let source = concat!(include_str!("shapes.rs"), include_str!("calls.rs"));
    for asked in source.split("draw.count(\"").skip(1) {
        let name = asked.split('"').next().unwrap();
        assert!(counts.contains(name), "{name}");
    }
    for parameter in SHAPES.iter().flat_map(parameters).filter(|p| p.is_count) {
        assert_eq!(parameter.default.fract(), 0.0, "{}", parameter.name);
    }
}

#[test]
fn texts_that_are_no_pattern_are_refused() {
    let check = |text: &str, expected: &str| {
        let error = text.parse::<Pattern>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    check("", "there is no workload \"\"; there are p2p, ycsb,");
    check("nothing:txs=1", "there is no workload \"nothing\"");
    check("p2p:banana=1", "p2p has no parameter \"banana\"; it has accounts, zipf, txs, seed");
    check("mints:trap=1", "mints has no parameter \"trap\"; it has txs, seed");
    check("p2p:accounts=1", "accounts=\"1\" is not a whole number in 2..=16000000");
    check("p2p:accounts", "accounts=\"\" is not a whole number");
    check("p2p:txs=1.7", "txs=\"1.7\" is not a whole number in 1..=1000000");
    check("nft:add=0.5", "add=\"0.5\" is not a whole number in 0..=1");
    check("p2p:zipf=NaN", "zipf=\"NaN\" is not a number in 0..=10");
    check("p2p:txs=1e99", "txs=\"1e99\" is not a whole number in 1..=1000000");
    let shares = "raw=80 and erc20=80 add up to 160, which is more than 100";
    check("gigagas:raw=80,erc20=80", shares);
    // What is not given counts too.
    check("gigagas:raw=90", "raw=90 and erc20=20 add up to 110, which is more than 100");
    for text in ["gigagas:raw=100,erc20=0", "gigagas:raw=33.3,erc20=66.7", "gigagas:raw=80"] {
        assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
    }
}

#[test]
fn what_is_no_share_of_a_mix_is_not_in_it() {
    // Raw transfers cost 800 and those of ERC-20 3000: there is no room for swaps.
    let pattern: Pattern = "gigagas:raw=99.5,erc20=0.5,txs=20000".parse().unwrap();
    let input = pattern.generate().unwrap();
    let count = |cost: u64| input.costs().iter().filter(|&&found| found == cost).count();
    assert!((50..200).contains(&count(3000)), "{}", count(3000));
    assert_eq!(count(800) + count(3000), 20_000);
}

/// Nothing is divided by zero, and nothing drawn from nothing.
#[test]
fn the_least_and_the_greatest_values_make_blocks() {
    for shape in SHAPES {
        // Contracts are deployed one by one.
        let most = if shape.is_of_calls() { 50.0 } else { 2000.0 };
        let greatest = |known: &Parameter| match known.name {
            // The first of shares is all of the whole.
            "erc20" => 0.0,
            _ => known.max.min(most),
        };
        for value in [&|known: &Parameter| known.min, &greatest as &dyn Fn(&Parameter) -> f64] {
            let values = shape.parameters.iter();
            let values = values.map(|known| format!("{}={}", known.name, value(known)));
            let text = format!("{}:{},txs=3", shape.name, values.collect::<Vec<_>>().join(","));
            let input = text.parse::<Pattern>().unwrap().generate().unwrap();
            assert_eq!(input.n_txs(), 3, "{text}");
        }
    }
}

#[test]
fn a_block_of_too_many_accesses_is_refused_before_it_is_made() {
    let pattern: Pattern = "ycsb:ops=100,over=100,txs=1000000".parse().unwrap();
    let error = pattern.generate().unwrap_err();
    assert!(matches!(error, WorldError::TooManyAccesses(_)), "{error}");
    assert!(error.to_string().contains("more than 33554432 accesses"), "{error}");
}
