//! Who executes and validates what next in Block-STM, against running one after the other.

use std::collections::BTreeMap;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use crate::sync::lock;
use crate::tasks::{Task, Tasks};

/// Points at which priorities change.
const DEPTH: usize = 4;
const N_KEYS: usize = 3;
const N_WORKERS: usize = 3;

/// A transaction: it writes what follows from what it reads, and some of it only if that is odd.
struct Tx {
    reads: Vec<usize>,
    writes: Vec<usize>,
    is_fickle: bool,
    /// The place of one before it that it waits for until it has run, as for its sender's last one.
    follows: Option<u32>,
    /// Whether it lets the first one go that waits for it.
    lets_go: bool,
}

impl Tx {
    fn random(place: u32) -> Self {
        let keys = |chance: f64| -> Vec<usize> {
            (0..N_KEYS).filter(|_| thread_rng().gen_bool(chance)).collect()
        };
        let follows =
            (place > 0 && thread_rng().gen_bool(0.3)).then(|| thread_rng().gen_range(0..place));
        Self {
            reads: keys(0.5),
            writes: keys(0.4),
            is_fickle: thread_rng().gen_bool(0.4),
            follows,
            lets_go: thread_rng().gen_bool(0.5),
        }
    }

    /// What it writes, from what it read.
    fn run(&self, place: usize, read: &[u64]) -> Option<u64> {
        let sum = read.iter().fold(place as u64 + 1, |sum, value| sum * 31 + value);
        (!self.is_fickle || sum % 2 == 1).then_some(sum)
    }
}

#[derive(Clone, Copy)]
enum Left {
    Estimate,
    Value(u64),
}

struct Block {
    txs: Vec<Tx>,
    tasks: Tasks,
    memory: Vec<Mutex<BTreeMap<usize, Left>>>,
    /// What each read when it ran last.
    read: Vec<Mutex<Option<Vec<u64>>>>,
}

impl Block {
    fn random() -> Self {
        let n_txs = thread_rng().gen_range(1..6);
        let txs: Vec<Tx> = (0..n_txs).map(Tx::random).collect();
        let read = txs.iter().map(|_| Mutex::default()).collect();
        let memory = (0..N_KEYS).map(|_| Mutex::default()).collect();
        Self { txs, tasks: Tasks::new(n_txs as usize), memory, read }
    }

    fn work(&self) {
        let mut task = None;
        while !self.tasks.is_done() {
            task = match task {
                Some(Task::Execute { place }) => self.execute(place),
                Some(Task::Validate { place, incarnation }) => self.validate(place, incarnation),
                None => self.tasks.next(),
            };
            if task.is_none() {
                thread::yield_now();
            }
        }
    }

    /// What a transaction reads now; `Err` names whose estimate it meets.
    fn reads(&self, place: usize) -> Result<Vec<u64>, u32> {
        let read = |&key: &usize| match lock(&self.memory[key]).range(..place).next_back() {
            None => Ok(0),
            Some((_, Left::Value(value))) => Ok(*value),
            Some((&before, Left::Estimate)) => Err(u32::try_from(before).unwrap()),
        };
        self.txs[place].reads.iter().map(read).collect()
    }

    fn execute(&self, place: u32) -> Option<Task> {
        let at = place as usize;
        if let Some(before) = self.txs[at].follows
            && lock(&self.read[at]).is_none()
            && self.tasks.wait_for(place, before)
        {
            return None;
        }
        let read = loop {
            match self.reads(at) {
                Ok(read) => break read,
                Err(before) if self.tasks.wait_for(place, before) => return None,
                Err(_) => {}
            }
        };
        let written = self.txs[at].run(at, &read);
        *lock(&self.read[at]) = Some(read);
        let mut is_elsewhere = false;
        for &key in &self.txs[at].writes {
            let mut left = lock(&self.memory[key]);
            match written {
                Some(value) => is_elsewhere |= left.insert(at, Left::Value(value)).is_none(),
                None => drop(left.remove(&at)),
            }
        }
        self.let_go(place);
        self.tasks.executed(place, is_elsewhere)
    }

    /// Those that wait for this one, and do not read what it wrote, go on, and so those behind them.
    fn let_go(&self, place: u32) {
        let mut at = place;
        while self.txs[at as usize].lets_go
            && let Some(after) =
                (at + 1..).zip(&self.txs[at as usize + 1..]).find(|(_, tx)| tx.follows == Some(at))
            && self.tasks.stop_waiting(after.0, at)
        {
            at = after.0;
        }
    }

    fn validate(&self, place: u32, incarnation: u32) -> Option<Task> {
        let at = place as usize;
        let is_valid = self.reads(at).ok() == *lock(&self.read[at]);
        let is_aborted = !is_valid && self.tasks.abort(place, incarnation);
        if is_aborted {
            for &key in &self.txs[at].writes {
                if let Some(left) = lock(&self.memory[key]).get_mut(&at) {
                    *left = Left::Estimate;
                }
            }
        }
        self.tasks.validated(place, is_aborted)
    }

    /// What one transaction after the other leaves.
    fn in_order(&self) -> [u64; N_KEYS] {
        let mut keys = [0; N_KEYS];
        for (place, tx) in self.txs.iter().enumerate() {
            let read: Vec<u64> = tx.reads.iter().map(|&key| keys[key]).collect();
            if let Some(value) = tx.run(place, &read) {
                tx.writes.iter().for_each(|&key| keys[key] = value);
            }
        }
        keys
    }

    fn left(&self) -> [u64; N_KEYS] {
        std::array::from_fn(|key| match lock(&self.memory[key]).last_key_value() {
            None => 0,
            Some((_, Left::Value(value))) => *value,
            Some((place, Left::Estimate)) => panic!("what {place} wrote is an estimate"),
        })
    }
}

fn check() {
    let block = Arc::new(Block::random());
    let workers: Vec<_> = (0..N_WORKERS)
        .map(|_| {
            let block = Arc::clone(&block);
            thread::spawn(move || block.work())
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    assert_eq!(block.left(), block.in_order());
}

/// Schedules that are tried of each kind.
fn n_schedules() -> usize {
    let given = std::env::var("KEMPE_SCHEDULES").ok();
    given.map_or(20_000, |given| given.parse().expect("KEMPE_SCHEDULES is a number"))
}

#[test]
fn any_interleaving_gives_what_the_order_gives() {
    shuttle::check_random(check, n_schedules());
}

#[test]
fn rare_interleavings_give_what_the_order_gives() {
    shuttle::check_pct(check, n_schedules(), DEPTH);
}
