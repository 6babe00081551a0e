//! Invariants under random calls.

use std::collections::BTreeMap;
use std::fmt;

use super::Rng;
use super::backend::Tx;
use super::chain::TestChain;
use super::receipt::{BlockReport, Receipt};
use super::shrink;

/// A name, and what makes a new chain: one way to run the same calls.
pub type NewChain<'a> = (&'a str, &'a dyn Fn() -> TestChain);

/// Random calls from many accounts, against invariants that must hold after every block.
///
/// The calls are made up once and then run in every way that [`Campaign::run`] is given: natively, on
/// wasm in parallel, on wasm one by one. All ways must agree on the outcome, the result and the events of
/// every call, and those that have a state root on every root. When something fails, calls are left out and numbers made smaller as
/// long as it still fails, and what is left is shown.
///
/// ```
/// use kempe_sdk::prelude::*;
/// use kempe_sdk::testing::{Campaign, Instance, TestChain};
///
/// #[contract]
/// pub struct Pot { total: Counter<u64>, of: Map<Address, u64> }
///
/// #[contract]
/// impl Pot {
///     #[access(add(total), write(of[caller]))]
///     pub fn give(&mut self, amount: u64) {
///         self.total.add(amount);
///         self.of.update(caller(), |had| had + amount);
///     }
///     #[access(read(total))]
///     pub fn total(&self) -> u64 { self.total.get() }
///     #[access(read(of[who]))]
///     pub fn of(&self, who: Address) -> u64 { self.of.get(who) }
/// }
///
/// struct World { pot: Instance<Pot>, people: Vec<Address> }
///
/// let campaign = Campaign::new(|chain| {
///     let people: Vec<Address> = ["ann", "bob", "cid"].map(|name| chain.account(name)).into();
///     World { pot: chain.deploy::<Pot>(people[0], ()), people }
/// })
/// .call(1, "give", |world, rng, _| {
///     let who = *rng.choice(&world.people).unwrap();
///     world.pot.tx(who, "give", (rng.u64(0..100),))
/// })
/// .invariant("the parts are the whole", |world, chain| {
///     let parts: u64 =
///         world.people.iter().map(|who| chain.view::<u64>(&world.pot, "of", (*who,))).sum();
///     let total: u64 = chain.view(&world.pot, "total", ());
///     if parts == total { Ok(()) } else { Err(format!("parts={parts} total={total}")) }
/// });
/// let summary = campaign.run(500, &[("native", &TestChain::native)]);
/// assert_eq!(summary.n_calls, 500);
/// ```
#[allow(clippy::type_complexity, reason = "functions that a test gives")]
pub struct Campaign<W> {
    setup: Box<dyn Fn(&mut TestChain) -> W>,
    calls: Vec<CallKind<W>>,
    observe: Box<dyn Fn(&mut W, &Tx, &Receipt)>,
    invariants: Vec<(String, Box<dyn Fn(&W, &mut TestChain) -> Result<(), String>>)>,
    seed: u64,
    block_txs_max: usize,
    block_ms_max: u64,
}

type Make<W> = Box<dyn Fn(&W, &mut Rng, &mut TestChain) -> Tx>;

struct CallKind<W> {
    name: String,
    weight: u32,
    make: Make<W>,
    rare: bool,
}

impl<W> fmt::Debug for Campaign<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: Vec<&str> = self.calls.iter().map(|call| &*call.name).collect();
        let invariants: Vec<&str> = self.invariants.iter().map(|(name, _)| &**name).collect();
        f.debug_struct("Campaign")
            .field("calls", &calls)
            .field("invariants", &invariants)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// What a campaign did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The calls that were made up; each way ran all of them.
    pub n_calls: usize,
    /// The blocks that they were in.
    pub n_blocks: usize,
    /// For each kind of call: how many succeeded, and how many were made up.
    pub succeeded: BTreeMap<String, (usize, usize)>,
    /// The same for each method, by its contract's name: `Token.transfer`.
    pub methods: BTreeMap<String, (usize, usize)>,
    /// The most calls in one batch, in the first way.
    pub widest_batch: usize,
    /// The calls that ran behind the batches of their blocks, in the first way.
    pub n_tail: usize,
}

impl Summary {
    fn count(&mut self, kind: &str, method: String, is_ok: bool) {
        for counts in [
            self.succeeded.entry(kind.to_string()).or_default(),
            self.methods.entry(method).or_default(),
        ] {
            *counts = (counts.0 + usize::from(is_ok), counts.1 + 1);
        }
    }
}

/// A block to be: time that passes before it, and calls with the numbers of their kinds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    pub(crate) wait_ms: u64,
    pub(crate) txs: Vec<(usize, Tx)>,
}

/// What is wrong, and behind which block.
pub(crate) struct Broken {
    pub(crate) at_block: usize,
    /// The way in which it shows.
    pub(crate) way: String,
    /// What a shorter sequence must break too.
    pub(crate) what: String,
    pub(crate) text: String,
}

impl<W> Campaign<W> {
    /// A campaign on what `setup` makes. The same on every chain: same accounts, same deployments.
    pub fn new(setup: impl Fn(&mut TestChain) -> W + 'static) -> Self {
        Self {
            setup: Box::new(setup),
            calls: Vec::new(),
            observe: Box::new(|_, _, _| ()),
            invariants: Vec::new(),
            seed: 1,
            block_txs_max: 12,
            block_ms_max: 2_000,
        }
    }

    /// Adds a kind of call, made up as often as its weight says. It may look at the chain, to make
    /// calls that have a chance, whose time is that of the call's block; [`run`](Self::run) demands that at least one of each kind succeeds.
    #[must_use]
    pub fn call(
        mut self,
        weight: u32,
        name: &str,
        make: impl Fn(&W, &mut Rng, &mut TestChain) -> Tx + 'static,
    ) -> Self {
        self.push(weight, name, Box::new(make), false);
        self
    }

    /// Adds a kind of call that need not succeed: an attack.
    #[must_use]
    pub fn attack(
        mut self,
        weight: u32,
        name: &str,
        make: impl Fn(&W, &mut Rng, &mut TestChain) -> Tx + 'static,
    ) -> Self {
        self.push(weight, name, Box::new(make), true);
        self
    }

    /// Shows every call and what became of it, in the order in which they took effect, so that the setup's value
    /// can keep books of its own.
    #[must_use]
    pub fn observe(mut self, observe: impl Fn(&mut W, &Tx, &Receipt) + 'static) -> Self {
        self.observe = Box::new(observe);
        self
    }

    /// Adds an invariant: checked behind every block, on every chain.
    #[must_use]
    pub fn invariant(
        mut self,
        name: &str,
        check: impl Fn(&W, &mut TestChain) -> Result<(), String> + 'static,
    ) -> Self {
        self.invariants.push((name.to_string(), Box::new(check)));
        self
    }

    /// Other random numbers than those of seed 1.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The most calls of a block, 12 by default, and the most time that passes before one beyond the
    /// usual, 2,000 ms by default.
    #[must_use]
    pub fn blocks(mut self, txs_max: usize, wait_ms_max: u64) -> Self {
        (self.block_txs_max, self.block_ms_max) = (txs_max.max(1), wait_ms_max);
        self
    }

    /// Makes up `n_calls` calls on the first chain and runs them on all.
    ///
    /// # Panics
    /// If an invariant does not hold, chains disagree, or a kind of call is never made up or never succeeds.
    #[track_caller]
    pub fn run(&self, n_calls: usize, ways: &[NewChain<'_>]) -> Summary {
        let (first, others) = ways.split_first().expect("a campaign runs in at least one way");
        let (plan, summary, broken) = self.make_up(n_calls, *first);
        if let Some(broken) = broken {
            self.fail(&plan, &broken, &|plan| self.replay(plan, &[*first]).err());
        }
        for name in self.calls.iter().filter(|call| !call.rare).map(|call| &call.name) {
            let (succeeded, tried) = summary.succeeded.get(name).copied().unwrap_or_default();
            assert!(
                tried > 0,
                "no call `{name}` was made up in {n_calls} calls: the campaign does not test it; give it more weight, or run more"
            );
            assert!(
                succeeded > 0,
                "none of {tried} calls `{name}` succeeded: the campaign does not test them"
            );
        }
        if !others.is_empty()
            && let Err(broken) = self.replay(&plan, ways)
        {
            self.fail(&plan, &broken, &|plan| self.replay(plan, ways).err());
        }
        summary
    }

    /// Makes up calls and runs them, until something breaks.
    fn make_up(
        &self,
        n_calls: usize,
        (way, new): NewChain<'_>,
    ) -> (Vec<Planned>, Summary, Option<Broken>) {
        let mut chain = new();
        let mut rng = Rng::with_seed(self.seed);
        let mut world = (self.setup)(&mut chain);
        let (mut plan, mut summary) = (Vec::new(), Summary::default());
        while summary.n_calls < n_calls {
            let n = rng.usize(1..=self.block_txs_max).min(n_calls - summary.n_calls);
            let wait_ms = rng.u64(0..=self.block_ms_max);
            chain.advance_ms(wait_ms);
            let txs: Vec<_> = (0..n).map(|_| self.make_one(&world, &mut rng, &mut chain)).collect();
            plan.push(Planned { wait_ms, txs });
            let planned = plan.last().expect("it was pushed");
            let report = self.step(planned, &mut world, &mut chain);
            for ((kind, tx), receipt) in planned.txs.iter().zip(&report.receipts) {
                let method = format!("{}.{}", chain.name(&tx.contract), tx.method);
                summary.count(&self.calls[*kind].name, method, receipt.is_ok());
            }
            summary.n_tail += report.n_tail;
            let widest = report.batches.iter().map(Vec::len).max().unwrap_or(0);
            summary.widest_batch = summary.widest_batch.max(widest);
            (summary.n_calls, summary.n_blocks) = (summary.n_calls + n, plan.len());
            if let Err(broken) = self.check(way, &world, &mut chain, plan.len() - 1) {
                return (plan, summary, Some(broken));
            }
        }
        (plan, summary, None)
    }

    fn push(&mut self, weight: u32, name: &str, make: Make<W>, rare: bool) {
        self.calls.push(CallKind { name: name.to_string(), weight, make, rare });
    }

    fn make_one(&self, world: &W, rng: &mut Rng, chain: &mut TestChain) -> (usize, Tx) {
        let total: u32 = self.calls.iter().map(|call| call.weight).sum();
        let mut at = rng.u32(0..total.max(1));
        for (kind, call) in self.calls.iter().enumerate() {
            if at < call.weight {
                return (kind, (call.make)(world, rng, chain));
            }
            at -= call.weight;
        }
        panic!("a campaign has a call with a weight");
    }

    fn step(&self, planned: &Planned, world: &mut W, chain: &mut TestChain) -> BlockReport {
        let report = chain.block(planned.txs.iter().map(|(_, tx)| tx.clone()));
        for &at in report.batches.iter().flatten() {
            (self.observe)(world, &planned.txs[at].1, &report.receipts[at]);
        }
        report
    }

    fn check(
        &self,
        way: &str,
        world: &W,
        chain: &mut TestChain,
        at_block: usize,
    ) -> Result<(), Broken> {
        self.invariants.iter().try_for_each(|(name, check)| {
            check(world, chain).map_err(|text| Broken {
                at_block,
                way: way.to_string(),
                what: format!("invariant `{name}`"),
                text,
            })
        })
    }

    /// Runs a plan in the given ways, side by side.
    fn replay(&self, plan: &[Planned], ways: &[NewChain<'_>]) -> Result<(), Broken> {
        let mut chains: Vec<(TestChain, W)> = Vec::new();
        for (_, new) in ways {
            let mut chain = new();
            let world = (self.setup)(&mut chain);
            chains.push((chain, world));
        }
        for (at_block, planned) in plan.iter().enumerate() {
            let mut reports = Vec::new();
            let mut roots = Vec::new();
            for ((way, _), (chain, world)) in ways.iter().zip(&mut chains) {
                chain.advance_ms(planned.wait_ms);
                reports.push((*way, self.step(planned, world, chain)));
                self.check(way, world, chain, at_block)?;
                roots.extend(chain.root().map(|root| (*way, root)));
            }
            let Some(((_, first), others)) = reports.split_first() else { return Ok(()) };
            for (way, report) in others {
                same_receipts(first, report, way, at_block)?;
            }
            same_roots(&roots, at_block)?;
        }
        Ok(())
    }

    #[track_caller]
    fn fail(
        &self,
        plan: &[Planned],
        broken: &Broken,
        replay: &dyn Fn(&[Planned]) -> Option<Broken>,
    ) -> ! {
        let mut chain = TestChain::native();
        (self.setup)(&mut chain);
        let same = |plan: &[Planned]| replay(plan).filter(|found| found.what == broken.what);
        let (least, text) = shrink::shrink(&plan[..=broken.at_block], &chain, &same);
        let text = text.unwrap_or_else(|| broken.text.clone());
        panic!(
            "{} does not hold on {} (seed {}): {text}\nafter these calls:\n{}",
            broken.what,
            broken.way,
            self.seed,
            shrink::show(&least, &chain)
        );
    }
}

/// Compares the roots of those ways that have one.
fn same_roots(roots: &[(&str, kempe_abi::Hash)], at_block: usize) -> Result<(), Broken> {
    let Some(((first, root), others)) = roots.split_first() else { return Ok(()) };
    match others.iter().find(|(_, other)| other != root) {
        None => Ok(()),
        Some((way, other)) => Err(Broken {
            at_block,
            way: (*way).to_string(),
            what: "one state root".to_string(),
            text: format!("{other}, and {root} on {first}"),
        }),
    }
}

/// Compares what must not depend on the way: outcomes, results, events.
fn same_receipts(
    a: &BlockReport,
    b: &BlockReport,
    way: &str,
    at_block: usize,
) -> Result<(), Broken> {
    for (tx, (a, b)) in a.receipts.iter().zip(&b.receipts).enumerate() {
        if (a.outcome, &a.output, &a.events) != (b.outcome, &b.output, &b.events) {
            return Err(Broken {
                at_block,
                way: way.to_string(),
                what: "one receipt in every way".to_string(),
                text: format!("call {tx} of the last block: {a}, and {b}"),
            });
        }
    }
    Ok(())
}
