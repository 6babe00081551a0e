//! The SPL token in litesvm: the program that Solana's main network runs (p-token), which litesvm
//! ships.
//!
//! A transaction is one instruction `Transfer` with the owner as payer. Beside the transfer litesvm
//! hashes the message, loads and locks accounts, takes a fee and collects logs. It does not check
//! signatures, the age of the blockhash, or whether a transaction was there before.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use kempe_bench::{BALANCE, TransferSpec, account_address};
use litesvm::LiteSVM;
use solana_account::Account;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::Message;
use solana_signature::Signature;
use solana_transaction::Transaction;
use solana_transaction::versioned::VersionedTransaction;

use crate::{Peer, timed};

/// Where the SPL token is. Source: <https://www.solana-program.com/docs/token>.
const TOKEN_PROGRAM: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
/// The number of the instruction `Transfer`.
const TRANSFER: u8 = 3;
/// What pays for fees: 5,000 a transaction.
const LAMPORTS: u64 = 1_000_000_000_000;

/// An account of the token: the mint, the owner, the amount, no delegate, and initialized at byte
/// 108. Source: `spl_token_interface::state::Account`.
const TOKEN_ACCOUNT_BYTES: usize = 165;
const AMOUNT_AT: usize = 64;
const STATE_AT: usize = 108;
const INITIALIZED: u8 = 1;

/// Holders of a token, and transactions that move it.
pub(crate) struct Litesvm {
    svm: LiteSVM,
    txs: Vec<VersionedTransaction>,
    n_accounts: usize,
}

impl Litesvm {
    /// Writes the accounts of owners and of the token. There is no mint, because `Transfer` does
    /// not look at it.
    pub(crate) fn new(n_accounts: usize, specs: &[TransferSpec]) -> Result<Self> {
        let mut svm = LiteSVM::new()
            .with_sigverify(false)
            .with_blockhash_check(false)
            .with_transaction_history(0);
        let program: Address = TOKEN_PROGRAM.parse()?;
        for account in 0..n_accounts {
            let owner = Account { lamports: LAMPORTS, ..Account::default() };
            svm.set_account(owner_address(account), owner)
                .map_err(|error| anyhow!("owner {account}: {error:?}"))?;
            let token = Account {
                lamports: svm.minimum_balance_for_rent_exemption(TOKEN_ACCOUNT_BYTES),
                data: token_account(account)?,
                owner: program,
                ..Account::default()
            };
            svm.set_account(token_address(n_accounts, account), token)
                .map_err(|error| anyhow!("token account {account}: {error:?}"))?;
        }
        let tx = |spec: &TransferSpec| -> Result<VersionedTransaction> {
            let mut data = vec![TRANSFER];
            data.extend(u64::try_from(spec.amount)?.to_le_bytes());
            let accounts = vec![
                AccountMeta::new(token_address(n_accounts, spec.from), false),
                AccountMeta::new(token_address(n_accounts, spec.to), false),
                AccountMeta::new_readonly(owner_address(spec.from), true),
            ];
            let instruction = Instruction { program_id: program, accounts, data };
            let message = Message::new(&[instruction], Some(&owner_address(spec.from)));
            Ok(Transaction { signatures: vec![Signature::default()], message }.into())
        };
        let txs = specs.iter().map(tx).collect::<Result<_>>()?;
        Ok(Self { svm, txs, n_accounts })
    }
}

impl Peer for Litesvm {
    fn name(&self) -> &'static str {
        "litesvm, SPL token (sBPF)"
    }

    fn round(&mut self) -> Result<Duration> {
        let txs = self.txs.clone();
        timed(|| {
            for tx in txs {
                self.svm.send_transaction(tx).map_err(|failed| anyhow!("{failed:?}"))?;
            }
            Ok(())
        })
    }

    fn balance(&mut self, account: usize) -> Result<u128> {
        let address = token_address(self.n_accounts, account);
        let found = self.svm.get_account(&address).context("the account is there")?;
        let amount = found.data[AMOUNT_AT..AMOUNT_AT + 8].try_into()?;
        Ok(u64::from_le_bytes(amount).into())
    }
}

fn owner_address(account: usize) -> Address {
    account_address(account).0.into()
}

/// Addresses of the token's accounts are those that no owner has.
fn token_address(n_accounts: usize, account: usize) -> Address {
    account_address(n_accounts + account).0.into()
}

fn token_account(account: usize) -> Result<Vec<u8>> {
    let mut data = vec![0; TOKEN_ACCOUNT_BYTES];
    data[32..64].copy_from_slice(owner_address(account).as_ref());
    data[AMOUNT_AT..AMOUNT_AT + 8].copy_from_slice(&u64::try_from(BALANCE)?.to_le_bytes());
    data[STATE_AT] = INITIALIZED;
    Ok(data)
}
