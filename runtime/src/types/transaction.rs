//! Transactions: what is signed, how it is encoded, and how a signature is checked.

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_zebra::{Signature, SigningKey, VerificationKey};
use kempe_abi::host::KEY_BYTES_MAX;
use kempe_abi::upgrade::UpgradeTerms;
use kempe_abi::{AccessKind, Address, Hash, MethodId};

use super::genesis::Prices;
use super::key::{SYSTEM, StateKey, system_field};
use super::messages::message_hash;

/// The most bytes of an encoded transaction. Ours to choose: a module of the largest admitted size
/// and its arguments fit.
pub const TX_BYTES_MAX: usize = 1024 * 1024;

/// The most actions of a transaction. Ours to choose.
pub const ACTIONS_MAX: usize = 64;

/// The most entries of an access list, derived and explicit. Ours to choose: Solana permits 64
/// accounts, Soroban 100 entries; a derived list need not be shipped, so more is affordable.
pub const LIST_ENTRIES_MAX: usize = kempe_abi::host::LIST_ENTRIES_MAX;

/// The key under which transactions are hashed, so that no other signed bytes can be mistaken for one.
pub const TX_KEY: &[u8; 32] = b"kempe 2026 transaction          ";

/// The bytes of a signature, which are the last of an encoded transaction.
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// A request to run one or more actions atomically.
///
/// Its canonical encoding is the borsh encoding of the fields in order.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// The chain it is for.
    pub chain_id: u64,
    /// Who signs, and pays: an ed25519 public key.
    pub sender: Address,
    /// One more than the sender's last transaction's; the first is 0.
    pub nonce: u64,
    /// The most fuel it may burn.
    pub fuel_limit: u64,
    /// What to do, in order; all of it or nothing.
    pub actions: Vec<Action>,
    /// Keys that a method declared as dynamic touches, as recorded by a simulation.
    pub access: Vec<DeclaredAccess>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Action {
    /// Calls a method of a contract.
    Call {
        /// The contract.
        contract: Address,
        /// The method's selector.
        method: MethodId,
        /// The encoded arguments.
        args: Vec<u8>,
    },
    /// Deploys a contract and runs its `init`.
    Deploy {
        /// The module.
        wasm: Vec<u8>,
        /// The encoded arguments of `init`.
        args: Vec<u8>,
        /// Who may replace the code later: an account, or a contract that is asked; nobody, ever, if
        /// `None`. Boxed, so that the many actions that are calls stay small.
        authority: Option<Box<Address>>,
    },
    /// Moves native balance.
    Transfer {
        /// To whom.
        to: Address,
        /// How much.
        amount: u128,
    },
    /// Replaces the code of a contract and runs its `migrate`.
    Upgrade(Box<Upgrade>),
}

/// New code for a contract, and what becomes of the contract with it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Upgrade {
    /// The contract.
    pub contract: Address,
    /// The module. Exactly the code that the contract has is no new code: then `migrate` does not run,
    /// and only the authority changes.
    pub wasm: Vec<u8>,
    /// The encoded arguments of `migrate`.
    pub args: Vec<u8>,
    /// Whether calls may touch more than before, and methods, errors, events and interfaces may be others or gone;
    /// without it such code is refused: see [`kempe_abi::upgrade::check`].
    pub allow_wider: bool,
    /// Who may replace the code from then on; nobody, ever, if `None`.
    pub authority: Option<Address>,
}

impl Upgrade {
    /// What an [authority](kempe_abi::upgrade::AUTHORIZE) that is a contract is asked about.
    #[must_use]
    pub fn terms(&self) -> UpgradeTerms {
        UpgradeTerms {
            contract: self.contract,
            code: Hash(*blake3::hash(&self.wasm).as_bytes()),
            args: self.args.clone(),
            allow_wider: self.allow_wider,
            authority: self.authority,
        }
    }
}

/// An entry of an explicit access list.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DeclaredAccess {
    /// How.
    pub kind: AccessKind,
    /// What.
    pub key: StateKey,
}

impl DeclaredAccess {
    /// Whether a transaction may declare it: a cell of a contract, or that it calls a contract. The
    /// chain's other cells are no contract's to touch.
    #[must_use]
    pub fn is_permitted(&self) -> bool {
        let calls = self.key.field == system_field::CONTRACT && self.kind == AccessKind::Read;
        (self.key.contract != SYSTEM || calls) && self.key.key.len() <= KEY_BYTES_MAX
    }
}

/// A transaction and its signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedTransaction {
    /// What was signed.
    pub transaction: Transaction,
    /// The ed25519 signature of the [domain](SIGNATURE_DOMAIN), with its length before it, and [`Transaction::hash`].
    pub signature: [u8; 64],
}

/// Why a transaction cannot be part of a block. It was not executed and costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// The bytes are not one canonical encoding.
    #[error("the bytes are not the canonical encoding of a transaction: {0}")]
    Encoding(String),
    /// Longer than [`TX_BYTES_MAX`].
    #[error("the transaction is too large: size_bytes={size_bytes} size_bytes_max={TX_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        size_bytes: usize,
    },
    /// It does nothing.
    #[error("the transaction has no actions")]
    NoActions,
    /// More than [`ACTIONS_MAX`] actions.
    #[error("the transaction has too many actions: n_actions={0} n_actions_max={ACTIONS_MAX}")]
    TooManyActions(usize),
    /// The explicit list has more than [`LIST_ENTRIES_MAX`] entries.
    #[error("the access list is too long: n_entries={0} n_entries_max={LIST_ENTRIES_MAX}")]
    ListTooLong(usize),
    /// The explicit list names a cell of the chain itself, which no contract can touch, or a key that
    /// is too long to be one.
    #[error("the access list names a key that no contract can touch: key={0:?}")]
    SystemKey(StateKey),
    /// For another chain.
    #[error("the transaction is for another chain: chain_id={found} expected={expected}")]
    ChainId {
        /// The transaction's.
        found: u64,
        /// This chain's.
        expected: u64,
    },
    /// Used already, or ahead of its turn.
    #[error(
        "the nonce is not the sender's next: sender={sender} nonce={found} expected={expected}"
    )]
    Nonce {
        /// The sender.
        sender: Address,
        /// The transaction's.
        found: u64,
        /// The next.
        expected: u64,
    },
    /// The fuel limit does not pay for the transaction's bytes.
    #[error(
        "the fuel limit is below what the transaction's bytes cost: fuel_limit={found} fuel_min={min}"
    )]
    FuelTooLow {
        /// The transaction's.
        found: u64,
        /// The least.
        min: u64,
    },
    /// The sender's balance does not cover the highest fee beside what its earlier transactions in the block may take.
    #[error(
        "the balance does not cover the highest fee beside what the sender's earlier transactions of the block may take: \
         sender={sender} balance={balance} taken={taken} fee_max={fee_max}"
    )]
    Unpayable {
        /// The sender.
        sender: Address,
        /// Its balance before the block.
        balance: u128,
        /// The highest fees of its earlier transactions in the block, and what they transfer to others.
        taken: u128,
        /// The highest fee of this one.
        fee_max: u128,
    },
    /// The earlier transactions of the block leave less fuel than this one asks for.
    #[error(
        "the block has not so much fuel left: fuel_limit={found} left={left} block_fuel_max={max}; it fits into a later \
         block, or with a lower limit"
    )]
    BlockFull {
        /// The transaction's.
        found: u64,
        /// What the earlier ones leave.
        left: u64,
        /// The chain's limit for a block.
        max: u64,
    },
    /// The fuel limit is above the chain's.
    #[error("the fuel limit is above the chain's: fuel_limit={found} fuel_limit_max={max}")]
    FuelLimit {
        /// The transaction's.
        found: u64,
        /// The chain's.
        max: u64,
    },
    /// The sender's address is not a usable public key (not a point, or of small order).
    #[error("the sender's address is not a usable ed25519 public key: sender={0}")]
    BadSender(Address),
    /// The signature does not fit.
    #[error("the signature is not the sender's: sender={0}")]
    BadSignature(Address),
}

impl Transaction {
    /// The hash that is signed, behind a [domain](SIGNATURE_DOMAIN), and that names the transaction: keyed blake3 of the length of its canonical
    /// encoding (8 bytes, little endian), the encoding, and zeros up to a multiple of 64 bytes. The
    /// signature is not part of it, so nobody can rename a transaction.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "encoding to memory cannot fail")]
    pub fn hash(&self) -> Hash {
        message_hash(TX_KEY, &borsh::to_vec(self).expect("encoding to memory cannot fail"))
    }

    /// The bytes of the encoding of the signed transaction.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        const FIXED: usize = 8 + 32 + 8 + 8 + 4 + 4 + 64;
        let authority = |is_some: bool| 1 + if is_some { 32 } else { 0 };
        let actions = self.actions.iter().map(|action| match action {
            Action::Call { args, .. } => 1 + 32 + 4 + 4 + args.len(),
            Action::Deploy { wasm, args, authority: who } => {
                1 + 4 + wasm.len() + 4 + args.len() + authority(who.is_some())
            }
            Action::Upgrade(upgrade) => {
                let Upgrade { contract: _, wasm, args, allow_wider: _, authority: who } =
                    &**upgrade;
                1 + 32 + 4 + wasm.len() + 4 + args.len() + 1 + authority(who.is_some())
            }
            Action::Transfer { .. } => 1 + 32 + 16,
        });
        let access = self.access.iter().map(|entry| 1 + 32 + 1 + 4 + entry.key.key.len());
        FIXED + actions.sum::<usize>() + access.sum::<usize>()
    }

    /// The fuel that it burns before it does anything: what its bytes and its signature cost.
    #[must_use]
    pub fn base_fuel(&self, prices: &Prices) -> u64 {
        let bytes = (self.size_bytes() as u64).saturating_mul(prices.transaction_byte);
        prices.transaction.saturating_add(bytes)
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedTransaction {
        let signature = key.sign(&signed_message(&self.hash())).to_bytes();
        SignedTransaction { transaction: self, signature }
    }

    /// Checks what does not depend on the state: counts, sizes and the chain.
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn check_form(&self, chain_id: u64, fuel_limit_max: u64) -> Result<(), TransactionError> {
        if self.chain_id != chain_id {
            return Err(TransactionError::ChainId { found: self.chain_id, expected: chain_id });
        }
        if self.actions.is_empty() {
            return Err(TransactionError::NoActions);
        }
        if self.actions.len() > ACTIONS_MAX {
            return Err(TransactionError::TooManyActions(self.actions.len()));
        }
        if self.access.len() > LIST_ENTRIES_MAX {
            return Err(TransactionError::ListTooLong(self.access.len()));
        }
        if self.size_bytes() > TX_BYTES_MAX {
            return Err(TransactionError::TooLarge { size_bytes: self.size_bytes() });
        }
        if let Some(entry) = self.access.iter().find(|entry| !entry.is_permitted()) {
            return Err(TransactionError::SystemKey(entry.key.clone()));
        }
        if self.fuel_limit > fuel_limit_max {
            return Err(TransactionError::FuelLimit {
                found: self.fuel_limit,
                max: fuel_limit_max,
            });
        }
        Ok(())
    }
}

/// What a sender signs begins with this, so that a hash that a key signs for a contract to check is never a transaction.
///
/// With it, what is hashed to check a signature is 105 bytes, which is one block of SHA-512, whose end takes 17.
pub const SIGNATURE_DOMAIN: [u8; 8] = *b"kempe tx";

const DOMAIN_LEN: usize = SIGNATURE_DOMAIN.len();

/// What a sender signs: the length of the domain, in one byte, the domain, and the transaction's hash.
pub(super) fn signed_message(hash: &Hash) -> [u8; 1 + DOMAIN_LEN + 32] {
    const { assert!(DOMAIN_LEN < 128, "more takes two bytes where it is written as a varint") };
    let mut message = [0; 1 + DOMAIN_LEN + 32];
    message[0] = const { DOMAIN_LEN.to_le_bytes()[0] };
    message[1..=DOMAIN_LEN].copy_from_slice(&SIGNATURE_DOMAIN);
    message[1 + DOMAIN_LEN..].copy_from_slice(&hash.0);
    message
}

impl SignedTransaction {
    /// Decodes the canonical encoding.
    ///
    /// # Errors
    /// [`TransactionError::TooLarge`] and [`TransactionError::Encoding`]; bytes left over are an error.
    pub fn decode(bytes: &[u8]) -> Result<Self, TransactionError> {
        if bytes.len() > TX_BYTES_MAX {
            return Err(TransactionError::TooLarge { size_bytes: bytes.len() });
        }
        borsh::from_slice(bytes).map_err(|error| TransactionError::Encoding(error.to_string()))
    }

    /// Checks the signature and returns the transaction's hash, by the rules of ZIP 215, under which checking one by one and in batches
    /// agree for every input. A public key of small order is refused before: anyone could sign for it.
    ///
    /// Source: <https://zips.z.cash/zip-0215>.
    ///
    /// # Errors
    /// [`TransactionError::BadSender`] and [`TransactionError::BadSignature`].
    pub fn verify(&self) -> Result<Hash, TransactionError> {
        let hash = self.transaction.hash();
        self.verify_hash(&hash)?;
        Ok(hash)
    }

    /// Checks the signature of a transaction whose hash is known; see [`verify`](Self::verify).
    pub(super) fn verify_hash(&self, hash: &Hash) -> Result<(), TransactionError> {
        let sender = self.transaction.sender;
        if sender.is_small_order() {
            return Err(TransactionError::BadSender(sender));
        }
        let key =
            VerificationKey::try_from(sender.0).map_err(|_| TransactionError::BadSender(sender))?;
        let signature = Signature::from(self.signature);
        key.verify(&signature, &signed_message(hash))
            .map_err(|_| TransactionError::BadSignature(sender))
    }
}

/// The address of the contract that the `index`-th action of `sender`'s transaction `nonce` deploys on the chain `chain_id`.
///
/// No two chains with different numbers share a contract's address, so that what is signed for a contract by its
/// address, such as a token's permit, says nothing to the contract of the same deployer on another chain.
#[must_use]
pub fn contract_address(chain_id: u64, sender: &Address, nonce: u64, index: usize) -> Address {
    let mut hasher = blake3::Hasher::new_derive_key("kempe 2026 contract address");
    hasher
        .update(&chain_id.to_le_bytes())
        .update(&sender.0)
        .update(&nonce.to_le_bytes())
        .update(&(index as u64).to_le_bytes());
    Address(*hasher.finalize().as_bytes())
}

/// The address of a signing key: its public key.
#[must_use]
pub fn address_of(key: &SigningKey) -> Address {
    Address(VerificationKey::from(key).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction() -> (SigningKey, Transaction) {
        let key = SigningKey::from([7; 32]);
        let transaction = Transaction {
            chain_id: 1,
            sender: address_of(&key),
            nonce: 0,
            fuel_limit: 1000,
            actions: vec![Action::Transfer { to: Address([9; 32]), amount: 5 }],
            access: Vec::new(),
        };
        (key, transaction)
    }

    #[test]
    fn signatures_bind_every_byte() {
        let (key, transaction) = transaction();
        let signed = transaction.sign(&key);
        assert_eq!(signed.verify(), Ok(signed.transaction.hash()));
        let bytes = borsh::to_vec(&signed).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            if let Ok(signed) = SignedTransaction::decode(&changed) {
                assert!(signed.verify().is_err(), "byte {at} is not bound");
            }
        }
    }

    #[test]
    fn encodings_are_canonical() {
        let (key, transaction) = transaction();
        let mut bytes = borsh::to_vec(&transaction.clone().sign(&key)).unwrap();
        assert_eq!(bytes.len(), transaction.size_bytes());
        bytes.push(0);
        assert!(matches!(SignedTransaction::decode(&bytes), Err(TransactionError::Encoding(_))));
        let claimed = [&[0xff; 52][..], &u32::MAX.to_le_bytes()].concat();
        assert!(matches!(SignedTransaction::decode(&claimed), Err(TransactionError::Encoding(_))));
    }

    #[test]
    fn the_largest_size_is_read_and_one_byte_more_is_not() {
        let (key, mut transaction) = transaction();
        let deploy = |n: usize| Action::Deploy { wasm: vec![0; n], args: vec![], authority: None };
        transaction.actions = vec![deploy(0)];
        let most = TX_BYTES_MAX - transaction.size_bytes();
        let of = |n: usize| {
            let transaction = Transaction { actions: vec![deploy(n)], ..transaction.clone() };
            let size_bytes = transaction.size_bytes();
            let signed = transaction.sign(&key);
            let decoded = SignedTransaction::decode(&borsh::to_vec(&signed).unwrap());
            (signed.transaction.check_form(1, u64::MAX), decoded.map(drop), size_bytes)
        };
        assert_eq!(of(most), (Ok(()), Ok(()), TX_BYTES_MAX));
        for more in [1, 9 << 20] {
            let (form, decoded, size_bytes) = of(most + more);
            let refused = Err(TransactionError::TooLarge { size_bytes });
            assert_eq!((&form, &decoded), (&refused, &refused));
        }
    }

    /// The same signature with another `s` of the same meaning would be a second encoding of a transaction.
    #[test]
    fn a_signature_has_one_encoding() {
        /// The order of the group, little-endian. Source: RFC 8032, section 5.1.
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let (key, transaction) = transaction();
        let mut signed = transaction.sign(&key);
        let mut carry = 0;
        for (byte, more) in signed.signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        let sender = signed.transaction.sender;
        assert_eq!(signed.verify(), Err(TransactionError::BadSignature(sender)));
    }

    #[test]
    fn a_key_of_small_order_cannot_send() {
        for sender in kempe_abi::SMALL_ORDER {
            let (_, mut transaction) = transaction();
            transaction.sender = Address(sender);
            // R = identity and s = 0 satisfy the equation for a small-order key under ZIP 215.
            let mut signature = [0; 64];
            signature[0] = 1;
            let signed = SignedTransaction { transaction, signature };
            assert_eq!(signed.verify(), Err(TransactionError::BadSender(Address(sender))));
        }
    }
}
