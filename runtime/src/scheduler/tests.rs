//! Tables, and every scheduler and `verify` against brute force.

mod brute;
mod forms;
mod lanes;
mod plans;
mod properties;
mod stages;
mod tables;

use kempe_abi::AccessKind::{self, Add, Read, Write};

use super::{Access, Accesses, Block};

/// A block that owns its columns.
#[derive(Clone, Debug, Default)]
struct Owned {
    accesses: Accesses,
    costs: Vec<u64>,
    senders: Vec<u32>,
    unlisted: Vec<bool>,
}

impl Owned {
    fn block(&self) -> Block<'_> {
        Block::new(&self.accesses, &self.costs, &self.senders, &self.unlisted).unwrap()
    }

    /// Reads `t0: r a, w b; t1@0: +c; t2: ?`: the sender's number may follow `@` (by default each
    /// sender is another one), `$9` gives the cost, `?` stands for an unknown list. Keys are letters.
    fn parse(text: &str) -> Self {
        let mut owned = Self::default();
        for (tx, part) in (0..).zip(text.split(';').filter(|part| !part.is_empty())) {
            let (head, body) = part.split_once(':').unwrap();
            let (head, cost) = head.split_once('$').unwrap_or((head, "1"));
            let (name, sender) = head.trim().split_once('@').unwrap_or((head.trim(), ""));
            assert_eq!(name, format!("t{tx}"));
            owned.costs.push(cost.trim().parse().unwrap());
            owned.senders.push(sender.parse().unwrap_or(tx));
            owned.unlisted.push(body.trim() == "?");
            let words = body.split(',').map(str::trim).filter(|word| !word.is_empty());
            owned.accesses.push_tx(words.filter(|&word| word != "?").map(access));
        }
        owned
    }
}

fn access(word: &str) -> Access {
    let (kind, key) = word.split_once(' ').unwrap();
    let kind = match kind {
        "r" => Read,
        "a" => Add,
        "w" => Write,
        _ => panic!("{word}"),
    };
    Access::new(u32::from(key.as_bytes()[0] - b'a'), kind)
}

fn kind(number: u8) -> AccessKind {
    [Read, Add, Write][usize::from(number) % 3]
}
