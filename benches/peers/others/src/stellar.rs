//! The asset contract of Stellar in soroban-env-host, for the native asset. It is built into the
//! host: no wasm runs.
//!
//! A transaction is one `invoke_host_function`, as Stellar's validators call it: function,
//! footprint, authorization and ledger entries go in as XDR, and changed entries, result and event
//! come out as XDR. The sender is the source of the transaction, whose signature the validator
//! checks before. The ledger here is a map of encoded entries.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use kempe_bench::{BALANCE, TransferSpec, account_address};
use sha2::{Digest, Sha256};
use soroban_env_host::budget::Budget;
use soroban_env_host::e2e_invoke::{TtlLedgerEntryMeta, invoke_host_function};
use soroban_env_host::meta::INTERFACE_VERSION;
use soroban_env_host::xdr::{
    AccountEntry, AccountEntryExt, AccountId, Asset, ContractDataDurability, ContractExecutable,
    ContractId, ContractIdPreimage, CreateContractArgs, Hash, HashIdPreimage,
    HashIdPreimageContractId, HostFunction, Int128Parts, InvokeContractArgs, LedgerEntry,
    LedgerEntryData, LedgerEntryExt, LedgerFootprint, LedgerKey, LedgerKeyAccount,
    LedgerKeyContractData, Limits, PublicKey, ReadXdr, ScAddress, ScSymbol, ScVal, SequenceNumber,
    SorobanAuthorizationEntry, SorobanAuthorizedFunction, SorobanAuthorizedInvocation,
    SorobanCredentials, SorobanResources, Thresholds, Uint256, WriteXdr,
};
use soroban_env_host::{HostError, LedgerInfo};

use crate::{Peer, timed};

const NETWORK: [u8; 32] = [7; 32];
const SEED: [u8; 32] = [9; 32];

/// The ledger, and transactions that move its native asset.
pub(crate) struct Soroban {
    ledger: Ledger,
    txs: Vec<SorobanTx>,
}

/// Encoded entries by encoded key.
#[derive(Default)]
struct Ledger(HashMap<Vec<u8>, (Vec<u8>, Option<TtlLedgerEntryMeta>)>);

/// What a validator hands to the host.
struct SorobanTx {
    function: Vec<u8>,
    resources: Vec<u8>,
    source: Vec<u8>,
    authorization: Vec<Vec<u8>>,
    /// Encoded: what is read only, then the others, in the order of the footprint.
    keys: Vec<Vec<u8>>,
}

impl Soroban {
    /// Deploys the native asset's contract, and writes the accounts.
    pub(crate) fn new(n_accounts: usize, specs: &[TransferSpec]) -> Result<Self> {
        let mut ledger = Ledger::default();
        for account in 0..n_accounts {
            ledger.0.insert(xdr(&account_key(account))?, (xdr(&account_entry(account)?)?, None));
        }
        let contract = native_contract()?;
        ledger.run(&deployment(&contract)?).context("the contract is deployed")?;
        let txs = specs.iter().map(|spec| transfer(&contract, spec));
        Ok(Self { txs: txs.collect::<Result<_>>()?, ledger })
    }
}

impl Peer for Soroban {
    fn name(&self) -> &'static str {
        "soroban-env-host, native asset (no wasm)"
    }

    fn round(&mut self) -> Result<Duration> {
        timed(|| self.txs.iter().try_for_each(|tx| self.ledger.run(tx)))
    }

    fn balance(&mut self, account: usize) -> Result<u128> {
        let (entry, _) = self.ledger.0.get(&xdr(&account_key(account))?).context("it is there")?;
        match LedgerEntry::from_xdr(entry, Limits::none())?.data {
            LedgerEntryData::Account(account) => Ok(account.balance.try_into()?),
            other => bail!("{other:?} is no account"),
        }
    }
}

impl Ledger {
    fn run(&mut self, tx: &SorobanTx) -> Result<()> {
        let entries = tx.keys.iter().map(|key| match self.0.get(key) {
            Some((entry, ttl)) => (Some(&entry[..]), *ttl),
            None => (None, None),
        });
        let result = invoke_host_function(
            &Budget::default(),
            false,
            &tx.function[..],
            &tx.resources[..],
            &[],
            &tx.source[..],
            tx.authorization.iter().map(Vec::as_slice),
            ledger_info(),
            entries,
            &SEED[..],
            &mut Vec::new(),
            None,
            None,
        )
        .map_err(failed)?;
        result.encoded_invoke_result.map_err(failed)?;
        for change in result.ledger_changes {
            let Some(entry) = change.encoded_new_value else { continue };
            let ttl = change.ttl_change.map(|ttl| TtlLedgerEntryMeta {
                live_until_ledger: ttl.new_live_until_ledger,
                entry_size_for_rent: change.new_entry_size_bytes_for_rent,
            });
            self.0.insert(change.encoded_key, (entry, ttl));
        }
        Ok(())
    }
}

fn failed(error: HostError) -> anyhow::Error {
    anyhow!("{error}")
}

/// As on the main network: entries live long enough that no transfer has to extend one.
fn ledger_info() -> LedgerInfo {
    LedgerInfo {
        protocol_version: INTERFACE_VERSION.protocol,
        sequence_number: 1000,
        timestamp: 1_700_000_000,
        network_id: NETWORK,
        base_reserve: 5_000_000,
        min_temp_entry_ttl: 17_280,
        min_persistent_entry_ttl: 2_073_600,
        max_entry_ttl: 3_110_400,
    }
}

fn xdr(value: &impl WriteXdr) -> Result<Vec<u8>> {
    Ok(value.to_xdr(Limits::none())?)
}

fn account_id(account: usize) -> AccountId {
    AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(account_address(account).0)))
}

fn account_key(account: usize) -> LedgerKey {
    LedgerKey::Account(LedgerKeyAccount { account_id: account_id(account) })
}

fn account_entry(account: usize) -> Result<LedgerEntry> {
    let entry = AccountEntry {
        account_id: account_id(account),
        balance: BALANCE.try_into()?,
        seq_num: SequenceNumber(0),
        num_sub_entries: 0,
        inflation_dest: None,
        flags: 0,
        home_domain: Default::default(),
        thresholds: Thresholds([1, 0, 0, 0]),
        signers: Default::default(),
        ext: AccountEntryExt::V0,
    };
    Ok(LedgerEntry {
        last_modified_ledger_seq: 1,
        data: LedgerEntryData::Account(entry),
        ext: LedgerEntryExt::V0,
    })
}

/// The address follows from the asset.
fn native_contract() -> Result<ScAddress> {
    let preimage = HashIdPreimage::ContractId(HashIdPreimageContractId {
        network_id: Hash(NETWORK),
        contract_id_preimage: ContractIdPreimage::Asset(Asset::Native),
    });
    let hash = Sha256::digest(xdr(&preimage)?);
    Ok(ScAddress::Contract(ContractId(Hash(hash.into()))))
}

fn instance_key(contract: &ScAddress) -> LedgerKey {
    LedgerKey::ContractData(LedgerKeyContractData {
        contract: contract.clone(),
        key: ScVal::LedgerKeyContractInstance,
        durability: ContractDataDurability::Persistent,
    })
}

fn deployment(contract: &ScAddress) -> Result<SorobanTx> {
    let function = HostFunction::CreateContract(CreateContractArgs {
        contract_id_preimage: ContractIdPreimage::Asset(Asset::Native),
        executable: ContractExecutable::StellarAsset,
    });
    transaction(&function, 0, &[], &[instance_key(contract)], &[])
}

fn transfer(contract: &ScAddress, spec: &TransferSpec) -> Result<SorobanTx> {
    let address = |account| ScVal::Address(ScAddress::Account(account_id(account)));
    let amount = Int128Parts { hi: 0, lo: spec.amount.try_into()? };
    let args = [address(spec.from), address(spec.to), ScVal::I128(amount)];
    let call = InvokeContractArgs {
        contract_address: contract.clone(),
        function_name: ScSymbol("transfer".try_into()?),
        args: args.to_vec().try_into()?,
    };
    let authorization = SorobanAuthorizationEntry {
        credentials: SorobanCredentials::SourceAccount,
        root_invocation: SorobanAuthorizedInvocation {
            function: SorobanAuthorizedFunction::ContractFn(call.clone()),
            sub_invocations: Default::default(),
        },
    };
    let (read_only, read_write) =
        ([instance_key(contract)], [account_key(spec.from), account_key(spec.to)]);
    let function = HostFunction::InvokeContract(call);
    transaction(&function, spec.from, &read_only, &read_write, &[authorization])
}

fn transaction(
    function: &HostFunction,
    source: usize,
    read_only: &[LedgerKey],
    read_write: &[LedgerKey],
    authorization: &[SorobanAuthorizationEntry],
) -> Result<SorobanTx> {
    // A footprint is sorted.
    let mut read_write = read_write.to_vec();
    read_write.sort();
    let resources = SorobanResources {
        footprint: LedgerFootprint {
            read_only: read_only.to_vec().try_into()?,
            read_write: read_write.clone().try_into()?,
        },
        instructions: 0,
        disk_read_bytes: 0,
        write_bytes: 0,
    };
    Ok(SorobanTx {
        function: xdr(function)?,
        resources: xdr(&resources)?,
        source: xdr(&account_id(source))?,
        authorization: authorization.iter().map(xdr).collect::<Result<_>>()?,
        keys: read_only.iter().chain(&read_write).map(xdr).collect::<Result<_>>()?,
    })
}
