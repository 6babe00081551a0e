//! Blocks of the lab as transactions in wasm.

use kempe_abi::{AccessKind, Address, MethodId, Outcome};
use kempe_runtime::executor::{BlockOutput, Interned};
use kempe_runtime::types::Action;

use super::{KEYS_MAX, UnsignedBlock, World, WorldError, encode, transaction};
use crate::Input;

/// The most steps that a block burns: some ten seconds on one thread. Costs that add up to more are
/// scaled down to it, all by one factor.
const STEPS_MAX: u64 = 10_000_000_000;

/// The contract, compiled.
const REPLAY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/replay.wasm"));

/// A contract that touches the keys it is told to and burns time, for blocks that were recorded or
/// made up.
///
/// Each transaction declares the keys of the recorded one in the same kinds, touches those that it
/// touched, and multiplies as many times as it took nanoseconds, one after the other: somewhat more than a
/// nanosecond each. A block of more than ten seconds is shortened to that, all costs by one factor. What it writes follows from all that it read, so two transactions that conflict
/// leave another state in another order. One that failed fails.
///
/// ```
/// use kempe_bench::{Input, Pattern, ReplayWorld, run_block};
///
/// let world = ReplayWorld::new()?;
/// let input: Input = "amm:txs=40".parse::<Pattern>()?.generate()?;
/// let block = world.block(&input)?;
/// let mut executor = world.base.executor(2)?;
/// let output = run_block(&mut executor, &block.txs(), &world.base.state())?;
/// world.check(&input, &output)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ReplayWorld {
    /// The engine, and the state with the contract in it.
    pub base: World,
    contract: Address,
}

/// What a transaction makes of an access that its list permits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// Whether it makes it.
    pub(crate) is_touched: bool,
    /// Whether it does what is declared there.
    pub(crate) is_done: bool,
}

/// The arguments of a transaction: the keys by kind, and how many of each are touched.
#[derive(Debug, Default)]
struct Keys {
    lists: [Vec<u64>; 4],
    touched: [u32; 4],
}

impl Keys {
    /// Those of a transaction. The touched ones of a list come first, as in the block.
    fn of(input: &Input, tx: u32) -> Self {
        let (mut keys, block) = (Self::default(), input.block());
        for (at, access) in input.accesses().of(tx).iter().enumerate() {
            let list = match access.kind {
                AccessKind::Read => 0,
                AccessKind::Write if block.is_blind(tx, at) => 2,
                AccessKind::Write => 1,
                AccessKind::Add => 3,
            };
            keys.lists[list].push(access.slot.into());
            keys.touched[list] += u32::from(at < input.n_touched(tx));
        }
        keys
    }
}

impl ReplayWorld {
    /// Deploys the contract.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn new() -> Result<Self, WorldError> {
        let mut base = World::new()?;
        let contract = base.deploy("the contract that replays", REPLAY, Vec::new())?;
        Ok(Self { base, contract })
    }

    /// A block as transactions of the contract.
    ///
    /// # Errors
    /// [`WorldError::ListTooLong`].
    pub fn block(&self, input: &Input) -> Result<UnsignedBlock, WorldError> {
        self.block_of(input, true)
    }

    /// The same transactions, but none burns time.
    ///
    /// # Errors
    /// [`WorldError::ListTooLong`].
    pub fn idle_block(&self, input: &Input) -> Result<UnsignedBlock, WorldError> {
        self.block_of(input, false)
    }

    fn block_of(&self, input: &Input, burns: bool) -> Result<UnsignedBlock, WorldError> {
        let method = MethodId::of("run");
        let mut nonces = vec![0u64; input.n_txs()];
        let total: u128 = input.costs().iter().map(|&cost| u128::from(cost)).sum();
        let steps_max = if burns { STEPS_MAX } else { 0 };
        let steps = |cost: u64| {
            let scaled = u128::from(cost) * u128::from(steps_max) / total.max(1);
            u64::try_from(scaled).map_or(cost, |scaled| scaled.min(cost))
        };
        let txs = (0u32..).zip(input.costs().iter().zip(input.senders())).map(|(tx, columns)| {
            let (&cost, &sender) = columns;
            let n_keys = input.accesses().of(tx).len();
            if n_keys > KEYS_MAX {
                let (block, tx) = (input.name().to_owned(), tx as usize);
                return Err(WorldError::ListTooLong { block, tx, n_keys });
            }
            let Keys { lists: [reads, writes, blind, adds], touched } = Keys::of(input, tx);
            let fails = input.traps()[tx as usize];
            let args = (reads, writes, blind, adds, touched, steps(cost), u64::from(tx), fails);
            let nonce = &mut nonces[sender as usize];
            *nonce += 1;
            let action = Action::Call { contract: self.contract, method, args: encode(&args) };
            Ok(transaction(crate::account_address(sender as usize), *nonce - 1, action))
        });
        Ok(UnsignedBlock::new(txs.collect::<Result<_, _>>()?))
    }

    /// By transaction of a block of `input`, for each access of its list: whether it makes it, and whether it does what is
    /// declared there, which it does not if it fails.
    pub(crate) fn made(&self, input: &Input, interned: &Interned) -> Vec<Vec<Made>> {
        let key_of = |slot: u32| {
            let named = interned.key(slot);
            let key = <[u8; 8]>::try_from(named.key).ok().map(u64::from_le_bytes);
            key.filter(|_| *named.contract == self.contract)
        };
        let of = |tx: u32| {
            let recorded = input.accesses().of(tx);
            let touched = &recorded[..input.n_touched(tx)];
            let is_touched = |key| touched.iter().any(|access| u64::from(access.slot) == key);
            let row = interned.accesses().of(tx).iter();
            row.map(|access| {
                let is_touched = key_of(access.slot).is_some_and(is_touched);
                Made { is_touched, is_done: is_touched && !input.traps()[tx as usize] }
            })
            .collect()
        };
        input.block().txs().map(of).collect()
    }

    /// Whether each transaction ended as the recorded one.
    ///
    /// # Errors
    /// [`WorldError::Outcome`].
    pub fn check(&self, input: &Input, output: &BlockOutput) -> Result<(), WorldError> {
        for (tx, (receipt, fails)) in output.receipts.iter().zip(input.traps()).enumerate() {
            let as_recorded = match receipt.outcome {
                Outcome::Ok => !fails,
                Outcome::Revert(_) => *fails,
                _ => false,
            };
            if !as_recorded {
                let (block, outcome) = (input.name().to_owned(), receipt.outcome);
                return Err(WorldError::Outcome { block, tx, outcome });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kempe_abi::AccessKind::{Add, Read, Write};

    use super::*;
    use crate::{COST_NS_MAX, InputTx};

    #[test]
    fn what_is_done_is_found_in_the_lists_of_the_runtime() {
        let accesses = [(9, Read), (7, Write), (8, Add), (6, Write), (5, Read)];
        let accesses = accesses.map(|(key, kind)| (key, kind, key == 6)).to_vec();
        let whole = InputTx { accesses, ..InputTx::default() };
        let (part, failed) =
            (InputTx { n_untouched: 2, ..whole.clone() }, InputTx { traps: true, ..whole.clone() });
        let input = Input::new("some".to_owned(), vec![whole, part, failed]);
        let world = ReplayWorld::new().unwrap();
        let block = world.block(&input).unwrap();
        let executor = world.base.executor(1).unwrap();
        let lists = executor.derive(&block.txs(), &world.base.state()).unwrap();
        let interned = executor.intern(lists, &block.txs()).unwrap();
        let made = world.made(&input, &interned);
        let of =
            |what: fn(&Made) -> bool| made.iter().map(move |row| row.iter().map(what).collect());
        let touched: Vec<Vec<bool>> = of(|made| made.is_touched).collect();
        let done: Vec<Vec<bool>> = of(|made| made.is_done).collect();
        // The contract itself, then reads, writes, blind writes, additions.
        let kinds = interned.accesses().of(0).iter().map(|access| access.kind);
        assert_eq!(kinds.collect::<Vec<_>>(), [Read, Read, Read, Write, Write, Add]);
        assert_eq!([&touched[0], &touched[1], &touched[2]], [&done[0], &done[1], &done[0]]);
        assert_eq!(done[0], [false, true, true, true, true, true]);
        assert_eq!(done[1], [false, true, false, true, false, true]);
        assert_eq!(done[2], [false; 6]);
    }

    #[test]
    fn costs_without_end_are_scaled_down() {
        let world = ReplayWorld::new().unwrap();
        let steps = |costs: [u64; 3]| {
            let txs = costs.map(|cost| InputTx { cost, ..InputTx::default() });
            let block = world.block(&Input::new("long".to_owned(), txs.into())).unwrap();
            let steps = block.transactions.iter().map(|tx| match &tx.actions[..] {
                // Four empty lists and four numbers come before it.
                [Action::Call { args, .. }] => u64::from_le_bytes(args[32..40].try_into().unwrap()),
                other => panic!("{other:?}"),
            });
            steps.collect::<Vec<_>>()
        };
        assert_eq!(steps([1, 2000, 4_000_000_000]), [1, 2000, 4_000_000_000]);
        let long = steps([COST_NS_MAX, COST_NS_MAX, 1]);
        assert_eq!(long, [STEPS_MAX / 2 - 1, STEPS_MAX / 2 - 1, 0]);
    }
}
