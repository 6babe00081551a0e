//! Token transfers: what a trace or a workload becomes when a chain runs it.

use kempe_abi::AccessKind;
use kempe_runtime::scheduler::{Access, Accesses};

use crate::Trace;
use crate::trace::Numbers;

/// A transfer of tokens between two accounts, given by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferSpec {
    /// Who pays and signs.
    pub from: usize,
    /// Who receives.
    pub to: usize,
    /// How much; from 1 to [`AMOUNT_MAX`].
    pub amount: u128,
}

/// The largest amount of a [`TransferSpec`]: small, so that an account that starts with 10^9 never
/// runs dry.
pub const AMOUNT_MAX: u128 = 100;

/// The transfers that stand for a recorded block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// The accounts, in the order in which they appear: an address in lower case, or for what the
    /// sender's n-th transaction created, `create:<sender>:<n>`.
    pub accounts: Vec<String>,
    /// The transfers, in block order.
    pub specs: Vec<TransferSpec>,
    /// How many transactions name no sender, and so became nothing.
    pub n_skipped: usize,
}

/// Turns each recorded transaction into a transfer from its sender to whom it was sent to. The
/// pattern of senders and receivers stays that of the block; what contracts touched is lost.
#[must_use]
pub fn transfers(trace: &Trace) -> Transfers {
    let mut transfers = Transfers::default();
    let mut numbers = Numbers::default();
    let mut n_sent: Vec<u32> = Vec::new();
    for (at, tx) in trace.txs.iter().enumerate() {
        let Some(from) = tx.from.as_ref().map(|from| from.to_ascii_lowercase()) else {
            transfers.n_skipped += 1;
            continue;
        };
        let sender = transfers.account(&mut numbers, from.clone());
        n_sent.resize(transfers.accounts.len(), 0);
        let nonce = n_sent[sender];
        n_sent[sender] += 1;
        let to = match &tx.to {
            Some(to) => to.to_ascii_lowercase(),
            None => format!("create:{from}:{nonce}"),
        };
        let to = transfers.account(&mut numbers, to);
        transfers.specs.push(TransferSpec { from: sender, to, amount: amount(at) });
    }
    transfers
}

impl Transfers {
    fn account(&mut self, numbers: &mut Numbers<String>, name: String) -> usize {
        let number = numbers.of(name.clone()) as usize;
        if number == self.accounts.len() {
            self.accounts.push(name);
        }
        number
    }
}

/// The amount of a block's n-th transfer.
pub(crate) fn amount(at: usize) -> u128 {
    1 + at as u128 % AMOUNT_MAX
}

/// What transfers of the shipped token touch, for a scheduler without a chain: each reads the token contract's code,
/// which is one key for all, writes the sender's balance, and adds to the receiver's.
#[must_use]
pub fn transfer_accesses(specs: &[TransferSpec]) -> Accesses {
    accesses(specs, AccessKind::Add)
}

/// The same of a token whose balances are plain cells, as most chains' are: both are written, so that transfers to one account are a
/// chain. What planners are measured with.
#[must_use]
pub fn plain_transfer_accesses(specs: &[TransferSpec]) -> Accesses {
    accesses(specs, AccessKind::Write)
}

fn accesses(specs: &[TransferSpec], receives: AccessKind) -> Accesses {
    const CODE: usize = usize::MAX;
    let mut slots = Numbers::default();
    let mut accesses = Accesses::with_capacity(specs.len(), 3 * specs.len());
    for spec in specs {
        accesses.push_tx([
            Access::new(slots.of(CODE), AccessKind::Read),
            Access::new(slots.of(spec.from), AccessKind::Write),
            Access::new(slots.of(spec.to), receives),
        ]);
    }
    accesses
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_block_becomes_transfers() {
        let line = |tx: usize, rest: &str| {
            format!("{{\"tx\":{tx},\"reads\":[],\"writes\":[],\"gas\":1,\"ns\":1{rest}}}\n")
        };
        let text = [
            line(0, r#","from":"0xA","to":"0xB""#),
            line(1, r#","from":"0xb","to":"""#),
            line(2, r#","to":"0xb""#),
            line(3, r#","from":"0xb","to":"0xa""#),
            line(4, r#","from":"0xb""#),
        ]
        .concat();
        let trace = Trace::read(text.as_bytes(), Path::new("t")).unwrap();
        let found = transfers(&trace);
        assert_eq!(found.accounts, ["0xa", "0xb", "create:0xb:0", "create:0xb:2"]);
        let pairs: Vec<_> = found.specs.iter().map(|s| (s.from, s.to, s.amount)).collect();
        assert_eq!(pairs, [(0, 1, 1), (1, 2, 2), (1, 0, 4), (1, 3, 5)]);
        assert_eq!(found.n_skipped, 1);
        assert_eq!(transfers(&trace), found);
    }

    #[test]
    fn a_transfer_reads_code_writes_a_balance_and_adds_to_another() {
        let specs = [(0, 1), (1, 1)].map(|(from, to)| TransferSpec { from, to, amount: 1 });
        let [read, write, add] = [AccessKind::Read, AccessKind::Write, AccessKind::Add];
        let row = |list: &[(u32, AccessKind)]| -> Vec<Access> {
            list.iter().map(|&(slot, kind)| Access::new(slot, kind)).collect()
        };
        for (accesses, receives) in
            [(transfer_accesses(&specs), add), (plain_transfer_accesses(&specs), write)]
        {
            assert_eq!(accesses.of(0), row(&[(0, read), (1, write), (2, receives)]));
            assert_eq!(accesses.of(1), row(&[(0, read), (2, write)]));
        }
    }
}
