//! An ERC-20 token in revm.

use kempe_bench::{BALANCE, TransferSpec, account_address};
use revm::bytecode::opcode::{
    ADD, CALLDATALOAD, CALLDATASIZE, CALLER, CALLVALUE, DUP1, DUP2, DUP3, EQ, ISZERO, JUMPDEST,
    JUMPI, KECCAK256, LOG3, LT, MSTORE, PUSH0, PUSH1, PUSH4, PUSH32, RETURN, REVERT, SHR, SLOAD,
    SSTORE, SUB, SWAP1,
};
use revm::context::TxEnv;
use revm::context::result::ExecutionResult;
use revm::database::InMemoryDB;
use revm::handler::MainnetContext;
use revm::primitives::{Address, Bytes, TxKind, U256, hex, keccak256};
use revm::state::{AccountInfo, Bytecode};
use revm::{Context, ExecuteCommitEvm, MainBuilder, MainContext, MainnetEvm};

/// The selector of `transfer(address,uint256)`.
const SELECTOR: [u8; 4] = hex!("a9059cbb");
/// The hash of `Transfer(address,address,uint256)`.
const TOPIC: [u8; 32] = hex!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
/// Enough for a transfer, which needs less than 60,000.
const GAS_MAX: u64 = 100_000;
/// Where the code jumps to revert.
const FAIL: u8 = 0x0e;

/// The runtime code of a token that can do nothing but `transfer(address,uint256)`, written by hand.
///
/// It does what the transfer of OpenZeppelin's `ERC20` does, and nothing that a compiler adds: it
/// refuses value, short calldata, addresses of more than 20 bytes, the receiver zero, and a sender
/// who has less; balances are the mapping at slot 0, an account's at keccak256(account . 0); it
/// emits `Transfer` and returns true. The receiver's sum is not checked, because a supply that fits
/// cannot overflow it. So revm has rather less to do here than for a compiled token.
///
/// Source: <https://eips.ethereum.org/EIPS/eip-20>; layout of mappings:
/// <https://docs.soliditylang.org/en/latest/internals/layout_in_storage.html>.
#[rustfmt::skip]
pub const TRANSFER_CODE: &[&[u8]] = &[
    // if the selector is transfer's, jump to 0x12; the stack is [] on both sides
    &[PUSH0, CALLDATALOAD, PUSH1, 0xe0, SHR, PUSH4], &SELECTOR, &[EQ, PUSH1, 0x12, JUMPI],
    // 0x0e: revert
    &[JUMPDEST, PUSH0, PUSH0, REVERT],
    // 0x12: refuse value and short calldata
    &[JUMPDEST, CALLVALUE, PUSH1, FAIL, JUMPI],
    &[PUSH1, 0x44, CALLDATASIZE, LT, PUSH1, FAIL, JUMPI],
    // [to]: refuse what is no address, and zero
    &[PUSH1, 0x04, CALLDATALOAD, DUP1, PUSH1, 0xa0, SHR, PUSH1, FAIL, JUMPI],
    &[DUP1, ISZERO, PUSH1, FAIL, JUMPI],
    // [to, amount]
    &[PUSH1, 0x24, CALLDATALOAD],
    // [to, amount, slot, balance] of the sender; the mapping's slot 0 is what memory holds anyway
    &[CALLER, PUSH0, MSTORE, PUSH1, 0x40, PUSH0, KECCAK256, DUP1, SLOAD],
    // refuse if balance < amount
    &[DUP3, DUP2, LT, PUSH1, FAIL, JUMPI],
    // [to, amount]: store balance - amount
    &[DUP3, SWAP1, SUB, SWAP1, SSTORE],
    // [to, amount]: the receiver's balance + amount
    &[DUP2, PUSH0, MSTORE, PUSH1, 0x40, PUSH0, KECCAK256, DUP1, SLOAD, DUP3, ADD, SWAP1, SSTORE],
    // []: emit Transfer(caller, to, amount)
    &[PUSH0, MSTORE, CALLER, PUSH32], &TOPIC, &[PUSH1, 0x20, PUSH0, LOG3],
    // return true
    &[PUSH1, 0x01, PUSH0, MSTORE, PUSH1, 0x20, PUSH0, RETURN],
];

/// A transfer that did not go through.
#[derive(Debug, thiserror::Error)]
#[error("transfer {tx_index} in revm: {reason}")]
pub struct Erc20Error {
    /// Which.
    pub tx_index: usize,
    /// What revm says.
    pub reason: String,
}

/// The token and its holders in revm's database in memory.
#[derive(Debug)]
pub struct Erc20World {
    evm: MainnetEvm<MainnetContext<InMemoryDB>>,
}

impl Erc20World {
    /// Gives [`BALANCE`] of the token to each account. The accounts exist, without native balance:
    /// gas costs nothing. Nonces are not checked, as in Kempe's executor.
    #[must_use]
    pub fn new(n_accounts: usize) -> Self {
        let mut db = InMemoryDB::default();
        let code = Bytecode::new_legacy(TRANSFER_CODE.concat().into());
        db.insert_account_info(token(), AccountInfo::default().with_code(code));
        for account in (0..n_accounts).map(address) {
            db.insert_account_info(account, AccountInfo::default());
            let Ok(()) = db.insert_account_storage(token(), slot(account), U256::from(BALANCE));
        }
        let context = Context::mainnet().with_db(db);
        let evm = context.modify_cfg_chained(|cfg| cfg.disable_nonce_check = true).build_mainnet();
        Self { evm }
    }

    /// Makes transactions of transfers.
    #[must_use]
    pub fn txs(&self, specs: &[TransferSpec]) -> Vec<TxEnv> {
        let tx = |spec: &TransferSpec| {
            let to = address(spec.to).into_word();
            let amount = U256::from(spec.amount).to_be_bytes::<32>();
            TxEnv {
                caller: address(spec.from),
                gas_limit: GAS_MAX,
                kind: TxKind::Call(token()),
                data: Bytes::from([&SELECTOR[..], &to[..], &amount].concat()),
                ..TxEnv::default()
            }
        };
        specs.iter().map(tx).collect()
    }

    /// Runs transactions one after the other, and commits each.
    ///
    /// # Errors
    /// [`Erc20Error`] at the first that does not succeed.
    pub fn run(&mut self, txs: Vec<TxEnv>) -> Result<(), Erc20Error> {
        for (tx_index, tx) in txs.into_iter().enumerate() {
            let fail = |reason| Erc20Error { tx_index, reason };
            let result = self.evm.transact_commit(tx).map_err(|error| fail(error.to_string()))?;
            if !result.is_success() {
                return Err(fail(format!("{result:?}")));
            }
        }
        Ok(())
    }

    /// Runs one transaction, commits it and gives what came of it.
    ///
    /// # Errors
    /// [`Erc20Error`], if revm refuses the transaction.
    pub fn run_one(&mut self, tx: TxEnv) -> Result<ExecutionResult, Erc20Error> {
        let result = self.evm.transact_commit(tx);
        result.map_err(|error| Erc20Error { tx_index: 0, reason: error.to_string() })
    }

    /// What an account has.
    #[must_use]
    pub fn balance(&self, account: usize) -> U256 {
        let storage = &self.evm.ctx.journaled_state.database.cache.accounts[&token()].storage;
        storage.get(&slot(address(account))).copied().unwrap_or_default()
    }
}

/// Where the token is.
fn token() -> Address {
    Address::repeat_byte(0x70)
}

/// A workload's account: the first bytes of its address in Kempe.
fn address(account: usize) -> Address {
    Address::from_slice(&account_address(account).0[..20])
}

/// Where the balance of an account is stored.
fn slot(account: Address) -> U256 {
    keccak256([account.into_word().0, [0; 32]].concat()).into()
}

#[cfg(test)]
mod tests {
    use kempe_bench::Workload;

    use super::*;

    #[test]
    fn transfers_move_balances_and_emit() {
        let mut world = Erc20World::new(10);
        let spec = TransferSpec { from: 1, to: 2, amount: 30 };
        let result = world.run_one(world.txs(&[spec]).remove(0)).unwrap();
        assert!(result.is_success(), "{result:?}");
        assert_eq!(result.output().unwrap()[..], U256::ONE.to_be_bytes::<32>());
        let [log] = result.logs() else { panic!("{result:?}") };
        let topics = [TOPIC.into(), address(1).into_word(), address(2).into_word()];
        assert_eq!(log.topics(), topics);
        assert_eq!(log.data.data[..], U256::from(30).to_be_bytes::<32>());
        assert_eq!(world.balance(1), U256::from(BALANCE - 30));
        assert_eq!(world.balance(2), U256::from(BALANCE + 30));
    }

    #[test]
    fn a_workload_ends_with_the_right_balances() {
        let mut world = Erc20World::new(20);
        let specs = Workload::Uniform { n_accounts: 20 }.transfers(300, 5).unwrap();
        world.run(world.txs(&specs)).unwrap();
        let mut expected = [BALANCE; 20];
        for spec in &specs {
            expected[spec.from] -= spec.amount;
            expected[spec.to] += spec.amount;
        }
        let found: Vec<U256> = (0..20).map(|account| world.balance(account)).collect();
        assert_eq!(found, expected.map(U256::from));
    }

    #[test]
    fn what_a_token_refuses_reverts() {
        let mut world = Erc20World::new(2);
        let good = world.txs(&[TransferSpec { from: 0, to: 1, amount: BALANCE }]).remove(0);
        let mut check = |name: &str, change: fn(&mut Vec<u8>)| {
            let mut data = good.data.to_vec();
            change(&mut data);
            let result = world.run_one(TxEnv { data: data.into(), ..good.clone() }).unwrap();
            assert!(matches!(result, ExecutionResult::Revert { .. }), "{name}: {result:?}");
        };
        check("one more than there is", |data| data[67] += 1);
        check("another method", |data| data[0] ^= 1);
        check("short calldata", |data| data.truncate(67));
        check("no calldata", Vec::clear);
        check("more than an address", |data| data[15] = 1);
        check("the receiver zero", |data| data[4..36].fill(0));
        world.run(vec![good]).unwrap();
        assert_eq!((world.balance(0), world.balance(1)), (U256::ZERO, U256::from(2 * BALANCE)));
    }
}
